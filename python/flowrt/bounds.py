"""Draws of a flow within a box, and how many of its draws lie there."""

from __future__ import annotations

import numpy as np

from .errors import Error

_BLOCK = 4096  # draws at a time, where there are as many to make


def box(within, dim: int) -> tuple:
    """Two arrays (dim,) of the lowest and the highest value that each coordinate may take, both included.

    Raises `Error` for anything that is no box with some room.
    """
    try:
        low, high = (np.broadcast_to(np.asarray(bound, dtype=np.float64), (dim,)) for bound in within)
    except (TypeError, ValueError):
        raise Error(f"within must be (low, high), numbers or vectors of {dim}") from None
    empty = np.flatnonzero(~(low < high))
    if len(empty):
        i = empty[0]
        raise Error(f"within is empty in coordinate {i}: from {low[i]:g} to {high[i]:g}")
    return low, high


def inside(x: np.ndarray, limits: tuple) -> np.ndarray:
    """(n,) whether rows lie in the box."""
    return np.all((x >= limits[0]) & (x <= limits[1]), axis=1)


def sample_within(model, n: int, context, seed: int, stream: int, index: int, limits: tuple, most: int) -> tuple:
    """n rows within the box, and their log p, by drawing again what lies outside; at most `most` draws a row.

    Rows with contexts of their own are drawn again with these. Draws are taken in the order of their index.
    """
    x, log_prob = np.empty((n, model.dim), dtype=np.float32), np.empty(n, dtype=np.float32)
    shared = context is None or len(context) == 1
    todo, drawn, accepted = np.arange(n), 0, 0
    while len(todo):
        if drawn >= most * n:
            raise Error(
                f"of {drawn} draws {accepted} lie within the box, {100 * accepted / drawn:.3g} %: {len(todo)} of {n} "
                f"rows were not found in {most} draws a row; widen the box, or give a larger most_draws"
            )
        repeats = max(1, _BLOCK // len(todo))
        rows = np.tile(todo, repeats)
        given = context if shared else context[rows]
        found, density = model.sample(len(rows), given, seed, stream, index + drawn)
        drawn += len(rows)
        good = np.flatnonzero(inside(found, limits))
        if shared:  # any draw will do for any row
            good = good[: len(todo)]
            chosen = todo[: len(good)]
        else:  # the first good one of each row
            chosen, first = np.unique(rows[good], return_index=True)
            good = good[first]
        accepted += len(good)
        x[chosen], log_prob[chosen] = found[good], density[good]
        todo = np.setdiff1d(todo, chosen, assume_unique=True)
    return x, log_prob
