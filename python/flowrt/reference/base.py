"""Base densities (docs/FORMAT.md, section 2.7): log density of z, and z from standard normal noise."""

from __future__ import annotations

import numpy as np

from ..file.codes import BaseKind
from ..tables import Table
from . import functions, noise
from .conditioner import evaluate
from .functions import exact


def log_prob(base, z, context) -> np.ndarray:
    """(rows,) log density of z (rows, D)."""
    return _LOG_PROBS[base.base](base, z, context)


def draw(base, n, dim, context, where) -> np.ndarray:
    """(n, dim) draws of z, as docs/SAMPLING.md says; `where` holds seed, stream and index."""
    return _DRAWS[base.base](base, n, dim, context, where)


def _standard_log_prob(base, z, context):
    return functions.log_normal_density(z).sum(axis=1)


def _standard_draw(base, n, dim, context, where):
    return noise.standard_normal(n, dim, **where)


def _diagonal_log_prob(base, z, context):
    return _log_normal(z, exact(base.mean), np.log(exact(base.std))).sum(axis=1)


def _diagonal_draw(base, n, dim, context, where):
    return exact(base.mean) + exact(base.std) * noise.standard_normal(n, dim, **where)


def _box_log_prob(base, z, context):
    lower, upper = exact(base.lower), exact(base.upper)
    outside = np.any((z < lower) | (z > upper), axis=1)
    density = np.where(np.isnan(z), np.nan, -np.log(upper - lower)).sum(axis=1)
    return np.where(outside, -np.inf, density)


def _box_draw(base, n, dim, context, where):
    lower, upper = exact(base.lower), exact(base.upper)
    return lower + (upper - lower) * noise.uniform(n, dim, **where)


def _mixture_log_prob(base, z, context):
    weights = _log_softmax(exact(base.log_weight))
    normals = _log_normal(z[:, None, :], exact(base.mean), np.log(exact(base.std))).sum(axis=2)
    return np.logaddexp.reduce(weights + normals, axis=1)


def _mixture_draw(base, n, dim, context, where):
    component = _pick(exact(base.log_weight), noise.choices(n, 1, **where)[:, 0])
    return exact(base.mean)[component] + exact(base.std)[component] * noise.standard_normal(n, dim, **where)


def _conditional_log_prob(base, z, context):
    mean, log_std = _conditional_parameters(base, context)
    return _log_normal(z, mean, log_std).sum(axis=1)


def _conditional_draw(base, n, dim, context, where):
    mean, log_std = _conditional_parameters(base, context)
    return mean + np.exp(log_std) * noise.standard_normal(n, dim, **where)


def _conditional_parameters(base, context):
    parameters = evaluate(base.layers, context).reshape(len(context), -1, 2)
    return parameters[..., 0], parameters[..., 1]


def _autoregressive_log_prob(base, z, context):
    ranks = z[:, base.index]
    parameters = evaluate(base.layers, context, ranks).reshape(*ranks.shape, 3, base.components)
    weights = _log_softmax(parameters[:, :, 0])
    log_std = functions.log_scale(base.scale, parameters[:, :, 2], base.p)
    normals = _log_normal(ranks[:, :, None], parameters[:, :, 1], log_std)
    return np.logaddexp.reduce(weights + normals, axis=2).sum(axis=1)


def _autoregressive_draw(base, n, dim, context, where):
    normal, choices = noise.standard_normal(n, dim, **where), noise.choices(n, dim, **where)
    z, rows = np.zeros((n, dim)), np.arange(n)
    for rank in range(dim):  # each depends on those before it alone
        i = base.index[rank]
        parameters = evaluate(base.layers, context, z[:, base.index]).reshape(n, dim, 3, base.components)[:, rank]
        component = _pick(parameters[:, 0], choices[:, i])
        std = np.exp(functions.log_scale(base.scale, parameters[rows, 2, component], base.p))
        z[:, i] = parameters[rows, 1, component] + std * normal[:, i]
    return z


_LOG_PROBS = Table(
    "flowrt.reference.base._LOG_PROBS",
    BaseKind,
    {
        BaseKind.STANDARD_NORMAL: _standard_log_prob,
        BaseKind.DIAGONAL_NORMAL: _diagonal_log_prob,
        BaseKind.BOX_UNIFORM: _box_log_prob,
        BaseKind.NORMAL_MIXTURE: _mixture_log_prob,
        BaseKind.CONDITIONAL_NORMAL: _conditional_log_prob,
        BaseKind.AUTOREGRESSIVE_MIXTURE: _autoregressive_log_prob,
    },
)
_DRAWS = Table(
    "flowrt.reference.base._DRAWS",
    BaseKind,
    {
        BaseKind.STANDARD_NORMAL: _standard_draw,
        BaseKind.DIAGONAL_NORMAL: _diagonal_draw,
        BaseKind.BOX_UNIFORM: _box_draw,
        BaseKind.NORMAL_MIXTURE: _mixture_draw,
        BaseKind.CONDITIONAL_NORMAL: _conditional_draw,
        BaseKind.AUTOREGRESSIVE_MIXTURE: _autoregressive_draw,
    },
)


def _pick(logits, choice) -> np.ndarray:
    """(n,) components: the last whose cumulative weight before it is at most `choice` (n,). `logits` (K,) or (n, K)."""
    weights = np.atleast_2d(np.exp(_log_softmax(logits)))
    before = np.cumsum(weights, axis=1) - weights
    return np.maximum(np.sum(before <= choice[:, None], axis=1) - 1, 0)


def _log_normal(z, mean, log_std):
    return functions.log_normal_density((z - mean) * np.exp(-log_std)) - log_std


def _log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
