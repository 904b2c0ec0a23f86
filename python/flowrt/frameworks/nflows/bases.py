"""Base densities of nflows and its forks."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.mixtures import made_mixture
from ...building.modules import class_names, is_identity, refuse
from ...building.networks import linear_output
from ...building.output_rows import reordered
from ...errors import ExportError
from ...file.base import BoxUniform, DiagonalNormal, StandardNormal
from ...flow import flow as ir
from ..torch.overrides import require_own_sampler
from .live_networks import coupling_net, linear_made

SUPPORTED = "StandardNormal, DiagonalNormal, ConditionalDiagonalNormal, BoxUniform, MultivariateUniform and MADEMoG"


def base(distribution, dim: int, supported: str = SUPPORTED) -> ir.Base:
    """The base density of `dim` coordinates, standard normal for None.

    Raises `ExportError` that names the distribution and what is `supported`.
    """
    kinds = class_names(distribution)
    require_own_sampler(distribution)
    if distribution is None or "StandardNormal" in kinds:
        return StandardNormal()
    if "DiagonalNormal" in kinds:
        return DiagonalNormal(
            float64(distribution.mean_).reshape(-1), np.exp(float64(distribution.log_std_).reshape(-1))
        )
    if "ConditionalDiagonalNormal" in kinds:
        return conditional_normal(distribution._context_encoder, dim, type(distribution).__name__)
    if kinds & {"BoxUniform", "MultivariateUniform"}:
        bounds = getattr(distribution, "base_dist", distribution)
        lower, upper = (np.broadcast_to(float64(values), (dim,)) for values in (bounds.low, bounds.high))
        return BoxUniform(lower, upper)
    if "MADEMoG" in kinds:
        return made_mixture(distribution._made, linear_made(distribution._made, "added"), dim)
    return refuse(distribution, supported)


def conditional_normal(encoder, dim: int, name: str) -> ir.ConditionalNormal:
    """A normal whose means, then log stds are what a live network makes of the context."""
    if hasattr(encoder, "parameters") and type(encoder).__name__ != "Identity":
        layers = linear_output(coupling_net(encoder, 0))
    elif is_identity(encoder):
        layers = [ir.Layer(np.zeros(2 * dim), context_weight=np.eye(2 * dim))]
    else:
        refuse(encoder, f"context encoders of {name} that are modules")
    if layers[-1].width != 2 * dim:
        raise ExportError(f"{name}: the context encoder has {layers[-1].width} outputs, not {2 * dim}")
    reordered(layers[-1], np.arange(2 * dim).reshape(2, dim).T.reshape(-1))
    return ir.ConditionalNormal(layers)
