"""The networks of a description: layers, and the rows of the output layer in the order of the format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..building import compositions
from ..building.output_rows import reordered
from ..file.codes import Activation
from ..flow import flow as ir
from .fields import Fields
from .planes import OPERATIONS, of_context_image, of_flattened_images, read_plane_layer

_ACTIVATIONS = {**{kind.name.lower(): kind for kind in Activation}, **compositions.NAMED, "prelu": "prelu"}
_PARAMETERS = {
    Activation.ELU: ("alpha", "the factor of exp(v) - 1 below zero"),
    Activation.LEAKY_RELU: ("slope", "the slope below zero"),
    Activation.LAYER_NORM: ("epsilon", "what is added to the variance"),
}

ROWS = "the order of the last layer's rows, slowest first, for example"


def read_layers(fields: Fields, name: str, what: str) -> list:
    """The `ir.Layer`s of an entry; the activation of the last one is the identity unless it says otherwise."""
    parts = fields.parts(name, what)
    if not parts:
        fields.refuse(f"{name!r} is empty")
    return of_flattened_images([_layer(part, i, i == len(parts) - 1) for i, part in enumerate(parts)])


def read_context_layers(fields: Fields, name: str, what: str) -> list:
    """The layers of a network that sees the context alone: the `weight` of its first layer acts on that, too."""
    return of_context_image([_of_context(layer) for layer in read_layers(fields, name, what)])


def _of_context(layer: ir.AnyLayer) -> ir.AnyLayer:
    if not isinstance(layer, ir.Layer):
        return replace(layer, source=ir.CONTEXT) if layer.source == ir.READ else layer
    if layer.source != ir.READ or layer.context_weight is not None:
        return layer
    return replace(layer, context_weight=layer.weight * layer.mask, weight=None, mask=None, source=None)


def _layer(fields: Fields, i: int, last: bool) -> ir.Layer:
    kind = fields.choice("activation", "what follows the sum", _ACTIVATIONS, "identity" if last else None)
    a = fields.number(*_PARAMETERS[kind]) if isinstance(kind, Activation) and kind in _PARAMETERS else 0.0
    if kind == "prelu":
        kind = compositions.leaky_relu_of_units(fields.array("slopes", "the slope of each unit below zero"))
    operation = fields.choice("operation", "what it does with its source", OPERATIONS, "dense")
    if operation != "dense":
        return _of_plane(fields, operation, i, kind, a)
    weight, context_weight = fields.optional_array("weight"), fields.optional_array("context_weight")
    added = fields.items("add", "", ())
    if weight is None and context_weight is None and not added and "bias" not in fields:
        fields.refuse("'weight', 'context_weight', 'add' and 'bias' are all missing: one of them says what it computes")
    for name, values in (("weight", weight), ("context_weight", context_weight)):
        if values is not None and values.ndim != 2:
            fields.refuse(f"{name!r} has the shape {values.shape}, not (units, inputs)")
    for name, matrix in (("mask", "weight"), ("source", "weight"), ("context_source", "context_weight")):
        if name in fields and matrix not in fields:
            fields.refuse(f"{name!r} is for a layer with {matrix!r}")
    mask = fields.optional_array("mask", None if weight is None else weight.shape)
    source = _source(fields, "source", i, ir.READ, i - 1 if i else ir.READ)
    context_source = _source(fields, "context_source", i, ir.CONTEXT, ir.CONTEXT)
    gate = None if fields.optional("gate") is None else fields.whole("gate", "")
    bias = _bias(fields, [len(values) for values in (weight, context_weight) if values is not None])
    add = [_add(part, i, len(bias)) for part in _adds(fields, added)]
    fields.close()
    if mask is None and weight is not None:
        mask = weight
        if np.any(weight == 0):
            fields.notes.append("the order is that of exact zeros in weights without a mask")
    return ir.Layer(
        bias,
        weight,
        None if mask is None else mask != 0,
        None if weight is None else source,
        context_weight,
        context_source,
        kind,
        a,
        add,
        gate,
    )


def _of_plane(fields: Fields, operation: str, i: int, kind, a: float):
    """A layer of planes, which adds others as they are."""
    source = _source(fields, "source", i, ir.READ, i - 1 if i else ir.READ)
    context_source = _source(fields, "context_source", i, ir.CONTEXT, ir.CONTEXT)
    gate = None if fields.optional("gate") is None else fields.whole("gate", "")
    add = [ir.Add(_add(part, i, 1).layer) for part in _adds(fields, fields.items("add", "", ()))]
    common = {"activation": kind, "a": a, "gate": gate, "add": add}
    layer = read_plane_layer(fields, operation, source, common)
    if layer.context_weight is not None:
        layer.context_source = context_source
    fields.close()
    return layer


def _bias(fields: Fields, units: list) -> np.ndarray:
    """`units` has the number of rows of each matrix that the layer has."""
    if len(set(units)) > 1:
        fields.refuse(f"'weight' has {units[0]} rows, but 'context_weight' has {units[1]}")
    if units:
        return fields.array("bias", "", (units[0],), 0.0)
    bias = fields.array("bias", "it gives the number of units of a layer without weights")
    if bias.ndim != 1:
        fields.refuse(f"'bias' has the shape {bias.shape}, not (units,)")
    return bias


def _source(fields: Fields, name: str, i: int, word: str, default):
    value = fields.optional(name, default)
    if isinstance(value, str) and value == word:
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and 0 <= value < i:
        return int(value)
    return fields.refuse(f"{name!r} is {value!r}, neither {word!r} nor the number of an earlier layer")


def _adds(fields: Fields, values: list) -> list:
    values = [{"layer": value} if isinstance(value, (int, np.integer)) else value for value in values]
    return [fields.inner(f"add[{j}]", value) for j, value in enumerate(values)]


def _add(fields: Fields, i: int, width: int) -> ir.Add:
    layer, scale = fields.whole("layer", "the number of an earlier layer"), fields.optional_array("scale", (width,))
    fields.close()
    if layer >= i:
        fields.refuse(f"layer {layer} is not an earlier layer")
    return ir.Add(layer, scale)


def sort_rows(output: ir.Layer, axes: dict, given: list, fields: Fields) -> None:
    """Brings the rows of an output layer from the order of axes `given` into that of `axes`, in place.

    `axes` maps the names of the axes to their lengths, in the order of the format.
    """
    count, found = int(np.prod(list(axes.values()))), len(output.bias)
    if found != count:
        sizes = " x ".join(f"{length} ({name})" for name, length in axes.items())
        fields.refuse(f"the last layer has {found} rows, not {count} = {sizes}")
    rows = np.arange(count).reshape([axes[name] for name in given])
    reordered(output, rows.transpose([given.index(name) for name in axes]).reshape(-1))
