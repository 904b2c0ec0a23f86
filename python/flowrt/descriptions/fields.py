"""Reading a dictionary so that nothing in it is guessed: what is missing, unknown or of the wrong kind is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..adapters.modules import array
from ..errors import ExportError


class Fields:
    """The entries of one dictionary of a description.

    `place` says where it stands, for messages. `arrays` has the arrays that an entry may name instead of holding one.
    Call `close` when all entries were read: what is left is unknown.
    """

    def __init__(self, values, place: str, arrays: Mapping):
        if not isinstance(values, Mapping):
            raise ExportError(f"{place} is {type(values).__name__}, not a dictionary")
        self.place = place
        self.arrays = arrays
        self._values = dict(values)
        self._read: list = []

    def close(self) -> None:
        unknown = sorted(str(name) for name in set(self._values) - set(self._read))
        if unknown:
            raise ExportError(f"{self.place} has no {unknown[0]!r}; its entries are {', '.join(self._read)}")

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def entry(self, name: str, what: str):
        """An entry that must be there; `what` describes it to someone who left it out."""
        value = self.optional(name)
        if value is None:
            raise ExportError(f"{self.place}: {name!r} is missing: {what}")
        return value

    def optional(self, name: str, default=None):
        self._read.append(name)
        return default if self._values.get(name) is None else self._values[name]

    def choice(self, name: str, what: str, choices, default=None):
        """One of the keys of `choices`; its value if `choices` is a dictionary."""
        value = self.entry(name, f"{what}, one of {', '.join(choices)}") if default is None else None
        value = self.optional(name, default) if value is None else value
        if not isinstance(value, str) or value not in choices:
            raise ExportError(f"{self.place}: {name!r} is {value!r}, not one of {', '.join(choices)}")
        return choices[value] if isinstance(choices, Mapping) else value

    def number(self, name: str, what: str, default=None) -> float:
        value = self.entry(name, what) if default is None else self.optional(name, default)
        return float(self._array(name, value, ()))

    def whole(self, name: str, what: str, default=None) -> int:
        value = self.entry(name, what) if default is None else self.optional(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ExportError(f"{self.place}: {name!r} is {value!r}, not a whole number")
        return int(value)

    def array(self, name: str, what: str, shape=None) -> np.ndarray:
        """A float64 array; `shape` is what it is broadcast to, None for its own."""
        return self._array(name, self.entry(name, what), shape)

    def optional_array(self, name: str, shape=None):
        value = self.optional(name)
        return None if value is None else self._array(name, value, shape)

    def indices(self, name: str, what: str) -> np.ndarray:
        values = self.array(name, what)
        if values.ndim != 1 or np.any(values != np.round(values)):
            raise ExportError(f"{self.place}: {name!r} is not a list of whole numbers")
        return values.astype(np.int64)

    def optional_indices(self, name: str):
        return self.indices(name, "") if name in self else self.optional(name)

    def parts(self, name: str, what: str) -> list:
        """The dictionaries of a list, each with its place."""
        values = self.entry(name, what)
        if isinstance(values, (str, Mapping)) or not hasattr(values, "__iter__"):
            raise ExportError(f"{self.place}: {name!r} is not a list")
        prefix = "" if self.place == "the description" else f"{self.place}."
        return [Fields(value, f"{prefix}{name}[{i}]", self.arrays) for i, value in enumerate(values)]

    def part(self, name: str, what: str, default=None) -> Fields:
        values = self.entry(name, what) if default is None else self.optional(name, default)
        prefix = "" if self.place == "the description" else f"{self.place}."
        return Fields(values, f"{prefix}{name}", self.arrays)

    def refuse(self, message: str):
        raise ExportError(f"{self.place}: {message}")

    def _array(self, name: str, value, shape) -> np.ndarray:
        if isinstance(value, str):
            if value not in self.arrays:
                raise ExportError(f"{self.place}: {name!r} names the array {value!r}, which is not in 'arrays'")
            value = self.arrays[value]
        try:
            result = array(value)
        except (TypeError, ValueError):
            raise ExportError(f"{self.place}: {name!r} is not an array of numbers") from None
        if not np.all(np.isfinite(result)):
            raise ExportError(f"{self.place}: {name!r} holds a number that is not finite")
        if shape is None:
            return result
        try:
            return np.broadcast_to(result, shape).copy()
        except ValueError:
            raise ExportError(f"{self.place}: {name!r} has the shape {result.shape}, not {tuple(shape)}") from None
