"""nflows 0.14 and its forks: `Flow`, or a bare `Transform` with a standard normal base.

nflows transforms map data to noise. `InverseTransform` turns a masked autoregressive layer into an inverse one.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads
from . import scales
from .live import Live
from .modules import activated, array, context_size, masked_linear, names, refuse, reordered

framework = "nflows"

_PERMUTATIONS = {"Permutation", "RandomPermutation", "ReversePermutation"}
_SUPPORTED = (
    "MaskedAffineAutoregressiveTransform, InverseTransform, CompositeTransform, permutations, BatchNorm, ActNorm, "
    "PointwiseAffineTransform and IdentityTransform, with StandardNormal or DiagonalNormal as base"
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
    contexts = [_context_features(layer) for layer, _ in layers if hasattr(layer, "autoregressive_net")]
    steps = [step for layer, inverted in layers for step in _step(layer, inverted, dim)]
    context = context_size(contexts, context_dim)
    return ir.Flow(dim, context, steps, _base(model, dim), framework=framework, model=type(model).__name__)


def live(model, dtype) -> Live:
    """The framework's own evaluation of a copy of the model."""
    copy = Live.copy_of(model, dtype)
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


def _step(layer, inverted: bool, dim: int) -> list:
    kinds, name = names(layer), type(layer).__name__
    if "IdentityTransform" in kinds:
        return []
    if "MaskedAffineAutoregressiveTransform" in kinds:
        return [_affine_autoregressive(layer, inverted, dim)]
    if kinds & _PERMUTATIONS and layer._dim == 1:
        index = array(layer._permutation).astype(np.int64)
        return [ir.Permutation(np.argsort(index) if inverted else index, name)]
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
    if inverted:
        scale, shift = 1 / scale, -shift / scale
    return [ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), name)]


def _affine_autoregressive(layer, inverted: bool, dim: int) -> ir.Autoregressive:
    scale = _scale_function(layer, dim)
    layers = _made(layer.autoregressive_net)
    output = layers[-1]
    if output.width != 2 * dim:
        raise ExportError(f"{type(layer).__name__}: the network has {output.width} outputs, not {2 * dim}")
    reordered(output, np.arange(2 * dim).reshape(dim, 2)[:, ::-1].reshape(-1))  # [a, t] of a feature becomes [t, a]
    output.weight[1::2] *= scale.gain
    output.bias[1::2] = scale.gain * output.bias[1::2] + scale.offset
    reads = Reads.NOISE if inverted else Reads.DATA
    return ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p), reads, name=type(layer).__name__)


def _scale_function(layer, dim: int) -> scales.ScaleFunction:
    """The formula of the live layer: forks and older releases differ, and users override it."""
    import torch

    raw = torch.as_tensor(scales.RAW)
    shift = torch.full_like(raw, 0.75)
    parameters = torch.stack([raw, shift], dim=-1).repeat(1, dim)

    def outputs(value: float):
        inputs = torch.full((len(raw), dim), value, dtype=torch.float64)
        with torch.no_grad():
            return [array(t) for t in layer._elementwise_forward(inputs, parameters)]

    (at_zero, log_det), (at_one, _), (at_two, _) = outputs(0.0), outputs(1.0), outputs(2.0)
    values = (at_one - at_zero)[:, 0]
    straight = np.allclose(at_two - at_one, at_one - at_zero, rtol=1e-9, atol=1e-9)
    if not straight or not np.allclose(at_zero, 0.75):
        raise ExportError(f"{type(layer).__name__} does not compute scale * x + shift")
    candidates = scales.nflows_candidates(float(getattr(layer, "_epsilon", 1e-3)))
    return scales.match(values, log_det / dim, candidates, type(layer).__name__)


# ---- networks ----


def _context_features(layer) -> int:
    context_layer = getattr(layer.autoregressive_net, "context_layer", None)
    return 0 if context_layer is None else context_layer.weight.shape[1]


def _made(made) -> list:
    """Section 4.2 of Germain et al. 2015 with the residual blocks and the context of nflows."""
    for attribute in ("initial_layer", "blocks", "final_layer"):
        if not hasattr(made, attribute):
            return refuse(made, "networks with the layers of nflows' MADE")
    layers: list[ir.Layer] = []
    initial = masked_linear(made.initial_layer, ir.READ)
    if hasattr(made, "context_layer"):
        context = made.context_layer
        layers.append(activated(ir.Layer(array(context.bias), context_weight=array(context.weight)), made.activation))
        initial.add.append(ir.Add(0))
    layers.append(initial if made.use_residual_blocks else activated(initial, made.activation))
    for block in made.blocks:
        if "MaskedResidualBlock" in names(block):
            _residual_block(layers, block)
        elif "MaskedFeedforwardBlock" in names(block):
            _feedforward_block(layers, block)
        else:
            refuse(block, "MaskedFeedforwardBlock and MaskedResidualBlock")
    layers.append(masked_linear(made.final_layer, len(layers) - 1))
    return layers


def _feedforward_block(layers: list, block) -> None:
    """activation(W batch_norm(h) + b): the normalisation folds into W and b."""
    layer = masked_linear(block.linear, len(layers) - 1)
    if block.batch_norm is not None:
        scale, shift = _batch_norm(block.batch_norm)
        layer.bias = layer.bias + (layer.weight * layer.mask) @ shift
        layer.weight = layer.weight * scale
    layers.append(activated(layer, block.activation))


def _residual_block(layers: list, block) -> None:
    """h + W2 activation(norm1(W1 activation(norm0(h)) + context)): norm1 folds into W1, norm0 scales an added layer."""
    h = len(layers) - 1
    width = layers[h].width
    normalise = [None, None]
    if block.use_batch_norm:
        normalise = [_batch_norm(norm) for norm in block.batch_norm_layers]
    scale, shift = normalise[0] or (None, np.zeros(width))
    layers.append(activated(ir.Layer(shift, add=[ir.Add(h, scale)]), block.activation))
    inner = masked_linear(block.linear_layers[0], len(layers) - 1)
    if hasattr(block, "context_layer"):
        inner.bias = inner.bias + array(block.context_layer.bias)
        inner.context_weight = array(block.context_layer.weight)
    if normalise[1]:
        scale, shift = normalise[1]
        inner.bias = scale * inner.bias + shift
        inner.weight = scale[:, None] * inner.weight
        if inner.context_weight is not None:
            inner.context_weight = scale[:, None] * inner.context_weight
    layers.append(activated(inner, block.activation))
    layers.append(masked_linear(block.linear_layers[1], len(layers) - 1, add=[ir.Add(h)]))


def _batch_norm(norm) -> tuple:
    """Scale and shift of a BatchNorm1d in evaluation mode."""
    if norm.running_var is None:
        raise ExportError(
            "BatchNorm1d without running statistics depends on the batch; it is not a flow of single rows"
        )
    scale = 1 / np.sqrt(array(norm.running_var) + norm.eps)
    if norm.weight is not None:
        scale = scale * array(norm.weight)
    shift = -array(norm.running_mean) * scale
    return scale, shift if norm.bias is None else shift + array(norm.bias)
