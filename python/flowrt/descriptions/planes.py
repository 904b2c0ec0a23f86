"""Layers of planes in a description: convolutions, pooling and gathering of images (channels, rows, columns).

Frameworks flatten images channel by channel, a file pixel by pixel: what a dense layer takes of an image, and what a
network takes of the context, is brought into the other order here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..building import planes
from ..flow import flow as ir
from .fields import Fields

OPERATIONS = ("dense", "convolution", "depthwise_convolution", "max_pooling", "gather")


def read_plane_layer(fields: Fields, operation: str, source, common: dict):
    """A layer of an operation other than the dense one; `common` are activation, gate and added layers."""
    if operation == "gather":
        return ir.Gather(
            fields.indices("index", "which unit of the source each unit is, -1 for zero"), source, **common
        )
    grid = _pair(fields, "plane", "rows and columns of the plane that it takes")
    geometry = {
        "grid": grid,
        "stride": _pair(fields, "stride", "", (1, 1)),
        "dilation": _pair(fields, "dilation", "", (1, 1)),
        "padding": _padding(fields),
    }
    if operation == "max_pooling":
        channels = fields.whole("channels", "channels of the plane that it takes")
        kernel = _pair(fields, "kernel", "rows and columns of the windows")
        return ir.MaxPool(kernel, channels, source, **geometry, **common)
    weight = fields.array("weight", "(outputs, inputs, rows, columns)")
    if weight.ndim != 4:
        fields.refuse(f"'weight' has the shape {weight.shape}, not (outputs, inputs, rows, columns)")
    bias = fields.array("bias", "", (len(weight),), 0.0)
    context = {}
    if "context_weight" in fields:
        context["context_weight"] = fields.optional_array("context_weight")
    depthwise = operation == "depthwise_convolution"
    return ir.Convolution(bias, weight, source, depthwise=depthwise, **geometry, **context, **common)


def _pair(fields: Fields, name: str, what: str, default=None) -> tuple:
    """(rows, columns), of two numbers or one for both."""
    values = fields.array(name, what, None, default)
    if values.ndim > 1 or values.size not in (1, 2) or np.any(values != np.round(values)):
        fields.refuse(f"{name!r} is {values.tolist()}, not [rows, columns]")
    rows, columns = np.broadcast_to(values.reshape(-1), (2,))
    return int(rows), int(columns)


def _padding(fields: Fields) -> tuple:
    """Zeros above, below, left and right: one number for all, [rows, columns], or all four."""
    values = fields.array("padding", "", None, 0.0)
    if values.ndim > 1 or values.size not in (1, 2, 4) or np.any((values != np.round(values)) | (values < 0)):
        fields.refuse(f"'padding' is {values.tolist()}, not a number, [rows, columns] or [above, below, left, right]")
    values = values.reshape(-1).astype(int)
    if values.size < 4:
        values = np.repeat(np.broadcast_to(values, (2,)), 2)
    return tuple(int(value) for value in values)


def of_flattened_images(layers: list) -> list:
    """The layers with the columns of dense ones behind a plane in the order of its units."""
    for layer in layers:
        if isinstance(layer, ir.Layer) and isinstance(layer.source, int):
            before = layers[layer.source]
            if isinstance(before, (ir.Convolution, ir.MaxPool)) and layer.weight.shape[1] == before.width:
                layer.weight = planes.flattened_columns(layer.weight, before.channels)
                layer.mask = planes.flattened_columns(layer.mask, before.channels)
    return layers


def of_context_image(layers: list) -> list:
    """The layers of a network of the context, whose first ones take it as an image (channels, rows, columns)."""
    taking = [layer for layer in layers if layer.source == ir.CONTEXT and layer.window is not None]
    shapes = {(layer.window.in_channels, *layer.window.plane) for layer in taking}
    if len(shapes) != 1 or next(iter(shapes))[0] == 1:
        return layers
    moved = [ir.rewired(layer, lambda reference: reference + 1) for layer in layers]
    return [
        planes.from_channels_first(next(iter(shapes))),
        *(replace(layer, source=0) if layer.source == ir.CONTEXT and layer.window is not None else layer
          for layer in moved),
    ]  # fmt: skip


def reading_image(layers: list, coordinates: np.ndarray, fields: Fields) -> list:
    """The layers of the network of a coupling that is given an image (channels, rows, columns) of coordinates."""
    flat, result = planes.flat_pixels(coordinates), []
    for layer in layers:
        if layer.source == ir.READ:
            if not isinstance(layer, (ir.Convolution, ir.MaxPool)):
                fields.refuse("a layer that takes an image and is neither a convolution nor max pooling")
            if (layer.window.in_channels, *layer.window.plane) != coordinates.shape:
                fields.refuse(f"a layer takes {layer.window.in_channels} channels of {layer.window.plane} pixels, but "
                              f"'inputs' has the shape {coordinates.shape}")  # fmt: skip
            layer = replace(layer, coordinates=flat)
        result.append(layer)
    output = result[-1]
    if isinstance(output, ir.Gather):
        return result
    if isinstance(output, ir.Layer):
        fields.refuse("the last layer of a network of images is a convolution")
    return planes.linear_plane(result, (output.channels, *output.output))
