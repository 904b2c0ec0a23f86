"""Scalar functions of docs/FORMAT.md in float64: activations, scale functions, elementwise maps."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ..file.codes import Activation, Function, Scale
from ..tables import Table

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

# Universal functions, so that arrays that carry derivatives (gradient.py) take part.
erfc = np.frompyfunc(math.erfc, 1, 1)


def _floats(values):
    """What such a function makes of an array are objects."""
    return values if isinstance(values, float) else values.astype(np.float64)


def softplus(v):
    """log(1 + exp(v)) without overflow."""
    return np.logaddexp(0.0, v)


def sigmoid(v):
    return np.exp(-softplus(-v))


def normal_cdf(v):
    return 0.5 * _floats(erfc(-v / math.sqrt(2)))


def _probit(u: float) -> float:
    if math.isnan(u) or u < 0 or u > 1:
        return math.nan
    if u in (0.0, 1.0):
        return math.copysign(math.inf, u - 0.5)
    return NormalDist().inv_cdf(u)


inverse_cdf = np.frompyfunc(_probit, 1, 1)


def probit(u):
    return _floats(inverse_cdf(u))


def log_normal_density(v):
    return -0.5 * v * v - HALF_LOG_2PI


def exact(values) -> np.ndarray:
    """An array of a file as float64."""
    return np.asarray(values, dtype=np.float64)


def _layer_norm(v: np.ndarray, a: float) -> np.ndarray:
    mean = v.mean(axis=-1, keepdims=True)
    return (v - mean) / np.sqrt(v.var(axis=-1, keepdims=True) + a)


ACTIVATIONS = Table(
    "flowrt.reference.functions.ACTIVATIONS",
    Activation,
    {
        Activation.IDENTITY: lambda v, a: v,
        Activation.RELU: lambda v, a: np.maximum(v, 0.0),
        Activation.TANH: lambda v, a: np.tanh(v),
        Activation.ELU: lambda v, a: np.where(v > 0, v, a * np.expm1(np.minimum(v, 0.0))),
        Activation.LEAKY_RELU: lambda v, a: np.where(v > 0, v, a * v),
        Activation.SILU: lambda v, a: v * sigmoid(v),
        Activation.GELU: lambda v, a: v * normal_cdf(v),
        Activation.GELU_TANH: lambda v, a: 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
        Activation.SIGMOID: lambda v, a: sigmoid(v),
        Activation.SOFTPLUS: lambda v, a: softplus(v),
        Activation.SOFTSIGN: lambda v, a: v / (1 + np.abs(v)),
        Activation.LAYER_NORM: _layer_norm,
        Activation.SINE: lambda v, a: np.sin(v),
        Activation.ARCTANGENT: lambda v, a: np.arctan(v),
        Activation.INVERSE_HYPERBOLIC_SINE: lambda v, a: np.arcsinh(v),
    },
)


def activation(kind: int, v: np.ndarray, a: float) -> np.ndarray:
    """Section 4. `v` is (rows, units); only layer norm looks at more than one unit."""
    return ACTIVATIONS[kind](v, a)


LOG_SCALES = Table(
    "flowrt.reference.functions.LOG_SCALES",
    Scale,
    {
        Scale.EXP: lambda a, p: a,
        Scale.EXP_CLAMPED: lambda a, p: np.clip(a, p[0], p[1]),
        Scale.SOFTPLUS: lambda a, p: np.log(softplus(a) + p[0]),
        Scale.SOFTPLUS_CLAMPED: lambda a, p: np.log(np.clip(softplus(a) + p[0], p[1], p[2])),
        Scale.SIGMOID: lambda a, p: -softplus(-a) if p[0] == 0 else np.log(sigmoid(a) + p[0]),
        Scale.EXP_SOFT_CLIPPED: lambda a, p: a / (1 + np.abs(a) / p[0]),
        Scale.EXP_TANH: lambda a, p: p[0] * np.tanh(a),
        Scale.EXP_ATAN: lambda a, p: p[0] * np.arctan(a),
    },
)


def log_scale(kind: int, a: np.ndarray, p) -> np.ndarray:
    """Section 5: log s of the raw parameter a."""
    return LOG_SCALES[kind](a, p)


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


def _logit(v, a, b):
    low, high = np.log(v - a), np.log(b - v)
    return low - high, math.log(b - a) - low - high, (v > a) & (v < b)


def _log_above(v, a, b):
    w = np.log(v - a)
    return w, -w, v > a


def _log_below(v, a, b):
    w = np.log(a - v)
    return w, -w, v < a


def _leaky(v, slope):
    return np.where(v >= 0, v, slope * v), np.where(v >= 0, 0.0, math.log(slope)), True


def _probit_step(v, a, b):
    w = probit((v - a) / (b - a))
    return w, -math.log(b - a) - log_normal_density(w), (v > a) & (v < b)


FUNCTIONS = Table(  # (v, a, b) to w, log|dw/dv|, whether v is inside the domain
    "flowrt.reference.functions.FUNCTIONS",
    Function,
    {
        Function.IDENTITY: lambda v, a, b: (v, np.zeros_like(v), True),
        Function.LOGIT: _logit,
        Function.LOG_ABOVE: _log_above,
        Function.LOG_BELOW: _log_below,
        Function.SIGMOID: lambda v, a, b: (
            a + (b - a) * sigmoid(v), math.log(b - a) - softplus(v) - softplus(-v), True
        ),
        Function.EXP_ABOVE: lambda v, a, b: (a + np.exp(v), v, True),
        Function.ATANH: lambda v, a, b: (np.arctanh(v), -np.log1p(-v * v), np.abs(v) < 1),
        Function.TANH: lambda v, a, b: (np.tanh(v), 2 * (math.log(2) - v - softplus(-2 * v)), True),
        Function.LEAKY: lambda v, a, b: _leaky(v, a),
        Function.LEAKY_INVERSE: lambda v, a, b: _leaky(v, 1 / a),
        Function.SOFTSIGN: lambda v, a, b: (v / (1 + np.abs(v) / a), -2 * np.log1p(np.abs(v) / a), True),
        Function.SOFTSIGN_INVERSE: lambda v, a, b: (
            v / (1 - np.abs(v) / a), -2 * np.log1p(-np.abs(v) / a), np.abs(v) < a
        ),
        Function.PROBIT: _probit_step,
        Function.NORMAL_CDF: lambda v, a, b: (
            a + (b - a) * normal_cdf(v), math.log(b - a) + log_normal_density(v), True
        ),
    },
)  # fmt: skip


def elementwise(kind: int, v: np.ndarray, a: float, b: float):
    """Section 2.4: w = f(v), log|dw/dv|, and whether v lies inside the domain of f."""
    w, log_slope, inside = FUNCTIONS[kind](v, a, b)
    return w, log_slope, np.broadcast_to(inside, v.shape)


def elementwise_inverse(kind: int, w: np.ndarray, a: float, b: float):
    """v with f(v) = w, and log|dv/dw|."""
    if kind == Function.LOG_BELOW:
        return a - np.exp(w), w
    v, log_det, _ = elementwise(INVERSES[Function(kind)], w, a, b)
    return v, log_det
