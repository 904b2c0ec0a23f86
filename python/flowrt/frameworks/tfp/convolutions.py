"""Keras networks of Glow's couplings: convolutions and activations in sequence, as layers that read an image.

Planes of Keras are (rows, columns, channels), kernels (rows, columns, inputs, outputs): a file has its pixels in the
same order.
"""

from __future__ import annotations

import numpy as np

from ...building import planes
from ...building.activations import recognise
from ...building.arrays import float64
from ...building.modules import class_names, refuse
from ...errors import ExportError
from ...file.codes import Activation
from ...flow import flow as ir
from ..arrays.keras import retyped
from .networks import values_of

SUPPORTED = (
    "Sequential, or a functional model that is one, of Conv2D, DepthwiseConv2D, ZeroPadding2D, BatchNormalization, "
    "Dropout and activations"
)
_NOTHING = {"InputLayer", "Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise"}  # in evaluation mode


def network(model, coordinates: np.ndarray) -> list:
    """The layers of a Keras network that is given the coordinates (C, H, W); the last one is a plane."""
    layers: list = []
    padding = (0, 0, 0, 0)
    for layer in _sequence(model):
        kinds = class_names(layer)
        if kinds & _NOTHING:
            continue
        grid = layers[-1].output if layers else coordinates.shape[1:]
        if "ZeroPadding2D" in kinds:
            padding = tuple(a + int(b) for a, b in zip(padding, np.ravel(layer.padding)))
        elif "Conv2D" in kinds or "DepthwiseConv2D" in kinds:
            layers.append(_convolution(layer, len(layers) - 1 if layers else ir.READ, grid, padding))
            layers[-1].activation, layers[-1].a = recognise(layer.activation, values_of)
            padding = (0, 0, 0, 0)
        elif any(padding) or not layers:
            where = "behind ZeroPadding2D" if any(padding) else "as first layer"
            raise ExportError(
                f"{type(layer).__name__} {where} of a coupling of images is not supported; supported is a Conv2D"
            )
        elif "BatchNormalization" in kinds:
            _append_batch_norm(layers, layer)
        elif not layer.weights:
            _activate(layers, layer)
        else:
            refuse(layer, SUPPORTED)
    if any(padding) or not layers:
        raise ExportError(f"{type(model).__name__} does not end with a Conv2D; supported are {SUPPORTED}")
    layers[0].coordinates = planes.flat_pixels(coordinates)
    return layers


def copied(model, dtype):
    """The network with weights of another floating-point type."""
    copy = _keras_class(model).from_config(retyped(_config(model), np.dtype(dtype).name))
    if not copy.built:
        copy.build(model.input_shape)
    copy.set_weights(model.get_weights())
    return copy


def _sequence(model) -> list:
    """The layers of a Keras network in the order in which they act."""
    _keras_class(model)
    for layer in model.layers:
        if len(layer._inbound_nodes) > 1 and "InputLayer" not in class_names(layer) and "Functional" in _kind(model):
            raise ExportError(f"{type(model).__name__} that uses a {type(layer).__name__} twice is not supported")
    if "Functional" == _kind(model):
        for before, layer in zip(model.layers, model.layers[1:]):
            if layer.input is not before.output:
                refuse(layer, f"{SUPPORTED}, each on what the layer before it gives")
    return [inner for layer in model.layers for inner in (_sequence(layer) if _is_network(layer) else [layer])]


def _is_network(layer) -> bool:
    return bool(class_names(layer) & {"Sequential", "Functional"})


def _kind(model) -> str:
    return next((cls.__name__ for cls in type(model).__mro__ if cls.__name__ in ("Sequential", "Functional")), "")


def _keras_class(model):
    """Sequential or Functional of Keras; refuses what computes something else than its layers in sequence."""
    for cls in type(model).__mro__:
        if cls.__name__ in ("Sequential", "Functional"):
            return cls
        if {"call", "__call__"} & set(vars(cls)):
            break
    return refuse(model, f"{SUPPORTED}, whose `call` is that of Keras")


def _config(model) -> dict:
    """What Keras makes the network of; `get_config` of a subclass may be another one."""
    return _keras_class(model).get_config(model)


# ---- layers ----


def _convolution(layer, source, grid: tuple, more: tuple) -> ir.Convolution:
    name = type(layer).__name__
    if layer.data_format != "channels_last":
        raise ExportError(f"{name} with data_format={layer.data_format!r} is not supported")
    depthwise = "DepthwiseConv2D" in class_names(layer)
    kernel = float64(layer.depthwise_kernel if depthwise else layer.kernel)
    weight = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    if depthwise and weight.shape[1] != 1:
        raise ExportError(f"{name} with depth_multiplier={weight.shape[1]} is not supported")
    if getattr(layer, "groups", 1) > 1:
        raise ExportError(f"{name} with groups={layer.groups} is not supported")
    stride, dilation = tuple(map(int, layer.strides)), tuple(map(int, layer.dilation_rate))
    padding = more
    if layer.padding == "same":
        full = (grid[0] + more[0] + more[1], grid[1] + more[2] + more[3])
        padding = tuple(a + b for a, b in zip(more, _same(full, weight.shape[2:], stride, dilation)))
    elif layer.padding != "valid":
        raise ExportError(f"{name} with padding={layer.padding!r} is not supported")
    bias = np.zeros(len(weight)) if layer.bias is None else float64(layer.bias)
    return ir.Convolution(bias, weight, source, tuple(grid), stride, dilation, padding, depthwise)


def _same(grid: tuple, kernel: tuple, stride: tuple, dilation: tuple) -> tuple:
    """The zeros above, below, left and right of padding="same": the odd one of them is below, or to the right."""
    result = []
    for size, k, s, d in zip(grid, kernel, stride, dilation):
        total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        result += [total // 2, total - total // 2]
    return tuple(result)


def _append_batch_norm(layers: list, norm) -> None:
    """The moving mean and variance of each channel."""
    channels = layers[-1].channels
    axis = norm.axis if isinstance(norm.axis, int) else list(norm.axis)[0]
    if axis not in (-1, 3):
        raise ExportError(f"BatchNormalization with axis={axis} is not supported")
    scale = np.ones(channels) if norm.gamma is None else float64(norm.gamma)
    scale = scale / np.sqrt(float64(norm.moving_variance) + norm.epsilon)
    shift = (0.0 if norm.beta is None else float64(norm.beta)) - scale * float64(norm.moving_mean)
    last = layers[-1]
    if last.activation == Activation.IDENTITY and not last.depthwise:
        planes.folded_behind(last, scale, shift)
        return
    layers.append(planes.pointwise(scale, shift, len(layers) - 1, last.output))


def _activate(layers: list, layer) -> None:
    last = layers[-1]
    if last.activation != Activation.IDENTITY:
        ones = np.ones(last.channels)
        layers.append(planes.pointwise(ones, np.zeros(last.channels), len(layers) - 1, last.output))
    layers[-1].activation, layers[-1].a = recognise(layer, values_of)
