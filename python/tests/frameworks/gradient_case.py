"""The gradients of a golden case: against the slope of the live model's log p and, where they are given, its own.

The slope is by central differences of the live model's log p in float64. Where a framework's derivative is not that of
its function, the slope counts.
"""

from __future__ import annotations

import numpy as np

import flowrt
from flowrt.errors import LibraryError, Status
from flowrt.file import encode
from flowrt.file.codes import Feature
from flowrt.file.header import HEADER
from flowrt.frameworks import choose, dtypes
from flowrt.reference import gradient as reference
from flowrt.verify.rows import random_rows

ROWS = 24
STEP = 1e-6


def require_gradients(model, automatic=None, *, has_none: bool = False, differs: bool = False) -> None:
    """The gradients that libflowrt gives, by x and by the context, are those of the live model.

    `automatic(live, x, context)` gives them by automatic differentiation, in the precision of `live`: the error of
    libflowrt is at most twice its error in float32. Without it, the gradients of the float64 evaluator are compared
    with the slope, and libflowrt with these. `has_none` says that the file has no gradients, as those with
    planes have none; `differs` that those of the framework are not the slope of its log p in some rows.
    """
    adapter = choose(model)
    file = flowrt.compile(adapter.describe(model))
    x, _, context = random_rows(file, ROWS, 0)[:3]
    x = x.astype(np.float32)
    context = None if context is None else np.broadcast_to(context, (ROWS, context.shape[-1])).astype(np.float32)
    data = encode(file)
    has_none = has_none or bool(HEADER.unpack(data).features & Feature.PLANES)
    try:
        found = flowrt.Model(data).log_prob_gradient(x, context)[1:]
    except LibraryError as error:
        assert error.status == Status.GRADIENT and has_none
        return
    assert not has_none
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    slope = slopes(live64, x, context)
    if automatic is None:
        exact, coarse = reference.log_prob_gradient(file, x, context)[1:], slopes(live64, x, context, 2 * STEP)
        for ours, truth, steep, other in zip(found, exact, slope, coarse):
            curved = np.abs(steep - other)  # three times the error of the difference itself
            known = np.isfinite(curved)  # not where a step leads out of the support
            assert known.mean() > 0.8
            assert np.all((np.abs(truth - steep) <= 1e-5 * size_of(truth) + curved)[known])
            assert rms((ours - truth) / size_of(truth)) < 1e-4
        return
    single, exact = automatic(live32, x, context), automatic(live64, x, context)
    for ours, theirs, truth, steep in zip(found, single, exact, slope):
        size = size_of(steep)
        other = np.abs(truth - steep) > 1e-5 * size
        assert not other.any() or differs
        error, allowed = (ours - np.where(other, steep, truth)) / size, ((theirs - truth) / size)[~other]
        assert np.max(np.abs(error)) < 2e-4
        assert rms(error) <= 2 * rms(allowed) + 5e-6


def slopes(live, x, context, step: float = STEP) -> list:
    """By x (n, D) and, if there is one, by the context (n, C), from one call of the live model."""
    given = [part.astype(np.float64) for part in (x, context) if part is not None]
    widths = [part.shape[1] for part in given]
    moved = step * np.eye(sum(widths))[:, None]  # each column of both, in turn
    moved = np.concatenate([moved, -moved]) + np.concatenate(given, axis=1)
    parts = np.split(moved.reshape(-1, sum(widths)), np.cumsum(widths)[:-1], axis=1)
    high, low = live.log_prob(*parts).reshape(2, sum(widths), len(x))
    return np.split((high - low).T / (2 * step), np.cumsum(widths)[:-1], axis=1)


def size_of(gradients):
    """(n, 1) what errors are measured by."""
    return 1 + np.abs(gradients).max(axis=1, keepdims=True)


def rms(values):
    return np.sqrt(np.mean(values**2)) if values.size else 0.0
