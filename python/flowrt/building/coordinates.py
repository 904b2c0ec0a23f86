"""Steps that read or change some of the coordinates only: couplings, and what stands inside of them."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from ..file.codes import Function
from ..flow import flow as ir
from ..tables import Table


def reading(layers: list, coordinates: np.ndarray, dim: int) -> list:
    """The layers of a network that was given `coordinates` of the read side, as layers that are given all `dim`."""
    return [_spread(layer, coordinates, dim) if layer.source == ir.READ else layer for layer in layers]


def acting(step: ir.Step, coordinates: np.ndarray, dim: int) -> ir.Step:
    """A step of len(coordinates) coordinates, as one of `dim` that leaves all others as they are."""
    return _ACTING[type(step)](step, coordinates, dim)


def _autoregressive(step: ir.Autoregressive, coordinates: np.ndarray, dim: int) -> ir.Autoregressive:
    inner = np.arange(len(coordinates)) if step.transformed is None else step.transformed
    return replace(step, layers=reading(step.layers, coordinates, dim), transformed=coordinates[inner])


def _diagonal(step: ir.Diagonal, coordinates: np.ndarray, dim: int) -> ir.Diagonal:
    return replace(step, scale=_filled(np.ones(dim), coordinates, step.scale), **_shifts(step, coordinates, dim))


def _permutation(step: ir.Permutation, coordinates: np.ndarray, dim: int) -> ir.Permutation:
    return replace(step, index=_filled(np.arange(dim), coordinates, coordinates[step.index]))


def _linear(step: ir.Linear, coordinates: np.ndarray, dim: int) -> ir.Linear:
    matrix = np.eye(dim)
    matrix[np.ix_(coordinates, coordinates)] = step.matrix
    return replace(step, matrix=matrix, **_shifts(step, coordinates, dim))


def _pixelwise(step: ir.PixelwiseLinear, coordinates: np.ndarray, dim: int) -> ir.PixelwiseLinear:
    return replace(step, coordinates=coordinates[step.coordinates])


def _elementwise(step: ir.Elementwise, coordinates: np.ndarray, dim: int) -> ir.Elementwise:
    lower, upper = (_filled(np.zeros(dim), coordinates, values) for values in (step.lower, step.upper))
    function = _filled(np.full(dim, int(Function.IDENTITY)), coordinates, step.function)
    return replace(step, function=function, lower=lower, upper=upper)


_ACTING = Table(
    "flowrt.building.coordinates._ACTING",
    get_args(ir.Step),
    {
        ir.Autoregressive: _autoregressive,
        ir.Diagonal: _diagonal,
        ir.Permutation: _permutation,
        ir.Linear: _linear,
        ir.Elementwise: _elementwise,
        ir.PixelwiseLinear: _pixelwise,
    },
)


def _shifts(step, coordinates: np.ndarray, dim: int) -> dict:
    return {
        "shift": _filled(np.zeros(dim), coordinates, step.shift),
        "before": _filled(np.zeros(dim), coordinates, step.before),
    }


def _spread(layer: ir.AnyLayer, coordinates: np.ndarray, dim: int) -> ir.AnyLayer:
    if isinstance(layer, ir.Gather):
        index = np.asarray(layer.index)
        return replace(layer, index=np.where(index < 0, -1, coordinates[index]))
    if not isinstance(layer, ir.Layer):
        return replace(layer, coordinates=coordinates[layer.coordinates])
    weight, mask = np.zeros((layer.width, dim)), np.zeros((layer.width, dim), dtype=bool)
    weight[:, coordinates], mask[:, coordinates] = layer.weight, layer.mask
    return replace(layer, weight=weight, mask=mask)


def _filled(values: np.ndarray, coordinates: np.ndarray, given: np.ndarray) -> np.ndarray:
    values[coordinates] = given
    return values
