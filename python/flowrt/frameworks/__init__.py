"""Adapters: what turns a model of a framework into a flow (`ir.Flow`). `registry` lists them and says what one is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from ..errors import Error, ExportError
from .holders import held_flows
from .registry import FRAMEWORKS
from .torch.overrides import SAMPLERS, require_own
from .torch.plain import require_readable, unwrapped

__all__ = ["ADAPTERS", "choose", "dtypes", "refuse_holder", "refusing", "restored", "unwrapped"]

ADAPTERS = {entry.name: entry.load() for entry in FRAMEWORKS if not entry.is_fork}


def _on_cpu():
    """Lets PyTorch make tensors on the CPU, whatever device the user has made the default."""
    return sys.modules["torch"].device("cpu") if "torch" in sys.modules else nullcontext()


def restored(model: Any) -> Any:
    """What the file of a framework holds, as a model of it or as a flow; anything else as it is."""
    for adapter in ADAPTERS.values():
        if hasattr(adapter, "of_stored") and adapter.is_stored(model):
            return adapter.of_stored(model)
    return model


@contextmanager
def refusing(model):
    """Refuses a model that samples in a way of its own; an error of its framework becomes an `ExportError`."""
    try:
        require_own(model, *SAMPLERS)
        with _on_cpu():
            yield
    except (Error, MemoryError):
        raise
    except Exception as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ExportError(f"{type(model).__name__} cannot be read or evaluated: {cause}") from error


def choose(model, framework: str | None = None):
    """The adapter for a model: the one that is named, or the first that accepts it. Raises `ExportError`."""
    supported = ", ".join(ADAPTERS)
    if framework is not None:
        if framework not in ADAPTERS:
            raise ExportError(f"framework {framework!r} is not supported; supported are {supported}")
        if not ADAPTERS[framework].accepts(model):
            raise ExportError(f"{type(model).__name__} is not a flow of {framework}")
        return ADAPTERS[framework]
    for adapter in ADAPTERS.values():
        if adapter.accepts(model):
            return adapter
    require_readable(model)
    raise ExportError(f"{type(model).__name__} is not a flow of a supported framework ({supported}){_holding(model)}")


def refuse_holder(values: Mapping) -> None:
    """Raises `ExportError` for a dictionary that is no description but holds live flows."""
    hint = _holding(values)
    if hint:
        raise ExportError(f"the dictionary is no description{hint}")


def _holding(model) -> str:
    """What to give instead of something that holds flows, as the end of a message; empty if it holds none."""
    found = held_flows(model, lambda part: any(adapter.accepts(part) for adapter in ADAPTERS.values()))
    if not found:
        return ""
    listed = ", ".join(f"{path} ({type(part).__name__})" for path, part in found.items())
    if len(found) > 1:
        return f", but it holds several flows, {listed}: give one of them, or save each to a file of its own"
    if isinstance(model, (Mapping, list, tuple)):
        return f", but it holds one, {listed}: give that"
    return (
        f", but its {listed} is one: give that, and do outside of the file what {type(model).__name__} does before and "
        "after it, such as scaling"
    )


def dtypes(adapter) -> tuple:
    """Single and double precision, as `adapter.live` takes them."""
    if hasattr(adapter, "dtypes"):
        return adapter.dtypes
    import torch

    return torch.float32, torch.float64
