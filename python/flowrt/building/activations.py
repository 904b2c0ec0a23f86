"""Activations recognised by what they compute.

A model may hold a function, a module, a lambda or a partial application. Whatever it is, it is evaluated on a grid and
compared with the activations of docs/FORMAT.md, and with those that a few layers of these compose (compositions.py);
parameters (ELU's alpha, a leaky slope) are read off the values.
"""

from __future__ import annotations

import copy
import math

import numpy as np

from ..errors import ExportError
from ..file.codes import Activation
from ..reference import functions
from . import compositions
from .arrays import float64

_FAR = np.array([50.0, 100.0, 1e3, 1e4, 1e6])  # where a limit would show, and all activations are near an asymptote
_GRID = np.concatenate([np.linspace(-30, 30, 241), [-1.0, 1.0, -1e-3, 1e-3, 0.0], -_FAR, _FAR])
_TOLERANCE = 1e-8  # frameworks replace softplus by its asymptote for large arguments


def recognise(function, evaluate=None) -> tuple:
    """(activation, a) of a live callable, or (`Composition`, 0). Raises `ExportError` that names it if it is neither.

    `evaluate(function, grid)` gives its values on a float64 array as one of the same shape; by default torch does.
    """
    slopes = _slopes_of_units(function)
    if slopes is not None:
        return compositions.leaky_relu_of_units(slopes), 0.0
    values = _values(function, evaluate or _by_torch)
    for kind in Activation:
        if kind == Activation.LAYER_NORM:
            continue
        a = _parameter(kind, values)
        if np.allclose(values, functions.activation(kind, _GRID, a), rtol=_TOLERANCE, atol=_TOLERANCE):
            return kind, a
    composed = compositions.recognise(_GRID, values, _TOLERANCE)
    if composed is not None:
        return composed, 0.0
    supported = ", ".join(kind.name.lower() for kind in Activation if kind != Activation.LAYER_NORM)
    supported += ", " + ", ".join(compositions.NAMES)
    raise ExportError(f"activation {describe(function)} is not supported; supported are {supported}")


def describe(function) -> str:
    """A name for a callable that a user recognises."""
    return getattr(function, "__name__", None) or type(function).__name__


def _slopes_of_units(function):
    """The slopes of a PReLU that has one for each unit: PyTorch's `weight`, equinox's `negative_slope`. Else None."""
    if "PReLU" not in {cls.__name__ for cls in type(function).__mro__}:
        return None
    found = getattr(function, "weight", getattr(function, "negative_slope", None))
    slopes = np.zeros(0) if found is None else float64(found).reshape(-1)
    return slopes if slopes.size > 1 else None


def _values(function, evaluate) -> np.ndarray:
    try:
        column, row = evaluate(function, _GRID[:, None]), evaluate(function, _GRID[None, :])
        if np.array_equal(column.flatten(), row.flatten()):
            return row.flatten()
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError):
        pass
    raise ExportError(f"activation {describe(function)} is not a function of one unit at a time")


def _by_torch(function, grid: np.ndarray) -> np.ndarray:
    import torch

    if isinstance(function, torch.nn.Module):
        function = copy.deepcopy(function).double().eval()
    with torch.no_grad():
        return function(torch.tensor(grid)).numpy()


def _parameter(kind: Activation, values: np.ndarray) -> float:
    """`a` of an activation from its value at -1; 0 for one without a parameter."""
    at_minus_one = float(values[np.flatnonzero(_GRID == -1.0)[0]])
    return _PARAMETERS.get(kind, lambda value: 0.0)(at_minus_one)


_PARAMETERS = {Activation.LEAKY_RELU: lambda value: -value, Activation.ELU: lambda value: value / math.expm1(-1.0)}
