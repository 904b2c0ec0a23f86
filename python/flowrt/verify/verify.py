"""Does a file compute what the model computes? Worst differences on random rows, or a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import reference
from ..errors import ExportError, LibraryError, Status
from ..file import File, read
from ..model import Model
from . import precision
from .formulas import nothing_to_compare, same_formulas
from .rows import Rows, Units, answered, own_rows, random_rows, spread
from .sensitivity import Evaluator, changes, row_differences, row_sizes
from .verdict import verdict

__all__ = ["Evaluator", "as_expected", "check", "compare", "compare_rounded", "evaluate", "same_formulas"]

ROWS = 64
_ROOM = 20.0  # a result is rounded many times
_LARGE = 1e18  # whose square is at the end of float32
QUANTITIES = ("z", "log_det", "x", "log_prob")


def evaluate(flow, rows: Rows) -> dict:
    """z and log_det of `rows.x`, x of `rows.z`, log_prob of `rows.x`. `flow` has the methods of `Model`."""
    z, log_det = flow.forward(rows.x, rows.context)
    x, _ = flow.inverse(rows.z, rows.context)
    return {"z": z, "log_det": log_det, "x": x, "log_prob": flow.log_prob(rows.x, rows.context)}


def as_expected(exact: File, expected: dict) -> None:
    """Raises `ExportError` unless the unrounded file gives the z, log_det and log_prob that are `expected` of x.

    The tolerance is that of results in float32.
    """
    x, context = np.atleast_2d(expected["x"]), expected["context"]
    z, log_det = reference.forward(exact, x, context)
    ours = {"z": z, "log_det": log_det, "log_prob": reference.log_prob(exact, x, context)}
    for quantity, values in ours.items():
        if expected[quantity] is None:
            continue
        theirs = np.asarray(expected[quantity])
        if theirs.size != values.size:
            raise ExportError(f"the expected {quantity} has the shape {theirs.shape}, not {values.shape}")
        worst = _difference(values, theirs.reshape(values.shape))
        if not worst <= 1e-4 * _size(theirs):
            raise ExportError(
                f"the description was read, but its {quantity} differs by {worst:.2g} from the expected values"
            )


class Comparison(NamedTuple):
    """A table of worst differences and what it means; the first one beyond what float32 explains, or None."""

    table: str
    problem: str | None

    def report(self) -> None:
        """Prints the table; raises `ExportError` if there is a problem."""
        print(self.table)
        if self.problem is not None:
            raise ExportError(self.problem)


def compare(
    data: bytes, exact: File, live32, live64, own: Rows | None = None, formulas_agree: bool = False
) -> Comparison:
    """The bytes of a file against the float64 results of the live model, on random rows or a user's `own`.

    Columns: the file before rounding, the rounded file, the model itself in float32, and libflowrt if it is there and
    executes the file. If `same_formulas` has found that the `formulas_agree`, the file before rounding is not judged
    again, and the others are judged by it: at single points, a model may be off that has the same formulas.
    """
    rows = own or answered(exact, random_rows(exact, ROWS, units=live64.units))
    if not len(rows.x):
        raise nothing_to_compare()
    columns = {
        "exact": evaluate(Evaluator(exact), rows),
        "file": evaluate(Evaluator(data), rows),
        "framework float32": evaluate(live32, rows),
    }
    note = _add_library(columns, data, rows)
    if not note:
        errors = precision.measure(Model(data), live32, live64, rows)
        note = precision.sentence(errors) if errors else note
    judge = columns["exact"] if formulas_agree else None
    return _comparison(columns, evaluate(live64, rows), exact, rows, note, "the model", judge)


def compare_rounded(data: bytes, exact: File, own: Rows | None = None) -> Comparison:
    """The bytes of a file, and libflowrt if it is there and executes the file, against the file before rounding."""
    rows = own or random_rows(exact, ROWS)
    columns = {"file": evaluate(Evaluator(data), rows)}
    note = _add_library(columns, data, rows)
    return _comparison(columns, evaluate(Evaluator(exact), rows), exact, rows, note, "the description")


def check(data: bytes, x=None, context=None) -> Comparison:
    """The bytes of a file alone: libflowrt against the evaluator, on random rows or a user's data (`own_rows`).

    Raises `FormatError` for an invalid file, `LibraryError` if libflowrt is missing or refuses it, and `Error` for
    data that are not the flow's.
    """
    file = read(data)
    rows = random_rows(file, ROWS) if x is None else own_rows(file, x, context)
    truth = evaluate(Evaluator(file), rows)
    there_and_back, _ = reference.inverse(file, truth["z"], rows.context)
    note = f"x to z to x in float64: {_difference(there_and_back, rows.x):.2e}"
    return _comparison({"libflowrt": evaluate(Model(data), rows)}, truth, file, rows, note, "the file in float64")


def _add_library(columns: dict, data: bytes, rows: Rows) -> str:
    """Adds what libflowrt gives, if it is there and executes the file. Returns a line that says so if not."""
    try:
        columns["libflowrt"] = evaluate(Model(data), rows)
    except LibraryError as error:
        if error.status not in (None, Status.FEATURE):
            raise
        return f"libflowrt was not compared: {error}"
    return ""


# ---- limits ----


def _comparison(
    columns: dict, truth: dict, file: File, rows: Rows, note: str, against: str, judge=None
) -> Comparison:
    """`truth` is what `against` gives; `judge` are the results that the columns are judged by, if not these."""
    errors = _errors(columns, truth)
    lines = [f"{'worst difference':<18}" + "".join(f"{name:>20}" for name in errors)]
    for quantity in QUANTITIES:
        lines.append(f"{quantity:<18}" + "".join(f"{np.max(column[quantity]):>20.2e}" for column in errors.values()))
    lines += [line for line in (note, rows.note) if line]
    judge = truth if judge is None else judge
    judged = {name: values for name, values in columns.items() if name != "framework float32"}
    problem = _first_problem(_errors(judged, judge), judge, file, rows)
    name = next(reversed(judged))  # libflowrt, or the file where that is not there
    lines.append(verdict(name, against, errors[name], truth, rows, errors.get("framework float32"), problem))
    return Comparison("\n".join(lines), problem)


def _errors(columns: dict, truth: dict) -> dict:
    """errors[column][quantity] (n,): the largest difference of each row from the truth."""
    return {
        name: {quantity: row_differences(values[quantity], truth[quantity]) for quantity in QUANTITIES}
        for name, values in columns.items()
    }


class _Rounding(NamedTuple):
    """What is allowed: a share of a row's size, and `_ROOM` times what moving all that is `held` by `moved` changes."""

    of_size: float
    moved: float
    held: type

    @classmethod
    def of(cls, column: str) -> _Rounding:
        return cls(1e-6, 1e-9, np.float64) if column == "exact" else cls(2e-5, 2.0**-23, np.float32)


def _first_problem(errors: dict, truth: dict, file: File, rows: Rows) -> str | None:
    """The worst row of the first column and quantity that is off by more than what the flow makes of rounding.

    That is the same for every way to a file: a flow that loses digits in float32 is not to blame, nor is its file. It
    is only asked for rows that are off by more than the share of their size.
    """
    for name, column in errors.items():
        rounding = _Rounding.of(name)
        beyond = {
            quantity: ~(error <= rounding.of_size * row_sizes(truth[quantity])) for quantity, error in column.items()
        }
        asked = np.flatnonzero(np.any([*beyond.values()], axis=0))
        if not len(asked):
            continue
        limits = _limits(rounding, {quantity: values[asked] for quantity, values in truth.items()}, file, rows, asked)
        for quantity in QUANTITIES:
            error, limit = column[quantity][asked], limits[quantity]
            off = np.flatnonzero(~(error <= limit))
            if len(off):
                worst = off[np.argmax(error[off] / limit[off])]
                number = asked[worst] if rows.numbers is None else rows.numbers[asked[worst]]
                return (
                    f"{quantity} of {name} is off by {error[worst]:.2g} in row {number}; "
                    f"at most {limit[worst]:.2g} is expected"
                )
    return None


def _limits(rounding: _Rounding, truth: dict, file: File, rows: Rows, asked: np.ndarray) -> dict:
    """(n,) by quantity. Anything is allowed where a moved row has no result, and near the end of float32."""
    context = None if rows.context is None else spread(rows.context)
    units = [Units(spread(values), context) for values in (rows.x, rows.z)]
    some = rows.some(asked)

    def of_data(flow, x, context):
        z, log_det = flow.forward(x, context)
        return {"z": z, "log_det": log_det, "log_prob": flow.log_prob(x, context)}

    def of_noise(flow, z, context):
        return {"x": flow.inverse(z, context)[0]}

    moved = rounding.moved, rounding.held
    with np.errstate(all="ignore"):
        changed = {
            **changes(of_data, file, some.x, some.context, units[0], *moved),
            **changes(of_noise, file, some.z, some.context, units[1], *moved),
        }
    large = np.max([row_sizes(values) for values in truth.values()], axis=0) > _LARGE
    limits = {}
    for quantity in QUANTITIES:
        change = np.where(np.isfinite(changed[quantity]) & ~large, changed[quantity], np.inf)
        limits[quantity] = rounding.of_size * row_sizes(truth[quantity]) + _ROOM * change
    return limits


def _size(values) -> float:
    """The same of all values."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=1.0))


def _difference(ours, theirs) -> float:
    """The largest of all."""
    return float(np.max(row_differences(np.atleast_1d(ours), np.atleast_1d(theirs)), initial=0.0))
