"""Tables with one entry for each member of an enum, or each class of a union.

A member that is added to the enum and forgotten in a table is an error when the package is imported. The error names
the table and the member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn


class Table(dict[Any, Any]):
    """`entries` for all of `members`; `place` is the name of the table in messages, such as "module.NAME".

    Raises `NotImplementedError` for a member without an entry, `LookupError` for an entry of something else. Looking up
    what is no member raises `NotImplementedError`, too.
    """

    def __init__(self, place: str, members: Iterable[Any], entries: Mapping[Any, Any]):
        super().__init__(entries)
        self.place = place
        members = list(members)
        missing = [_name(member) for member in members if member not in entries]
        if missing:
            raise NotImplementedError(f"{place} has no entry for {', '.join(missing)}")
        surplus = [_name(key) for key in entries if key not in members]
        if surplus:
            raise LookupError(f"{place} has an entry for {', '.join(surplus)}, which is not among its members")

    def __missing__(self, key: Any) -> NoReturn:
        raise NotImplementedError(f"{self.place} has no entry for {_name(key)}")


def _name(member: Any) -> str:
    if isinstance(member, type):
        return member.__name__
    return f"{type(member).__name__}.{member.name}" if hasattr(member, "name") else repr(member)
