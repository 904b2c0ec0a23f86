"""Draws of a flow within a box, and how many of its draws lie there."""

from __future__ import annotations

import reprlib
from typing import Any, Callable, Optional, Sequence

import numpy as np
import numpy.typing as npt

from .arguments import Batch, Floats
from .columns import columns_of, labelled, picked, refuse_mapping
from .errors import ArgumentError, Error

Box = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
Draw = Callable[[Optional[Floats], int, int], tuple[Floats, Floats]]

_BLOCK = 4096  # draws at a time, where there are as many to make


def box(within: Any, dim: int, names: Optional[Sequence[str]] = None) -> Box:
    """Two arrays (dim,) of the lowest and the highest value that each coordinate may take, both included.

    A bound with labels, such as `frame.min()` of pandas, is read by the `names` of the coordinates.
    Raises `ArgumentError` for anything that is no box with some room.
    """
    try:
        first, second = within
    except (TypeError, ValueError):
        shape = f" of shape {np.shape(within)}" if hasattr(within, "shape") else ""
        raise ArgumentError(f"within must be (low, high), not {reprlib.repr(within)}{shape}") from None
    low, high = _bound(first, "low", dim, names), _bound(second, "high", dim, names)
    empty = np.flatnonzero(~(low < high))
    if len(empty):
        i = empty[0]
        where = f"coordinate {i}" if names is None else f"{names[i]!r}"
        raise ArgumentError(f"within is empty in {where}: from {low[i]:g} to {high[i]:g}")
    return low, high


def _bound(bound: Any, name: str, dim: int, names: Optional[Sequence[str]]) -> npt.NDArray[np.float64]:
    called = f"{name} of within"
    refuse_mapping(bound, called, names)
    bound = labelled(bound)
    columns = columns_of(bound)
    try:
        if columns is not None:
            bound = np.concatenate([np.ravel(values) for values, _ in picked(bound, columns, called, dim, names)])
        values = np.asarray(bound, dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"{called} must be a number or a vector of {dim}: {error}") from None
    if values.size not in (1, dim):
        raise ArgumentError(f"{called} must be a number or a vector of {dim}, not of shape {values.shape}")
    return np.broadcast_to(values.reshape(-1), (dim,))


def inside(x: npt.NDArray[Any], limits: Box) -> npt.NDArray[np.bool_]:
    """(n,) whether rows lie in the box."""
    found: npt.NDArray[np.bool_] = np.all((x >= limits[0]) & (x <= limits[1]), axis=1)
    return found


def sample_within(draw: Draw, rows: Batch, dim: int, limits: Box, most: int) -> tuple[Floats, Floats]:
    """Rows within the box, and their log p, by drawing again what lies outside; at most `most` draws a row.

    `draw` gives x and log p of some contexts and a number of draws; its third argument is how many were made before.
    Rows with contexts of their own are drawn again with these. Draws are taken in the order of their index.
    """
    n, contexts, each = rows.count, rows.contexts, rows.each
    x, log_prob = np.empty((n, dim), dtype=np.float32), np.empty(n, dtype=np.float32)
    shared = contexts is None or each == n
    todo, drawn, accepted = np.arange(n), 0, 0
    while len(todo):
        if drawn >= most * n:
            raise Error(
                f"of {drawn} draws {accepted} lie within the box, {100 * accepted / drawn:.3g} %: {len(todo)} of {n} "
                f"rows were not found in {most} draws a row; widen the box, or give a larger most_draws"
            )
        repeats = max(1, _BLOCK // len(todo))
        tried = np.tile(todo, repeats)
        given = contexts if contexts is None or shared else contexts[tried // each]
        found, density = draw(given, len(tried), drawn)
        drawn += len(tried)
        good = np.flatnonzero(inside(found, limits))
        if shared:  # any draw will do for any row
            good = good[: len(todo)]
            chosen = todo[: len(good)]
        else:  # the first good one of each row
            chosen, first = np.unique(tried[good], return_index=True)
            good = good[first]
        accepted += len(good)
        x[chosen], log_prob[chosen] = found[good], density[good]
        todo = np.setdiff1d(todo, chosen, assume_unique=True)
    return x, log_prob
