"""The invertible steps of docs/FORMAT.md, each as `forward(v) -> w` and `inverse(w) -> v` with log-determinants.

`forward` returns (w, log|det dw/dv|, inside), where `inside` is False for rows that leave the domain of an elementwise
function; `inverse` returns (v, log|det dv/dw|). Everything is float64, rows are (n, D).
"""

from __future__ import annotations

import numpy as np

from ..file.codes import STEP_KINDS, Form, Kind, Reads, Transformer
from ..tables import Table
from . import functions, spline
from .conditioner import evaluate
from .functions import exact


def forward(step, v, context):
    return _FORWARD[step.kind](step, v, context)


def inverse(step, w, context):
    return _INVERSE[step.kind](step, w, context)


# ---- steps whose parameters depend on nothing ----


def _everywhere(v) -> np.ndarray:
    return np.ones(len(v), dtype=bool)


def _diagonal(step, v, context):
    log_det = np.full(len(v), _diagonal_log_det(step))
    return exact(step.scale) * v + exact(step.shift), log_det, _everywhere(v)


def _diagonal_inverse(step, w, context):
    return (w - exact(step.shift)) / exact(step.scale), np.full(len(w), -_diagonal_log_det(step))


def _diagonal_log_det(step) -> float:
    return float(np.sum(np.log(np.abs(exact(step.scale))))) if step.log_det is None else step.log_det


def _linear(step, v, context):
    return v @ exact(step.matrix).T + exact(step.shift), np.full(len(v), step.log_det), _everywhere(v)


def _linear_inverse(step, w, context):
    return (w - exact(step.shift)) @ exact(step.inverse).T, np.full(len(w), -step.log_det)


def _permutation(step, v, context):
    return v[:, step.index], np.zeros(len(v)), _everywhere(v)


def _permutation_inverse(step, w, context):
    v = np.empty_like(w)
    v[:, step.index] = w
    return v, np.zeros(len(w))


def _pixelwise(step, v, context):
    w = v.copy()
    w[:, step.index] = v[:, step.index] @ exact(step.matrix).T + exact(step.shift)
    return w, np.full(len(v), step.log_det), _everywhere(v)


def _pixelwise_inverse(step, w, context):
    v = w.copy()
    v[:, step.index] = (w[:, step.index] - exact(step.shift)) @ exact(step.inverse).T
    return v, np.full(len(w), -step.log_det)


def _elementwise(step, v, context):
    w, log_det, inside = np.empty_like(v), np.zeros(len(v)), _everywhere(v)
    for i, (function, a, b) in enumerate(zip(step.function, step.lower, step.upper)):
        w[:, i], log_slope, within = functions.elementwise(function, v[:, i], float(a), float(b))
        log_det = log_det + log_slope
        inside &= within | np.isnan(v[:, i])
    return w, log_det, inside


def _elementwise_inverse(step, w, context):
    v, log_det = np.empty_like(w), np.zeros(len(w))
    for i, (function, a, b) in enumerate(zip(step.function, step.lower, step.upper)):
        v[:, i], log_slope = functions.elementwise_inverse(function, w[:, i], float(a), float(b))
        log_det = log_det + log_slope
    return v, log_det


# ---- autoregressive steps ----


def _to_noise(step, v, context):
    return *_autoregressive(step, v, context, known=Reads.DATA), _everywhere(v)


def _to_data(step, w, context):
    return _autoregressive(step, w, context, known=Reads.NOISE)


def _autoregressive(step, given, context, known):
    """Either direction: from the side `known` to the other one, and the log-determinant in that direction.

    If the known side is the one that is read, one pass of the network gives all parameters. Otherwise the stages become
    known one after the other, and the whole network is evaluated again for each of them.
    """
    known_index, other_index = step.data_index, step.noise_index
    if known == Reads.NOISE:
        known_index, other_index = other_index, known_index
    known_ranks = given[:, known_index]
    if known == step.reads:
        other_ranks, log_slopes = _read_to_other(step, known_ranks, _parameters(step, known_ranks, context))
    else:
        other_ranks, log_slopes = np.zeros_like(known_ranks), np.zeros_like(known_ranks)
        start = 0
        for end in step.stage_end:
            parameters = _parameters(step, other_ranks, context)
            found, slopes = _other_to_read(step, known_ranks, parameters)
            other_ranks[:, start:end], log_slopes[:, start:end] = found[:, start:end], slopes[:, start:end]
            start = end
    result = np.empty_like(given)
    result[:, other_index] = other_ranks
    return result, log_slopes.sum(axis=1)


def _parameters(step, read, context):
    """(rows, D - passthrough, P) from the side that is read, in rank order."""
    output = evaluate(step.layers, context, read)
    return output.reshape(len(read), -1, step.parameters)


def _read_to_other(step, r, parameters):
    """q and log|dq/dr| for all ranks; ranks below `passthrough` stay as they are."""
    return _transformed(_READ_TO_OTHER, step, r, parameters)


def _other_to_read(step, q, parameters):
    """r and log|dr/dq| for all ranks."""
    return _transformed(_OTHER_TO_READ, step, q, parameters)


def _transformed(transformers, step, values, parameters):
    result, log_slope = values.copy(), np.zeros_like(values)
    n = step.passthrough
    result[:, n:], log_slope[:, n:] = transformers[step.transformer](step, values[:, n:], parameters)
    return result, log_slope


def _affine(step, r, parameters):
    t, log_s = parameters[..., 0], functions.log_scale(step.scale, parameters[..., 1], step.p)
    return _FORMS[step.form][0](r, np.exp(log_s), t), log_s


def _affine_inverse(step, q, parameters):
    t, log_s = parameters[..., 0], functions.log_scale(step.scale, parameters[..., 1], step.p)
    return _FORMS[step.form][1](q, np.exp(log_s), t), -log_s


def _spline(step, r, parameters):
    return spline.forward(r, parameters, step.form, step.bins, step.p)


def _spline_inverse(step, q, parameters):
    return spline.inverse(q, parameters, step.form, step.bins, step.p)


_FORMS = Table(  # q of r, and r of q
    "flowrt.reference.steps._FORMS",
    Form,
    {
        Form.SCALE_THEN_SHIFT: (lambda r, s, t: s * r + t, lambda q, s, t: (q - t) / s),
        Form.SHIFT_THEN_SCALE: (lambda r, s, t: s * (r - t), lambda q, s, t: q / s + t),
        Form.GATED: (lambda r, s, t: s * r + (1 - s) * t, lambda q, s, t: (q - (1 - s) * t) / s),
    },
)
_READ_TO_OTHER = Table(
    "flowrt.reference.steps._READ_TO_OTHER",
    Transformer,
    {
        Transformer.AFFINE: _affine,
        Transformer.ADDITIVE: lambda step, r, parameters: (r + parameters[..., 0], 0.0),
        Transformer.SPLINE: _spline,
    },
)
_OTHER_TO_READ = Table(
    "flowrt.reference.steps._OTHER_TO_READ",
    Transformer,
    {
        Transformer.AFFINE: _affine_inverse,
        Transformer.ADDITIVE: lambda step, q, parameters: (q - parameters[..., 0], 0.0),
        Transformer.SPLINE: _spline_inverse,
    },
)
_FORWARD = Table(
    "flowrt.reference.steps._FORWARD",
    STEP_KINDS,
    {
        Kind.AUTOREGRESSIVE: _to_noise,
        Kind.DIAGONAL: _diagonal,
        Kind.LINEAR: _linear,
        Kind.ELEMENTWISE: _elementwise,
        Kind.PERMUTATION: _permutation,
        Kind.PIXELWISE_LINEAR: _pixelwise,
    },
)
_INVERSE = Table(
    "flowrt.reference.steps._INVERSE",
    STEP_KINDS,
    {
        Kind.AUTOREGRESSIVE: _to_data,
        Kind.DIAGONAL: _diagonal_inverse,
        Kind.LINEAR: _linear_inverse,
        Kind.ELEMENTWISE: _elementwise_inverse,
        Kind.PERMUTATION: _permutation_inverse,
        Kind.PIXELWISE_LINEAR: _pixelwise_inverse,
    },
)
