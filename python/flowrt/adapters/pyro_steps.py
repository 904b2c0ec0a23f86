"""The steps of Pyro's transforms, each a map from noise to data, or the inverse of one.

Networks are given the context before the variables and put all values of a parameter before those of the next one.
"""

from __future__ import annotations

import copy

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Form, Function, Reads, Scale
from ..reference.functions import INVERSES
from .modules import affine_map, array, inverted_if, names, refuse
from .pyro_networks import context_features, layers_of, require
from .pyro_splines import SPLINES, spline_steps
from .subset import reading

_AUTOREGRESSIVE = {"AffineAutoregressive", "ConditionalAffineAutoregressive"}
_COUPLING = {"AffineCoupling", "ConditionalAffineCoupling"}
_LINEAR = {"Householder", "LowerCholeskyAffine"}
_ELEMENTWISE = {  # the function from data to noise of a transform from noise to data, and its constants
    "ExpTransform": (Function.LOG_ABOVE, 0.0, 0.0),
    "SigmoidTransform": (Function.LOGIT, 0.0, 1.0),
    "TanhTransform": (Function.ATANH, 0.0, 0.0),
    "LeakyReLUTransform": (Function.LEAKY_INVERSE, 0.01, 0.0),
}
SUPPORTED = (
    "AffineAutoregressive, AffineCoupling, Spline, SplineAutoregressive, SplineCoupling, their conditional forms, "
    "Permute, BatchNorm, Householder, LowerCholeskyAffine, AffineTransform, "
    + ", ".join(_ELEMENTWISE)
    + ", CumulativeDistributionTransform of a Normal, and the .inv of all"
)


def steps_of(transform, inverted: bool, dim: int) -> list:
    """The steps from data to noise of a transform, which maps noise to data unless it is `inverted`."""
    kinds, name = names(transform), type(transform).__name__
    if kinds & SPLINES:
        return spline_steps(transform, inverted, dim)
    if kinds & (_AUTOREGRESSIVE | _COUPLING):
        network = transform.arn if hasattr(transform, "arn") else transform.nn
        options = transform.condition(_zero_context(network)) if hasattr(transform, "condition") else transform
        make = _affine_coupling if kinds & _COUPLING else _affine_autoregressive
        return [make(network, options, inverted, dim, name)]
    if "Permute" in kinds and transform.dim == -1:
        index = array(transform.permutation).astype(np.int64)
        return [ir.Permutation(index if inverted else np.argsort(index), name)]
    if kinds & _LINEAR:
        matrix, shift = affine_map(copied(transform, _float64())._call, dim)
        return [inverted_if(ir.Linear(matrix, shift, name), not inverted)]
    if kinds & set(_ELEMENTWISE):
        function, lower, upper = _ELEMENTWISE[next(kind for kind in _ELEMENTWISE if kind in kinds)]
        return [_elementwise(function, lower, upper, inverted, dim, name)]
    if "CumulativeDistributionTransform" in kinds and type(transform.distribution).__name__ == "Normal":
        probit = _elementwise(Function.PROBIT, 0.0, 1.0, inverted, dim, name)
        scale, shift = array(transform.distribution.scale), array(transform.distribution.loc)
        affine = inverted_if(_diagonal(scale, shift, dim, name), inverted)
        return [affine, probit] if inverted else [probit, affine]
    if "BatchNorm" in kinds:  # its inverse, data to noise, is the normalising direction
        std = np.sqrt(array(transform.moving_variance) + transform.epsilon)
        scale = (np.maximum(array(transform.gamma), 0) + 1e-6) / std
        shift = array(transform.beta) - array(transform.moving_mean) * scale
    elif "AffineTransform" in kinds:
        scale = 1 / array(transform.scale)
        shift = -array(transform.loc) * scale
    else:
        return refuse(transform, SUPPORTED)
    return [inverted_if(_diagonal(scale, shift, dim, name), inverted)]


def _diagonal(scale, shift, dim: int, name: str) -> ir.Diagonal:
    return ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), name)


def _elementwise(function: Function, lower: float, upper: float, inverted: bool, dim: int, name: str):
    """The same function of all coordinates, or the one that undoes it."""
    function = INVERSES[function] if inverted else function
    return ir.Elementwise(np.full(dim, int(function)), np.full(dim, lower), np.full(dim, upper), name)


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
    cached = [getattr(part, name, None) for part in _parts(transform) for name, _ in _CACHED]
    result = copy.deepcopy(transform, {id(value): None for value in cached if value is not None})
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
