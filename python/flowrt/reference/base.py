"""Base densities (docs/FORMAT.md, section 2.7): log density of z, and z from standard normal noise."""

from __future__ import annotations

import numpy as np

from ..errors import Error
from ..format.codes import BaseKind
from . import functions
from .conditioner import evaluate


def log_prob(base, z, context) -> np.ndarray:
    """(rows,) log density of z (rows, D)."""
    kind = base.base
    if kind == BaseKind.STANDARD_NORMAL:
        return functions.log_normal_density(z).sum(axis=1)
    if kind == BaseKind.DIAGONAL_NORMAL:
        return _log_normal(z, _exact(base.mean), np.log(_exact(base.std))).sum(axis=1)
    if kind == BaseKind.BOX_UNIFORM:
        lower, upper = _exact(base.lower), _exact(base.upper)
        outside = np.any((z < lower) | (z > upper), axis=1)
        density = np.where(np.isnan(z), np.nan, -np.log(upper - lower)).sum(axis=1)
        return np.where(outside, -np.inf, density)
    if kind == BaseKind.NORMAL_MIXTURE:
        weights = _log_softmax(_exact(base.log_weight))
        normals = _log_normal(z[:, None, :], _exact(base.mean), np.log(_exact(base.std))).sum(axis=2)
        return np.logaddexp.reduce(weights + normals, axis=1)
    if kind == BaseKind.CONDITIONAL_NORMAL:
        mean, log_std = _conditional_parameters(base, context)
        return _log_normal(z, mean, log_std).sum(axis=1)
    ranks = z[:, base.index]
    parameters = evaluate(base.layers, context, ranks).reshape(*ranks.shape, 3, base.components)
    weights = _log_softmax(parameters[:, :, 0])
    log_std = functions.log_scale(base.scale, parameters[:, :, 2], base.p)
    normals = _log_normal(ranks[:, :, None], parameters[:, :, 1], log_std)
    return np.logaddexp.reduce(weights + normals, axis=2).sum(axis=1)


def from_noise(base, noise, context) -> np.ndarray:
    """z (rows, D) distributed as the base, from standard normal noise (rows, D)."""
    kind = base.base
    if kind == BaseKind.STANDARD_NORMAL:
        return noise
    if kind == BaseKind.DIAGONAL_NORMAL:
        return _exact(base.mean) + _exact(base.std) * noise
    if kind == BaseKind.CONDITIONAL_NORMAL:
        mean, log_std = _conditional_parameters(base, context)
        return mean + np.exp(log_std) * noise
    raise Error(f"docs/SAMPLING.md does not say how to sample base density {int(kind)}")


def _conditional_parameters(base, context):
    parameters = evaluate(base.layers, context).reshape(len(context), -1, 2)
    return parameters[..., 0], parameters[..., 1]


def _log_normal(z, mean, log_std):
    return functions.log_normal_density((z - mean) * np.exp(-log_std)) - log_std


def _log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _exact(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
