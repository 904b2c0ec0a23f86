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
from .modules import affine_map, array, concatenated_linear, context_size, inverted_if, names, refuse, reordered
from .networks import alternating, perceptron
from .subset import reading

framework = "pyro"

_AUTOREGRESSIVE = {"AffineAutoregressive", "ConditionalAffineAutoregressive"}
_COUPLING = {"AffineCoupling", "ConditionalAffineCoupling"}
_LINEAR = {"Householder", "LowerCholeskyAffine"}
_INVERSE = {"_InverseTransform", "Inverse"}  # torch's class, whose name zuko changes when it is imported
_SUPPORTED = (
    "AffineAutoregressive, AffineCoupling, their conditional forms, Permute, BatchNorm, Householder, "
    "LowerCholeskyAffine, AffineTransform and the .inv of all, with a diagonal Normal as base"
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
    context = context_size(steps, context_dim)
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
            if hasattr(transform, "condition"):
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
    for name in ("loc", "scale", "scale_tril"):  # transforms that are no modules
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
        if hasattr(transform, "split_dim") and hasattr(network, "param_dims"):
            return transform.split_dim + network.param_dims[0]
        if hasattr(network, "input_dim"):
            return network.input_dim
        if "Permute" in names(transform):
            return len(transform.permutation)
        if names(transform) & {"BatchNorm", "Householder"}:
            return transform.input_dim
        if "LowerCholeskyAffine" in names(transform):
            return len(transform.loc)
    shape = _normal(model).loc.shape if hasattr(model, "base_dist") else ()
    if len(shape) != 1:
        raise ExportError(f"the number of features of {type(model).__name__} cannot be told from its transforms")
    return shape[0]


# ---- steps ----


def _step(transform, inverted: bool, dim: int):
    kinds, name = names(transform), type(transform).__name__
    if kinds & (_AUTOREGRESSIVE | _COUPLING):
        network = transform.arn if hasattr(transform, "arn") else transform.nn
        options = transform.condition(_zero_context(network)) if hasattr(transform, "condition") else transform
        make = _affine_coupling if kinds & _COUPLING else _affine_autoregressive
        return make(network, options, inverted, dim, name)
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
    elif kinds & _LINEAR:
        matrix, shift = affine_map(_float64(transform)._call, dim)
        return inverted_if(ir.Linear(matrix, shift, name), not inverted)
    else:
        return refuse(transform, _SUPPORTED)
    return inverted_if(ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), name), inverted)


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


def _affine_coupling(network, options, inverted: bool, dim: int, name: str) -> ir.Autoregressive:
    """The first `split_dim` coordinates stay as they are and parametrise the others."""
    if not hasattr(network, "layers") or not hasattr(network, "f") or network.count_params != 2:
        return refuse(network, "DenseNN and ConditionalDenseNN with two parameters")
    if options.dim != -1:
        raise ExportError(f"{name} splits dimension {options.dim}; a flow of vectors splits dimension -1")
    constant, transformed = np.split(np.arange(dim), [options.split_dim])
    transformer = ir.Affine(Scale.EXP_CLAMPED, (options.log_scale_min_clip, options.log_scale_max_clip))
    layers = reading(_network(network), constant, dim)
    return ir.Autoregressive(layers, transformer, Reads.DATA if inverted else Reads.NOISE, transformed, name)


def _float64(transform):
    import torch

    return _copied(transform, torch.float64)


def _zero_context(network):
    import torch

    return torch.zeros(getattr(network, "context_dim", 0))


def _network(network) -> list:
    """A perceptron, and optionally a linear map from its input to its output."""
    contexts, variables = slice(0, network.context_dim), slice(network.context_dim, None)
    layers = perceptron(alternating(network.layers, network.f), variables, contexts)
    interleaved = np.arange(layers[-1].width).reshape(2, -1).T.reshape(-1)  # all t, then all a, becomes t, a of each
    reordered(layers[-1], interleaved)
    if getattr(network, "skip_layer", None) is not None:
        skip = concatenated_linear(network.skip_layer, variables, contexts)
        reordered(skip, interleaved)
        layers.insert(-1, skip)
        layers[-1].add.append(ir.Add(len(layers) - 2))
    return layers
