"""What a `.flw` file computes, in NumPy and float64: the plainest reading of docs/FORMAT.md, the oracle of all tests.

Every function takes a path, the bytes of a file, or a `flowrt.format.File`. Rows of x and z are (n, D). `context` is
None for a flow without one, else (C,) or (1, C), shared by all rows, or (n, C). Results are float64. Nothing here is
fast.
"""

from __future__ import annotations

import numpy as np

from ..errors import Error
from ..file import read
from . import base, steps
from .conditioner import evaluate
from .noise import standard_normal

__all__ = ["forward", "inverse", "log_prob", "sample", "standard_normal"]


def forward(source, x, context=None):
    """x (n, D) to z (n, D), and log|det dz/dx| (n,)."""
    file = read(source)
    x = _rows(file, x, "x")
    z, log_det, _ = _forward(file, x, _context(file, context, len(x)))
    return z, log_det


def inverse(source, z, context=None):
    """z (n, D) to x (n, D), and log|det dx/dz| (n,)."""
    file = read(source)
    z = _rows(file, z, "z")
    return _inverse(file, z, _context(file, context, len(z)))


def log_prob(source, x, context=None) -> np.ndarray:
    """(n,) log p(x | context); -inf for a row outside the support, NaN for one with a NaN."""
    file = read(source)
    x = _rows(file, x, "x")
    context = _context(file, context, len(x))
    z, log_det, inside = _forward(file, x, context)
    with np.errstate(all="ignore"):
        density = np.where(inside, base.log_prob(file.base, z, context) + log_det, -np.inf)
    return np.where(np.any(np.isnan(x), axis=1), np.nan, density)


def sample(source, n, context=None, seed=0, stream=0, index=0):
    """Draws index .. index + n - 1 of (seed, stream): x (n, D) and log p(x | context) (n,)."""
    file = read(source)
    context = _context(file, context, n)
    z = base.draw(file.base, n, file.dim, context, {"seed": seed, "stream": stream, "index": index})
    x, log_det = _inverse(file, z, context)
    return x, base.log_prob(file.base, z, context) - log_det


def _forward(file, x, context):
    log_det, inside = np.zeros(len(x)), np.ones(len(x), dtype=bool)
    with np.errstate(all="ignore"):
        for step in file.steps:
            x, step_log_det, step_inside = steps.forward(step, x, context)
            log_det = log_det + step_log_det
            inside &= step_inside
    return x, log_det, inside


def _inverse(file, z, context):
    log_det = np.zeros(len(z))
    with np.errstate(all="ignore"):
        for step in reversed(file.steps):
            z, step_log_det = steps.inverse(step, z, context)
            log_det = log_det + step_log_det
    return z, log_det


def _rows(file, values, name):
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if values.ndim != 2 or values.shape[1] != file.dim:
        raise Error(f"{name} must be (n, {file.dim}), not {values.shape}")
    return values


def _context(file, context, rows):
    """(rows, E) context as the steps see it; (rows, 0) for a flow without one."""
    if file.context_dim == 0:
        if context is not None:
            raise Error("this flow takes no context")
        return np.zeros((rows, 0))
    if context is None:
        raise Error(f"this flow needs a context of {file.context_dim} floats a row")
    context = np.atleast_2d(np.asarray(context, dtype=np.float64))
    if context.ndim != 2 or context.shape[1] != file.context_dim or len(context) not in (1, rows):
        raise Error(f"context must be (1, {file.context_dim}) or ({rows}, {file.context_dim}), not {context.shape}")
    context = np.broadcast_to(context, (rows, file.context_dim))
    if file.encoder is not None:
        context = evaluate(file.encoder.layers, context)
    return context
