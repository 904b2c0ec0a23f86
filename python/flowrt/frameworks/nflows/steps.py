"""The transforms of nflows and its forks, each as steps of an `ir.Flow`.

The network of an affine coupling gives all shifts first, then all raw scales; that of a masked affine layer gives raw
scale and shift of one feature after the other.
"""

from __future__ import annotations

import math

import numpy as np

from ...building import scales, splines
from ...building.arrays import float64
from ...building.coordinates import acting, reading
from ...building.modules import affine_map, class_names, diagonal, inverted_if, refuse
from ...building.networks import linear_output
from ...building.output_rows import reordered
from ...errors import ExportError
from ...file.codes import Function, Reads
from ...flow import flow as ir
from ..torch.live import TorchModel
from .bases import SUPPORTED as BASES
from .inverses import solve_inverse
from .live_networks import coupling_net, made

_PERMUTATIONS = {"Permutation", "RandomPermutation", "ReversePermutation"}
LINEAR = {"LULinear", "QRLinear", "SVDLinear", "NaiveLinear", "HouseholderSequence"}
_ELEMENTWISE = {"Tanh", "LeakyReLU", "Sigmoid", "Exp"}
SUPPORTED = (
    "MaskedAffineAutoregressiveTransform, AffineCouplingTransform, AdditiveCouplingTransform, "
    "MaskedPiecewise...AutoregressiveTransform, Piecewise...CouplingTransform, Piecewise...CDF of Linear, Quadratic, "
    "Cubic and RationalQuadratic pieces, InverseTransform, CompositeTransform, permutations, LULinear, QRLinear, "
    "SVDLinear, NaiveLinear, HouseholderSequence, BatchNorm, ActNorm, PointwiseAffineTransform, Sigmoid, Logit, Tanh, "
    f"LeakyReLU, Exp and IdentityTransform, with {BASES} as base"
)


def copied(module, dtype):
    """A copy without the matrices that linear layers keep between calls.

    In the copy, free matrices do keep theirs: otherwise they are inverted by a function that torch no longer has.
    Constants that nflows has in float32, or that were rounded to the type of the model, are made again, and inverses of
    splines that are not those of its forward functions are solved.
    """
    import torch

    caches = [part.cache for part in module.modules() if hasattr(part, "cache") and hasattr(part, "using_cache")]
    copy = TorchModel.copy_of(module, dtype, {id(cache): type(cache)() for cache in caches})
    for part in copy.modules():
        if "NaiveLinear" in class_names(part):
            part.use_cache()
            with torch.no_grad():
                part._check_forward_cache()
        if "LeakyReLU" in class_names(part) and hasattr(part, "log_negative_slope"):
            part.log_negative_slope = torch.log(torch.tensor(part.negative_slope, dtype=dtype))
        if "Sigmoid" in class_names(part) and hasattr(part, "temperature"):
            part.temperature = part.temperature.to(dtype)
        if "MultivariateUniform" in class_names(part) and hasattr(part, "_log_prob_value"):
            part._log_prob_value = -(part.high - part.low).log().sum()
        if "StandardNormal" in class_names(part) and hasattr(part, "_log_z"):
            part._log_z = torch.tensor(0.5 * math.prod(part._shape) * math.log(2 * math.pi), dtype=dtype)
        solve_inverse(part)
    return copy


def flatten(transform, inverted: bool):
    """(layer, inverted) from data to noise, with nested composites and inverses resolved."""
    kinds = class_names(transform)
    if "InverseTransform" in kinds:
        yield from flatten(transform._transform, not inverted)
    elif "CompositeTransform" in kinds:
        parts = list(transform._transforms)
        for part in reversed(parts) if inverted else parts:
            yield from flatten(part, inverted)
    else:
        yield transform, inverted


def steps_of(layer, inverted: bool, dim: int) -> list:
    """The steps of one transform of `dim` features, or of its inverse. Raises `ExportError` that names it."""
    kinds, name = class_names(layer), type(layer).__name__
    if "IdentityTransform" in kinds:
        return []
    if "MaskedAffineAutoregressiveTransform" in kinds:
        return [_affine_autoregressive(layer, inverted, dim)]
    if kinds & splines.AUTOREGRESSIVE:
        return splines.autoregressive(layer, made(layer.autoregressive_net), reads_of(inverted), dim)
    if kinds & splines.UNCONDITIONAL:
        return splines.unconditional(layer, dim, reads_of(inverted))
    if kinds & ({"AffineCouplingTransform"} | splines.COUPLINGS):
        return _coupling(layer, inverted, dim)
    if kinds & _ELEMENTWISE:
        steps = [inverted_if(step, inverted) for step in _elementwise(layer, dim)]
        return steps[::-1] if inverted else steps
    if kinds & _PERMUTATIONS and layer._dim == 1:
        index = float64(layer._permutation).astype(np.int64)
        return [ir.Permutation(np.argsort(index) if inverted else index, name)]
    if kinds & LINEAR and "OneByOneConvolution" not in kinds:
        return [inverted_if(_linear(layer, dim), inverted)]
    before = 0.0
    if "BatchNorm" in kinds:
        gain = np.logaddexp(0, float64(layer.unconstrained_weight)) + layer.eps
        scale = gain / np.sqrt(float64(layer.running_var) + layer.eps)
        shift, before = float64(layer.bias), 0 - float64(layer.running_mean)
    elif "ActNorm" in kinds:
        scale, shift = np.exp(float64(layer.log_scale)), float64(layer.shift)
    elif "PointwiseAffineTransform" in kinds:
        scale, shift = float64(layer._scale), float64(layer._shift)
    else:
        return refuse(layer, SUPPORTED)
    return [inverted_if(diagonal(dim, name, scale, shift, before), inverted)]


def reads_of(inverted: bool) -> Reads:
    return Reads.NOISE if inverted else Reads.DATA


def _elementwise(layer, dim: int) -> list:
    """The steps of a transform that maps each coordinate on its own, in the transform's own direction."""
    kinds, name = class_names(layer), type(layer).__name__
    zeros, ones = np.zeros(dim), np.ones(dim)

    def every(function: Function, lower=zeros, upper=zeros) -> ir.Elementwise:
        return ir.Elementwise(np.full(dim, int(function)), lower, upper, name)

    if "Tanh" in kinds:
        return [every(Function.TANH)]
    if "Exp" in kinds:
        return [every(Function.EXP_ABOVE)]
    if "LeakyReLU" in kinds:
        return [every(Function.LEAKY, float(layer.negative_slope) * ones)]
    sigmoid = every(Function.SIGMOID, zeros, ones)
    sigmoid.margin = 2 * float(layer.eps)  # the inverse is clamped within eps
    return [diagonal(dim, name, float64(layer.temperature).reshape(-1)), sigmoid]


def _linear(layer, dim: int) -> ir.Linear:
    import torch

    live = copied(layer, torch.float64)
    return ir.Linear(*affine_map(lambda rows: live(rows)[0], dim), type(layer).__name__)


def _affine_autoregressive(layer, inverted: bool, dim: int) -> ir.Autoregressive:
    import torch

    name = type(layer).__name__
    raw = torch.as_tensor(scales.RAW)
    parameters = torch.stack([raw, torch.full_like(raw, scales.SHIFT)], dim=-1).repeat(1, dim)
    candidates = scales.nflows_candidates(float(getattr(layer, "_epsilon", 1e-3)))
    scale = scales.of_affine(lambda x: layer._elementwise_forward(x, parameters), dim, candidates, name)
    layers = made(layer.autoregressive_net)
    output = layers[-1]
    _require_outputs(output, 2 * dim, name)
    reordered(output, np.arange(2 * dim).reshape(dim, 2)[:, ::-1].reshape(-1))  # [a, t] of a feature becomes [t, a]
    scales.fold(scale, output)
    return ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p), reads_of(inverted), name=name)


# ---- couplings ----


def _coupling(layer, inverted: bool, dim: int) -> list:
    """The coupling, then (data to noise) what happens to the coordinates that parametrise it."""
    constant, transformed = (float64(i).astype(np.int64) for i in (layer.identity_features, layer.transform_features))
    coupling, inner = [], []
    if len(transformed) and class_names(layer) & splines.COUPLINGS:
        layers = _network(layer, constant, dim)
        coupling = splines.coupling(layer, layers, reads_of(inverted), transformed, dim)
    elif len(transformed):
        coupling = [_affine_coupling(layer, constant, transformed, inverted)]
    if layer.unconditional_transform is not None:
        for part, flipped in flatten(layer.unconditional_transform, inverted):
            inner += [acting(step, constant, dim) for step in steps_of(part, flipped, len(constant))]
    return inner + coupling if inverted else coupling + inner


def _network(layer, constant, dim: int) -> list:
    """The network of a coupling, which sees `constant` alone, as layers that are given all coordinates."""
    return linear_output(reading(coupling_net(layer.transform_net, len(constant), with_context=True), constant, dim))


def _affine_coupling(layer, constant, transformed, inverted: bool) -> ir.Autoregressive:
    name, count = type(layer).__name__, len(transformed)
    scale = scales.of_nflows_coupling(layer, count)
    layers = _network(layer, constant, len(constant) + count)
    output, transformer = layers[-1], ir.Additive()
    _require_outputs(output, layer._transform_dim_multiplier() * count, name)
    if scale is not None:
        reordered(output, np.arange(2 * count).reshape(2, count).T.reshape(-1))
        scales.fold(scale, output)
        transformer = ir.Affine(scale.scale, scale.p)
    return ir.Autoregressive(layers, transformer, reads_of(inverted), transformed, name)


def _require_outputs(output: ir.Layer, expected: int, name: str) -> None:
    if output.width != expected:
        raise ExportError(f"{name}: the network has {output.width} outputs, not {expected}")
