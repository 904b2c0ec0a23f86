"""Does a file compute what the model computes? Worst differences on random rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import reference
from .errors import ExportError, LibraryError, Status
from .format import File, read
from .model import Model

ROWS = 64
QUANTITIES = ("z", "log_det", "x", "log_prob")


class Rows(NamedTuple):
    """Random rows: data, noise, and a context for each."""

    x: np.ndarray
    z: np.ndarray
    context: np.ndarray | None


def random_rows(file: File, count: int = ROWS, seed: int = 0) -> Rows:
    """Data drawn from the flow itself, noise, context; all float32-representable float64."""
    generator = np.random.default_rng(seed)
    context = _float32(generator.normal(size=(count, file.context_dim))) if file.context_dim else None
    noise = generator.normal(size=(count, file.dim))
    x, _ = reference.inverse(file, noise, context)
    x = np.where(np.isfinite(x) & (np.abs(x) < 1e6), x, noise)
    return Rows(_float32(x), _float32(generator.normal(size=(count, file.dim))), context)


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
    """Raises `ExportError` unless the unrounded file computes the z and log_det of the live float64 model."""
    rows = random_rows(exact, count=16)
    for quantity, ours, theirs in zip(
        QUANTITIES, reference.forward(exact, rows.x, rows.context), live.forward(rows.x, rows.context)
    ):
        worst = _difference(ours, theirs)
        if not worst <= 1e-6 * _size(theirs):
            raise ExportError(
                f"the layers of {name} were all recognised, but its {quantity} differs by {worst:.2g} from what they "
                "compute: a class overrides a formula or keeps state that is not in its layers"
            )


def compare(data: bytes, exact: File, live32, live64) -> str:
    """Compares the bytes of a file with the live model; returns a table of worst differences from its float64 results.

    Columns: the file before rounding, the rounded file, libflowrt, and the model itself in float32. Raises
    `ExportError` with the table if a column is beyond what float32 explains.
    """
    rows = random_rows(exact)
    truth = evaluate(live64, rows)
    columns = {
        "exact": evaluate(Evaluator(exact), rows),
        "file": evaluate(Evaluator(data), rows),
        "libflowrt": None,
        "framework float32": evaluate(live32, rows),
    }
    notes = []
    try:
        columns["libflowrt"] = evaluate(Model(data), rows)
    except LibraryError as error:
        missing = error.status in (None, Status.FEATURE)
        notes.append(f"libflowrt was not compared: {error}" if missing else f"libflowrt failed: {error}")
        if not missing:
            raise ExportError(notes[-1]) from None
    errors = {
        name: None if values is None else {q: _difference(values[q], truth[q]) for q in QUANTITIES}
        for name, values in columns.items()
    }
    table = "\n".join([_table(errors), *notes])
    for quantity in QUANTITIES:
        size = _size(truth[quantity])
        own = errors["framework float32"][quantity]
        limits = {
            "exact": 1e-9 * size + 1e-5 * own,
            "file": 2e-5 * size + 20 * own,
            "libflowrt": 2e-5 * size + 20 * own,
        }
        for name, limit in limits.items():
            if errors[name] is not None and not errors[name][quantity] <= limit:
                raise ExportError(f"{quantity} of {name} is off by {errors[name][quantity]:.2g}\n{table}")
    return table


def check(data: bytes) -> str:
    """Checks the bytes of a file alone: it must be valid, and libflowrt must agree with the evaluator.

    Returns a table of worst differences. Raises `FormatError` for an invalid file, `LibraryError` if libflowrt is
    missing or refuses it, `ExportError` with the table if a difference is beyond what float32 explains.
    """
    file = read(data)
    rows = random_rows(file)
    truth = evaluate(Evaluator(file), rows)
    there_and_back, _ = reference.inverse(file, truth["z"], rows.context)
    values = evaluate(Model(data), rows)
    errors = {"libflowrt": {quantity: _difference(values[quantity], truth[quantity]) for quantity in QUANTITIES}}
    table = f"{_table(errors)}\nx to z to x in float64: {_difference(there_and_back, rows.x):.2e}"
    for quantity, error in errors["libflowrt"].items():
        size = _size(truth[quantity])
        if not error <= 1e-3 * size:
            raise ExportError(f"{quantity} of libflowrt is off by {error:.2g}\n{table}")
    return table


def _table(errors: dict) -> str:
    shown = {name: column for name, column in errors.items() if column is not None}
    lines = [f"{'worst difference':<18}" + "".join(f"{name:>20}" for name in shown)]
    for quantity in QUANTITIES:
        lines.append(f"{quantity:<18}" + "".join(f"{column[quantity]:>20.2e}" for column in shown.values()))
    return "\n".join(lines)


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


def _float32(values) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)
