"""Steps that read or change some of the coordinates only: couplings, and what stands inside of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import Function
from ..flow import flow as ir


def reading(layers: list, coordinates: np.ndarray, dim: int) -> list:
    """The layers of a network that was given `coordinates` of the read side, as layers that are given all `dim`."""
    return [_spread(layer, coordinates, dim) if layer.source == ir.READ else layer for layer in layers]


def acting(step: ir.Step, coordinates: np.ndarray, dim: int) -> ir.Step:
    """A step of len(coordinates) coordinates, as one of `dim` that leaves all others as they are."""
    if isinstance(step, ir.Autoregressive):
        inner = np.arange(len(coordinates)) if step.transformed is None else step.transformed
        return replace(step, layers=reading(step.layers, coordinates, dim), transformed=coordinates[inner])
    if isinstance(step, ir.Permutation):
        index = np.arange(dim)
        index[coordinates] = coordinates[step.index]
        return replace(step, index=index)
    if isinstance(step, (ir.Linear, ir.Diagonal)):
        shift, before = (_filled(np.zeros(dim), coordinates, values) for values in (step.shift, step.before))
    if isinstance(step, ir.Linear):
        matrix = np.eye(dim)
        matrix[np.ix_(coordinates, coordinates)] = step.matrix
        return replace(step, matrix=matrix, shift=shift, before=before)
    if isinstance(step, ir.Elementwise):
        zeros = np.zeros(dim)
        lower, upper = (_filled(zeros.copy(), coordinates, values) for values in (step.lower, step.upper))
        function = _filled(np.full(dim, int(Function.IDENTITY)), coordinates, step.function)
        return replace(step, function=function, lower=lower, upper=upper)
    return replace(step, scale=_filled(np.ones(dim), coordinates, step.scale), shift=shift, before=before)


def _spread(layer: ir.Layer, coordinates: np.ndarray, dim: int) -> ir.Layer:
    weight, mask = np.zeros((layer.width, dim)), np.zeros((layer.width, dim), dtype=bool)
    weight[:, coordinates], mask[:, coordinates] = layer.weight, layer.mask
    return replace(layer, weight=weight, mask=mask)


def _filled(values: np.ndarray, coordinates: np.ndarray, given: np.ndarray) -> np.ndarray:
    values[coordinates] = given
    return values
