"""What a user gives as rows, contexts and numbers: arrays and tables become float32, or an error names the argument."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Optional, Sequence, SupportsIndex

import numpy as np
import numpy.typing as npt

from .errors import LibraryError, Status

Floats = npt.NDArray[np.float32]

_KINDS = {  # of a NumPy dtype, that are no real numbers
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
    "S": "bytes",
    "U": "strings",
    "V": "records",
}


@dataclass(frozen=True)
class Batch:
    """Rows beside their contexts, both flat: with `count` rows and g contexts, each context serves count / g of them.

    `shape` is that of the results, a row each. `rows` is None for draws, `contexts` None for a flow without context.
    """

    shape: tuple[int, ...]
    count: int
    rows: Optional[Floats]
    contexts: Optional[Floats]

    @property
    def each(self) -> int:
        """How many rows, one after the other, share a context."""
        return self.count if self.contexts is None else self.count // max(len(self.contexts), 1)


def batch(rows: Optional[Floats], contexts: Optional[Floats], *, count: Optional[int] = None, name: str = "x") -> Batch:
    """Rows (..., D), or `count` draws, beside contexts (..., C): the shapes before the last axis broadcast as in NumPy.

    >>> batch(np.zeros((1, 3), np.float32), np.zeros((5, 2), np.float32)).shape
    (5,)
    >>> several = batch(None, np.zeros((4, 1, 2), np.float32), count=10)  # ten draws for each of four contexts
    >>> several.shape, several.contexts.shape, several.each
    ((4, 10), (4, 2), 10)
    """
    own: tuple[int, ...] = rows.shape[:-1] if rows is not None else (count or 0,)
    given = () if contexts is None else contexts.shape[:-1]
    if len(own) == 1 and given in ((), (1,), own):  # broadcasting would give the same, and take longer
        return Batch(own, own[0], rows, contexts)
    try:
        shape = np.broadcast_shapes(own, given)
    except ValueError:
        raise LibraryError(_mismatch(own, given, name), Status.CONTEXT_ROWS) from None
    if contexts is not None:
        lengths = (1,) * (len(shape) - len(given)) + given
        outer = max((axis + 1 for axis, length in enumerate(lengths) if length > 1), default=0)
        contexts = _flat(contexts.reshape(*lengths[:outer], -1), shape[:outer])  # the same along the axes after these
    flat = None if rows is None else _flat(rows, shape)
    return Batch(shape, math.prod(shape), flat, contexts)


def _flat(values: Floats, shape: tuple[int, ...]) -> Floats:
    width = values.shape[-1]
    return np.ascontiguousarray(np.broadcast_to(values, (*shape, width)).reshape(math.prod(shape), width))


def _mismatch(own: tuple[int, ...], given: tuple[int, ...], name: str) -> str:
    if len(own) == len(given) == 1:
        text = f"context has {given[0]} rows, not 1 or {own[0]}"
        each = "context[:, None]" if name == "n" else f"context[:, None] and {name}[None]"
        return f"{text}; for {own[0]} rows with each of {given[0]} contexts give {each}"
    return f"context of the shape (*{given}, C) does not broadcast against rows of {own}"


def rows_of(
    values: npt.ArrayLike,
    name: str,
    width: int,
    names: Optional[Sequence[str]] = None,
    shape: Optional[tuple[int, ...]] = None,
) -> Floats:
    """`values` as float32, C-contiguous, of the shape (..., width) with at least two axes.

    Rows that are images may be (..., *shape), if that is known: they are flattened.

    The columns of a table (pandas, Polars, Arrow) are taken by `names` if they are known, else in their order; so are
    the labels of one row (a Series of pandas).

    Raises `LibraryError` that names the argument for another width, and for what is no real number: masked values,
    nulls, dates, complex numbers, strings.
    """
    values = _of_labelled_row(values)
    columns = None if isinstance(values, np.ndarray) else _columns(values)
    if columns is not None:
        values = _of_table(values, columns, name, width, names)
    array = _numbers(values, name)
    if shape is not None and array.shape[-1:] != (width,) and array.shape[-len(shape) :] == shape:
        array = array.reshape(*array.shape[: -len(shape)], width)
    if array.ndim < 2:
        array = array.reshape(1, -1)
    if array.shape[-1] != width:
        raise LibraryError(f"{name} must be (n, {width}), not {np.shape(array)}", Status.ARGUMENT)
    return array


def _numbers(values: npt.ArrayLike, name: str) -> Floats:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        count = int(np.count_nonzero(np.ma.getmaskarray(values)))
        raise _refused(name, f"{count} masked values", "drop their rows, or fill them")
    if getattr(values, "requires_grad", False):
        raise _refused(name, "gradients to be traced", "give it detached, or use model.torch()")
    try:
        array = np.asarray(values)
    except Exception as error:
        raise LibraryError(f"{name} is no array of numbers: {error}", Status.ARGUMENT) from None
    if array.dtype.kind == "O":
        array = _of_objects(array, name)
    if array.dtype.kind in _KINDS:
        raise _refused(name, _KINDS[array.dtype.kind], "give real numbers")
    if array.dtype == np.float32:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, which the library reports
        return np.ascontiguousarray(array, dtype=np.float32)


def _of_objects(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    """Numbers in an array of objects: fractions, decimals, columns of a table. NumPy alone would read strings, too."""
    for value in array.flat:
        real = value.dtype.kind in "biuf" if isinstance(value, np.generic) else hasattr(value, "__float__")
        if not real:
            raise _refused(name, f"{value!r} of {type(value).__name__}", "give real numbers")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise LibraryError(f"{name} is no array of numbers: {error}", Status.ARGUMENT) from None


def _refused(name: str, what: str, way: str) -> LibraryError:
    return LibraryError(f"{name} has {what}: {way}", Status.ARGUMENT)


# ---- tables ----


def _columns(values: Any) -> Optional[list[str]]:
    """The names of a table's columns; None for what is no table."""
    for attribute in ("column_names", "columns"):  # of Arrow; of pandas and Polars
        names = getattr(values, attribute, None)
        if names is not None and not callable(names) and hasattr(values, "__getitem__"):
            return [str(column) for column in names]
    return None


def _of_labelled_row(values: Any) -> Any:
    """A row of a table, which pandas gives as a Series with the columns' names as its index: a table of one row."""
    labels = getattr(values, "index", None)
    if not hasattr(values, "to_frame") or labels is None or callable(labels) or len(labels) == 0:
        return values
    return values.to_frame().T if all(isinstance(label, str) for label in labels) else values


def in_order(values: Any, names: Optional[Sequence[str]]) -> Any:
    """A table with these columns, if it has them all; anything else as it is."""
    columns = _columns(values)
    if columns is None or names is None or not set(names) <= set(columns):
        return values
    return values.select(list(names)) if hasattr(values, "select") else values[list(names)]


def _of_table(
    table: Any, columns: list[str], name: str, width: int, names: Optional[Sequence[str]]
) -> npt.NDArray[Any]:
    if names is None:
        if len(columns) != width:
            text = f"{name} must have {width} columns, not the {len(columns)} of this table ({_listed(columns)})"
            raise LibraryError(f"{text}; the file does not say which", Status.ARGUMENT)
        places = list(range(width))
    else:
        missing = [wanted for wanted in names if wanted not in columns]
        if missing:
            text = f"{name} has no column {_listed(missing)}: the model takes {_listed(names)}"
            raise LibraryError(f"{text}, the table has {_listed(columns)}", Status.ARGUMENT)
        twice = [wanted for wanted in names if columns.count(wanted) > 1]
        if twice:
            raise LibraryError(f"{name} has more than one column {_listed(twice)}", Status.ARGUMENT)
        places = [columns.index(wanted) for wanted in names]
    return np.stack([_column(table, place, f"column {columns[place]!r} of {name}") for place in places], axis=-1)


def _column(table: Any, place: int, name: str) -> Floats:
    if hasattr(table, "iloc"):  # pandas
        values = table.iloc[:, place]
    elif hasattr(table, "get_columns"):  # Polars
        values = table.get_columns()[place]
    else:
        values = table.column(place)
    nulls = getattr(values, "null_count", 0)
    nulls = nulls() if callable(nulls) else nulls
    if hasattr(values, "isna") and not isinstance(values.dtype, np.dtype):  # of pandas, with a mask
        nulls = int(values.isna().sum())
    if nulls:
        raise _refused(name, f"{nulls} nulls", "drop their rows, or fill them")
    return _numbers(values, name)


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(map(repr, names[:8]))
    return few + (f" and {len(names) - 8} more" if len(names) > 8 else "")


# ---- numbers ----


def whole(value: SupportsIndex, name: str) -> int:
    """`value` as a C uint64_t: ctypes alone would reduce it modulo 2^64."""
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise LibraryError(f"{name} must be 0 .. 2^64 - 1, not {number}", Status.ARGUMENT)
    return number


def seed_of(seed: Any) -> int:
    """A whole number as it is; 64 bits of a NumPy generator, which moves on; or, for None, of the system's randomness.

    >>> generator = np.random.default_rng(1)
    >>> seed_of(7), seed_of(generator) != seed_of(generator), seed_of(None) != seed_of(None)
    (7, True, True)
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(seed, (np.random.Generator, np.random.RandomState)):
        return int.from_bytes(seed.bytes(8), "little")
    return whole(seed, "seed")
