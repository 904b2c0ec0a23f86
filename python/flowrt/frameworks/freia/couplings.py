"""The couplings of FrEIA: networks of one part of the coordinates, and of the conditions, that change the other part.

The networks are the user's own: whatever his constructor made of linear modules and activations in sequence. Their
input is the coordinates, then the conditions.

A GIN block subtracts the mean of its log scales from each. These are multiples of an activation of the raw scales: that
is a layer of such units and a linear one behind it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...building import scales
from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.modules import class_names
from ...building.networks import linear_output
from ...building.output_rows import reordered
from ...building.pairs import shift_and_scale
from ...building.raw_scales import scaled, through_units
from ...errors import ExportError
from ...file.codes import Activation, Scale
from ...flow import flow as ir
from ..nflows.live_networks import coupling_net
from ..torch.live import TorchModel
from ..torch.overrides import require_own

BLOCKS = {
    "NICECouplingBlock",
    "RNVPCouplingBlock",
    "GLOWCouplingBlock",
    "GINCouplingBlock",
    "AffineCouplingOneSided",
    "ConditionalAffineTransform",
}
ALL_IN_ONE = 0.1  # what an AllInOneBlock multiplies all outputs of its network by
_UNITS = {
    Scale.EXP: Activation.IDENTITY,
    Scale.EXP_TANH: Activation.TANH,
    Scale.EXP_ATAN: Activation.ARCTANGENT,
    Scale.EXP_SOFT_CLIPPED: Activation.SOFTSIGN,
}


def steps_of(block, dim: int, columns: np.ndarray, context_dim: int) -> list:
    """The steps of a coupling block. `columns` are those of the context that it is given."""
    kinds, name = class_names(block), type(block).__name__
    require_own(block, "_coupling1", "_coupling2")
    part = _Part(name, dim, columns, context_dim)
    everything, first, second = np.arange(dim), np.arange(block.split_len1), np.arange(block.split_len1, dim)
    if "NICECouplingBlock" in kinds:
        return [*part.additive(block.F, second, first), *part.additive(block.G, first, second)]
    scale = scale_of(block)
    if "ConditionalAffineTransform" in kinds:
        return part.affine(block.subnet, everything[:0], everything, scale)
    if "AffineCouplingOneSided" in kinds:
        return part.affine(block.subnet, first, second, scale)
    if "RNVPCouplingBlock" in kinds:
        return [
            *part.pair(block.subnet_t2, block.subnet_s2, second, first, scale),
            *part.pair(block.subnet_t1, block.subnet_s1, first, second, scale),
        ]
    volume_preserving = "GINCouplingBlock" in kinds
    return [
        *part.affine(block.subnet2, second, first, scale, volume_preserving),
        *part.affine(block.subnet1, first, second, scale, volume_preserving),
    ]


def all_in_one(block, dim: int, columns: np.ndarray, context_dim: int) -> list:
    """The coupling of an AllInOneBlock."""
    require_own(block, "_affine", "_permute", "_pre_permute")
    seen, changed = np.arange(block.splits[0]), np.arange(block.splits[0], dim)
    scale = scales.ScaleFunction(Scale.EXP_TANH, (float(block.clamp),))
    part = _Part(type(block).__name__, dim, columns, context_dim)
    return part.affine(block.subnet, seen, changed, scale, bool(block.GIN), ALL_IN_ONE)


def scale_of(block) -> scales.ScaleFunction:
    """The scale function exp(clamp * f_clamp(a)) of a live block."""
    import torch

    copy, name = TorchModel.copy_of(block, torch.float64), type(block).__name__
    try:
        with torch.no_grad():
            raw = torch.as_tensor(scales.RAW)
            logs = float64(block.clamp * copy.f_clamp(raw.reshape(-1, 1))).reshape(-1)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(f"{name}: the clamp_activation cannot be evaluated: {error}") from None
    if logs.shape != scales.RAW.shape:
        raise ExportError(f"{name}: the clamp_activation is not a function of one number at a time")
    return scales.match(np.exp(logs), logs, _candidates(block.clamp, logs), f"the clamp_activation of {name}")


def _candidates(clamp: float, logs: np.ndarray) -> list:
    """What a clamp may be, with limits and slopes read off its values."""
    limit, slope = logs[-1], _at(logs, 0.25) / 0.25
    found = [scales.ScaleFunction(Scale.EXP, gain=slope)]
    if limit == 0 or not np.all(np.isfinite(logs)):
        return found
    sign, size, slope = np.sign(limit), abs(limit), abs(slope)
    if slope * 0.25 < size:
        found.append(scales.ScaleFunction(Scale.EXP_TANH, (size,), sign * np.arctanh(0.25 * slope / size) / 0.25))
    gain = _gain_of_atan(_at(logs, 12.0) / _at(logs, 0.25)) if slope else 1.0
    found.append(scales.ScaleFunction(Scale.EXP_ATAN, (size / np.arctan(40 * gain),), sign * gain))
    found.append(scales.ScaleFunction(Scale.EXP_CLAMPED, (-size, size), sign * slope))
    softsign = size * (1 + 1 / 40)
    found.append(scales.ScaleFunction(Scale.EXP_SOFT_CLIPPED, (softsign,), sign * softsign))
    return found


def _at(logs: np.ndarray, raw: float) -> float:
    return float(logs[scales.RAW == raw][0])


def _gain_of_atan(ratio: float) -> float:
    """g with atan(12 g) / atan(g / 4) = ratio, which falls from 48 to 1 with g."""
    low, high = -10.0, 10.0  # log g
    for _ in range(80):
        middle = (low + high) / 2
        g = np.exp(middle)
        low, high = (middle, high) if np.arctan(12 * g) / np.arctan(g / 4) > ratio else (low, middle)
    return 1.0 if abs(middle) < 1e-9 else float(np.exp(middle))


class _Part:
    """Makes the steps of one block of `dim` coordinates, which is given the `columns` of the context."""

    def __init__(self, name: str, dim: int, columns: np.ndarray, context_dim: int):
        self.name = name
        self.dim = dim
        self.columns = columns
        self.context_dim = context_dim

    def additive(self, net, seen: np.ndarray, changed: np.ndarray) -> list:
        """y = x + net."""
        layers = self._layers(net, seen, len(changed))
        return self._step(layers, ir.Additive(), seen, changed)

    def pair(self, shift, raw_scale, seen, changed, scale: scales.ScaleFunction) -> list:
        """y = s(raw_scale) x + shift, of two networks."""
        nets = [self._layers(net, seen, len(changed)) for net in (shift, raw_scale)]
        if not all(nets):
            return []
        layers = shift_and_scale(*nets, np.ones(max(len(seen), 1)), np.arange(len(changed)))
        layers = linear_output(layers)
        scales.fold(scale, layers[-1])
        return self._step(layers, ir.Affine(scale.scale, scale.p), seen, changed)

    def affine(self, net, seen, changed, scale, volume_preserving: bool = False, gain: float = 1.0) -> list:
        """y = s(a) x + t, of one network that gives all a and then all t, times `gain`."""
        count = len(changed)
        layers = self._layers(net, seen, 2 * count)
        if not layers:
            return []
        layers = linear_output(layers)
        reordered(layers[-1], np.arange(2 * count).reshape(2, count)[::-1].T.reshape(-1))  # t, a of each in turn
        layers[-1] = scaled(layers[-1], np.full(2 * count, gain))
        scales.fold(scale, layers[-1])
        if not volume_preserving:
            return self._step(layers, ir.Affine(scale.scale, scale.p), seen, changed)
        if scale.scale not in _UNITS:
            raise ExportError(f"{self.name}: its clamp_activation is not supported where the mean is taken away")
        return self._step(_mean_taken(layers, scale), ir.Affine(Scale.EXP), seen, changed)

    def _layers(self, net, seen: np.ndarray, outputs: int) -> list:
        """The layers of a network; none for one that has no outputs."""
        if not outputs:
            return []
        layers = coupling_net(net, len(seen))
        if layers[-1].width != outputs:
            raise ExportError(f"{self.name}: the network has {layers[-1].width} outputs, not {outputs}")
        return [self._given(layer) for layer in layers]

    def _given(self, layer: ir.Layer) -> ir.Layer:
        """The layer of a network that is given some columns of the context, as one that is given all."""
        if layer.context_weight is None or layer.context_source != ir.CONTEXT:
            return layer
        if layer.context_weight.shape[1] != len(self.columns):
            raise ExportError(
                f"{self.name}: the network has {layer.context_weight.shape[1]} inputs beside the coordinates, but the "
                f"conditions have {len(self.columns)}"
            )
        weight = np.zeros((layer.width, self.context_dim))
        np.add.at(weight.T, self.columns, layer.context_weight.T)
        return replace(layer, context_weight=weight)

    def _step(self, layers: list, transformer, seen, changed) -> list:
        if not layers:
            return []
        layers = reading(layers, seen, self.dim)
        return [ir.Autoregressive(layers, transformer, transformed=changed, name=self.name)]


def _mean_taken(layers: list, scale) -> list:
    """Of layers that give t, a of each coordinate: those that give t and the log scale minus the mean of all."""
    count = layers[-1].width // 2
    p = scale.p[0] if scale.p else 1.0
    inner = 1 / p if scale.scale == Scale.EXP_SOFT_CLIPPED else 1.0
    return through_units(layers, _UNITS[scale.scale], p * (np.eye(count) - 1 / count), inner)
