"""Base distributions of flowjax: diagonal normal, uniform on a box, mixtures of diagonal normals."""

from __future__ import annotations

import numpy as np

from .. import ir
from .flowjax_steps import SUPPORTED
from .modules import array, names, refuse


def describe(base, dim: int) -> ir.Base:
    """The density of a distribution; standard normal if there is None."""
    kinds = names(base)
    if base is None or "StandardNormal" in kinds:
        return ir.StandardNormal()
    if "Normal" in kinds:
        mean, std = (np.broadcast_to(array(values), (dim,)) for values in _normal(base))
        if np.all(mean == 0) and np.all(std == 1):
            return ir.StandardNormal()
        return ir.DiagonalNormal(mean, std)
    if "Uniform" in kinds:
        lower, width = _normal(base)
        return ir.BoxUniform(*(np.broadcast_to(bound, (dim,)) for bound in (lower, lower + width)))
    if "VmapMixture" in kinds and "Normal" in names(base.dist):
        import paramax

        log_weight = array(paramax.unwrap(base.log_normalized_weights))
        mean, std = (np.broadcast_to(values, (len(log_weight), dim)) for values in _normal(base.dist))
        return ir.NormalMixture(log_weight, mean, std)
    return refuse(base, SUPPORTED)


def _normal(base) -> tuple:
    """Location and scale of a distribution that has them."""
    import paramax

    affine = paramax.unwrap(base.bijection)
    return array(affine.loc), array(affine.scale)
