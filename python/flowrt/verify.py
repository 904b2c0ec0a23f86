"""Does a file compute what the model computes? Worst differences on random rows, or a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import reference
from .errors import ExportError, LibraryError, Status
from .format import File, read
from .model import Model
from .rows import Rows, defined, encoded, own_rows, random_rows

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
    rows = Rows(*(part if part is None else part[::every] for part in wide_rows(exact, live.units)))
    near = NEAR // every

    def of_data(flow, x, context):
        z, log_det = flow.forward(x, context)
        return {"z": z, "log_det": log_det, "log_prob": flow.log_prob(x, context)}

    def of_noise(flow, z, context):
        x, log_det = flow.inverse(z, context)
        return {"x": x, "log_det of the inverse": log_det}

    for some, count in ((rows, near),) if own is None else ((rows, near), (own, len(own.x))):
        _same(of_data, exact, live, name, some.x, some.context, count)
        _same(of_noise, exact, live, name, some.z, some.context, count)


def _same(function, exact: File, live, name: str, values, context, near: int) -> None:
    """Raises `ExportError` unless `function(flow, values, context)` is the same of a file and of the live model.

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
        return
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


def compare(data: bytes, exact: File, live32, live64, own: Rows | None = None) -> Comparison:
    """The bytes of a file against the float64 results of the live model, on random rows or a user's `own`.

    Columns: the file before rounding, the rounded file, the model itself in float32, and libflowrt if it is there and
    executes the file.
    """
    rows = own or random_rows(exact, ROWS)
    truth = evaluate(live64, rows)
    columns = {
        "exact": evaluate(Evaluator(exact), rows),
        "file": evaluate(Evaluator(data), rows),
        "framework float32": evaluate(live32, rows),
    }
    note = _add_library(columns, data, rows)
    errors = {name: _differences(values, truth) for name, values in columns.items()}
    limits = {}
    for quantity in QUANTITIES:
        size, own = _size(truth[quantity]), errors["framework float32"][quantity]
        rounded = 2e-5 * size + 20 * own
        limits[quantity] = {"exact": 1e-9 * size + 1e-5 * own, "file": rounded, "libflowrt": rounded}
    return Comparison(_table(errors) + note, _first_problem(errors, limits))


def compare_rounded(data: bytes, exact: File, own: Rows | None = None) -> Comparison:
    """The bytes of a file, and libflowrt if it is there and executes the file, against the file before rounding.

    Allowed is what `check` allows.
    """
    rows = own or random_rows(exact, ROWS)
    truth, limit = _truth_and_limits(exact, rows)
    columns = {"file": evaluate(Evaluator(data), rows)}
    note = _add_library(columns, data, rows)
    errors = {name: _differences(values, truth) for name, values in columns.items()}
    limits = {quantity: dict.fromkeys(columns, limit[quantity]) for quantity in QUANTITIES}
    return Comparison(_table(errors) + note, _first_problem(errors, limits))


def check(data: bytes, given=None) -> Comparison:
    """The bytes of a file alone: libflowrt against the evaluator, on random rows or `given` ones (`own_rows`).

    Allowed is a thousandth of a quantity, and ten times what it changes by when the rows change by a millionth: flows
    that magnify what float32 cannot hold are not to blame.

    Raises `FormatError` for an invalid file, `LibraryError` if libflowrt is missing or refuses it.
    """
    file = read(data)
    rows = random_rows(file, ROWS) if given is None else own_rows(file, given)
    truth, limit = _truth_and_limits(file, rows)
    there_and_back, _ = reference.inverse(file, truth["z"], rows.context)
    errors = {"libflowrt": _differences(evaluate(Model(data), rows), truth)}
    limits = {quantity: {"libflowrt": limit[quantity]} for quantity in QUANTITIES}
    table = f"{_table(errors)}\nx to z to x in float64: {_difference(there_and_back, rows.x):.2e}"
    return Comparison(table, _first_problem(errors, limits))


def _add_library(columns: dict, data: bytes, rows: Rows) -> str:
    """Adds what libflowrt gives, if it is there and executes the file. Returns a line that says so if not."""
    try:
        columns["libflowrt"] = evaluate(Model(data), rows)
    except LibraryError as error:
        if error.status not in (None, Status.FEATURE):
            raise
        return f"\nlibflowrt was not compared: {error}"
    return ""


def _truth_and_limits(file: File, rows: Rows) -> tuple:
    """What a file gives in float64, and by how much each quantity may differ in float32."""
    truth = evaluate(Evaluator(file), rows)
    nearby = evaluate(Evaluator(file), rows._replace(x=rows.x * (1 + 1e-6), z=rows.z * (1 + 1e-6)))
    change = _differences(nearby, truth)
    return truth, {quantity: 1e-3 * _size(truth[quantity]) + 10 * change[quantity] for quantity in QUANTITIES}


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
