"""What a user gives as rows, contexts and numbers: arrays and tables become float32, or an error names the argument."""

from __future__ import annotations

import math
import operator
import reprlib
from dataclasses import dataclass
from typing import Any, Optional, Sequence, SupportsIndex

import numpy as np
import numpy.typing as npt

from .columns import Labels, columns_of, labelled, picked, refuse_mapping
from .errors import ArgumentError, Status

Floats = npt.NDArray[np.float32]

_KINDS = {  # of a NumPy dtype, that are no real numbers
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
    "S": "bytes",
    "U": "strings",
    "V": "records",
}

_NONE = Labels()


@dataclass(frozen=True)
class Batch:
    """Rows beside their contexts, both flat: with `count` rows and g contexts, each context serves count / g of them.

    `shape` is that of the results, a row each. `rows` is None for draws, `contexts` None for a flow without context.
    `labels` and `context_labels` are what the user calls what he gave, for messages.
    """

    shape: tuple[int, ...]
    count: int
    rows: Optional[Floats]
    contexts: Optional[Floats]
    labels: Labels = _NONE
    context_labels: Labels = _NONE

    @property
    def each(self) -> int:
        """How many rows, one after the other, share a context."""
        return self.count if self.contexts is None else self.count // max(len(self.contexts), 1)


def batch(
    rows: Optional[Floats],
    contexts: Optional[Floats],
    *,
    count: Optional[int] = None,
    name: str = "x",
    labels: Labels = _NONE,
    context_labels: Labels = _NONE,
) -> Batch:
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
        return Batch(own, own[0], rows, contexts, labels, context_labels)
    try:
        shape = np.broadcast_shapes(own, given)
    except ValueError:
        raise ArgumentError(_mismatch(own, given, name, labels, context_labels), Status.CONTEXT_ROWS) from None
    if contexts is not None:
        lengths = (1,) * (len(shape) - len(given)) + given
        outer = max((axis + 1 for axis, length in enumerate(lengths) if length > 1), default=0)
        contexts = _flat(contexts.reshape(*lengths[:outer], -1), shape[:outer])  # the same along the axes after these
    flat = None if rows is None else _flat(rows, shape)
    return Batch(shape, math.prod(shape), flat, contexts, labels, context_labels)


def _flat(values: Floats, shape: tuple[int, ...]) -> Floats:
    width = values.shape[-1]
    return np.ascontiguousarray(np.broadcast_to(values, (*shape, width)).reshape(math.prod(shape), width))


def _mismatch(own: tuple[int, ...], given: tuple[int, ...], name: str, labels: Labels, others: Labels) -> str:
    if len(own) == len(given) == 1:
        text = f"context has {given[0]} rows, not 1 or {own[0]}"
        each = "model.as_contexts(context)[:, None]" if others.is_table else "context[:, None]"
        if name != "n":
            each += " and " + (f"model.as_rows({name})[None]" if labels.is_table else f"{name}[None]")
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

    Raises `ArgumentError` that names the argument for another width, and for what is no real number: masked values,
    nulls, dates, complex numbers, strings.
    """
    refuse_mapping(values, name, names)
    values = labelled(values)
    columns = columns_of(values)
    if columns is None:
        array = _numbers(values, name)
    else:
        array = np.stack([_numbers(*column) for column in picked(values, columns, name, width, names)], axis=-1)
    if shape is not None and array.shape[-1:] != (width,) and array.shape[-len(shape) :] == shape:
        array = array.reshape(*array.shape[: -len(shape)], width)
    row = array if array.ndim > 1 else array.reshape(1, -1)
    if row.shape[-1] != width:
        hint = f": for n rows of one number give numpy.reshape({name}, (-1, 1))" if width == 1 == array.ndim else ""
        raise ArgumentError(f"{name} must be (n, {width}), not {array.shape}{hint}")
    return row


def _numbers(values: npt.ArrayLike, name: str) -> Floats:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        count = int(np.count_nonzero(np.ma.getmaskarray(values)))
        raise _refused(name, f"{count} masked values", "drop their rows, or fill them")
    if getattr(values, "requires_grad", False):
        raise _refused(name, "gradients to be traced", "give it detached, or use model.torch()")
    try:
        array = np.asarray(values)
    except Exception as error:
        raise ArgumentError(f"{name} is no array of numbers: {error}") from None
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
            raise _refused(name, f"{reprlib.repr(value)} of {type(value).__name__}", "give real numbers")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} is no array of numbers: {error}") from None


def _refused(name: str, what: str, way: str) -> ArgumentError:
    return ArgumentError(f"{name} has {what}: {way}")


# ---- numbers ----


def whole(value: SupportsIndex, name: str) -> int:
    """`value` as a C uint64_t: ctypes alone would reduce it modulo 2^64.

    Raises `TypeError` for what is no whole number by its type, such as 1e5, and `ArgumentError` for one out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        text = f"{name} must be a whole number, not {reprlib.repr(value)} of {type(value).__name__}"
        raise TypeError(text) from None
    if not 0 <= number < 1 << 64:
        raise ArgumentError(f"{name} must be 0 .. 2^64 - 1, not {number}")
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
