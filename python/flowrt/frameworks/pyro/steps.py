"""The steps of Pyro's transforms, each a map from noise to data, or the inverse of one.

Networks are given the context before the variables and put all values of a parameter before those of the next one.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.modules import affine_map, class_names, diagonal, inverted_if, refuse
from ...errors import ExportError
from ...file.codes import Form, Function, Reads, Scale
from ...flow import flow as ir
from ..torch.plain import deep_copy, with_plain_weights
from ..torch.transforms import constant_steps, merged
from .networks import context_features, layers_of, require
from .splines import SPLINES, spline_steps

_AUTOREGRESSIVE = {"AffineAutoregressive", "ConditionalAffineAutoregressive"}
_COUPLING = {"AffineCoupling", "ConditionalAffineCoupling"}
_LINEAR = {"Householder", "LowerCholeskyAffine"}
_LEAKY_SLOPE = 0.01  # the only one that LeakyReLUTransform has
_CONSTANT = {"AffineTransform", "ExpTransform", "SigmoidTransform", "TanhTransform", "CumulativeDistributionTransform"}
SUPPORTED = (
    "AffineAutoregressive, AffineCoupling, Spline, SplineAutoregressive, SplineCoupling, their conditional forms, "
    "Permute, BatchNorm, Householder, LowerCholeskyAffine, LeakyReLUTransform, AffineTransform, ExpTransform, "
    "SigmoidTransform, TanhTransform, CumulativeDistributionTransform of a Normal, and the .inv of all"
)


def steps_of(transforms: list, dim: int) -> list:
    """The steps from data to noise of (transform, inverted) pairs, each a map from noise to data unless inverted."""
    steps: list = []
    for constant, run in groupby(transforms, key=lambda pair: bool(class_names(pair[0]) & _CONSTANT)):
        if constant:
            generative = merged([step for pair in run for step in _constant(*pair, dim)])
            steps[:0] = [inverted_if(step, True) for step in reversed(generative)]
        else:
            for transform, inverted in run:
                steps[:0] = _steps(transform, inverted, dim)
    return steps


def _constant(transform, inverted: bool, dim: int) -> list:
    """The steps from noise to data of a transform whose parameters are constants."""
    steps = constant_steps(transform, dim, SUPPORTED)
    return [inverted_if(step, True) for step in reversed(steps)] if inverted else steps


def _steps(transform, inverted: bool, dim: int) -> list:
    """The steps from data to noise of one transform."""
    kinds, name = class_names(transform), type(transform).__name__
    if kinds & SPLINES:
        return spline_steps(transform, inverted, dim)
    if kinds & (_AUTOREGRESSIVE | _COUPLING):
        network = transform.arn if hasattr(transform, "arn") else transform.nn
        options = transform.condition(_zero_context(network)) if hasattr(transform, "condition") else transform
        make = _affine_coupling if kinds & _COUPLING else _affine_autoregressive
        return [make(network, options, inverted, dim, name)]
    if "Permute" in kinds and transform.dim == -1:
        index = float64(transform.permutation).astype(np.int64)
        return [ir.Permutation(index if inverted else np.argsort(index), name)]
    if kinds & _LINEAR and "Sylvester" not in kinds:
        matrix, shift = affine_map(copied(transform, _float64())._call, dim)
        return [inverted_if(ir.Linear(matrix, shift, name), not inverted)]
    if "LeakyReLUTransform" in kinds:
        function = Function.LEAKY if inverted else Function.LEAKY_INVERSE
        return [ir.Elementwise(np.full(dim, int(function)), np.full(dim, _LEAKY_SLOPE), np.zeros(dim), name)]
    if "BatchNorm" not in kinds:
        return refuse(transform, SUPPORTED)
    std = np.sqrt(float64(transform.moving_variance) + transform.epsilon)
    scale = (np.maximum(float64(transform.gamma), 0) + 1e-6) / std
    step = diagonal(dim, name, scale, float64(transform.beta), 0 - float64(transform.moving_mean))
    return [inverted_if(step, inverted)]  # its inverse is the normalising direction


def _affine_autoregressive(network, options, inverted: bool, dim: int, name: str) -> ir.Autoregressive:
    """`options` holds clamps and form: the transform itself, or what a conditional one makes of its arguments."""
    require(network, 2, "AutoRegressiveNN and ConditionalAutoRegressiveNN with two parameters")
    layers = layers_of(network, _interleaved(network))
    output = layers[-1]
    if options.stable:
        transformer = ir.Affine(Scale.SIGMOID, form=Form.GATED)
        output.bias[1::2] += options.sigmoid_bias
    else:
        transformer = ir.Affine(Scale.EXP_CLAMPED, (options.log_scale_min_clip, options.log_scale_max_clip))
    return ir.Autoregressive(layers, transformer, Reads.DATA if inverted else Reads.NOISE, name=name)


def _affine_coupling(network, options, inverted: bool, dim: int, name: str) -> ir.Autoregressive:
    """The first `split_dim` coordinates stay as they are and parametrise the others."""
    require(network, 2, "DenseNN and ConditionalDenseNN with two parameters")
    if options.dim != -1:
        raise ExportError(f"{name} splits dimension {options.dim}; a flow of vectors splits dimension -1")
    constant, transformed = np.split(np.arange(dim), [options.split_dim])
    transformer = ir.Affine(Scale.EXP_CLAMPED, (options.log_scale_min_clip, options.log_scale_max_clip))
    layers = reading(layers_of(network, _interleaved(network)), constant, dim)
    return ir.Autoregressive(layers, transformer, Reads.DATA if inverted else Reads.NOISE, transformed, name)


def _interleaved(network) -> np.ndarray:
    """All t, then all a, becomes t, a of each coordinate."""
    return np.arange(len(network.layers[-1].weight)).reshape(2, -1).T.reshape(-1)


def _zero_context(network):
    import torch

    return torch.zeros(context_features(network))


def _float64():
    import torch

    return torch.float64


# ---- copies of live transforms ----

_CACHED = (("_cached_x_y", (None, None)), ("_cached_log_scale", None), ("_cache_log_detJ", None), ("_inv", None))


def copied(transform, dtype):
    """A copy in evaluation mode without what Pyro has cached, which belongs to the original."""
    transform = with_plain_weights(transform)
    cached = [getattr(part, name, None) for part in _parts(transform) for name, _ in _CACHED]
    result = deep_copy(transform, {id(value): None for value in cached if value is not None})
    for part in _parts(result):
        for name, empty in _CACHED:
            if hasattr(part, name):
                setattr(part, name, empty)
    if hasattr(result, "eval"):
        return result.to(dtype).eval()
    for name in ("loc", "scale", "scale_tril"):  # transforms that are no modules
        if hasattr(getattr(result, name, None), "to"):
            setattr(result, name, getattr(result, name).to(dtype))
    if hasattr(result, "distribution"):
        result.distribution = type(result.distribution)(
            *(getattr(result.distribution, name).to(dtype) for name in ("loc", "scale")), validate_args=False
        )
    return result


def _parts(transform) -> list:
    """The transform and the transforms inside of it."""
    return [transform, *(transform.modules() if hasattr(transform, "modules") else ())]
