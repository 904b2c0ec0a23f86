"""Adapters: what turns a model of a framework into a flow (`ir.Flow`). `registry` lists them and says what one is."""

from __future__ import annotations

from contextlib import contextmanager

from ..building.modules import class_names
from ..errors import Error, ExportError
from .registry import FRAMEWORKS, WRAPPERS
from .torch.overrides import SAMPLERS, require_own

ADAPTERS = {entry.name: entry.load() for entry in FRAMEWORKS if not entry.is_fork}


def unwrapped(model):
    """A model without what torch.compile, torch.nn.DataParallel and AveragedModel put around it."""
    for wrapper in class_names(model) & set(WRAPPERS):
        return unwrapped(getattr(model, WRAPPERS[wrapper]))
    return model


def restored(model):
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
    raise ExportError(f"{type(model).__name__} is not a flow of a supported framework ({supported})")


def dtypes(adapter) -> tuple:
    """Single and double precision, as `adapter.live` takes them."""
    if hasattr(adapter, "dtypes"):
        return adapter.dtypes
    import torch

    return torch.float32, torch.float64
