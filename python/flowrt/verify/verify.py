"""Does a file compute what the model computes? Worst differences on random rows, or a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import reference
from ..errors import ExportError, LibraryError, Status
from ..file import File, read
from ..model import Model
from .rows import Rows, answered, defined, encoded, own_rows, random_rows

ROWS = 64
NEAR = 16  # rows of the check that every export goes through, and
_FAR = (3.0, 10.0, 30.0, 100.0)  # how far from the data some more of them are,
_WIDE = (10.0, 100.0, 1e3, 1e4)  # and how large contexts are
_SMALL = 16  # coordinates; a flow of more is compared on a quarter of these rows
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


def same_formulas(exact: File, live, name: str, own: Rows | None = None) -> None:
    """Raises `ExportError` unless the unrounded file computes what the live float64 model does, in both directions.

    Compared are random rows, near the data and far from them, and a user's `own`.
    """
    every = 1 if exact.dim <= _SMALL else 4  # a sequential direction evaluates its networks for each coordinate
    cases = [(wide_rows(exact, live.units).some(slice(None, None, every)), NEAR // every)]
    if own is not None:
        cases.append((own, len(own.x)))  # the model must have an answer for each

    def of_data(flow, x, context):
        z, log_det = flow.forward(x, context)
        return {"z": z, "log_det": log_det, "log_prob": flow.log_prob(x, context)}

    def of_noise(flow, z, context):
        x, log_det = flow.inverse(z, context)
        return {"x": x, "log_det of the inverse": log_det}

    data, noise = False, False
    for rows, near in cases:
        data |= _same(of_data, exact, live, name, rows.x, rows.context, near)
        noise |= _same(of_noise, exact, live, name, rows.z, rows.context, near)
    if not (data and noise):
        raise _nothing_to_compare()


def _nothing_to_compare() -> ExportError:
    return ExportError(
        "no random rows were found that the flow has an answer for, so it cannot be compared with the model: give some "
        "of your own (rows=...)"
    )


def _same(function, exact: File, live, name: str, values, context, near: int) -> bool:
    """Raises `ExportError` unless `function(flow, values, context)` is the same of a file and of the live model.

    Returns whether there were rows to compare.

    Allowed is a millionth of the largest value of a row, and what changes if the row changes by a billionth: far from
    the data, flows magnify what float64 rounds. Rows that the file has no answer for are left out, and those behind the
    first `near` ones that the live model has none for.
    """
    change = 1 + 1e-9 * np.random.default_rng(1).normal(size=values.shape)
    with np.errstate(all="ignore"):
        found, nearby = (function(Evaluator(exact), rows, context) for rows in (values, values * change))
        data = found.get("x", values)  # what the file finds for noise, or was given
        usable = np.flatnonzero(defined(exact, data, encoded(exact, context, len(data))))
    if not len(usable):
        return False
    expected = function(live, values[usable], None if context is None else context[usable])
    for quantity, theirs in expected.items():
        ours, other = found[quantity][usable], nearby[quantity][usable]
        for row, i in enumerate(usable):
            if i >= near and not np.all(np.isfinite(theirs[row])):
                continue
            worst = _difference(ours[row], theirs[row])
            if not worst <= 1e-6 * _size(theirs[row]) + _difference(ours[row], other[row]):
                raise ExportError(
                    f"the layers of {name} were all recognised, but its {quantity} differs by {worst:.2g} from what "
                    "the model computes: a class overrides a formula, limits values or keeps state that is not in its "
                    "layers"
                )
    return True


def wide_rows(file: File, units=None) -> Rows:
    """`NEAR` random rows, and rows far from them: data and noise times up to 100, contexts times up to 10000.

    `units` are means and standard deviations of the contexts that a model was made for, if it knows: some rows have
    contexts of all sizes in these units.
    """
    near = random_rows(file, NEAR)
    few = slice(0, 4)
    x, z = ([values, *(scale * values[few] for scale in _FAR)] for values in (near.x, near.z))
    if near.context is None:
        return Rows(np.concatenate(x), np.concatenate(z), None)
    contexts = [near.context, *(near.context[few] for _ in _FAR)]
    contexts += [scale * near.context[few] for scale in _WIDE]
    if units is not None:
        mean, std = units
        contexts += [mean + scale * std * near.context[few] for scale in (1.0, *_WIDE)]
    count = len(contexts) - len(x)
    x, z = ([*values, *[values[0][few]] * count] for values in (x, z))
    return Rows(np.concatenate(x), np.concatenate(z), np.concatenate(contexts))


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
    rows = own or answered(exact, random_rows(exact, ROWS))
    if not len(rows.x):
        raise _nothing_to_compare()
    truth = evaluate(live64, rows)
    columns = {
        "exact": evaluate(Evaluator(exact), rows),
        "file": evaluate(Evaluator(data), rows),
        "framework float32": evaluate(live32, rows),
    }
    note = _add_library(columns, data, rows)
    errors = _errors(columns, truth)
    limits = {}
    for quantity in QUANTITIES:
        sizes, single = _row_sizes(truth[quantity]), errors["framework float32"][quantity]
        rounded = _allowed(sizes, 2e-5, 20, single)
        limits[quantity] = {"exact": _allowed(sizes, 1e-9, 1e-5, single), "file": rounded, "libflowrt": rounded}
    return _comparison(errors, limits, rows, note)


def compare_rounded(data: bytes, exact: File, own: Rows | None = None) -> Comparison:
    """The bytes of a file, and libflowrt if it is there and executes the file, against the file before rounding.

    Allowed is what `check` allows.
    """
    rows = own or random_rows(exact, ROWS)
    truth, limit = _truth_and_limits(exact, rows)
    columns = {"file": evaluate(Evaluator(data), rows)}
    note = _add_library(columns, data, rows)
    limits = {quantity: dict.fromkeys(columns, limit[quantity]) for quantity in QUANTITIES}
    return _comparison(_errors(columns, truth), limits, rows, note)


def check(data: bytes, x=None, context=None) -> Comparison:
    """The bytes of a file alone: libflowrt against the evaluator, on random rows or a user's data (`own_rows`).

    Allowed is a thousandth of a row's largest value, and ten times what rows change by when they are changed by a
    millionth: flows that magnify what float32 cannot hold are not to blame.

    Raises `FormatError` for an invalid file, `LibraryError` if libflowrt is missing or refuses it, and `Error` for
    data that are not the flow's.
    """
    file = read(data)
    rows = random_rows(file, ROWS) if x is None else own_rows(file, x, context)
    truth, limit = _truth_and_limits(file, rows)
    there_and_back, _ = reference.inverse(file, truth["z"], rows.context)
    errors = _errors({"libflowrt": evaluate(Model(data), rows)}, truth)
    limits = {quantity: {"libflowrt": limit[quantity]} for quantity in QUANTITIES}
    return _comparison(errors, limits, rows, f"x to z to x in float64: {_difference(there_and_back, rows.x):.2e}")


def _add_library(columns: dict, data: bytes, rows: Rows) -> str:
    """Adds what libflowrt gives, if it is there and executes the file. Returns a line that says so if not."""
    try:
        columns["libflowrt"] = evaluate(Model(data), rows)
    except LibraryError as error:
        if error.status not in (None, Status.FEATURE):
            raise
        return f"libflowrt was not compared: {error}"
    return ""


def _truth_and_limits(file: File, rows: Rows) -> tuple:
    """What a file gives in float64, and by how much each quantity may differ in float32, row by row."""
    truth = evaluate(Evaluator(file), rows)
    nearby = evaluate(Evaluator(file), rows._replace(x=rows.x * (1 + 1e-6), z=rows.z * (1 + 1e-6)))
    changes = _errors({"nearby": nearby}, truth)["nearby"]
    return truth, {
        quantity: _allowed(_row_sizes(truth[quantity]), 1e-3, 10, changes[quantity]) for quantity in QUANTITIES
    }


def _allowed(sizes, share: float, factor: float, changes) -> np.ndarray:
    """(n,) a share of the size of each row, and `factor` times the largest change of a row, both relative to its size.

    Anything where a row's own change is infinite.
    """
    finite = np.isfinite(changes)
    return np.where(finite, sizes * (share + factor * np.max(changes / sizes, where=finite, initial=0.0)), np.inf)


def _errors(columns: dict, truth: dict) -> dict:
    """errors[column][quantity] (n,): the largest difference of each row from the truth."""
    return {
        name: {quantity: _row_differences(values[quantity], truth[quantity]) for quantity in QUANTITIES}
        for name, values in columns.items()
    }


def _comparison(errors: dict, limits: dict, rows: Rows, note: str) -> Comparison:
    lines = [f"{'worst difference':<18}" + "".join(f"{name:>20}" for name in errors)]
    for quantity in QUANTITIES:
        lines.append(f"{quantity:<18}" + "".join(f"{np.max(column[quantity]):>20.2e}" for column in errors.values()))
    lines += [line for line in (note, rows.note) if line]
    return Comparison("\n".join(lines), _first_problem(errors, limits, rows))


def _first_problem(errors: dict, limits: dict, rows: Rows) -> str | None:
    for quantity, columns in limits.items():
        for name, limit in columns.items():
            if name not in errors:
                continue  # libflowrt, where there is none
            error = errors[name][quantity]
            beyond = np.flatnonzero(~(error <= limit))
            if len(beyond):
                worst = beyond[np.argmax(error[beyond] / limit[beyond])]
                number = worst if rows.numbers is None else rows.numbers[worst]
                return (
                    f"{quantity} of {name} is off by {error[worst]:.2g} in row {number}; "
                    f"at most {limit[worst]:.2g} is expected"
                )
    return None


def _row_sizes(values) -> np.ndarray:
    """(n,) the largest finite magnitude of each row, at least 1."""
    values = np.reshape(values, (len(values), -1))
    return np.max(np.abs(values), axis=1, where=np.isfinite(values), initial=1.0)


def _size(values) -> float:
    """The same of all values."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=1.0))


def _row_differences(ours, theirs) -> np.ndarray:
    """(n,) the largest |ours - theirs| of each row; where both are equally infinite or both NaN they agree."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(ours - theirs))
    difference = np.where(np.isnan(difference), np.inf, difference)
    return np.max(difference.reshape(len(difference), -1), axis=1)


def _difference(ours, theirs) -> float:
    """The largest of all."""
    return float(np.max(_row_differences(np.atleast_1d(ours), np.atleast_1d(theirs)), initial=0.0))
