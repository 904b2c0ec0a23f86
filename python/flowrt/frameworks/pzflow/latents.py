"""The latent densities of pzflow, and what brings them into a form that a file has.

`CentBeta13` is the beta density with both parameters 13 on [-B, B]. Its distribution function is a sum of 13 positive
terms. With the quantile function of the normal behind it, and the logit of [-B, B] before it, it is an odd smooth map
of the real line that is nearly straight. A rational-quadratic spline with the values and the derivatives of that map at
`_KNOTS` knots is within 1e-8 of it, and its slope within 1e-7, where the density has any mass: beyond the last knots
lies less than 1e-15.
"""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np

from ...building.constant_splines import constant_spline
from ...errors import ExportError
from ...file.codes import Function
from ...flow import flow as ir
from ...reference import functions

_SHAPE = 13
_END = 4.0  # of logits
_KNOTS = 257
_SUPPORTED = "CentBeta13, Uniform and Normal"


def describe(info: tuple, dim: int) -> tuple:
    """The steps behind a flow's own, and a base density, for a pzflow `latent_info`."""
    name, arguments = info
    if name == "Normal":
        return [], ir.StandardNormal()
    if name == "Uniform":
        bound = _bound(arguments)
        return [], ir.BoxUniform(np.full(dim, -bound), np.full(dim, bound))
    if name != "CentBeta13":
        raise ExportError(f"the latent density {name} is not supported; supported are {_SUPPORTED}")
    bound = _bound(arguments)
    logit = ir.Elementwise(np.full(dim, int(Function.LOGIT)), np.full(dim, -bound), np.full(dim, bound), name)
    knots = np.linspace(-_END, _END, _KNOTS)
    values = _normal_score(knots)
    stretch = values[-1] / _END  # the spline's interval is as long as its image
    derivatives = _normal_score_slope(knots, values) / stretch
    parts = np.diff(knots * stretch)[None], np.diff(values)[None], derivatives[None, 1:-1]
    spline, layer = constant_spline(dim, -values[-1], *parts)
    spline = replace(spline, bounded=True)  # beyond it, a file has a straight line
    steps = [ir.Diagonal(np.full(dim, stretch), np.zeros(dim), name), ir.Autoregressive([layer], spline, name=name)]
    return [logit, *steps], ir.StandardNormal()


def _bound(arguments: tuple) -> float:
    return float(arguments[1]) if len(arguments) > 1 else 5.0


def _log_tail(logit: np.ndarray) -> np.ndarray:
    """log P(a beta variable is below sigmoid(logit)): 25 trials with 13 successes or more."""
    log_u, log_v = -functions.softplus(-logit), -functions.softplus(logit)
    trials = 2 * _SHAPE - 1
    terms = [np.log(float(comb(trials, k))) + k * log_u + (trials - k) * log_v for k in range(_SHAPE, trials + 1)]
    largest = np.max(terms, axis=0)
    return largest + np.log(np.sum(np.exp(np.array(terms) - largest), axis=0))


def _normal_score(logit: np.ndarray) -> np.ndarray:
    """The normal quantile of a beta variable's distribution function, an odd function of its logit."""
    logit = np.asarray(logit, dtype=np.float64)
    return np.copysign(functions.probit(np.exp(_log_tail(-np.abs(logit)))), logit)


def _log_density(logit: np.ndarray) -> np.ndarray:
    """Of the logit of a beta variable."""
    log_beta = -np.log(float(comb(2 * _SHAPE - 1, _SHAPE)) * _SHAPE)
    return -_SHAPE * (functions.softplus(logit) + functions.softplus(-logit)) - log_beta


def _normal_score_slope(logit: np.ndarray, score: np.ndarray) -> np.ndarray:
    return np.exp(_log_density(logit) - functions.log_normal_density(score))


# ---- live ----


def to_noise(info: tuple, u) -> tuple:
    """The noise of a file for pzflow's, and the log-determinant, in float64."""
    u = np.asarray(u)
    if info[0] != "CentBeta13":
        return u, np.zeros(len(u))
    bound = _bound(info[1])
    with np.errstate(all="ignore"):
        logit = np.log(bound + u.astype(np.float64)) - np.log(bound - u.astype(np.float64))
        score = -_normal_score(-logit)
        slope = np.log(2 * bound) - np.log(bound + u) - np.log(bound - u)
        log_det = np.sum(slope + np.log(_normal_score_slope(logit, score)), axis=1)
    return score.astype(u.dtype), log_det.astype(u.dtype)


def from_noise(info: tuple, z) -> tuple:
    """What undoes `to_noise`, by bisection."""
    if info[0] != "CentBeta13":
        return z, np.zeros(len(z))
    low, high = np.full(z.shape, -40.0), np.full(z.shape, 40.0)
    for _ in range(70):
        middle = (low + high) / 2
        below = _normal_score(middle) < z
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    bound = _bound(info[1])
    u = bound * np.tanh((low + high) / 4)
    return u.astype(z.dtype), -to_noise(info, u)[1].astype(z.dtype)


def log_prob(state: dict, u, dtype) -> np.ndarray:
    """pzflow's own density of its noise."""
    import jax.numpy as jnp
    from pzflow import distributions

    with precision(dtype):
        name, arguments = state["latent_info"]
        latent = getattr(distributions, name)(*arguments)
        values = np.asarray(latent.log_prob(latent._params, jnp.asarray(u, dtype)))
    return np.where(np.isnan(values), -np.inf, values)


def precision(dtype):
    """A context in which jax computes in this floating-point type."""
    import jax

    wide = np.dtype(dtype) == np.float64
    return jax.enable_x64(wide) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64(wide)
