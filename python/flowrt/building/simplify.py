"""Networks with planes, made shorter: what a layer does after a convolution becomes a part of the convolution.

An adapter appends a layer for each operation of a framework. Here a map of each channel (batch norm) folds into the
weights before it, in float64, and activations and sums become those of the layer before them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import MAX_LAYERS, Activation
from ..flow import flow as ir
from .planes import folded_behind

_MOST_ADDED = 3


def simplified(layers: list) -> list:
    """The same network with fewer layers, without those that nothing uses.

    A network without planes stays as it is, unless it has more layers than a file holds.
    """
    if not ir.has_planes(layers) and len(layers) <= MAX_LAYERS.most:
        return layers
    layers = without_unused(list(layers))
    i = 0
    while i < len(layers):
        target = _absorbed(layers, i)
        if target is None:
            i += 1
        else:
            layers = _merged(layers, i, target)
    return layers


def without_unused(layers: list) -> list:
    """The layers that the last one depends on."""
    used = {len(layers) - 1}
    for i in reversed(range(len(layers))):
        if i in used:
            used |= set(_references(layers[i]))
    kept = sorted(used)
    place = {old: new for new, old in enumerate(kept)}
    return [ir.rewired(layers[i], place.__getitem__) for i in kept]


def _references(layer) -> list:
    candidates = [layer.source, layer.context_source, *layer.partners]
    return [reference for reference in candidates if isinstance(reference, (int, np.integer))]


def _absorbed(layers: list, i: int):
    """(place, layer) of an earlier layer that can do what layer i does, or None."""
    layer = layers[i]
    if isinstance(layer, ir.Convolution) and layer.depthwise and layer.weight.shape[2:] == (1, 1):
        place = layer.source
        if not isinstance(place, int) or layer.context_weight is not None or not _is_free(layers, place, i):
            return None
        before = layers[place]
        unmoved = layer.stride == (1, 1) and not any(layer.padding)
        if not isinstance(before, ir.Convolution) or before.add or not unmoved:
            return None
        changed = folded_behind(replace(before), layer.weight.reshape(-1), layer.bias)
        return _with_end(layers, place, changed, layer, layer.add)
    if isinstance(layer, ir.Layer) and layer.source is None and layer.context_weight is None and layer.add:
        place = max(add.layer for add in layer.add)
        others = [add for add in layer.add if add.layer != place]
        plain = not np.any(layer.bias) and all(add.scale is None for add in layer.add)
        if not plain or len(others) != len(layer.add) - 1 or not _is_free(layers, place, i):
            return None
        if layer.activation == Activation.LAYER_NORM:
            return None
        return _with_end(layers, place, replace(layers[place]), layer, others)
    return None


def _is_free(layers: list, place: int, user: int) -> bool:
    """Whether a layer ends with its sum, and nothing but one other uses it."""
    layer = layers[place]
    users = [i for i, other in enumerate(layers) if place in _references(other)]
    return users == [user] and not layer.activation and layer.gate is None


def _with_end(layers: list, place: int, changed, layer, adds: list):
    """A copy of the layer at a place with sums, activation and gate of a later one, if it can have them."""
    add = [*changed.add, *adds]
    partners = [*(added.layer for added in adds), *([] if layer.gate is None else [layer.gate])]
    if len(add) > _MOST_ADDED or any(partner >= place for partner in partners):
        return None
    return place, replace(changed, add=add, activation=layer.activation, a=layer.a, gate=layer.gate)


def _merged(layers: list, i: int, target) -> list:
    """The layers with layer i done by the one at the place that `target` names."""
    at, changed = target
    layers = [*layers[:at], changed, *layers[at + 1 :]]

    def moved(reference):
        return at if reference == i else reference - (reference > i)

    return [ir.rewired(layer, moved) for number, layer in enumerate(layers) if number != i]
