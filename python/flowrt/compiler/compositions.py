"""Activations that are compositions, as layers of a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir


def without_compositions(flow: ir.Flow) -> ir.Flow:
    """The flow with layers instead of `ir.Composition`s, itself if it has none."""
    steps = [_expanded(step) for step in flow.steps]
    encoder = None if flow.encoder is None else expand(flow.encoder)
    return replace(flow, steps=steps, base=_expanded(flow.base), encoder=encoder)


def _expanded(part):
    return replace(part, layers=expand(part.layers)) if hasattr(part, "layers") else part


def expand(layers: list) -> list:
    """The layers of a network with a layer for each stage of a composition behind the layer that has it."""
    if not any(isinstance(layer.activation, ir.Composition) for layer in layers):
        return layers
    result: list[ir.AnyLayer] = []
    last: list[int] = []  # where the value of each layer stands in `result`
    for layer in layers:
        layer = ir.rewired(layer, last.__getitem__)
        composition, gate = layer.activation, layer.gate
        if not isinstance(composition, ir.Composition):
            result.append(layer)
        else:  # the gate of the layer multiplies the value of the last stage
            layer = replace(layer, activation=Activation.IDENTITY, gate=None)
            stages = _stages if isinstance(layer, (ir.Layer, ir.Gather)) else _stages_of_plane
            result += stages(layer, composition, len(result))
            if gate is not None:
                result.append(ir.Layer(np.zeros(layer.width), add=[ir.Add(len(result) - 1)], gate=gate))
        last.append(len(result) - 1)
    return result


def _stages(layer: ir.Layer, composition: ir.Composition, start: int) -> list:
    """The layer, which is number `start`, and the stages behind it."""
    layers = [layer]
    for stage in composition.stages:
        add = [ir.Add(start + term, _scale(scale, layer.width)) for term, scale in stage.terms.items()]
        gate = None if stage.gate is None else start + stage.gate
        shift = np.full(layer.width, float(stage.shift))
        layers.append(ir.Layer(shift, activation=stage.activation, a=stage.a, add=add, gate=gate))
    return layers


def _scale(scale, width: int):
    return None if np.all(scale == 1) else np.broadcast_to(np.asarray(scale, dtype=np.float64), (width,))


def _stages_of_plane(layer, composition: ir.Composition, start: int) -> list:
    """The same of a plane: scales and shifts are those of 1 x 1 depthwise convolutions."""
    layers = [layer]
    place = [start]  # of the values of the composition

    def pointwise(source: int, scale, shift=0.0) -> ir.Convolution:
        channels = layer.channels
        weight = np.broadcast_to(np.asarray(scale, dtype=np.float64), (channels,)).reshape(channels, 1, 1, 1)
        return ir.Convolution(np.full(channels, float(shift)), weight, source, layer.output, depthwise=True)

    for stage in composition.stages:
        (first, scale), *others = stage.terms.items()
        total = pointwise(place[first], scale, stage.shift)
        for term, factor in others:
            if np.all(factor == 1):
                total.add.append(ir.Add(place[term]))
            else:
                layers.append(pointwise(place[term], factor))
                total.add.append(ir.Add(start + len(layers) - 1))
        total.activation, total.a = stage.activation, stage.a
        total.gate = None if stage.gate is None else place[stage.gate]
        layers.append(total)
        place.append(start + len(layers) - 1)
    return layers
