"""Does a file compute what the model computes? Worst differences on random rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import reference
from .errors import ExportError, LibraryError, Status
from .format import File, read
from .model import Model
from .rows import Rows, random_rows

ROWS = 64
QUANTITIES = ("z", "log_det", "x", "log_prob")


def evaluate(flow, rows: Rows) -> dict:
    """z and log_det of `rows.x`, x of `rows.z`, log_prob of `rows.x`. `flow` has the methods of `Model`."""
    z, log_det = flow.forward(rows.x, rows.context)
    x, _ = flow.inverse(rows.z, rows.context)
    return {"z": z, "log_det": log_det, "x": x, "log_prob": flow.log_prob(rows.x, rows.context)}


class Evaluator:
    """The float64 evaluator of one file, with the methods of `Model`."""

    def __init__(self, file):
        self.file = file

    def forward(self, x, context=None):
        return reference.forward(self.file, x, context)

    def inverse(self, z, context=None):
        return reference.inverse(self.file, z, context)

    def log_prob(self, x, context=None):
        return reference.log_prob(self.file, x, context)


def same_formulas(exact: File, live, name: str) -> None:
    """Raises `ExportError` unless the unrounded file computes z, log_det and log_prob of the live float64 model."""
    rows = random_rows(exact, count=16)
    found, expected = (
        [*flow.forward(rows.x, rows.context), flow.log_prob(rows.x, rows.context)] for flow in (Evaluator(exact), live)
    )
    for quantity, ours, theirs in zip(("z", "log_det", "log_prob"), found, expected):
        worst = _difference(ours, theirs)
        if not worst <= 1e-6 * _size(theirs):
            raise ExportError(
                f"the layers of {name} were all recognised, but its {quantity} differs by {worst:.2g} from what they "
                "compute: a class overrides a formula or keeps state that is not in its layers"
            )


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
                f"the description was read, but its {quantity} differs by {worst:.2g} from what is expected"
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


def compare(data: bytes, exact: File, live32, live64) -> Comparison:
    """The bytes of a file against the float64 results of the live model.

    Columns: the file before rounding, the rounded file, the model itself in float32, and libflowrt if it is there and
    executes the file.
    """
    rows = random_rows(exact, ROWS)
    truth = evaluate(live64, rows)
    columns = {
        "exact": evaluate(Evaluator(exact), rows),
        "file": evaluate(Evaluator(data), rows),
        "framework float32": evaluate(live32, rows),
    }
    note = ""
    try:
        columns["libflowrt"] = evaluate(Model(data), rows)
    except LibraryError as error:
        if error.status not in (None, Status.FEATURE):
            raise
        note = f"\nlibflowrt was not compared: {error}"
    errors = {name: _differences(values, truth) for name, values in columns.items()}
    limits = {}
    for quantity in QUANTITIES:
        size, own = _size(truth[quantity]), errors["framework float32"][quantity]
        rounded = 2e-5 * size + 20 * own
        limits[quantity] = {"exact": 1e-9 * size + 1e-5 * own, "file": rounded, "libflowrt": rounded}
    return Comparison(_table(errors) + note, _first_problem(errors, limits))


def check(data: bytes) -> Comparison:
    """The bytes of a file alone: libflowrt against the evaluator.

    Allowed is a thousandth of a quantity, and ten times what it changes by when the rows change by a millionth: flows that
    magnify what float32 cannot hold are not to blame.

    Raises `FormatError` for an invalid file, `LibraryError` if libflowrt is missing or refuses it.
    """
    file = read(data)
    rows = random_rows(file, ROWS)
    truth = evaluate(Evaluator(file), rows)
    nearby = evaluate(Evaluator(file), rows._replace(x=rows.x * (1 + 1e-6), z=rows.z * (1 + 1e-6)))
    change = _differences(nearby, truth)
    there_and_back, _ = reference.inverse(file, truth["z"], rows.context)
    errors = {"libflowrt": _differences(evaluate(Model(data), rows), truth)}
    limits = {quantity: {"libflowrt": 1e-3 * _size(truth[quantity]) + 10 * change[quantity]} for quantity in QUANTITIES}
    table = f"{_table(errors)}\nx to z to x in float64: {_difference(there_and_back, rows.x):.2e}"
    return Comparison(table, _first_problem(errors, limits))


def _first_problem(errors: dict, limits: dict) -> str | None:
    for quantity, columns in limits.items():
        for name, limit in columns.items():
            if name in errors and not errors[name][quantity] <= limit:
                return f"{quantity} of {name} is off by {errors[name][quantity]:.2g}; at most {limit:.2g} is expected"
    return None


def _table(errors: dict) -> str:
    lines = [f"{'worst difference':<18}" + "".join(f"{name:>20}" for name in errors)]
    for quantity in QUANTITIES:
        lines.append(f"{quantity:<18}" + "".join(f"{column[quantity]:>20.2e}" for column in errors.values()))
    return "\n".join(lines)


def _differences(values: dict, truth: dict) -> dict:
    return {quantity: _difference(values[quantity], truth[quantity]) for quantity in QUANTITIES}


def _size(values) -> float:
    """The largest finite magnitude, at least 1."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=1.0))


def _difference(ours, theirs) -> float:
    """Largest |ours - theirs|; rows where both are equally infinite or both NaN agree."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(ours - theirs))
    return float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))
