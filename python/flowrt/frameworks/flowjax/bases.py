"""Base distributions of flowjax: normal, uniform on a box, mixtures of normals."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.mixtures import full_mixture, full_normal
from ...building.modules import class_names, refuse
from ...flow import flow as ir
from .steps import SUPPORTED


def describe(base, dim: int) -> ir.Base:
    """The density of a distribution; standard normal if there is None."""
    kinds = class_names(base)
    if base is None or "StandardNormal" in kinds:
        return ir.StandardNormal()
    if "Normal" in kinds:
        mean, std = (np.broadcast_to(float64(values), (dim,)) for values in _normal(base))
        if np.all(mean == 0) and np.all(std == 1):
            return ir.StandardNormal()
        return ir.DiagonalNormal(mean, std)
    if "Uniform" in kinds:
        lower, width = _normal(base)
        return ir.BoxUniform(*(np.broadcast_to(bound, (dim,)) for bound in (lower, lower + width)))
    if "MultivariateNormal" in kinds:
        return full_normal(*_full_normal(base))
    if "VmapMixture" in kinds and class_names(base.dist) & {"Normal", "MultivariateNormal"}:
        import paramax

        log_weight = float64(paramax.unwrap(base.log_normalized_weights))
        if "MultivariateNormal" in class_names(base.dist):
            mean, scale = _full_normal(base.dist)
            shape = len(log_weight), dim
            return full_mixture(log_weight, np.broadcast_to(mean, shape), np.broadcast_to(scale, (*shape, dim)))
        mean, std = (np.broadcast_to(values, (len(log_weight), dim)) for values in _normal(base.dist))
        return ir.NormalMixture(log_weight, mean, std)
    return refuse(base, SUPPORTED)


def _normal(base) -> tuple:
    """Location and scale of a distribution that has them."""
    import paramax

    affine = paramax.unwrap(base.bijection)
    return float64(affine.loc), float64(affine.scale)


def _full_normal(base) -> tuple:
    """Mean and lower triangular factor of a multivariate normal."""
    import paramax

    affine = paramax.unwrap(base.bijection)
    return float64(affine.loc), float64(affine.triangular)
