"""A member that a table forgets, and a key that is none, are errors that name the table and the member."""

from __future__ import annotations

import importlib
import pkgutil
from enum import IntEnum

import pytest

import flowrt
from flowrt.tables import Table


class Colour(IntEnum):
    RED = 0
    GREEN = 1


def test_a_forgotten_member_is_named():
    with pytest.raises(NotImplementedError, match="paint.COLOURS has no entry for Colour.GREEN"):
        Table("paint.COLOURS", Colour, {Colour.RED: "r"})


def test_an_entry_of_something_else_is_named():
    with pytest.raises(LookupError, match="paint.COLOURS has an entry for 'blue', which is not among its members"):
        Table("paint.COLOURS", Colour, {Colour.RED: "r", Colour.GREEN: "g", "blue": "b"})


def test_an_unknown_key_is_named():
    table = Table("paint.COLOURS", Colour, {Colour.RED: "r", Colour.GREEN: "g"})
    assert table[1] == "g"
    with pytest.raises(NotImplementedError, match="paint.COLOURS has no entry for 2"):
        table[2]


def test_each_table_of_the_package_is_where_it_says():
    found = set()
    for module in pkgutil.walk_packages(flowrt.__path__, "flowrt."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Table):
                place, _, own = value.place.rpartition(".")
                assert name == own and value is getattr(importlib.import_module(place), own)
                found.add(value.place)
    assert len(found) >= 20
