"""Pictures of a flow beside data: its draws, their log p, the ranks of data among draws, a density of two coordinates.

+---------+
| x0      |                    +---------------+   log p of draws and of data: what lies left of all draws is
+---------+---------+          | log p         |   unlike them
| x1 : x0 | x1      |          +---------------+
+---------+---------+-----+    | ranks         |   of data among draws of the same context: flat if the flow is
| x2 : x0 | x2 : x1 | x2  |    +---------------+   calibrated (Talts et al. 2018)
+---------+---------+-----+    | density       |   log p over two coordinates
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import numpy.typing as npt

from .arguments import Floats, rows_of
from .density import Density
from .errors import ArgumentError, Error

__all__ = ["plot"]

_MOST_COLUMNS = 5  # of a corner plot, if a user does not say which
_RANKED_ROWS, _RANKED_DRAWS = 500, 99  # rows whose ranks are shown, among so many draws each
_BINS = 40
_GRID = 80
_DRAWS, _DATA = "#1f4e79", "#d1495b"


class Shown(NamedTuple):
    """What a picture is made of: draws and data (n, D), their log p, and the contexts of the data, or one for all."""

    names: Sequence[str]
    draws: Floats
    draws_log_prob: Floats
    data: Optional[Floats]
    data_log_prob: Optional[Floats]
    contexts: Optional[Floats]


def plot(
    density: Density,
    x: Any = None,
    context: Any = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    columns: Optional[Sequence[int]] = None,
) -> Any:
    """A `matplotlib.figure.Figure` of a model or a mixture, and of data x (n, D) on top of it, if they are given.

    `context` is one for all, or one for each row of x; draws are made for these in turn. `columns` are the coordinates
    that are shown, the first five if it is None; the density is that of the first two. The axes have labels:
    "corner i j", "log p", "ranks", "density".

    Raises `Error` if matplotlib is missing, and for data that are not the flow's.
    """
    shown = _shown(density, x, context, draws, seed)
    picked = list(range(min(density.dim, _MOST_COLUMNS))) if columns is None else list(columns)
    wrong = [column for column in picked if not 0 <= column < density.dim]
    if wrong or not picked:
        raise ArgumentError(f"columns must be some of 0 .. {density.dim - 1}, not {wrong or picked}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise Error('a picture needs matplotlib: pip install "flowrt[plot]"') from None
    size = max(len(picked), 3)
    figure = Figure(figsize=(2.1 * size + 4.6, 2.1 * size), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[2.1 * size, 4.6])
    left, right = halves
    _corner(left, shown, picked)
    panels = ["log p"] + ["ranks"] * (shown.data is not None) + ["density"] * (density.dim > 1)
    for panel, axes in zip(panels, np.ravel(right.subplots(len(panels), 1))):
        axes.set_label(panel)
        if panel == "log p":
            _log_p(axes, shown)
        elif panel == "ranks":
            _ranks(axes, shown, picked, ranks_of_data(density, shown, seed))
        else:
            _density(axes, density, shown, picked if len(picked) > 1 else [*picked, int(picked[0] == 0)])
    return figure


def _shown(density: Density, x: Any, context: Any, count: int, seed: int) -> Shown:
    data = None if x is None else rows_of(x, "x", density.dim, density.names)
    contexts = density._contexts(context)
    draws_of = contexts
    if contexts is not None and len(contexts) > 1:
        if data is None or len(data) != len(contexts):
            rows = "there are no rows" if data is None else f"there are {len(data)} rows"
            raise ArgumentError(f"context has {len(contexts)} rows, not 1, and {rows} of x to go with them")
        draws_of = contexts[np.arange(count) % len(contexts)]
    draws, draws_log_prob = density.sample(count, draws_of, seed, log_prob=True)
    data_log_prob = None if data is None else density.log_prob(data, contexts)
    names = density.names or [f"x{i}" for i in range(density.dim)]
    return Shown(names, draws, draws_log_prob, data, data_log_prob, contexts)


def ranks_of_data(density: Density, shown: Shown, seed: int) -> npt.NDArray[np.int64]:
    """(m, D + 1): how many of 99 draws of its context lie below a row of data, by coordinate and, last, by log p.

    If data are draws of the flow, each rank is uniform on 0 .. 99. Of many rows 500 are taken, evenly spread.
    """
    assert shown.data is not None and shown.data_log_prob is not None
    few = np.unique(np.linspace(0, len(shown.data) - 1, _RANKED_ROWS).astype(int))
    data = np.column_stack([shown.data, shown.data_log_prob])[few]
    if shown.contexts is None or len(shown.contexts) == 1:
        flat = shown.contexts
    else:
        flat = np.repeat(shown.contexts[few], _RANKED_DRAWS, axis=0)
    x, log_prob = density.sample(len(few) * _RANKED_DRAWS, flat, seed, stream=1, log_prob=True)
    draws = np.column_stack([x, log_prob]).reshape(len(few), _RANKED_DRAWS, -1)
    ranks: npt.NDArray[np.int64] = np.sum(draws < data[:, None], axis=1)
    return ranks


def _limits(shown: Shown, column: int) -> tuple[float, float]:
    """Nearly all draws, and the data if they lie around these."""
    values = shown.draws[:, column]
    low, high = np.quantile(values[np.isfinite(values)], [0.002, 0.998])
    room = 0.1 * (high - low) or 1.0
    if shown.data is not None:
        found = shown.data[:, column]
        inner = np.quantile(found[np.isfinite(found)], [0.01, 0.99])
        low, high = min(low, max(inner[0], low - 5 * room)), max(high, min(inner[1], high + 5 * room))
    return float(low - room), float(high + room)


def _corner(figure: Any, shown: Shown, picked: list[int]) -> None:
    grid = figure.subplots(len(picked), len(picked), squeeze=False)
    limits = {column: _limits(shown, column) for column in picked}
    for i, row in enumerate(picked):
        for j, column in enumerate(picked):
            axes = grid[i, j]
            if j > i:
                axes.remove()
                continue
            axes.set_label(f"corner {i} {j}")
            if i == j:
                _marginal(axes, shown, row, limits[row])
            else:
                _pair(axes, shown, column, row, limits)
            axes.tick_params(labelsize=7, labelbottom=i == len(picked) - 1, labelleft=j == 0 and i > 0)
            if i == len(picked) - 1:
                axes.set_xlabel(shown.names[column], fontsize=8)
            if j == 0 and i > 0:
                axes.set_ylabel(shown.names[row], fontsize=8)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", fontsize=9, frameon=False)


def _bins(rows: Floats) -> int:
    return int(np.clip(2 * np.sqrt(len(rows)), 8, _BINS))


def _marginal(axes: Any, shown: Shown, column: int, limits: tuple[float, float]) -> None:
    style = {"range": limits, "density": True}
    label = f"{len(shown.draws)} draws"
    axes.hist(shown.draws[:, column], _bins(shown.draws), color=_DRAWS, alpha=0.35, label=label, **style)
    if shown.data is not None:
        label = f"{len(shown.data)} rows of data"
        axes.hist(shown.data[:, column], _bins(shown.data), histtype="step", color=_DATA, lw=1.4, label=label, **style)
    axes.set_xlim(*limits)
    axes.set_yticks([])


def _pair(axes: Any, shown: Shown, column: int, row: int, limits: dict[int, tuple[float, float]]) -> None:
    axes.hist2d(
        shown.draws[:, column],
        shown.draws[:, row],
        bins=_BINS,
        range=[limits[column], limits[row]],
        cmap="Blues",
        rasterized=True,
    )
    if shown.data is not None:
        size = float(np.clip(800 / len(shown.data), 0.5, 8))
        axes.scatter(shown.data[:, column], shown.data[:, row], s=size, color=_DATA, alpha=0.6, lw=0, rasterized=True)
    axes.set_xlim(*limits[column])
    axes.set_ylim(*limits[row])


def _log_p(axes: Any, shown: Shown) -> None:
    draws = shown.draws_log_prob[np.isfinite(shown.draws_log_prob)]
    low, high = np.quantile(draws, [0.001, 1.0])
    lowest = low
    if shown.data_log_prob is not None:
        known = shown.data_log_prob[np.isfinite(shown.data_log_prob)]
        if len(known):
            lowest = max(min(low, float(np.quantile(known, 0.01))), low - 3 * (high - low))
            high = max(high, float(np.max(known)))
    ends = float(lowest) - 1e-3, float(high) + 1e-3
    style = {"range": ends, "density": True}
    axes.hist(np.clip(draws, *ends), _bins(shown.draws), color=_DRAWS, alpha=0.35, label="draws", **style)
    title = "log p"
    if shown.data_log_prob is not None:
        assert shown.data is not None
        values = np.clip(np.nan_to_num(shown.data_log_prob, nan=ends[0]), *ends)
        axes.hist(values, _bins(shown.data), histtype="step", color=_DATA, lw=1.4, label="data", **style)
        threshold = np.quantile(draws, 0.01)
        below = np.mean(~(shown.data_log_prob >= threshold))
        axes.axvline(threshold, color="0.4", lw=0.8, ls=":")
        title = f"log p: {100 * below:.2g} % of the data lie below 99 % of the draws"
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("log p in nats", fontsize=8)
    axes.set_yticks([])
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=8, frameon=False)


def _ranks(axes: Any, shown: Shown, picked: list[int], ranks: npt.NDArray[np.int64]) -> None:
    """How far the share of rows of rank up to k is from that of uniform ranks, and where 99 % of such shares lie."""
    count, numbers = len(ranks), np.arange(_RANKED_DRAWS + 1)
    expected = (numbers + 1) / (_RANKED_DRAWS + 1)
    room = 2.576 * np.sqrt(expected * (1 - expected) / count)
    axes.fill_between(numbers, -room, room, color="0.88", lw=0, label="99 % if calibrated")
    outside = []
    for place, column in enumerate([*picked, ranks.shape[1] - 1]):
        found = np.searchsorted(np.sort(ranks[:, column]), numbers, side="right") / count - expected
        outside.append(np.abs(found)[:-1] > room[:-1])
        own = column == ranks.shape[1] - 1
        label = "log p" if own else shown.names[column]
        axes.plot(numbers, found, label=label, lw=2.0 if own else 1.2, color="black" if own else f"C{place}")
    axes.set_title(f"ranks of {count} rows: {100 * np.mean(outside):.2g} % outside of the band", fontsize=9)
    axes.set_xlabel(f"k draws of {_RANKED_DRAWS} below the data", fontsize=8)
    axes.set_ylabel("share of rows - expected", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False, ncols=2)


def _density(axes: Any, density: Density, shown: Shown, picked: list[int]) -> None:
    """exp(log p - the largest) on a grid; other coordinates, and the context of several, as in the likeliest draw."""
    first, second = picked[:2]
    best = int(np.nanargmax(shown.draws_log_prob))
    across, up = (np.linspace(*_limits(shown, column), _GRID) for column in (first, second))
    grid = np.repeat(shown.draws[best : best + 1], _GRID * _GRID, axis=0)
    grid[:, first], grid[:, second] = np.tile(across, _GRID), np.repeat(up, _GRID)
    contexts = shown.contexts
    if contexts is not None:
        contexts = contexts[best % len(contexts)]
    log_prob = density.log_prob(grid, contexts).reshape(_GRID, _GRID)
    largest = np.max(log_prob[np.isfinite(log_prob)], initial=-np.inf)
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(np.exp(log_prob - largest))
    axes.pcolormesh(across, up, values, cmap="viridis", shading="nearest", rasterized=True)
    others = "" if density.dim == 2 else ", other coordinates as in the likeliest draw"
    axes.set_title(f"density{others}", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.set_xlabel(shown.names[first], fontsize=8)
    axes.set_ylabel(shown.names[second], fontsize=8)
