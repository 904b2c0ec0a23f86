"""Pyro 1.9: `TransformedDistribution`, `ConditionalTransformedDistribution`, or a list of transforms.

Pyro transforms map noise to data and are listed from the base on. An `AffineAutoregressive` is an inverse
autoregressive flow (its network reads the noise); its `.inv` in the list is a masked autoregressive flow. The context
stands before the variables at the input of a network; the output has all shifts first, then all raw scales.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Form, Reads, Scale
from .live import Live, normal_log_prob
from .modules import activated, array, concatenated_linear, context_size, masked_linear, names, refuse, reordered

framework = "pyro"

_AFFINE, _CONDITIONAL = "AffineAutoregressive", "ConditionalAffineAutoregressive"
_INVERSE = {"_InverseTransform", "Inverse"}  # torch's class, whose name zuko changes when it is imported
_SUPPORTED = (
    "AffineAutoregressive, ConditionalAffineAutoregressive, their .inv, Permute, BatchNorm and AffineTransform, with a "
    "diagonal Normal as base"
)


def accepts(model) -> bool:
    """Whether the object looks like a transformed distribution, a transform or a list of transforms of Pyro."""
    if hasattr(model, "base_dist") and hasattr(model, "transforms"):
        return True
    return _is_transform(model) or (_is_list(model) and len(model) > 0 and all(_is_transform(t) for t in model))


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    transforms = list(_flatten(model, inverted=False))
    dim = _dim(model, transforms)
    steps = [_step(transform, inverted, dim) for transform, inverted in reversed(transforms)]
    contexts = [transform.nn.context_dim for transform, _ in transforms if _CONDITIONAL in names(transform)]
    context = context_size(contexts, context_dim)
    name = "list of transforms" if _is_list(model) else type(model).__name__
    return ir.Flow(dim, context, steps, _base(model, dim), framework=framework, model=name)


def live(model, dtype) -> Live:
    """The framework's own evaluation of a copy of the transforms."""
    pairs = [(_copied(transform, dtype), inverted) for transform, inverted in _flatten(model, inverted=False)]
    base = _normal(model)
    mean, std = (0.0, 1.0) if base is None else (base.loc.to(dtype), base.scale.to(dtype))

    def run(values, context, to_noise: bool):
        log_det = 0.0
        for transform, inverted in reversed(pairs) if to_noise else pairs:
            if _CONDITIONAL in names(transform):
                transform = transform.condition(context)
            backwards = inverted != to_noise
            result = transform._inverse(values) if backwards else transform._call(values)
            ends = (result, values) if backwards else (values, result)
            slope = transform.log_abs_det_jacobian(*ends)
            if transform.domain.event_dim == 0:
                slope = slope.expand(values.shape).sum(dim=-1)
            log_det = log_det - slope if backwards else log_det + slope
            values = result
        return values, log_det

    return Live(
        dtype,
        forward=lambda x, c: run(x, c, to_noise=True),
        inverse=lambda z, c: run(z, c, to_noise=False),
        base_log_prob=lambda z, c: normal_log_prob(z, mean, std),
    )


# ---- walking ----


def _is_list(model) -> bool:
    return "ModuleList" in names(model) or (isinstance(model, Sequence) and not isinstance(model, (str, bytes)))


def _is_transform(model) -> bool:
    return bool(names(model) & {"Transform", "ConditionalTransform"}) and not hasattr(model, "_elementwise_forward")


def _flatten(model, inverted: bool):
    """(transform, inverted) from noise to data, with lists, compositions, inverses and constant wrappers resolved."""
    kinds = names(model)
    if kinds & _INVERSE:
        yield from _flatten(model.inv, not inverted)
    elif "_ConditionalInverseTransformModule" in kinds:
        yield from _flatten(model._transform, not inverted)
    elif "ConstantConditionalTransform" in kinds:
        yield from _flatten(model.transform, inverted)
    elif "ComposeTransform" in kinds or hasattr(model, "transforms") or _is_list(model):
        parts = model.parts if "ComposeTransform" in kinds else getattr(model, "transforms", model)
        parts = list(parts)
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield model, inverted


def _copied(transform, dtype):
    """A copy in evaluation mode without what Pyro has cached, which belongs to the original."""
    cached = [getattr(transform, name, None) for name in ("_cached_x_y", "_cached_log_scale", "_inv")]
    result = copy.deepcopy(transform, {id(value): None for value in cached if value is not None})
    for name, empty in (("_cached_x_y", (None, None)), ("_cached_log_scale", None), ("_inv", None)):
        if hasattr(result, name):
            setattr(result, name, empty)
    if hasattr(result, "eval"):
        return result.to(dtype).eval()
    for name in ("loc", "scale"):  # torch's AffineTransform, which is no module
        if hasattr(getattr(result, name, None), "to"):
            setattr(result, name, getattr(result, name).to(dtype))
    return result


def _normal(model):
    """The diagonal Normal under a transformed distribution; None for a bare list of transforms."""
    if not hasattr(model, "base_dist"):
        return None
    base = model.base_dist
    while names(base) & {"Independent", "ConstantConditionalDistribution"}:
        base = base.base_dist
    if type(base).__name__ != "Normal":
        return refuse(base, _SUPPORTED)
    return base


def _base(model, dim: int):
    normal = _normal(model)
    if normal is None:
        return ir.StandardNormal()
    mean, std = (np.broadcast_to(array(values), (dim,)) for values in (normal.loc, normal.scale))
    if np.all(mean == 0) and np.all(std == 1):
        return ir.StandardNormal()
    return ir.DiagonalNormal(mean, std)


def _dim(model, transforms) -> int:
    for transform, _ in transforms:
        network = getattr(transform, "arn", getattr(transform, "nn", None))
        if hasattr(network, "input_dim"):
            return network.input_dim
        if "Permute" in names(transform):
            return len(transform.permutation)
        if "BatchNorm" in names(transform):
            return transform.input_dim
    shape = _normal(model).loc.shape if hasattr(model, "base_dist") else ()
    if len(shape) != 1:
        raise ExportError(f"the number of features of {type(model).__name__} cannot be told from its transforms")
    return shape[0]


# ---- steps ----


def _step(transform, inverted: bool, dim: int):
    kinds, name = names(transform), type(transform).__name__
    if _CONDITIONAL in kinds:
        options = transform.condition(_zero_context(transform.nn))
        return _affine_autoregressive(transform.nn, options, inverted, dim, name)
    if _AFFINE in kinds:
        return _affine_autoregressive(transform.arn, transform, inverted, dim, name)
    if "Permute" in kinds and transform.dim == -1:
        index = array(transform.permutation).astype(np.int64)
        return ir.Permutation(index if inverted else np.argsort(index), name)
    if "BatchNorm" in kinds:  # its inverse, data to noise, is the normalising direction
        std = np.sqrt(array(transform.moving_variance) + transform.epsilon)
        scale = (np.maximum(array(transform.gamma), 0) + 1e-6) / std
        shift = array(transform.beta) - array(transform.moving_mean) * scale
    elif "AffineTransform" in kinds:
        scale = 1 / array(transform.scale)
        shift = -array(transform.loc) * scale
    else:
        return refuse(transform, _SUPPORTED)
    if inverted:
        scale, shift = 1 / scale, -shift / scale
    return ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), name)


def _affine_autoregressive(network, options, inverted: bool, dim: int, name: str) -> ir.Autoregressive:
    """`options` holds clamps and form: the transform itself, or what a conditional one makes of its arguments."""
    if not hasattr(network, "layers") or not hasattr(network, "f") or network.count_params != 2:
        return refuse(network, "AutoRegressiveNN and ConditionalAutoRegressiveNN with two parameters")
    layers = _network(network)
    output = layers[-1]
    if options.stable:
        transformer = ir.Affine(Scale.SIGMOID, form=Form.GATED)
        output.bias[1::2] += options.sigmoid_bias
    else:
        transformer = ir.Affine(Scale.EXP_CLAMPED, (options.log_scale_min_clip, options.log_scale_max_clip))
    return ir.Autoregressive(layers, transformer, Reads.DATA if inverted else Reads.NOISE, name=name)


def _zero_context(network):
    import torch

    return torch.zeros(network.context_dim)


def _network(network) -> list:
    """Masked linear layers with one activation, and optionally a masked linear map from the input to the output."""
    contexts, variables = slice(0, network.context_dim), slice(network.context_dim, None)
    modules = list(network.layers)
    layers = [concatenated_linear(modules[0], variables, contexts)]
    layers += [masked_linear(module, i) for i, module in enumerate(modules[1:])]
    for layer in layers[:-1]:
        activated(layer, network.f)
    interleaved = np.arange(layers[-1].width).reshape(2, -1).T.reshape(-1)  # all t, then all a, becomes t, a of each
    reordered(layers[-1], interleaved)
    if network.skip_layer is not None:
        skip = concatenated_linear(network.skip_layer, variables, contexts)
        reordered(skip, interleaved)
        layers.insert(-1, skip)
        layers[-1].add.append(ir.Add(len(layers) - 2))
    return layers
