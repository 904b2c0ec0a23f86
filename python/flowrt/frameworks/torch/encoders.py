"""Embedding nets: what a context goes through before the layers of a flow see it."""

from __future__ import annotations

from ...building.arrays import float64
from ...building.modules import bias_of, class_names, refuse
from ...building.networks import append
from ...flow import flow as ir

SUPPORTED = "Identity, Flatten and FCEmbedding, or linear modules, LayerNorm and activations in sequence"


def modules_of(embedding):
    """The modules of an embedding net in sequence, without what does nothing to a condition that is flat."""
    kinds = class_names(embedding)
    parts = list(embedding.children())
    if "Sequential" in kinds or [class_names(part) & {"Sequential"} for part in parts] == [{"Sequential"}]:
        for part in parts:
            yield from modules_of(part)
    elif not kinds & {"Identity", "Dropout", "Flatten"}:
        yield embedding


def encoder_layers(modules: list) -> list:
    """The layers of the modules of an embedding net; none for none. Raises `ExportError` that names a module."""
    layers: list[ir.Layer] = []
    for module in modules:
        known = class_names(module) & ({"Linear", "LayerNorm"} if layers else {"Linear"})
        if known or not hasattr(module, "weight") and not list(module.children()):
            append(layers, module, lambda linear: ir.Layer(bias_of(linear), context_weight=float64(linear.weight)))
        else:
            refuse(module, f"the embedding nets {SUPPORTED}")
    return layers
