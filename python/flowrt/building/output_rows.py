"""The rows of the output layer of a network: their order, and constants that are folded into them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..flow.flow import Add, Layer


def reordered(layer: Layer, rows) -> None:
    """Puts the units of a layer, or the channels of a convolution, into another order, in place."""
    layer.bias = layer.bias[rows]
    if layer.weight is not None:
        layer.weight = layer.weight[rows]
    if isinstance(layer, Layer) and layer.mask is not None:
        layer.mask = layer.mask[rows]
    if layer.context_weight is not None:
        layer.context_weight = layer.context_weight[rows]


def scale_rows(output: Layer, rows, gain=1.0, offset=0.0) -> None:
    """Replaces the values of some rows by gain * value + offset, numbers or one for each of them, in place."""
    output.bias = np.array(output.bias, dtype=np.float64)
    output.bias[rows] = gain * output.bias[rows] + offset
    for name in ("weight", "context_weight"):
        weight = getattr(output, name)
        if weight is not None:
            weight = np.array(weight, dtype=np.float64)
            weight[rows] *= np.reshape(gain, (-1, *[1] * (weight.ndim - 1)))
            setattr(output, name, weight)
    if np.any(gain != 1) and output.add:
        output.add = [_scaled(add, rows, gain, output.width) for add in output.add]


def _scaled(add: Add, rows, gain, width: int) -> Add:
    scale = np.ones(width) if add.scale is None else np.array(add.scale, dtype=np.float64)
    scale[rows] *= gain
    return replace(add, scale=scale)
