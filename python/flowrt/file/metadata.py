"""The metadata of a file (docs/FORMAT.md, section 8)."""

from __future__ import annotations

import json


def metadata_of(text: bytes) -> dict:
    """The JSON object at the end of a file; empty if there is none, or if it is something else, which harms nobody."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
