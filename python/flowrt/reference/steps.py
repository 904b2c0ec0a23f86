"""The invertible steps of docs/FORMAT.md, each as `forward(v) -> w` and `inverse(w) -> v` with log-determinants.

`forward` returns (w, log|det dw/dv|, inside), where `inside` is False for rows that leave the domain of an elementwise
function; `inverse` returns (v, log|det dv/dw|). Everything is float64, rows are (n, D).
"""

from __future__ import annotations

import numpy as np

from ..file.codes import Form, Kind, Reads, Transformer
from . import functions, spline
from .conditioner import evaluate


def forward(step, v, context):
    rows = len(v)
    inside = np.ones(rows, dtype=bool)
    if step.kind == Kind.AUTOREGRESSIVE:
        w, log_det = _autoregressive(step, v, context, known=Reads.DATA)
        return w, log_det, inside
    if step.kind == Kind.DIAGONAL:
        return _exact(step.scale) * v + _exact(step.shift), np.full(rows, _diagonal_log_det(step)), inside
    if step.kind == Kind.LINEAR:
        return v @ _exact(step.matrix).T + _exact(step.shift), np.full(rows, step.log_det), inside
    if step.kind == Kind.PERMUTATION:
        return v[:, step.index], np.zeros(rows), inside
    w, log_det = np.empty_like(v), np.zeros(rows)
    for i, (function, a, b) in enumerate(zip(step.function, step.lower, step.upper)):
        w[:, i], log_slope, within = functions.elementwise(function, v[:, i], float(a), float(b))
        log_det = log_det + log_slope
        inside &= within | np.isnan(v[:, i])
    return w, log_det, inside


def inverse(step, w, context):
    rows = len(w)
    if step.kind == Kind.AUTOREGRESSIVE:
        return _autoregressive(step, w, context, known=Reads.NOISE)
    if step.kind == Kind.DIAGONAL:
        return (w - _exact(step.shift)) / _exact(step.scale), np.full(rows, -_diagonal_log_det(step))
    if step.kind == Kind.LINEAR:
        return (w - _exact(step.shift)) @ _exact(step.inverse).T, np.full(rows, -step.log_det)
    if step.kind == Kind.PERMUTATION:
        v = np.empty_like(w)
        v[:, step.index] = w
        return v, np.zeros(rows)
    v, log_det = np.empty_like(w), np.zeros(rows)
    for i, (function, a, b) in enumerate(zip(step.function, step.lower, step.upper)):
        v[:, i], log_slope = functions.elementwise_inverse(function, w[:, i], float(a), float(b))
        log_det = log_det + log_slope
    return v, log_det


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
    q, log_slope = r.copy(), np.zeros_like(r)
    n = step.passthrough
    r = r[:, n:]
    if step.transformer == Transformer.SPLINE:
        q[:, n:], log_slope[:, n:] = spline.forward(r, parameters, step.form, step.bins, step.p)
        return q, log_slope
    t = parameters[..., 0]
    if step.transformer == Transformer.ADDITIVE:
        q[:, n:] = r + t
        return q, log_slope
    log_s = functions.log_scale(step.scale, parameters[..., 1], step.p)
    s = np.exp(log_s)
    log_slope[:, n:] = log_s
    if step.form == Form.SCALE_THEN_SHIFT:
        q[:, n:] = s * r + t
    elif step.form == Form.SHIFT_THEN_SCALE:
        q[:, n:] = s * (r - t)
    else:
        q[:, n:] = s * r + (1 - s) * t
    return q, log_slope


def _other_to_read(step, q, parameters):
    """r and log|dr/dq| for all ranks."""
    r, log_slope = q.copy(), np.zeros_like(q)
    n = step.passthrough
    q = q[:, n:]
    if step.transformer == Transformer.SPLINE:
        r[:, n:], log_slope[:, n:] = spline.inverse(q, parameters, step.form, step.bins, step.p)
        return r, log_slope
    t = parameters[..., 0]
    if step.transformer == Transformer.ADDITIVE:
        r[:, n:] = q - t
        return r, log_slope
    log_s = functions.log_scale(step.scale, parameters[..., 1], step.p)
    s = np.exp(log_s)
    log_slope[:, n:] = -log_s
    if step.form == Form.SCALE_THEN_SHIFT:
        r[:, n:] = (q - t) / s
    elif step.form == Form.SHIFT_THEN_SCALE:
        r[:, n:] = q / s + t
    else:
        r[:, n:] = (q - (1 - s) * t) / s
    return r, log_slope


def _diagonal_log_det(step) -> float:
    return float(np.sum(np.log(np.abs(_exact(step.scale))))) if step.log_det is None else step.log_det


def _exact(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)
