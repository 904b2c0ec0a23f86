"""Which rows have no finite answer, and why: a broken sensor is not a far point."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import numpy.typing as npt

from .arguments import Batch, Floats


def explanation(verb: str, rows: Batch, outputs: Sequence[Floats | None]) -> str:
    """How many rows have a NaN or an infinity in `outputs`, the first of them, and the reason.

    Minus infinity as log p may be an answer, outside of a bounded support. So it counts where nothing else is wrong.
    """
    found = [output.reshape(rows.count, -1) for output in outputs if output is not None]
    infinite = np.any([_spoilt(values) for values in found], axis=0)
    answers = np.isneginf(found[0][:, 0]) if verb.startswith("log_prob") else np.zeros(rows.count, bool)
    if np.any(infinite & ~answers):
        infinite &= ~answers
    first = int(np.argmax(infinite))
    place: Any = first if len(rows.shape) == 1 else tuple(int(i) for i in np.unravel_index(first, rows.shape))
    label = rows.labels.row(first) if len(rows.shape) == 1 else ""
    wrong = f"{np.count_nonzero(infinite)} of {rows.count} rows, the first is {place}{label}"
    return f"{wrong}: {_reason(verb, rows, first)}"


def _reason(verb: str, rows: Batch, row: int) -> str:
    name = {"inverse": "z", "sample": "the draw"}.get(verb, "x")
    if rows.rows is not None and _spoilt(rows.rows[row : row + 1])[0]:
        column = int(np.argmin(np.isfinite(rows.rows[row])))
        return f"{name} is {rows.rows[row, column]} in {rows.labels.column(column)}"
    if rows.contexts is not None and _spoilt(rows.contexts[row // rows.each][None])[0]:
        number = row // rows.each
        column = int(np.argmin(np.isfinite(rows.contexts[number])))
        label = rows.context_labels.row(number) if len(rows.contexts) > 1 else ""
        found = rows.contexts[number, column]
        return f"its context{label} is {found} in {rows.context_labels.column(column)}"
    return f"its numbers are finite, but {name} is too far from the data for float32"


def _spoilt(values: Floats) -> npt.NDArray[np.bool_]:
    """Of each row, whether it has a NaN or an infinity."""
    return ~np.isfinite(values).all(axis=1)
