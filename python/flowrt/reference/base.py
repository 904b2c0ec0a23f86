"""Base densities (docs/FORMAT.md, section 2.7): log density of z, and z from standard normal noise."""

from __future__ import annotations

import numpy as np

from ..file.codes import BaseKind
from . import functions, noise
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


def draw(base, n, dim, context, where) -> np.ndarray:
    """(n, dim) draws of z, as docs/SAMPLING.md says; `where` holds seed, stream and index."""
    kind = base.base
    if kind == BaseKind.BOX_UNIFORM:
        lower, upper = _exact(base.lower), _exact(base.upper)
        return lower + (upper - lower) * noise.uniform(n, dim, **where)
    normal = noise.standard_normal(n, dim, **where)
    if kind == BaseKind.STANDARD_NORMAL:
        return normal
    if kind == BaseKind.DIAGONAL_NORMAL:
        return _exact(base.mean) + _exact(base.std) * normal
    if kind == BaseKind.CONDITIONAL_NORMAL:
        mean, log_std = _conditional_parameters(base, context)
        return mean + np.exp(log_std) * normal
    if kind == BaseKind.NORMAL_MIXTURE:
        component = _pick(_exact(base.log_weight), noise.choices(n, 1, **where)[:, 0])
        return _exact(base.mean)[component] + _exact(base.std)[component] * normal
    z = np.zeros((n, dim))
    choices = noise.choices(n, dim, **where)
    rows = np.arange(n)
    for rank in range(dim):  # each depends on those before it alone
        i = base.index[rank]
        parameters = evaluate(base.layers, context, z[:, base.index]).reshape(n, dim, 3, base.components)[:, rank]
        component = _pick(parameters[:, 0], choices[:, i])
        std = np.exp(functions.log_scale(base.scale, parameters[rows, 2, component], base.p))
        z[:, i] = parameters[rows, 1, component] + std * normal[:, i]
    return z


def _pick(logits, choice) -> np.ndarray:
    """(n,) components: the last whose cumulative weight before it is at most `choice` (n,). `logits` (K,) or (n, K)."""
    weights = np.atleast_2d(np.exp(_log_softmax(logits)))
    before = np.cumsum(weights, axis=1) - weights
    return np.maximum(np.sum(before <= choice[:, None], axis=1) - 1, 0)


def _conditional_parameters(base, context):
    parameters = evaluate(base.layers, context).reshape(len(context), -1, 2)
    return parameters[..., 0], parameters[..., 1]


def _log_normal(z, mean, log_std):
    return functions.log_normal_density((z - mean) * np.exp(-log_std)) - log_std


def _log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _exact(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
