"""Conditioner networks (docs/FORMAT.md, section 4), evaluated layer by layer with dense matrices."""

from __future__ import annotations

import numpy as np

from ..file.codes import LayerOperation
from . import functions, plane
from .functions import exact


def evaluate(layers, context, read=None) -> np.ndarray:
    """Values (rows, H) of the last layer.

    `context` is (rows, C) and `read` (rows, D) in rank order, or None where the network has no read side. The weights
    of what a unit may not see are zero, so unknown entries of `read` may hold any finite number.
    """
    values: list[np.ndarray] = []
    for layer in layers:
        source = None if layer.source == 0 else read if layer.source == 1 else values[layer.source - 2]
        seen = None if layer.context == 0 else context if layer.context == 1 else values[layer.context - 2]
        v = (
            _dense(layer, len(context), source, seen)
            if layer.operation == LayerOperation.DENSE
            else _plane(layer, source, seen)
        )
        scales = (*layer.scales, None, None, None)
        for reference, scale in zip(layer.add, scales):
            if reference:
                added = values[reference - 2]
                v = v + (added if scale is None else exact(scale) * added)
        v = functions.activation(layer.activation, v, float(layer.a))
        if layer.gate:
            v = values[layer.gate - 2] * v
        values.append(v)
    return values[-1]


def _dense(layer, rows: int, source, context) -> np.ndarray:
    v = np.zeros((rows, layer.width)) + exact(layer.bias)
    if context is not None:
        v = v + context @ exact(layer.context_weight).T
    return v if source is None else v + source @ exact(layer.weight).T


def _plane(layer, source, context) -> np.ndarray:
    """The input is the source or, without one, the context."""
    if source is None:
        return plane.term(layer, context)
    v = plane.term(layer, source)
    if context is not None:
        v = v + plane.per_channel(layer, context @ exact(layer.context_weight).T)
    return v
