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

__all__ = ["Evaluator", "as_expected", "check", "compare", "compare_rounded", "evaluate", "same_formulas"]

ROWS = 64
_FLOAT64 = 1e-9
_FLOAT32 = 2.0**-23  # two units in the last place of the largest numbers
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
    """A table of worst differences, and a line that names the first one beyond what float32 explains, or None."""

    table: str
    problem: str | None

    def report(self) -> None:
        """Prints the table; raises `ExportError` if there is a problem."""
        print(self.table)
        if self.problem is not None:
            raise ExportError(self.problem)


def compare(data: bytes, exact: File, live32, live64, own: Rows | None = None) -> Comparison:
    """The bytes of a file against the float64 results of the live model, on random rows or a user's `own`.

    Columns: the file before rounding, the rounded file, the model itself in float32, and libflowrt if it is there and
    executes the file.
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
    return _comparison(columns, evaluate(live64, rows), exact, rows, note)


def compare_rounded(data: bytes, exact: File, own: Rows | None = None) -> Comparison:
    """The bytes of a file, and libflowrt if it is there and executes the file, against the file before rounding."""
    rows = own or random_rows(exact, ROWS)
    columns = {"file": evaluate(Evaluator(data), rows)}
    note = _add_library(columns, data, rows)
    return _comparison(columns, evaluate(Evaluator(exact), rows), exact, rows, note)


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
    return _comparison({"libflowrt": evaluate(Model(data), rows)}, truth, file, rows, note)


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


def _comparison(columns: dict, truth: dict, file: File, rows: Rows, note: str) -> Comparison:
    errors = {
        name: {quantity: row_differences(values[quantity], truth[quantity]) for quantity in QUANTITIES}
        for name, values in columns.items()
    }
    lines = [f"{'worst difference':<18}" + "".join(f"{name:>20}" for name in errors)]
    for quantity in QUANTITIES:
        lines.append(f"{quantity:<18}" + "".join(f"{np.max(column[quantity]):>20.2e}" for column in errors.values()))
    lines += [line for line in (note, rows.note) if line]
    judged = {name: column for name, column in errors.items() if name != "framework float32"}
    return Comparison("\n".join(lines), _first_problem(judged, _limits(judged, truth, file, rows), rows))


def _limits(columns, truth: dict, file: File, rows: Rows) -> dict:
    """limits[column][quantity] (n,): how far each row may be off, by how much the flow magnifies what is rounded.

    The same for every way to a file: a flow that loses digits in float32 is not to blame, nor is its file. Anything is
    allowed where a moved row has no result, and near the end of float32.
    """
    kinds = {"exact": (_FLOAT64, 1e-6, np.float64)}
    kind = {name: kinds.get(name, (_FLOAT32, 2e-5, np.float32)) for name in columns}
    found = {limit: _limit(*limit, truth, file, rows) for limit in set(kind.values())}
    return {name: found[kind[name]] for name in columns}


def _limit(share: float, of_size: float, held, truth: dict, file: File, rows: Rows) -> dict:
    seen = None if rows.context is None else spread(rows.context)

    def of_data(flow, x, context):
        z, log_det = flow.forward(x, context)
        return {"z": z, "log_det": log_det, "log_prob": flow.log_prob(x, context)}

    def of_noise(flow, z, context):
        return {"x": flow.inverse(z, context)[0]}

    with np.errstate(all="ignore"):
        moved = {
            **changes(of_data, file, rows.x, rows.context, Units(spread(rows.x), seen), share, held),
            **changes(of_noise, file, rows.z, rows.context, Units(spread(rows.z), seen), share, held),
        }
    large = np.max([row_sizes(values) for values in truth.values()], axis=0) > _LARGE
    limits = {}
    for quantity in QUANTITIES:
        change = np.where(np.isfinite(moved[quantity]) & ~large, moved[quantity], np.inf)
        limits[quantity] = of_size * row_sizes(truth[quantity]) + _ROOM * change
    return limits


def _first_problem(errors: dict, limits: dict, rows: Rows) -> str | None:
    for quantity in QUANTITIES:
        for name, column in errors.items():
            error, limit = column[quantity], limits[name][quantity]
            beyond = np.flatnonzero(~(error <= limit))
            if len(beyond):
                worst = beyond[np.argmax(error[beyond] / limit[beyond])]
                number = worst if rows.numbers is None else rows.numbers[worst]
                return (
                    f"{quantity} of {name} is off by {error[worst]:.2g} in row {number}; "
                    f"at most {limit[worst]:.2g} is expected"
                )
    return None


def _size(values) -> float:
    """The same of all values."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=1.0))


def _difference(ours, theirs) -> float:
    """The largest of all."""
    return float(np.max(row_differences(np.atleast_1d(ours), np.atleast_1d(theirs)), initial=0.0))
