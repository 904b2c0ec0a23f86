"""Reading a dictionary so that nothing in it is guessed: what is missing, unknown or of the wrong kind is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..building.arrays import float64
from ..errors import ExportError


class Fields:
    """The entries of one dictionary of a description.

    `place` says where it stands, for messages. `arrays` has the arrays that an entry may name instead of holding one.
    `notes` collects what was taken from the arrays without being told, of all dictionaries of a description.
    Call `close` when all entries were read: what is left is unknown.
    """

    def __init__(self, values, place: str, arrays: Mapping, notes: list | None = None):
        if not isinstance(values, Mapping):
            raise ExportError(f"{place} is {type(values).__name__}, not a dictionary")
        self.place = place
        self.arrays = arrays
        self.notes = [] if notes is None else notes
        self._values = dict(values)
        self._read: dict = {}  # names, in the order in which they were asked for

    def close(self) -> None:
        unknown = sorted(str(name) for name in self._values if name not in self._read)
        if unknown:
            raise ExportError(f"{self.place} has no {unknown[0]!r}; its entries are {', '.join(self._read)}")

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def entry(self, name: str, what: str, default=None):
        """An entry that must be there, or have a default; `what` describes it to someone who left it out."""
        value = self.optional(name, default)
        if value is None:
            self.refuse(f"{name!r} is missing: {what}")
        return value

    def optional(self, name: str, default=None):
        self._read[name] = True
        return default if self._values.get(name) is None else self._values[name]

    def choice(self, name: str, what: str, choices, default=None):
        """One of the keys of `choices`; its value if `choices` is a dictionary."""
        value = self.entry(name, f"{what}, one of {', '.join(choices)}", default)
        if not isinstance(value, str) or value not in choices:
            self.refuse(f"{name!r} is {value!r}, not one of {', '.join(choices)}")
        return choices[value] if isinstance(choices, Mapping) else value

    def number(self, name: str, what: str, default=None) -> float:
        return float(self.array(name, what, (), default))

    def whole(self, name: str, what: str, default=None) -> int:
        value = self.entry(name, what, default)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            self.refuse(f"{name!r} is {value!r}, not a whole number")
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false, which it is if left out."""
        value = self.optional(name, False)
        if not isinstance(value, (bool, np.bool_)):
            self.refuse(f"{name!r} is {value!r}, neither true nor false")
        return bool(value)

    def array(self, name: str, what: str, shape=None, default=None) -> np.ndarray:
        """A float64 array; `shape` is what it is broadcast to, None for its own."""
        return self.as_array(name, self.entry(name, what, default), shape)

    def optional_array(self, name: str, shape=None):
        value = self.optional(name)
        return None if value is None else self.as_array(name, value, shape)

    def indices(self, name: str, what: str) -> np.ndarray:
        return self.as_indices(name, self.entry(name, what))

    def optional_indices(self, name: str):
        value = self.optional(name)
        return None if value is None else self.as_indices(name, value)

    def items(self, name: str, what: str, default=None) -> list:
        """The entries of a list, a tuple or an array."""
        values = self.entry(name, what, default)
        try:
            if not isinstance(values, (str, Mapping)):
                return list(values)
        except TypeError:  # no entries
            pass
        return self.refuse(f"{name!r} is not a list")

    def order(self, name: str, what: str, words) -> list:
        """A list of these words, each of them once."""
        values = self.items(name, what)
        if not all(isinstance(value, str) for value in values) or sorted(values) != sorted(words):
            self.refuse(f"{name!r} is {values}, not an order of {', '.join(words)}")
        return values

    def parts(self, name: str, what: str) -> list:
        """The dictionaries of a list, each with its place."""
        return [self.inner(f"{name}[{i}]", value) for i, value in enumerate(self.items(name, what))]

    def mapping(self, name: str, what: str, default=None) -> Mapping:
        """A dictionary of arrays."""
        values = self.entry(name, what, default)
        if not isinstance(values, Mapping):
            self.refuse(f"{name!r} is {type(values).__name__}, not a dictionary of arrays")
        return values

    def part(self, name: str, what: str, default=None) -> Fields:
        return self.inner(name, self.entry(name, what, default))

    def inner(self, place: str, values) -> Fields:
        """A dictionary that stands at a place in this one."""
        prefix = "" if self.place == "the description" else f"{self.place}."
        return Fields(values, prefix + place, self.arrays, self.notes)

    def refuse(self, message: str):
        raise ExportError(f"{self.place}: {message}") from None

    def as_indices(self, name: str, value) -> np.ndarray:
        values = self.as_array(name, value)
        if values.ndim != 1 or np.any(values != np.round(values)):
            self.refuse(f"{name!r} is not a list of whole numbers")
        return values.astype(np.int64)

    def as_array(self, name: str, value, shape=None) -> np.ndarray:
        """What an entry holds as a float64 array, or the one in `arrays` that it names."""
        if isinstance(value, str):
            if value not in self.arrays:
                self.refuse(f"{name!r} names the array {value!r}, which is not in 'arrays'")
            value = self.arrays[value]
        try:
            result = float64(value)
        except (TypeError, ValueError, OverflowError):
            self.refuse(f"{name!r} is not an array of numbers")
        if not np.all(np.isfinite(result)):
            self.refuse(f"{name!r} holds a number that is not finite")
        if shape is None:
            return result
        try:
            return np.broadcast_to(result, shape).copy()
        except ValueError:
            self.refuse(f"{name!r} has the shape {result.shape}, not {tuple(shape)}")
