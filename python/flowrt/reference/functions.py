"""Scalar functions of docs/FORMAT.md in float64: activations, scale functions, elementwise maps."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ..file.codes import Activation, Function, Scale

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def softplus(v):
    """log(1 + exp(v)) without overflow."""
    return np.logaddexp(0.0, v)


def sigmoid(v):
    return np.exp(-softplus(-v))


def normal_cdf(v):
    return 0.5 * _erfc(-v / math.sqrt(2))


def _probit(u: float) -> float:
    if math.isnan(u) or u < 0 or u > 1:
        return math.nan
    if u in (0.0, 1.0):
        return math.copysign(math.inf, u - 0.5)
    return NormalDist().inv_cdf(u)


probit = np.vectorize(_probit, otypes=[np.float64])


def log_normal_density(v):
    return -0.5 * v * v - HALF_LOG_2PI


def activation(kind: int, v: np.ndarray, a: float) -> np.ndarray:
    """Section 4. `v` is (rows, units); only layer norm looks at more than one unit."""
    if kind == Activation.IDENTITY:
        return v
    if kind == Activation.RELU:
        return np.maximum(v, 0.0)
    if kind == Activation.TANH:
        return np.tanh(v)
    if kind == Activation.ELU:
        return np.where(v > 0, v, a * np.expm1(np.minimum(v, 0.0)))
    if kind == Activation.LEAKY_RELU:
        return np.where(v > 0, v, a * v)
    if kind == Activation.SILU:
        return v * sigmoid(v)
    if kind == Activation.GELU:
        return v * normal_cdf(v)
    if kind == Activation.GELU_TANH:
        return 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
    if kind == Activation.SIGMOID:
        return sigmoid(v)
    if kind == Activation.SOFTPLUS:
        return softplus(v)
    if kind == Activation.SOFTSIGN:
        return v / (1 + np.abs(v))
    if kind == Activation.SINE:
        return np.sin(v)
    if kind == Activation.ARCTANGENT:
        return np.arctan(v)
    if kind == Activation.INVERSE_HYPERBOLIC_SINE:
        return np.arcsinh(v)
    mean = v.mean(axis=-1, keepdims=True)
    return (v - mean) / np.sqrt(v.var(axis=-1, keepdims=True) + a)


def log_scale(kind: int, a: np.ndarray, p) -> np.ndarray:
    """Section 5: log s of the raw parameter a."""
    if kind == Scale.EXP:
        return a
    if kind == Scale.EXP_CLAMPED:
        return np.clip(a, p[0], p[1])
    if kind == Scale.SOFTPLUS:
        return np.log(softplus(a) + p[0])
    if kind == Scale.SOFTPLUS_CLAMPED:
        return np.log(np.clip(softplus(a) + p[0], p[1], p[2]))
    if kind == Scale.SIGMOID:
        return -softplus(-a) if p[0] == 0 else np.log(sigmoid(a) + p[0])
    if kind == Scale.EXP_SOFT_CLIPPED:
        return a / (1 + np.abs(a) / p[0])
    if kind == Scale.EXP_TANH:
        return p[0] * np.tanh(a)
    return p[0] * np.arctan(a)


INVERSES = {  # LOG_BELOW is missing: its inverse, a - exp(w), is not one of the functions
    Function.IDENTITY: Function.IDENTITY,
    Function.LOGIT: Function.SIGMOID,
    Function.LOG_ABOVE: Function.EXP_ABOVE,
    Function.ATANH: Function.TANH,
    Function.LEAKY: Function.LEAKY_INVERSE,
    Function.SOFTSIGN: Function.SOFTSIGN_INVERSE,
    Function.PROBIT: Function.NORMAL_CDF,
}
INVERSES.update({inverse: function for function, inverse in INVERSES.items()})


def elementwise(kind: int, v: np.ndarray, a: float, b: float):
    """Section 2.4: w = f(v), log|dw/dv|, and whether v lies inside the domain of f."""
    everywhere = np.ones(v.shape, dtype=bool)
    if kind == Function.IDENTITY:
        return v, np.zeros_like(v), everywhere
    if kind == Function.LOGIT:
        inside = (v > a) & (v < b)
        low, high = np.log(v - a), np.log(b - v)
        return low - high, math.log(b - a) - low - high, inside
    if kind == Function.LOG_ABOVE:
        w = np.log(v - a)
        return w, -w, v > a
    if kind == Function.LOG_BELOW:
        w = np.log(a - v)
        return w, -w, v < a
    if kind == Function.SIGMOID:
        return a + (b - a) * sigmoid(v), math.log(b - a) - softplus(v) - softplus(-v), everywhere
    if kind == Function.EXP_ABOVE:
        return a + np.exp(v), v, everywhere
    if kind == Function.ATANH:
        return np.arctanh(v), -np.log1p(-v * v), np.abs(v) < 1
    if kind == Function.TANH:
        return np.tanh(v), 2 * (math.log(2) - v - softplus(-2 * v)), everywhere
    if kind in (Function.LEAKY, Function.LEAKY_INVERSE):
        slope = a if kind == Function.LEAKY else 1 / a
        return np.where(v >= 0, v, slope * v), np.where(v >= 0, 0.0, math.log(slope)), everywhere
    if kind == Function.SOFTSIGN:
        return v / (1 + np.abs(v) / a), -2 * np.log1p(np.abs(v) / a), everywhere
    if kind == Function.SOFTSIGN_INVERSE:
        return v / (1 - np.abs(v) / a), -2 * np.log1p(-np.abs(v) / a), np.abs(v) < a
    if kind == Function.PROBIT:
        w = probit((v - a) / (b - a))
        return w, -math.log(b - a) - log_normal_density(w), (v > a) & (v < b)
    return a + (b - a) * normal_cdf(v), math.log(b - a) + log_normal_density(v), everywhere


def elementwise_inverse(kind: int, w: np.ndarray, a: float, b: float):
    """v with f(v) = w, and log|dv/dw|."""
    if kind == Function.LOG_BELOW:
        return a - np.exp(w), w
    v, log_det, _ = elementwise(INVERSES[Function(kind)], w, a, b)
    return v, log_det
