"""What a `.flw` file computes, in NumPy and float64: the plainest reading of docs/FORMAT.md, the oracle of all tests.

Every function takes a path, the bytes of a file, or a `flowrt.format.File`. Rows of x and z are (n, D). `context` is
None for a flow without one, else (C,) or (1, C), shared by all rows, or (n, C). Results are float64. Nothing here is
fast.
"""

from __future__ import annotations

import os
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ..errors import ArgumentError
from ..file import File, read
from . import base, steps
from .conditioner import evaluate
from .noise import standard_normal

__all__ = ["forward", "inverse", "log_prob", "sample", "standard_normal"]

Source = Union[str, "os.PathLike[str]", bytes, File]
Doubles = npt.NDArray[np.float64]
Pair = tuple[Doubles, Doubles]


def forward(source: Source, x: Any, context: Any = None) -> Pair:
    """x (n, D) to z (n, D), and log|det dz/dx| (n,)."""
    file = read(source)
    x = _rows(file, x, "x")
    z, log_det, _ = _forward(file, x, _context(file, context, len(x)))
    return z, log_det


def inverse(source: Source, z: Any, context: Any = None) -> Pair:
    """z (n, D) to x (n, D), and log|det dx/dz| (n,)."""
    file = read(source)
    z = _rows(file, z, "z")
    return _inverse(file, z, _context(file, context, len(z)))


def log_prob(source: Source, x: Any, context: Any = None) -> Doubles:
    """(n,) log p(x | context); -inf for a row outside the support, NaN for one with a NaN."""
    file = read(source)
    x = _rows(file, x, "x")
    context = _context(file, context, len(x))
    z, log_det, inside = _forward(file, x, context)
    with np.errstate(all="ignore"):
        density = np.where(inside, base.log_prob(file.base, z, context) + log_det, -np.inf)
    return np.where(np.any(np.isnan(x), axis=1), np.nan, density)


def sample(source: Source, n: int, context: Any = None, seed: int = 0, stream: int = 0, index: int = 0) -> Pair:
    """Draws index .. index + n - 1 of (seed, stream): x (n, D) and log p(x | context) (n,)."""
    file = read(source)
    context = _context(file, context, n)
    z = base.draw(file.base, n, file.dim, context, {"seed": seed, "stream": stream, "index": index})
    x, log_det = _inverse(file, z, context)
    return x, base.log_prob(file.base, z, context) - log_det


def _forward(file: File, x: Doubles, context: Doubles) -> tuple[Doubles, Doubles, npt.NDArray[np.bool_]]:
    log_det, inside = np.zeros(len(x)), np.ones(len(x), dtype=bool)
    with np.errstate(all="ignore"):
        for step in file.steps:
            x, step_log_det, step_inside = steps.forward(step, x, context)
            log_det = log_det + step_log_det
            inside &= step_inside
    return x, log_det, inside


def _inverse(file: File, z: Doubles, context: Doubles) -> Pair:
    log_det = np.zeros(len(z))
    with np.errstate(all="ignore"):
        for step in reversed(file.steps):
            z, step_log_det = steps.inverse(step, z, context)
            log_det = log_det + step_log_det
    return z, log_det


def _rows(file: File, values: Any, name: str) -> Doubles:
    rows: Doubles = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if rows.ndim != 2 or rows.shape[1] != file.dim:
        raise ArgumentError(f"{name} must be (n, {file.dim}), not {rows.shape}")
    return rows


def _context(file: File, context: Any, rows: int) -> Doubles:
    """(rows, E) context as the steps see it; (rows, 0) for a flow without one."""
    if file.context_dim == 0:
        if context is not None:
            raise ArgumentError(f"this flow takes no context, but one of shape {np.shape(context)} was given")
        return np.zeros((rows, 0))
    if context is None:
        raise ArgumentError(f"this flow needs a context of {file.context_dim} floats a row")
    given: Doubles = np.atleast_2d(np.asarray(context, dtype=np.float64))
    if given.ndim != 2 or given.shape[1] != file.context_dim or len(given) not in (1, rows):
        wanted = f"(1, {file.context_dim}) or ({rows}, {file.context_dim})"
        raise ArgumentError(f"context must be {wanted}, not {given.shape}")
    given = np.broadcast_to(given, (rows, file.context_dim))
    return given if file.encoder is None else evaluate(file.encoder.layers, given)
