"""Adapters: what turns a model of a framework into a description (`ir.Flow`).

An adapter is a module with `framework` (its name), `accepts(model)`, `describe(model, context_dim)` and
`live(model, dtype)`, where `dtype` is one of its `dtypes` (PyTorch's, for an adapter without).
It looks at class names and attributes only and imports nothing of the framework until a model of it is given.
"""

from __future__ import annotations

from contextlib import contextmanager

from ..building.modules import names
from ..errors import Error, ExportError
from .bayesflow import flow as bayesflow
from .flowjax import flow as flowjax
from .freia import flow as freia
from .margarine import flow as margarine
from .nflows import flow as nflows
from .normflows import flow as normflows
from .pyro import flow as pyro
from .pzflow import flow as pzflow
from .sbi import flow as sbi
from .tfp import flow as tfp
from .torch.overrides import SAMPLERS, require_own
from .zuko import flow as zuko

ADAPTERS = {adapter.framework: adapter for adapter in (nflows, zuko, pyro, flowjax, normflows, sbi, tfp, freia, bayesflow, pzflow, margarine)}


_WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
}


def unwrapped(model):
    """A model without what torch.compile, torch.nn.DataParallel and AveragedModel put around it."""
    for wrapper in names(model) & set(_WRAPPERS):
        return unwrapped(getattr(model, _WRAPPERS[wrapper]))
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
