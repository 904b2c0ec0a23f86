"""Base distributions of Pyro and torch: normal, uniform on a box, mixtures of normals."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.mixtures import full_mixture, full_normal
from ...building.modules import class_names, refuse
from ...flow import flow as ir
from ..torch.overrides import require_own

_SUPPORTED = (
    "Normal, MultivariateNormal, Uniform, MixtureOfDiagNormals and MixtureSameFamily of diagonal Normal or "
    "MultivariateNormal as base"
)
_MIXTURES = {"MixtureOfDiagNormals", "MixtureOfDiagNormalsSharedCovariance"}


def describe(base, dim: int) -> ir.Base:
    """The density of a distribution without wrappers; standard normal if there is None."""
    if base is None:
        return ir.StandardNormal()
    require_own(base, "log_prob")
    if type(base).__name__ == "Normal":
        mean, std = (np.broadcast_to(float64(values), (dim,)) for values in (base.loc, base.scale))
        if np.all(mean == 0) and np.all(std == 1):
            return ir.StandardNormal()
        return ir.DiagonalNormal(mean, std)
    if type(base).__name__ == "Uniform":
        return ir.BoxUniform(*(np.broadcast_to(float64(values), (dim,)) for values in (base.low, base.high)))
    if "MultivariateNormal" in class_names(base):
        return full_normal(float64(base.loc), float64(base.scale_tril))
    logits, mean, std = _mixture(base)
    logits = float64(logits)
    if std.dim() == 3:
        return full_mixture(logits, float64(mean), float64(std))
    return ir.NormalMixture(
        logits - np.logaddexp.reduce(logits), float64(mean), np.broadcast_to(float64(std), mean.shape)
    )


def dim(base) -> int | None:
    """The number of features, if the distribution tells it."""
    if base is None:
        return None
    if type(base).__name__ in ("Normal", "Uniform"):
        shape = base.batch_shape
        return shape[0] if len(shape) == 1 else None
    return base.event_shape[0] if "MultivariateNormal" in class_names(base) else _mixture(base)[1].shape[1]


def live(base, dtype):
    """The distribution again, of vectors and in another floating-point type; None if there is None."""
    if base is None:
        return None
    copy = copied(base, dtype)
    return _Vectors(copy) if type(base).__name__ in ("Normal", "Uniform") else copy


def copied(base, dtype):
    """The distribution in another floating-point type."""
    import torch
    from torch import distributions as td

    if type(base).__name__ == "Normal":
        return td.Normal(base.loc.to(dtype), base.scale.to(dtype), validate_args=False)
    if type(base).__name__ == "Uniform":
        return td.Uniform(base.low.to(dtype), base.high.to(dtype), validate_args=False)
    if "MultivariateNormal" in class_names(base):
        return td.MultivariateNormal(base.loc.to(dtype), scale_tril=base.scale_tril.to(dtype), validate_args=False)
    logits, mean, scale = (torch.as_tensor(part).detach().to(dtype) for part in _mixture(base))
    if scale.dim() == 3:
        components = td.MultivariateNormal(mean, scale_tril=scale, validate_args=False)
    else:
        components = td.Independent(td.Normal(mean, scale, validate_args=False), 1, validate_args=False)
    return td.MixtureSameFamily(td.Categorical(logits=logits), components, validate_args=False)


class _Vectors:
    """A distribution of numbers, for each coordinate of a vector."""

    def __init__(self, distribution):
        self._distribution = distribution

    def log_prob(self, z):
        return self._distribution.log_prob(z).sum(dim=-1)


def _mixture(base) -> tuple:
    """Logits (K,), means (K, D) and stds, (K, D) or (D,), or triangular factors (K, D, D), of a mixture."""
    kinds = class_names(base)
    if kinds & _MIXTURES and base.locs.dim() == 2:
        return base.component_logits, base.locs, base.coord_scale
    if "MixtureSameFamily" in kinds:
        components = base.component_distribution
        while "Independent" in class_names(components):
            components = components.base_dist
        if type(components).__name__ == "Normal" and components.loc.dim() == 2:
            return base.mixture_distribution.logits, components.loc, components.scale
        if "MultivariateNormal" in class_names(components) and components.loc.dim() == 2:
            return base.mixture_distribution.logits, components.loc, components.scale_tril
    return refuse(base, _SUPPORTED)
