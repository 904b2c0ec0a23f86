"""nflows 0.14 and its forks: `Flow`, or a bare `Transform` with a standard normal base.

nflows transforms map data to noise. `InverseTransform` turns a masked autoregressive layer into an inverse one. The
network of an affine coupling gives all shifts first, then all raw scales.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads
from . import scales
from .live import Live
from .modules import affine_map, array, context_size, inverted_if, names, refuse, reordered
from .networks import linear_output
from .nflows_networks import coupling_net, made
from .subset import acting, reading

framework = "nflows"

_PERMUTATIONS = {"Permutation", "RandomPermutation", "ReversePermutation"}
_LINEAR = {"LULinear", "QRLinear", "SVDLinear", "NaiveLinear", "HouseholderSequence"}
_SUPPORTED = (
    "MaskedAffineAutoregressiveTransform, AffineCouplingTransform, AdditiveCouplingTransform, InverseTransform, "
    "CompositeTransform, permutations, LULinear, QRLinear, SVDLinear, NaiveLinear, HouseholderSequence, BatchNorm, "
    "ActNorm, PointwiseAffineTransform and IdentityTransform, with StandardNormal or DiagonalNormal as base"
)


def accepts(model) -> bool:
    """Whether the object looks like a flow or a transform of nflows."""
    return _is_flow(model) or ("Transform" in names(model) and callable(getattr(model, "inverse", None)))


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    transform = model._transform if _is_flow(model) else model
    layers = list(_flatten(transform, inverted=False))
    dim = _dim(model, layers)
    if _is_flow(model) and type(model._embedding_net).__name__ != "Identity":
        refuse(model._embedding_net, "flows without an embedding net: pass the embedded context to the exported flow")
    steps = [step for layer, inverted in layers for step in _steps(layer, inverted, dim)]
    context = context_size(steps, context_dim)
    return ir.Flow(dim, context, steps, _base(model, dim), framework=framework, model=type(model).__name__)


def live(model, dtype) -> Live:
    """The framework's own evaluation of a copy of the model."""
    copy = _copied(model, dtype)
    transform = copy._transform if _is_flow(copy) else copy
    embed = copy._embedding_net if _is_flow(copy) else lambda context: context
    base = copy._distribution if _is_flow(copy) else None
    return Live(
        dtype,
        forward=lambda x, c: transform(x, embed(c)),
        inverse=lambda z, c: transform.inverse(z, embed(c)),
        base_log_prob=None if base is None else lambda z, c: base.log_prob(z, embed(c)),
    )


def _is_flow(model) -> bool:
    return hasattr(model, "_transform") and hasattr(model, "_distribution")


def _copied(module, dtype):
    """A copy without the matrices that linear layers keep between calls.

    In the copy, free matrices do keep theirs: otherwise they are inverted by a function that torch no longer has.
    """
    import torch

    caches = [part.cache for part in module.modules() if hasattr(part, "cache") and hasattr(part, "using_cache")]
    copy = Live.copy_of(module, dtype, {id(cache): type(cache)() for cache in caches})
    for part in copy.modules():
        if "NaiveLinear" in names(part):
            part.use_cache()
            with torch.no_grad():
                part._check_forward_cache()
    return copy


def _flatten(transform, inverted: bool):
    """(layer, inverted) from data to noise, with nested composites and inverses resolved."""
    kinds = names(transform)
    if "InverseTransform" in kinds:
        yield from _flatten(transform._transform, not inverted)
    elif "CompositeTransform" in kinds:
        parts = list(transform._transforms)
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield transform, inverted


def _dim(model, layers) -> int:
    if _is_flow(model) and len(getattr(model._distribution, "_shape", ())) == 1:
        return int(model._distribution._shape[0])
    for layer, _ in layers:
        if hasattr(layer, "autoregressive_net"):
            return layer.autoregressive_net.initial_layer.weight.shape[1]
        if hasattr(layer, "_permutation"):
            return len(layer._permutation)
        if names(layer) & (_LINEAR | {"CouplingTransform"}):
            return layer.features
    raise ExportError(f"the number of features of {type(model).__name__} cannot be told from its layers")


def _base(model, dim: int):
    if not _is_flow(model):
        return ir.StandardNormal()
    base = model._distribution
    if "StandardNormal" in names(base):
        return ir.StandardNormal()
    if "DiagonalNormal" in names(base):
        mean, std = array(base.mean_).reshape(-1), np.exp(array(base.log_std_).reshape(-1))
        return ir.DiagonalNormal(mean, std)
    return refuse(base, _SUPPORTED)


# ---- steps ----


def _steps(layer, inverted: bool, dim: int) -> list:
    kinds, name = names(layer), type(layer).__name__
    if "IdentityTransform" in kinds:
        return []
    if "MaskedAffineAutoregressiveTransform" in kinds:
        return [_affine_autoregressive(layer, inverted, dim)]
    if "AffineCouplingTransform" in kinds:
        return _coupling(layer, inverted, dim)
    if kinds & _PERMUTATIONS and layer._dim == 1:
        index = array(layer._permutation).astype(np.int64)
        return [ir.Permutation(np.argsort(index) if inverted else index, name)]
    if kinds & _LINEAR and "OneByOneConvolution" not in kinds:
        return [inverted_if(_linear(layer, dim), inverted)]
    if "BatchNorm" in kinds:
        gain = np.logaddexp(0, array(layer.unconstrained_weight)) + layer.eps
        scale = gain / np.sqrt(array(layer.running_var) + layer.eps)
        shift = array(layer.bias) - array(layer.running_mean) * scale
    elif "ActNorm" in kinds:
        scale, shift = np.exp(array(layer.log_scale)), array(layer.shift)
    elif "PointwiseAffineTransform" in kinds:
        scale, shift = array(layer._scale), array(layer._shift)
    else:
        return refuse(layer, _SUPPORTED)
    return [inverted_if(ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), name), inverted)]


def _linear(layer, dim: int) -> ir.Linear:
    import torch

    live = _copied(layer, torch.float64)
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
    reads = Reads.NOISE if inverted else Reads.DATA
    return ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p), reads, name=name)


def _coupling(layer, inverted: bool, dim: int) -> list:
    """The coupling, then (data to noise) what happens to the coordinates that parametrise it."""
    constant, transformed = (array(i).astype(np.int64) for i in (layer.identity_features, layer.transform_features))
    coupling = [_affine_coupling(layer, constant, transformed, inverted)] if len(transformed) else []
    inner = []
    if layer.unconditional_transform is not None:
        for part, flipped in _flatten(layer.unconditional_transform, inverted):
            inner += [acting(step, constant, dim) for step in _steps(part, flipped, len(constant))]
    return inner + coupling if inverted else coupling + inner


def _affine_coupling(layer, constant, transformed, inverted: bool) -> ir.Autoregressive:
    import torch

    name, count = type(layer).__name__, len(transformed)
    raw = torch.as_tensor(scales.RAW)
    shifts = torch.full((len(raw), count), scales.SHIFT, dtype=torch.float64)
    additive = layer._transform_dim_multiplier() == 1
    parameters = shifts if additive else torch.cat([shifts, raw[:, None].expand(shifts.shape)], dim=1)
    candidates = [scales.ONE] if additive else scales.nflows_candidates(1e-3)
    scale = scales.of_affine(lambda x: layer._coupling_transform_forward(x, parameters), count, candidates, name)
    dim = len(constant) + count
    layers = linear_output(reading(coupling_net(layer.transform_net, len(constant)), constant, dim))
    output, transformer = layers[-1], ir.Additive()
    _require_outputs(output, layer._transform_dim_multiplier() * count, name)
    if not additive:
        reordered(output, np.arange(2 * count).reshape(2, count).T.reshape(-1))
        scales.fold(scale, output)
        transformer = ir.Affine(scale.scale, scale.p)
    return ir.Autoregressive(layers, transformer, Reads.NOISE if inverted else Reads.DATA, transformed, name)


def _require_outputs(output: ir.Layer, expected: int, name: str) -> None:
    if output.width != expected:
        raise ExportError(f"{name}: the network has {output.width} outputs, not {expected}")
