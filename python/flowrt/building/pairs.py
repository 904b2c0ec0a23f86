"""Two networks side by side as one, such as those of the shifts and the scales of a masked affine layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir


def shift_and_scale(shift, scale, seen: np.ndarray, transformed: np.ndarray) -> list:
    """One network out of two, which give the shifts and the raw scales of all coordinates; None is zero everywhere.

    Both see the coordinates where `seen` is not zero. Rows 2 i, 2 i + 1 of the last layer are the shift and the raw
    scale of coordinate `transformed[i]`.
    """
    layers, ends = [], []
    for offset, network in enumerate((shift, scale)):
        if network is not None:
            layers += moved_by(len(layers), _masked(network, seen))
            _pick(layers, transformed, np.arange(len(transformed)) * 2 + offset)
            ends.append(ir.Add(len(layers) - 1))
    layers.append(ir.Layer(np.zeros(2 * len(transformed)), add=ends))
    return layers


def _masked(layers: list, seen: np.ndarray) -> list:
    return [replace(layer, mask=layer.mask & (seen != 0)) if layer.source == ir.READ else layer for layer in layers]


def moved_by(start: int, layers: list) -> list:
    """The layers of a network that stand behind `start` others, with the references among themselves moved along."""
    return [ir.rewired(layer, lambda reference: reference + start) for layer in layers]


def _pick(layers: list, units: np.ndarray, rows: np.ndarray) -> None:
    """Makes `units` of the last layer `rows` of a layer of twice as many, the others of which are zero, in place."""
    last = layers[-1]
    pick = np.zeros((2 * len(units), last.width))
    pick[rows, units] = 1
    plain = last.activation == Activation.IDENTITY and not last.partners
    if plain and last.weight is not None and last.context_weight is None:
        layers[-1] = ir.Layer(pick @ last.bias, pick @ last.weight, pick @ last.mask > 0, last.source)
    else:
        layers.append(ir.Layer(np.zeros(len(pick)), pick, pick > 0, len(layers) - 1))
