"""Base densities of normflows."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names, refuse
from ...file.codes import Function
from ...flow import flow as ir
from ..nflows.bases import conditional_normal
from ..torch.live import normal_log_prob, uniform_log_prob
from ..torch.overrides import require_own_sampler

SUPPORTED = "DiagGaussian, ConditionalDiagGaussian, Uniform, UniformGaussian or GaussianMixture"


def dim(q0, supported: str) -> int:
    """The number of coordinates of a density of vectors."""
    if "GaussianMixture" in class_names(q0):
        return int(q0.dim)
    if "UniformGaussian" in class_names(q0):
        return int(q0.ndim)
    shape = getattr(q0, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) == 1 else refuse(q0, supported)


def describe(q0, dim: int, supported: str) -> tuple:
    """The steps that bring the density into a form that a file has, and that form."""
    kinds = class_names(q0)
    require_own_sampler(q0, "forward")
    if "DiagGaussian" in kinds:
        temperature = 1.0 if q0.temperature is None else q0.temperature
        mean, std = float64(q0.loc)[0], np.exp(float64(q0.log_scale)[0]) * temperature
        standard = np.all(mean == 0) and np.all(std == 1)
        return [], ir.StandardNormal() if standard else ir.DiagonalNormal(mean, std)
    if "ConditionalDiagGaussian" in kinds:
        return [], conditional_normal(q0.context_encoder, dim, type(q0).__name__)
    if "Uniform" in kinds:
        return [], ir.BoxUniform(*(np.broadcast_to(float64(bound), (dim,)) for bound in (q0.low, q0.high)))
    if "GaussianMixture" in kinds:
        return [], ir.NormalMixture(float64(q0.weight_scores)[0], float64(q0.loc)[0], np.exp(float64(q0.log_scale)[0]))
    if "UniformGaussian" in kinds:
        return _partly_uniform(float64(q0.scale), float64(q0.ind).astype(np.int64), type(q0).__name__)
    return refuse(q0, supported)


def _partly_uniform(scale: np.ndarray, uniform: np.ndarray, name: str) -> tuple:
    """Coordinates `uniform` are uniform on an interval of the size `scale` around 0: their probits are normal."""
    lower, upper, std = np.zeros(len(scale)), np.zeros(len(scale)), scale.copy()
    function = np.full(len(scale), int(Function.IDENTITY))
    lower[uniform], upper[uniform], std[uniform] = -scale[uniform] / 2, scale[uniform] / 2, 1.0
    function[uniform] = Function.PROBIT
    return [ir.Elementwise(function, lower, upper, name)], ir.DiagonalNormal(np.zeros(len(scale)), std)


# ---- live ----


def log_prob(q0, z, given: dict):
    """The log density of a live base."""
    if "Uniform" in class_names(q0):  # normflows rounds its density to float32
        return uniform_log_prob(z, q0.low, q0.high)
    return q0.log_prob(z, **given)


def to_file(q0, z):
    """The noise of a file for the noise of a live base, and the log-determinant."""
    import torch

    if "UniformGaussian" not in class_names(q0):
        return z, 0.0
    result = z.clone()
    result[:, q0.ind] = torch.special.ndtri(z[:, q0.ind] / q0.scale[q0.ind] + 0.5)
    return result, -_log_slope(q0, result)


def from_file(q0, z):
    """What undoes `to_file`, and its log-determinant."""
    import torch

    if "UniformGaussian" not in class_names(q0):
        return z, 0.0
    result = z.clone()
    result[:, q0.ind] = (torch.special.ndtr(z[:, q0.ind]) - 0.5) * q0.scale[q0.ind]
    return result, _log_slope(q0, z)


def _log_slope(q0, z):
    return normal_log_prob(z[:, q0.ind], 0.0, 1.0) + q0.scale[q0.ind].log().sum()
