"""Conditioner networks (docs/FORMAT.md, section 4), evaluated layer by layer with dense matrices."""

from __future__ import annotations

import numpy as np

from . import functions
from .functions import exact


def evaluate(layers, context, read=None) -> np.ndarray:
    """Values (rows, H) of the last layer.

    `context` is (rows, C) and `read` (rows, D) in rank order, or None where the network has no read side. The weights
    of what a unit may not see are zero, so unknown entries of `read` may hold any finite number.
    """
    values: list[np.ndarray] = []
    for layer in layers:
        v = np.zeros((len(context), layer.width)) + exact(layer.bias)
        if layer.context:
            source = context if layer.context == 1 else values[layer.context - 2]
            v = v + source @ exact(layer.context_weight).T
        if layer.source:
            source = read if layer.source == 1 else values[layer.source - 2]
            v = v + source @ exact(layer.weight).T
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
