"""Base distributions of TensorFlow Probability: normal, uniform on a box, mixtures of normals."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.mixtures import full_mixture, full_normal
from ...building.modules import class_names, refuse
from ...flow import flow as ir
from ..torch.overrides import require_own, require_own_sampler
from .networks import cast

_SUPPORTED = (
    "MultivariateNormalDiag, MultivariateNormalTriL, MultivariateNormalFullCovariance, a Sample or Independent of "
    "Normal or Uniform, and a MixtureSameFamily of these normals as base"
)
_SAMPLE, _INDEPENDENT = {"Sample", "_Sample"}, {"Independent", "_Independent"}


def describe(base, dim: int) -> ir.Base:
    """The density of a distribution of vectors; standard normal if there is None."""
    core = base
    while class_names(core) & (_SAMPLE | _INDEPENDENT):
        core = core.distribution
    if base is None:
        return ir.StandardNormal()
    require_own_sampler(base)
    require_own(base, "log_prob", "_log_prob")
    require_own(core, "log_prob", "_log_prob")
    if "Uniform" in class_names(core):
        return ir.BoxUniform(*(np.broadcast_to(float64(bound), (dim,)) for bound in (core.low, core.high)))
    if "MixtureSameFamily" in class_names(core):
        components = core.components_distribution
        if _is_full(components) and len(components.batch_shape) == 1:
            logits = float64(core.mixture_distribution.logits_parameter())
            shape = len(logits), dim
            mean, scale = float64(components.mean()), float64(components.scale.to_dense())
            return full_mixture(logits, np.broadcast_to(mean, shape), np.broadcast_to(scale, (*shape, dim)))
        if _is_normal(components) and len(components.batch_shape) == 1:
            logits = float64(core.mixture_distribution.logits_parameter())
            mean, std = (np.broadcast_to(float64(part), (len(logits), dim)) for part in _moments(components))
            return ir.NormalMixture(logits - np.logaddexp.reduce(logits), mean, std)
    if _is_full(base):
        return full_normal(np.broadcast_to(float64(base.mean()), dim), float64(base.scale.to_dense()))
    if not _is_normal(base):
        return refuse(core, _SUPPORTED)
    mean, std = (np.broadcast_to(float64(values), (dim,)) for values in _moments(base))
    if np.all(mean == 0) and np.all(std == 1):
        return ir.StandardNormal()
    return ir.DiagonalNormal(mean, std)


def live(base, dtype):
    """The distribution with parameters of another floating-point type."""
    kinds, remake = class_names(base), type(base)
    if kinds & _SAMPLE:
        return remake(live(base.distribution, dtype), sample_shape=base.sample_shape)
    if kinds & _INDEPENDENT:
        inner = live(base.distribution, dtype)
        return remake(inner, reinterpreted_batch_ndims=base.reinterpreted_batch_ndims)
    if _is_full(base):
        from tensorflow_probability import distributions as tfd

        return tfd.MultivariateNormalTriL(cast(base.mean(), dtype), cast(base.scale.to_dense(), dtype))
    if "MultivariateNormalDiag" in kinds:
        return remake(loc=cast(base.mean(), dtype), scale_diag=cast(base.scale.diag_part(), dtype))
    if "MixtureSameFamily" in kinds:
        weights = type(base.mixture_distribution)(logits=cast(base.mixture_distribution.logits_parameter(), dtype))
        return remake(weights, live(base.components_distribution, dtype))
    if "Uniform" in kinds:
        return remake(cast(base.low, dtype), cast(base.high, dtype))
    return remake(cast(base.loc, dtype), cast(base.scale, dtype))


def _is_full(base) -> bool:
    return "MultivariateNormalTriL" in class_names(base)  # one with a covariance matrix too


def _is_normal(base) -> bool:
    while class_names(base) & (_SAMPLE | _INDEPENDENT):
        base = base.distribution
    return bool(class_names(base) & {"Normal", "MultivariateNormalDiag"})


def _moments(base) -> tuple:
    return base.mean(), base.stddev()
