"""How exact a file is in float32 beside its framework: root mean square errors of both against the model in float64."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ..errors import LibraryError, Status
from ..file import File
from ..model import Model
from .rows import Rows, answered, random_rows, spread

TIMES = 2.0  # the promise: so many times the framework's own error, at most
_ROWS, _SURE = 64, 1024  # rows that are measured, and that are before anything is said
_SMALL = 16  # coordinates; a flow of more is measured on a quarter of these rows
_EPSILON = float(np.finfo(np.float32).eps)
_ROUNDINGS = 4.0  # errors of so many roundings of a result are not lost digits (`Errors.is_loss`)
_WORST = 100  # one row in so many is left out, to see whether the others agree with all


class Errors(NamedTuple):
    """Root mean squares over rows and coordinates; of x and z in the spreads of their coordinates.

    `size` is that of the result or, of x and z, of the flow's own draws, if these vary more: float32 computes with
    values of this size. `others` is ours / theirs without the worst hundredth of the rows.
    """

    ours: float
    theirs: float
    size: float
    others: float

    @property
    def times(self) -> float:
        """By how much the file is less exact; 0 if its error is that of rounding the result once."""
        return 0.0 if self.ours <= _EPSILON * self.size else self.ours / max(self.theirs, 1e-300)

    @property
    def is_loss(self) -> bool:
        """Whether the file is less exact than `TIMES` the framework, and not by chance.

        Chance are two things. A single row close to a singular point may have nearly all of the squares: where the two
        round differently, one of them is 10 times worse in this row, and another draw of rows tells the opposite. And
        a result that hardly varies, as the log_det of a flow before training, is rounded alike in all rows: then the
        framework may be exact to a tenth of a rounding where the file is off by two. Each step rounds once, so a few
        roundings of the result itself are no loss; those of a logarithm are at least these of the density, exp of it.
        """
        few = _ROUNDINGS * _EPSILON * max(self.size, 1.0)
        return min(self.times, self.others) > TIMES and self.ours > few


def warn_of_lost_digits(data: bytes, exact: File, live32, live64, name: str, own: Rows | None = None) -> None:
    """Warns if libflowrt, where it is there and executes the file, is less exact than `TIMES` the framework allows."""
    for count in (_ROWS, _SURE):
        count = count if exact.dim <= _SMALL else count // 4
        rows = own or answered(exact, random_rows(exact, count, seed=3, units=live64.units))
        if not len(rows.x):
            return
        try:
            typical = rows if own is None else random_rows(exact, count, seed=3, units=live64.units)
            errors = measure(Model(data), live32, live64, rows, typical)
        except LibraryError as failure:
            if failure.status not in (None, Status.FEATURE):
                raise
            return
        lost = {quantity: error for quantity, error in errors.items() if error.is_loss}
        if not lost:
            return
        if own is not None:
            break
    quantity, error = max(lost.items(), key=lambda item: item[1].times)
    warnings.warn(
        f"in float32, the file of {name} is less exact than the model: the error of {quantity} is {error.times:.2g} "
        f"times that of the framework in float32 ({error.ours:.2g} and {error.theirs:.2g}, root mean squares over "
        f"{len(rows.x)} {'random rows' if own is None else 'of your rows'} against float64), more than {TIMES:g} times",
        stacklevel=4,
    )


def measure(ours, live32, live64, rows: Rows, typical: Rows | None = None) -> dict:
    """The `Errors` of each quantity, over the rows for which all three have an answer.

    `typical` are random rows of the flow itself, if `rows` are not. Nothing is measured if the framework raises an
    error in float32 (some assert what rounding breaks).
    """
    found = {name: _results(flow, rows) for name, flow in (("ours", ours), ("truth", live64))}
    try:
        found["theirs"] = _results(live32, rows)
    except Exception:
        return {}
    errors = {}
    draws = {name: spread(values) for name, values in (("x", (typical or rows).x), ("z", (typical or rows).z))}
    for quantity, truth in found["truth"].items():
        values = {name: results[quantity] for name, results in found.items()}
        known = np.all([np.isfinite(part).all(axis=1) for part in values.values()], axis=0)
        if not known.any():
            continue
        units = np.ones(1)
        if quantity in ("x", "z"):
            units = spread(truth[known])
            units = np.where(units > 0, units, 1.0)
        off = [_rms_of_rows((values[name][known] - truth[known]) / units) for name in ("ours", "theirs")]
        size = max(_rms(truth[known] / units), _rms(draws.get(quantity, 0.0) / units))
        errors[quantity] = Errors(_rms(off[0]), _rms(off[1]), size, _times_of_others(*off))
    return errors


def sentence(errors: dict) -> str:
    """For tables: by how much a file is less exact than its framework."""
    parts = [f"{quantity} {error.ours / error.theirs:.2g}" for quantity, error in errors.items() if error.theirs > 0]
    return f"rms error of libflowrt, in those of the framework in float32: {', '.join(parts)}"


def _results(flow, rows: Rows) -> dict:
    with np.errstate(all="ignore"):
        z, log_det = flow.forward(rows.x, rows.context)
        x, _ = flow.inverse(rows.z, rows.context)
        found = {"z": z, "log_det": log_det, "x": x, "log_prob": flow.log_prob(rows.x, rows.context)}
    return {name: np.asarray(values, dtype=np.float64).reshape(len(rows.x), -1) for name, values in found.items()}


def _times_of_others(ours, theirs) -> float:
    """Ours / theirs without the worst hundredth of the rows, at least one; of one row, what would not overrule it."""
    others = np.argsort(np.maximum(ours, theirs))[: len(ours) - -(-len(ours) // _WORST)]
    return _rms(ours[others]) / max(_rms(theirs[others]), 1e-300) if len(others) else np.inf


def _rms_of_rows(values) -> np.ndarray:
    return np.sqrt(np.mean(np.square(values), axis=1))


def _rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
