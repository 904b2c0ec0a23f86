"""FrEIA's modules on images (C, H, W): couplings by channels, 1x1 convolutions, downsampling.

A tensor is an array of coordinates of its shape. What only moves numbers about (`IRevNetDownsampling`, `Flatten`) gives
another such array.
"""

from __future__ import annotations

import numpy as np

from ...building import planes, scales
from ...building.arrays import float64
from ...building.coordinates import acting
from ...building.modules import class_names, diagonal, refuse
from ...building.output_rows import scale_rows
from ...errors import ExportError
from ...file.codes import Form, Reads, Scale
from ...flow import flow as ir
from ..torch import images
from ..torch.live import TorchModel
from ..torch.overrides import require_own
from . import couplings
from .mended import orthogonal, reflections

MOVING = {"IRevNetDownsampling", "IRevNetUpsampling", "Flatten", "Reshape", "PermuteRandom"}
SUPPORTED = (
    "AllInOneBlock, NICECouplingBlock, RNVPCouplingBlock, GLOWCouplingBlock, AffineCouplingOneSided, ActNorm, "
    "LearnedElementwiseScaling, Fixed1x1Conv, HaarDownsampling, HaarUpsampling, IRevNetDownsampling, "
    "IRevNetUpsampling, PermuteRandom, Flatten, Reshape, Split and Concat of images"
)


def moved(module, coordinates: np.ndarray) -> np.ndarray:
    """The coordinates behind a module that gives its numbers other places; the live module is asked."""
    import torch

    copy = TorchModel.copy_of(module, torch.float64)
    with torch.no_grad():
        (result,), _ = copy((torch.arange(coordinates.size, dtype=torch.float64).reshape(1, *coordinates.shape),))
    places = float64(result)[0]
    if not np.array_equal(np.sort(places, axis=None), np.arange(coordinates.size)):
        raise ExportError(f"{type(module).__name__} does more than to give numbers other places")
    return coordinates.reshape(-1)[places.astype(np.int64)]


def steps_of(module, coordinates: np.ndarray, given: list, dim: int) -> tuple:
    """The steps of a module that acts on an image, and the coordinates of what it gives.

    Raises `ExportError` that names the module if a file cannot hold it.
    """
    kinds, name = class_names(module), type(module).__name__
    if given:
        raise ExportError(f"{name} with a condition that is an image is not supported")
    if "AllInOneBlock" in kinds:
        return _all_in_one(module, coordinates)
    if kinds & {"GLOWCouplingBlock", "NICECouplingBlock", "RNVPCouplingBlock", "AffineCouplingOneSided"}:
        return _coupling(module, coordinates), coordinates
    if kinds & {"HaarDownsampling", "HaarUpsampling"}:
        return _haar(module, coordinates)
    if "Fixed1x1Conv" in kinds:
        matrix = float64(module.M)[:, :, 0, 0]
        step = ir.PixelwiseLinear(matrix, np.zeros(len(matrix)), planes.pixels(coordinates), name)
        return [step], coordinates
    if "ActNorm" in kinds:
        if module.init_on_next_batch:
            raise ExportError(f"{name} has seen no data yet: it takes its scale from the first batch")
        scale, shift = np.exp(float64(module.scale)).reshape(-1), float64(module.bias).reshape(-1)
        return [planes.channelwise(coordinates, scale, shift, name)], coordinates
    if "LearnedElementwiseScaling" in kinds:
        scale = np.broadcast_to(np.exp(float64(module.s)).reshape(-1), (coordinates.size,))
        step = acting(diagonal(coordinates.size, name, scale), coordinates.reshape(-1), dim)
        return [step], coordinates
    return refuse(module, SUPPORTED)


def _haar(module, coordinates: np.ndarray) -> tuple:
    """Each channel of a block of four pixels: a map of these four numbers, whose inverse is the transposed one."""
    up = "HaarUpsampling" in class_names(module)
    wavelets = float64(module.haar_weights)[:4].reshape(4, 4)
    matrix = module.fac_rev * wavelets.T if up else module.fac_fwd * wavelets
    order = float64(module.perm).astype(np.int64) if module.permute else np.arange(4 * module.in_channels)
    blocks = coordinates[np.argsort(order)] if up else planes.squeeze(coordinates)
    rows, columns = blocks.shape[1:]
    fours = blocks.reshape(-1, 4, rows, columns).transpose(0, 2, 3, 1).reshape(-1, 4)
    step = ir.PixelwiseLinear(matrix, np.zeros(4), fours, type(module).__name__)
    return [step], planes.unsqueeze(blocks) if up else blocks[order]


# ---- couplings ----


def _coupling(block, coordinates: np.ndarray) -> list:
    require_own(block, "_coupling1", "_coupling2")
    kinds, name = class_names(block), type(block).__name__
    first, second = coordinates[: block.split_len1], coordinates[block.split_len1 :]
    if "NICECouplingBlock" in kinds:
        return _both(lambda net, seen, changed: _one(net, seen, changed, None, name), block.F, block.G, first, second)
    scale = couplings.scale_of(block)
    if "AffineCouplingOneSided" in kinds:
        return _one(block.subnet, first, second, scale, name)
    if "RNVPCouplingBlock" in kinds:
        nets = (block.subnet_t2, block.subnet_s2), (block.subnet_t1, block.subnet_s1)
        return _both(lambda net, seen, changed: _two(*net, seen, changed, scale, name), *nets, first, second)
    nets = block.subnet2, block.subnet1
    return _both(lambda net, seen, changed: _one(net, seen, changed, scale, name), *nets, first, second)


def _both(make, of_second, of_first, first: np.ndarray, second: np.ndarray) -> list:
    """A coupling that changes the first part by the second, then the second by the first."""
    return [*make(of_second, second, first), *make(of_first, first, second)]


def _one(net, seen: np.ndarray, changed: np.ndarray, scale, name: str, gain: float = 1.0) -> list:
    """y = s(a) x + t, of one network that gives all a and then all t, times `gain`; y = x + t without a scale."""
    if not len(changed):
        return []
    each = 1 if scale is None else 2
    layers = images.network(net, seen, order=lambda channels: np.arange(channels).reshape(each, -1)[::-1].T.reshape(-1))
    scale_rows(layers[-1], slice(None), gain)
    return [planes.additive_or_affine(layers, scale, Form.SCALE_THEN_SHIFT, Reads.DATA, changed, name)]


def _two(shift, raw_scale, seen: np.ndarray, changed: np.ndarray, scale, name: str) -> list:
    """y = s(raw_scale) x + shift, of two networks."""
    if not len(changed):
        return []
    nets = [images.network(net, seen, order=np.arange) for net in (shift, raw_scale)]
    scale_rows(nets[1][-1], slice(None), scale.gain, scale.offset)
    for layers in nets:
        planes.require_outputs(layers, changed.shape, name)
    layers = images.interleaved(nets, planes.units_of_pixels(changed.shape).reshape(-1))
    return [ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p), transformed=changed.reshape(-1), name=name)]


# ---- all in one ----


def _all_in_one(block, coordinates: np.ndarray) -> tuple:
    """A coupling, a scale and a shift of each channel, and an orthogonal matrix; with its inverse before, if so."""
    import torch

    require_own(block, "_affine", "_permute", "_pre_permute")
    name = type(block).__name__
    if block.GIN:
        raise ExportError(f"{name} with gin_block=True is not supported on images: its scales depend on all pixels")
    matrix = reflections(block) if block.householder else float64(block.w_perm).reshape((block.in_channels,) * 2)
    matrix = orthogonal(matrix, name)
    steps: list = []
    if block.reverse_pre_permute:
        coordinates = _turned(steps, matrix.T, np.ones(len(matrix)), np.zeros(len(matrix)), coordinates, name)
    seen, changed = coordinates[: block.splits[0]], coordinates[block.splits[0] :]
    scale = scales.ScaleFunction(Scale.EXP_TANH, (float(block.clamp),))
    steps += _one(block.subnet, seen, changed, scale, name, couplings.ALL_IN_ONE)
    raw = torch.as_tensor(float64(block.global_scale).reshape(-1))
    gain = float64(TorchModel.copy_of(block, torch.float64).global_scale_activation(raw))
    return steps, _turned(steps, matrix, gain, float64(block.global_offset).reshape(-1), coordinates, name)


def _turned(steps: list, matrix, scale, shift, coordinates: np.ndarray, name: str) -> np.ndarray:
    """Adds y = matrix (scale x + shift) of the channels, and returns the coordinates of y."""
    if np.all((matrix == 0) | (matrix == 1)):
        if np.any(scale != 1) or np.any(shift != 0):
            steps.append(planes.channelwise(coordinates, scale, shift, name))
        return coordinates[np.argmax(matrix, axis=1)]
    steps.append(ir.PixelwiseLinear(matrix * scale, matrix @ shift, planes.pixels(coordinates), name))
    return coordinates
