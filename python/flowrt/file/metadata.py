"""The metadata of a file (docs/FORMAT.md, section 8)."""

from __future__ import annotations

import json
import math
from typing import Any, Mapping, Optional


def metadata_of(text: bytes) -> dict[str, Any]:
    """The JSON object at the end of a file; empty if there is none, or if it is something else, which harms nobody."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def names_of(metadata: Mapping[str, Any], key: str, count: int) -> Optional[tuple[str, ...]]:
    """`count` different names under `key`; None if there is anything else."""
    found = metadata.get(key)
    if not isinstance(found, list) or len(found) != count or len(set(map(str, found))) != count:
        return None
    return tuple(found) if count and all(isinstance(name, str) for name in found) else None


def shape_of(metadata: Mapping[str, Any], key: str, count: int) -> Optional[tuple[int, ...]]:
    """The shape of an image of `count` numbers under `key`; None if there is anything else."""
    found = metadata.get(key)
    if not isinstance(found, list) or len(found) < 2 or not all(type(size) is int and size > 0 for size in found):
        return None
    return tuple(found) if math.prod(found) == count else None
