"""Tables as users have them (pandas, Polars, Arrow): columns by their names, and the labels of rows for messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np

from .errors import ArgumentError


@dataclass(frozen=True)
class Labels:
    """What a user calls the rows and columns of an argument, where it is known."""

    rows: Optional[Sequence[Any]] = None  # of a table of pandas
    columns: Optional[Sequence[str]] = None  # those that the model takes, in its order
    is_table: bool = False

    def row(self, place: int) -> str:
        """` (label 'a')` behind a place, if the table calls that row by something else than its place."""
        if self.rows is None or place >= len(self.rows) or self.rows[place] == place:
            return ""
        return f" (label {_plain(self.rows[place])!r})"

    def column(self, place: int) -> str:
        return f"column {place}" if self.columns is None else f"column {self.columns[place]!r}"


def columns_of(values: Any) -> Optional[list[str]]:
    """The names of a table's columns; None for what is no table."""
    if isinstance(values, np.ndarray):
        return None
    for attribute in ("column_names", "columns"):  # of Arrow; of pandas and Polars
        names = getattr(values, attribute, None)
        if names is not None and not callable(names) and hasattr(values, "__getitem__"):
            return [str(column) for column in names]
    return None


def labelled(values: Any) -> Any:
    """A row of a table, which pandas gives as a Series with the columns' names as its index: a table of one row."""
    labels = getattr(values, "index", None)
    if not hasattr(values, "to_frame") or labels is None or callable(labels) or len(labels) == 0:
        return values
    return values.to_frame().T if all(isinstance(label, str) for label in labels) else values


def in_order(values: Any, names: Optional[Sequence[str]]) -> Any:
    """A table, or a row of one, with these columns, if it has them all; anything else as it is."""
    if isinstance(values, np.ndarray) or names is None:
        return values
    values = labelled(values)
    columns = columns_of(values)
    if columns is None or not set(names) <= set(columns):
        return values
    return values.select(list(names)) if hasattr(values, "select") else values[list(names)]


def labels_of(values: Any, names: Optional[Sequence[str]]) -> Labels:
    """What a user calls the rows and columns of what he gave for a model with these names."""
    values = labelled(values)
    index = getattr(values, "index", None)
    rows = index if index is not None and hasattr(values, "iloc") else None
    columns = columns_of(values)
    return Labels(rows, columns if names is None else names, columns is not None)


def picked(
    table: Any, columns: Sequence[str], name: str, width: int, names: Optional[Sequence[str]]
) -> Iterator[tuple[Any, str]]:
    """The columns of a table that a model takes, by `names` or else in their order, each with what to call it.

    Raises `ArgumentError` for a table that has not these columns once each, and for nulls.
    """
    if names is None:
        if len(columns) != width:
            text = f"{name} must have {width} columns, not the {len(columns)} of this table ({listed(columns)})"
            raise ArgumentError(f"{text}; the file does not say which")
        places = list(range(width))
    else:
        missing = [wanted for wanted in names if wanted not in columns]
        if missing:
            text = f"{name} has no column {listed(missing)}: the model takes {listed(names)}"
            raise ArgumentError(f"{text}, the table has {listed(columns)}")
        twice = [wanted for wanted in names if columns.count(wanted) > 1]
        if twice:
            raise ArgumentError(f"{name} has more than one column {listed(twice)}")
        places = [columns.index(wanted) for wanted in names]
    called = {place: f"column {columns[place]!r} of {name}" for place in places}
    return ((_column(table, place, called[place]), called[place]) for place in places)


def _column(table: Any, place: int, called: str) -> Any:
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
        raise ArgumentError(f"{called} has {nulls} nulls: drop their rows, or fill them")
    return values


def refuse_mapping(values: Any, name: str, names: Optional[Sequence[str]]) -> None:
    """Raises `ArgumentError` for a dictionary of columns, which has no rows of its own."""
    if not isinstance(values, Mapping):
        return
    entries = listed([str(key) for key in values])
    order = "[...]" if names is None else f"[{listed(names)}]"
    raise ArgumentError(
        f"{name} is a {type(values).__name__} of {entries}, not rows: give a table, pandas.DataFrame({name}), or an "
        f"array, numpy.column_stack([{name}[column] for column in {order}])"
    )


def listed(names: Sequence[str]) -> str:
    few = ", ".join(map(repr, names[:8]))
    return few + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
