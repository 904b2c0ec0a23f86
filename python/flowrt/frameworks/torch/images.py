"""Networks of couplings of images: what a module of PyTorch makes of a plane of coordinates, as layers that read it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...building import planes
from ...building.pairs import moved_by
from ...building.simplify import simplified, without_unused
from ...errors import ExportError
from ...flow import flow as ir
from .dense import Network, Value


def network(module, coordinates: np.ndarray, special=None, order=None) -> list:
    """The layers of a module that is given the coordinates (C, H, W), -1 for 0; the last one is a plane.

    `order(channels)` lists the channels of the output in the order that is wanted. `special` maps the names of classes
    to functions of a network, a module and a value.
    """
    found = Network(special or {})
    value = found.module(module, Value(None, coordinates.shape))
    if len(value.shape) != 3:
        raise ExportError(f"{type(module).__name__} gives values of the shape {value.shape}, not an image")
    layers = simplified(found.ending_with(value, planes.units_of_pixels(value.shape)))
    layers = _reading(layers, coordinates.reshape(-1))
    if order is None:
        return layers
    layers = planes.linear_plane(layers, value.shape)
    output, wanted = layers[-1], np.asarray(order(value.shape[0]))
    return [*layers[:-1], replace(output, bias=output.bias[wanted], weight=output.weight[wanted])]


def interleaved(networks: list, units: np.ndarray) -> list:
    """One network whose outputs are those `units` of the networks, in turn: t, a of each; zero for one that is None."""
    layers: list = []
    last = None
    for offset, found in enumerate(networks):
        if found is None:
            continue
        layers += moved_by(len(layers), found)
        index = np.full(len(networks) * len(units), -1)
        index[offset :: len(networks)] = units
        layers.append(ir.Gather(index, len(layers) - 1, add=[] if last is None else [ir.Add(last)]))
        last = len(layers) - 1
    return layers


def _behind_first(layer):
    """A layer that stands behind a new one, which is the context."""
    layer = ir.rewired(layer, lambda reference: reference + 1)
    return replace(layer, source=0) if layer.source == ir.CONTEXT and layer.window is not None else layer


def _reading(layers: list, coordinates: np.ndarray) -> list:
    """Layers that were given the context, as layers that read coordinates."""
    changed: list = []
    if np.any(coordinates < 0) and any(layer.source == ir.CONTEXT and layer.window is not None for layer in layers):
        layers = [_behind_first(layer) for layer in layers]
        layers = [ir.Gather(np.arange(len(coordinates)), ir.CONTEXT), *layers]
    for layer in layers:
        if layer.context_weight is not None:
            raise ExportError("a linear module that is the first of a coupling of images is not supported")
        if layer.source == ir.CONTEXT and isinstance(layer, ir.Gather):
            index = np.asarray(layer.index)
            layer = replace(layer, source=ir.READ, index=np.where(index < 0, -1, coordinates[index]))
        elif layer.source == ir.CONTEXT:
            layer = replace(layer, source=ir.READ, coordinates=coordinates)
        elif isinstance(layer.source, int) and isinstance(layer, (ir.Convolution, ir.MaxPool)):
            taken = changed[layer.source]
            plain = isinstance(taken, ir.Gather) and taken.source == ir.READ and not taken.activation
            if plain and not taken.partners and np.all(taken.index >= 0):
                if len(np.unique(taken.index)) == len(taken.index):
                    layer = replace(layer, source=ir.READ, coordinates=np.asarray(taken.index))
        changed.append(layer)
    return without_unused(changed)
