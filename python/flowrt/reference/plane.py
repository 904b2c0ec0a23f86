"""Plane layers (docs/FORMAT.md, section 4.3), tap by tap."""

from __future__ import annotations

import numpy as np

from ..file.codes import NOWHERE, LayerOperation
from ..tables import Table
from .functions import exact


def term(layer, source: np.ndarray) -> np.ndarray:
    """(rows, H) what the operation of a layer makes of its input (rows, units), with the bias of a convolution."""
    return _OPERATIONS[layer.operation](layer, source)


def per_channel(layer, values: np.ndarray) -> np.ndarray:
    """(rows, H) values (rows, channels) at each pixel."""
    rows, columns = layer.window.output
    return np.tile(values, (1, rows * columns))


def _taps(window, source: np.ndarray, outside: float):
    """For each tap of the kernel, what the output pixels see: (i, j, (rows, output rows, output columns, channels))."""
    top, bottom, left, right = window.pad
    planes = source[:, : window.inputs].reshape(-1, *window.plane, window.in_channels)
    planes = np.pad(planes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=outside)
    rows, columns = window.output
    for i in range(window.kernel[0]):
        y = i * window.dilation[0]
        for j in range(window.kernel[1]):
            x = j * window.dilation[1]
            yield (
                i,
                j,
                planes[
                    :,
                    y : y + (rows - 1) * window.stride[0] + 1 : window.stride[0],
                    x : x + (columns - 1) * window.stride[1] + 1 : window.stride[1],
                ],
            )


def _convolution(layer, source):
    window, channels = layer.window, layer.window.channels
    weight = exact(layer.weight).reshape(channels, *window.kernel, window.in_channels)
    total = np.zeros((len(source), *window.output, channels)) + exact(layer.bias)
    for i, j, seen in _taps(window, source, 0.0):
        total = total + seen @ weight[:, i, j].T
    return total.reshape(len(source), -1)


def _depthwise(layer, source):
    window, channels = layer.window, layer.window.channels
    weight = exact(layer.weight).reshape(channels, *window.kernel)
    total = np.zeros((len(source), *window.output, channels)) + exact(layer.bias)
    for i, j, seen in _taps(window, source, 0.0):
        total = total + seen * weight[:, i, j]
    return total.reshape(len(source), -1)


def _max_pool(layer, source):
    largest = np.full((len(source), *layer.window.output, layer.window.channels), -np.inf)
    for _, _, seen in _taps(layer.window, source, -np.inf):
        largest = np.maximum(largest, seen)  # NaN if one of them is
    return largest.reshape(len(source), -1)


def _gather(layer, source):
    index = np.asarray(layer.index)
    nowhere = index == NOWHERE
    return np.where(nowhere, 0.0, source[:, np.where(nowhere, 0, index)])


_OPERATIONS = Table(
    "flowrt.reference.plane._OPERATIONS",
    set(LayerOperation) - {LayerOperation.DENSE},
    {
        LayerOperation.CONVOLUTION: _convolution,
        LayerOperation.DEPTHWISE_CONVOLUTION: _depthwise,
        LayerOperation.MAX_POOLING: _max_pool,
        LayerOperation.GATHER: _gather,
    },
)
