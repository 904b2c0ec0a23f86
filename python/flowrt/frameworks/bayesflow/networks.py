"""The networks of bayesflow's couplings: its MLP, or a sequence of Dense layers and activations of Keras 3."""

from __future__ import annotations

import numpy as np

from ...building.activations import recognise
from ...building.arrays import float64
from ...building.modules import class_names, concatenated, refuse
from ...errors import ExportError
from ...flow import flow as ir

_SUPPORTED = "MLP, and Sequential of Dense, Activation and other activations, Dropout and BatchNormalization"


def network_layers(network, variables: int) -> list:
    """The layers of a live network that takes `variables` coordinates and then the context."""
    layers: list[ir.Layer] = []
    for part in _parts(network):
        if "DenseBlock" in class_names(part):
            _append_block(layers, part, variables)
        else:
            _append(layers, part, variables)
    if not layers:
        refuse(network, f"the networks {_SUPPORTED}")
    return layers


def dense(layer, layers: list, variables: int) -> ir.Layer:
    """The linear part of a Dense layer behind others, or at the beginning of a network."""
    return _dense(layer, len(layers) - 1 if layers else None, variables)


def _parts(network):
    kinds = class_names(network)
    if "MLP" in kinds:
        yield from network.blocks
    elif "Sequential" in kinds:
        for part in network.layers:
            yield from _parts(part)
    else:
        yield network


def _dense(layer, source: int | None, variables: int) -> ir.Layer:
    weight = float64(layer.kernel).T
    bias = np.zeros(len(weight)) if layer.bias is None else float64(layer.bias)
    if source is not None:
        return ir.Layer(bias, weight, None, source)
    return concatenated(weight, bias, variables)


def _append(layers: list, part, variables: int) -> None:
    kinds = class_names(part)
    if "Dense" in kinds:
        layers.append(dense(part, layers, variables))
        _activate(layers, part.activation)
    elif "BatchNormalization" in kinds and layers:
        _append_norm(layers, part)
    elif kinds & {"Dropout", "InputLayer", "Identity"}:
        return
    elif layers and not part.weights:
        _activate(layers, part)
    else:
        refuse(part, f"the networks {_SUPPORTED}")


def _append_block(layers: list, block, variables: int) -> None:
    """norm(skip + activation(dense)), where the skip is the input or a linear map of it."""
    start = len(layers) - 1 if layers else None
    layers.append(_dense(block.dense, start, variables))
    _activate(layers, block.activation)
    if block.residual:
        skip = _skip(layers, block, start, variables)
        layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(skip[0]), ir.Add(skip[1])]))
    if block.norm_layer is not None:
        _append_norm(layers, block.norm_layer)


def _skip(layers: list, block, start: int | None, variables: int) -> tuple:
    """The layers of a block's value and of what is added to it."""
    value = len(layers) - 1
    if block.projector is not None:
        layers.append(_dense(block.projector, start, variables))
        return value, value + 1
    if start is not None:
        return value, start
    width = layers[-1].width  # as long as the input
    layers.append(concatenated(np.eye(width), np.zeros(width), variables))
    return value, value + 1


def _append_norm(layers: list, norm) -> None:
    if "BatchNormalization" not in class_names(norm):
        raise ExportError(
            f"{type(norm).__name__} in a network that reads variables is not supported; supported is BatchNormalization"
        )
    scale = 1 / np.sqrt(float64(norm.moving_variance) + norm.epsilon)
    scale = scale if norm.gamma is None else scale * float64(norm.gamma)
    shift = -float64(norm.moving_mean) * scale
    shift = shift if norm.beta is None else shift + float64(norm.beta)
    layers.append(ir.Layer(shift, add=[ir.Add(len(layers) - 1, scale)]))


def _activate(layers: list, function) -> None:
    """Applies an activation, a function or a layer of Keras, to the value of the last layer."""
    if "Activation" in class_names(function):
        function = function.activation
    if layers[-1].activation or layers[-1].add:
        layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(len(layers) - 1)]))
    layers[-1].activation, layers[-1].a = recognise(function, _values)


def _values(function, grid: np.ndarray) -> np.ndarray:
    """A Keras layer would take the grid to its own type: its `call` does not."""
    import keras

    function = getattr(function, "call", function)
    return float64(function(keras.ops.convert_to_tensor(grid, dtype="float64")))
