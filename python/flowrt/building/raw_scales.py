"""Raw scales that go through units of their own before they are scales."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir
from .output_rows import reordered


def through_units(
    layers: list, activation: Activation, matrix: np.ndarray, inner: float = 1.0, offset: float = 0.0
) -> list:
    """Layers that give t, a of n coordinates, made to give t and `matrix f(inner a) + offset`, f the activation.

    The last of `layers` is linear.
    """
    output, count = layers[-1], len(matrix)
    units = scaled(sliced(output, np.arange(1, 2 * count, 2)), np.full(count, inner))
    units.activation = activation
    shifts = scaled(output, np.arange(2 * count) % 2 == 0)
    weight, bias = np.zeros((2 * count, count)), np.zeros(2 * count)
    weight[1::2], bias[1::2] = matrix, offset
    start = len(layers) - 1
    return [*layers[:-1], units, shifts, ir.Layer(bias, weight, weight != 0, start, add=[ir.Add(start + 1)])]


def sliced(layer: ir.Layer, rows) -> ir.Layer:
    """Some units of a layer."""
    layer = replace(layer)
    reordered(layer, rows)
    return layer


def scaled(layer: ir.Layer, gain) -> ir.Layer:
    """A linear layer with each unit times a number."""
    gain = np.asarray(gain, dtype=np.float64)

    def times(weight):
        return None if weight is None else gain[:, None] * weight

    return replace(
        layer, bias=gain * layer.bias, weight=times(layer.weight), context_weight=times(layer.context_weight)
    )
