"""Embedding nets: what a context goes through before the layers of a flow see it."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import bias_of, class_names, refuse
from ...building.networks import append
from ...errors import ExportError
from ...flow import flow as ir
from .dense import SUPPORTED as DENSE
from .dense import dense_layers
from .overrides import require_plain_chains

SUPPORTED = f"Identity, Flatten, FCEmbedding and PermutationInvariantEmbedding, or {DENSE}"
EMBEDDED = (
    "; or give embedded=True to save the flow behind the embedding net, whose output is then the context of the file "
    "(python/README.md, Embedding nets)"
)


def modules_of(embedding):
    """The modules of an embedding net in sequence, without what does nothing to a condition that is flat."""
    if embedding is None:
        return
    kinds = class_names(embedding)
    parts = list(embedding.children())
    if "Sequential" in kinds or [class_names(part) & {"Sequential"} for part in parts] == [{"Sequential"}]:
        for part in parts:
            yield from modules_of(part)
    elif not kinds & {"Identity", "Dropout", "Flatten"}:
        yield embedding


def embedding_layers(embedding, modules: list, shape=None) -> list:
    """The layers of an embedding net, none for none. Raises `ExportError` that names a module.

    `modules` are those behind a standardisation; `shape` is that of a condition, told by the first linear module if it
    is not given.
    """
    try:
        layers = encoder_layers(modules)
        if layers:
            require_plain_chains(embedding)
        if not layers or shape is None or numbers_taken(layers) == int(np.prod(shape)):
            return layers
        taken = numbers_taken(layers)
        raise ExportError(f"the embedding net takes {taken} numbers of a condition that has {int(np.prod(shape))}")
    except (ExportError, AttributeError) as error:
        return _dense_layers(embedding, shape, str(error))


def _dense_layers(embedding, shape, cause: str) -> list:
    """The layers of a network that is no chain, or the refusal of the chain, with the way on."""
    shape = _inputs(embedding) if shape is None else tuple(shape)
    try:
        if shape is not None:
            return dense_layers(embedding, shape)
    except ExportError as error:
        cause = str(error)
    except (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        cause += ", and its forward is not that of such a network for a condition of the shape " + str(shape)
    if shape is None:
        cause += " (context_dim=... tells how long the context is)"
    raise ExportError(cause + EMBEDDED)


def numbers_taken(layers: list) -> int:
    """How long a context is that these layers take."""
    layer = next(layer for layer in layers if layer.context_weight is not None or layer.source == ir.CONTEXT)
    if layer.context_weight is not None:
        return int(layer.context_weight.shape[1])
    return layer.width if layer.window is None else layer.window.inputs


def _inputs(embedding):
    """The shape (C,) that the first module with a matrix takes, or that is given a shape before others; or None."""
    for module in embedding.modules():
        if "Unflatten" in class_names(module):
            return (int(np.prod(module.unflattened_size)),)
        if "Linear" in class_names(module):
            return (module.in_features,)
        if "BatchNorm1d" in class_names(module):
            return (module.num_features,)
    return None


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
