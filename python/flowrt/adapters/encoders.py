"""Embedding nets: what a context goes through before the layers of a flow see it."""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Activation
from .modules import array, bias_of, names, refuse
from .networks import append

SUPPORTED = "Identity, Flatten and FCEmbedding, or linear modules, LayerNorm and activations in sequence"


def modules_of(embedding):
    """The modules of an embedding net in sequence, without what does nothing to a condition that is flat."""
    kinds = names(embedding)
    parts = list(embedding.children())
    if "Sequential" in kinds or [names(part) & {"Sequential"} for part in parts] == [{"Sequential"}]:
        for part in parts:
            yield from modules_of(part)
    elif not kinds & {"Identity", "Dropout", "Flatten"}:
        yield embedding


def encoder_layers(modules: list) -> list:
    """The layers of the modules of an embedding net; none for none. Raises `ExportError` that names a module."""
    layers: list[ir.Layer] = []
    for module in modules:
        if "LayerNorm" in names(module) and layers:
            _append_layer_norm(layers, module)
        elif "Linear" in names(module) or not hasattr(module, "weight") and not list(module.children()):
            append(layers, module, lambda linear: ir.Layer(bias_of(linear), context_weight=array(linear.weight)))
        else:
            refuse(module, f"the embedding nets {SUPPORTED}")
    return layers


def _append_layer_norm(layers: list, norm) -> None:
    """Normalises the value of the last layer, then scales and shifts each unit."""
    width = layers[-1].width
    if tuple(norm.normalized_shape) != (width,):
        raise ExportError(f"LayerNorm of shape {tuple(norm.normalized_shape)} follows a layer of {width} units")
    layers.append(
        ir.Layer(np.zeros(width), add=[ir.Add(len(layers) - 1)], activation=Activation.LAYER_NORM, a=float(norm.eps))
    )
    if norm.weight is not None:
        bias = np.zeros(width) if norm.bias is None else array(norm.bias)
        layers.append(ir.Layer(bias, add=[ir.Add(len(layers) - 1, array(norm.weight))]))
