"""The steps of flowjax's bijections, each a map from noise to data, or the inverse of one."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names, diagonal, inverted_if, refuse
from ...file.codes import Function, Reads
from ...flow import flow as ir
from ...reference.functions import INVERSES
from .networks import network, network_of
from .splines import read_spline
from .transformers import transformer

_ELEMENTWISE = {  # the function from data to noise of a bijection from noise to data, and its constants
    "Exp": (Function.LOG_ABOVE, 0.0, 0.0),
    "Sigmoid": (Function.LOGIT, 0.0, 1.0),
    "Tanh": (Function.ATANH, 0.0, 0.0),
}
SUPPORTED = (
    "MaskedAutoregressive and Coupling with Affine, Loc, Scale or RationalQuadraticSpline as transformer, Permute, "
    "Flip, Affine, Loc, Scale, TriangularAffine, Vmap of RationalQuadraticSpline, Exp, Sigmoid, Tanh, Identity, "
    "Invert, Chain and Scan, with StandardNormal, Normal, MultivariateNormal, Uniform or a VmapMixture of Normal or "
    "MultivariateNormal as base"
)


def steps_of(layer, inverted: bool, dim: int) -> list:
    """The steps from data to noise of a bijection, which maps noise to data unless it is `inverted`."""
    import paramax

    kinds, name = class_names(layer), type(layer).__name__
    if "Identity" in kinds:
        return []
    if kinds & {"MaskedAutoregressive", "Coupling"}:
        return [_autoregressive(layer, inverted, dim)]
    if "Permute" in kinds:
        index = float64(layer.permutation[0]).astype(np.int64)
        return [ir.Permutation(index if inverted else np.argsort(index), name)]
    if "Flip" in kinds:
        return [ir.Permutation(np.arange(dim)[::-1], name)]
    if "Vmap" in kinds:
        return [_elementwise_spline(layer, inverted, dim)]
    layer = paramax.unwrap(layer)
    if kinds & set(_ELEMENTWISE):
        function, lower, upper = _ELEMENTWISE[next(kind for kind in _ELEMENTWISE if kind in kinds)]
        function = INVERSES[function] if inverted else function
        return [ir.Elementwise(np.full(dim, int(function)), np.full(dim, lower), np.full(dim, upper), name)]
    if "TriangularAffine" in kinds:
        return [inverted_if(ir.Linear(float64(layer.triangular), float64(layer.loc), name), not inverted)]
    if not kinds & {"Affine", "Loc", "Scale"}:
        return refuse(layer, SUPPORTED)
    scale, shift = (float64(getattr(layer, field, default)) for field, default in (("scale", 1.0), ("loc", 0.0)))
    return [inverted_if(diagonal(dim, name, scale, shift), not inverted)]


def _autoregressive(layer, inverted: bool, dim: int) -> ir.Autoregressive:
    """`transform` computes its parameters from its own argument: from the data if it is inverted."""
    start = getattr(layer, "untransformed_dim", 0)
    layers = network(network_of(layer), dim - _masked_out(layer), dim)
    joined = transformer(layer, layers[-1])
    reads = Reads.DATA if inverted else Reads.NOISE
    return ir.Autoregressive(layers, joined, reads, np.arange(start, dim), name=type(layer).__name__)


def _elementwise_spline(layer, inverted: bool, dim: int) -> ir.Autoregressive:
    """A spline for each coordinate, or the same one for all, whose parameters depend on nothing."""
    if "RationalQuadraticSpline" not in class_names(layer.bijection) or layer.cond_shape is not None:
        return refuse(layer.bijection, "RationalQuadraticSpline in Vmap")
    spline, raw = read_spline(layer.bijection)
    reads = Reads.DATA if inverted else Reads.NOISE
    return ir.Autoregressive(
        [ir.Layer(np.broadcast_to(raw, (dim, raw.shape[-1])).reshape(-1))],
        spline,
        reads,
        name="RationalQuadraticSpline",
    )


def _masked_out(layer) -> int:
    """Variables, the last ones, that do not enter the network at all."""
    return layer.dim - layer.untransformed_dim if "Coupling" in class_names(layer) else 0
