"""The fields of a structure of 64 bytes by name, and what is wrong with one of them."""

from __future__ import annotations

import math
from struct import Struct, calcsize
from types import SimpleNamespace
from typing import NamedTuple, Optional

import numpy as np

from ..errors import Status
from .codes import LINE, Limit


class Structure:
    """A header or record: names and `struct` formats of its fields in order. Fields of the format `x` are reserved.

    `("p", "8f")` is a tuple of eight numbers, as `offset("p", i)` knows.
    """

    def __init__(self, *fields: tuple):
        self._counts: dict = {}
        self._places: dict = {}
        layout = "<"
        for name, form in fields:
            self._places[name] = calcsize(layout), calcsize("<" + form[-1])
            if not form.endswith(("x", "s")):
                self._counts[name] = int(form[:-1] or 1)
            elif form.endswith("s"):
                self._counts[name] = 1
            layout += form
        self._struct = Struct(layout)
        if self._struct.size != LINE:
            raise TypeError(f"a structure of {self._struct.size} bytes, not {LINE}")

    @property
    def names(self) -> list:
        """All fields in order, reserved ones too."""
        return list(self._places)

    def offset(self, name: str, index: int = 0) -> int:
        """The byte at which a field, or element `index` of one, begins."""
        start, size = self._places[name]
        return start + size * index

    def pack(self, **values) -> bytes:
        """The bytes of the structure; each field that is not reserved has a value."""
        if set(values) != set(self._counts):
            raise TypeError(f"values of {sorted(values)} for the fields {sorted(self._counts)}")
        flat: list = []
        for name, count in self._counts.items():
            flat += [values[name]] if count == 1 else list(values[name])
        return self._struct.pack(*flat)

    def unpack(self, data: bytes, start: int = 0) -> SimpleNamespace:
        """The values of the fields by name."""
        flat = iter(self._struct.unpack_from(data, start))
        values = {}
        for name, count in self._counts.items():
            values[name] = next(flat) if count == 1 else tuple(next(flat) for _ in range(count))
        return SimpleNamespace(**values)


RECORD = Structure(
    ("kind", "H"), ("reserved", "62x")
)  # what all kinds have; elementwise and permutation steps have no more


class Problem(NamedTuple):
    """What is wrong with a field of a record, or with its element `index`."""

    field: str
    message: str
    status: Status = Status.MALFORMED
    index: int = 0


def unknown(field: str, name: str, code: int) -> Problem:
    """A code that this version does not define: it may come from a later minor version, so it is not called damage."""
    return Problem(field, f"unknown {name} {code}", Status.FEATURE)


def beyond(limit: Limit, field: str, count: int) -> Optional[Problem]:
    """A number that the field could hold, but no file may."""
    return Problem(field, limit.message(count), Status.LIMIT) if count > limit.most else None


def is_set(*values: float) -> bool:
    """Whether an unused field holds anything but zero bytes. A negative zero is something."""
    return any(value != 0 or math.copysign(1, value) < 0 for value in values)


def is_interval(lower, upper):
    """Whether lower < upper and upper - lower is finite, in float32: of two numbers, or of each pair of two arrays."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (lower < upper) & np.isfinite(np.subtract(upper, lower, dtype=np.float32))
