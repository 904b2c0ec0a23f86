"""Activations that a file holds as several layers: what frameworks call hard silu, mish, relu6, selu and the like.

Each is a sum or a product of activations that docs/FORMAT.md has. They are recognised, as those are, by their values.
"""

from __future__ import annotations

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir
from ..reference import functions

_GRID = np.concatenate([np.linspace(-12, 12, 193), [-1e3, -100.0, -1e-3, 0.0, 1e-3, 100.0, 1e3]])
_SELU = 1.050_700_987_355_480_5, 1.673_263_242_354_377_2


def append_composed(layers: list, function, evaluate) -> bool:
    """Applies a live activation to the value of the last, linear, layer if it is one of those here, and says whether.

    `evaluate(function, grid)` gives its values on a float64 array.
    """
    try:
        values = np.asarray(evaluate(function, _GRID[None, :])).reshape(-1)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return False
    if values.shape != _GRID.shape:
        return False
    for formula, build in _FORMULAS:
        if np.allclose(values, formula(_GRID), rtol=1e-7, atol=1e-7):
            build(layers)
            return True
    return False


def _relu6(v):
    return np.clip(v, 0, 6)


def _mish(v):
    return v * np.tanh(functions.softplus(v))


def _selu(v):
    return _SELU[0] * np.where(v > 0, v, _SELU[1] * np.expm1(np.minimum(v, 0)))


def _clipped(layers: list, low: float, high: float, gain: float = 1.0, offset: float = 0.0) -> int:
    """gain (relu(v - low) - relu(v - high)) + offset of the last layer's value v; returns the layer of v."""
    v = len(layers) - 1
    width = layers[v].width
    for knot in (low, high):
        layers.append(ir.Layer(np.full(width, -knot), add=[ir.Add(v)], activation=Activation.RELU))
    adds = [ir.Add(v + 1, np.full(width, gain)), ir.Add(v + 2, np.full(width, -gain))]
    layers.append(ir.Layer(np.full(width, offset), add=adds))
    return v


def _gated(layers: list, v: int) -> None:
    """The value of layer `v` times that of the last layer."""
    layers.append(ir.Layer(np.zeros(layers[v].width), add=[ir.Add(v)], gate=len(layers) - 1))


def _append_hard_silu(layers: list) -> None:
    _gated(layers, _clipped(layers, -3.0, 3.0, 1 / 6))


def _append_mish(layers: list) -> None:
    v = len(layers) - 1
    for activation in (Activation.SOFTPLUS, Activation.TANH):
        zeros = np.zeros(layers[v].width)
        layers.append(ir.Layer(zeros, add=[ir.Add(len(layers) - 1)], activation=activation))
    _gated(layers, v)


def _append_selu(layers: list) -> None:
    layers[-1].activation, layers[-1].a = Activation.ELU, _SELU[1]
    width = layers[-1].width
    layers.append(ir.Layer(np.zeros(width), add=[ir.Add(len(layers) - 1, np.full(width, _SELU[0]))]))


_FORMULAS = (
    (lambda v: v * np.clip(v + 3, 0, 6) / 6, _append_hard_silu),
    (_mish, _append_mish),
    (_selu, _append_selu),
    (_relu6, lambda layers: _clipped(layers, 0.0, 6.0)),
    (lambda v: np.clip(v, -1, 1), lambda layers: _clipped(layers, -1.0, 1.0, 1.0, -1.0)),
    (lambda v: np.clip(v / 6 + 0.5, 0, 1), lambda layers: _clipped(layers, -3.0, 3.0, 1 / 6)),
)
