"""A context that is standardised before a flow sees it.

The standardisation folds into the layers that take the context, unless float32 would suffer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..flow import flow as ir
from .pairs import moved_by

_CANCELS = 64.0  # mean / std of a context, from where on `scale * c + shift` loses too much of float32


def of_standardised_context(flow: ir.Flow, scale: np.ndarray, shift: np.ndarray) -> ir.Flow:
    """The flow whose context is `scale * c + shift`, as a flow of c. The layers of the one given are changed."""
    if np.max(np.abs(shift)) > _CANCELS:
        return replace(flow, encoder=[*_standardising(scale, shift), *_of_layer_1(flow.encoder or [])])
    parts = [*flow.steps, flow.base]
    _fold(scale, shift, flow.encoder or [layer for part in parts for layer in getattr(part, "layers", [])])
    return flow


def _fold(scale: np.ndarray, shift: np.ndarray, layers: list) -> None:
    """Makes layers of the context `scale * c + shift` layers of c, in place."""
    for layer in layers:
        if layer.context_weight is not None and layer.context_source == ir.CONTEXT:
            layer.bias = layer.bias + layer.context_weight @ shift
            layer.context_weight = layer.context_weight * scale


def _standardising(scale: np.ndarray, shift: np.ndarray) -> list:
    """Two layers, c - mean and that times 1 / std: as in sbi, the difference of near numbers is exact in float32."""
    width = len(scale)
    centred = ir.Layer(shift / scale, context_weight=np.eye(width))
    return [centred, ir.Layer(np.zeros(width), add=[ir.Add(0, scale)])]


def _of_layer_1(layers: list) -> list:
    """The layers of an encoder, behind two others, as functions of the second one."""
    moved = []
    for layer in moved_by(2, layers):
        if layer.context_weight is not None:
            layer = replace(layer, source=1, weight=layer.context_weight, mask=None, context_weight=None)
        moved.append(layer)
    return moved
