"""Everything that flowrt raises on purpose. The message alone tells a user what is wrong."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The `flowrt_status` values of include/flowrt.h, which an error has as its `status`."""

    OK = 0
    ARGUMENT = -1
    MODEL = -2
    WORKSPACE = -3
    ALIGNMENT = -4
    NULL = -5
    OVERLAP = -6
    CONTEXT_MISSING = -7
    CONTEXT_UNUSED = -8
    CONTEXT_ROWS = -9
    COUNT = -40
    FLAGS = -41
    TRUNCATED = -10
    MAGIC = -11
    VERSION = -12
    FEATURE = -13
    MALFORMED = -14
    LIMIT = -15
    CHECKSUM = -16
    VALUE = -17
    NONFINITE = -20
    GRADIENT = -30


class Error(Exception):
    """Base class of all errors of this package."""


class ExportError(Error):
    """A model that a `.flw` file cannot hold, or that the adapters do not know."""


class FormatError(Error):
    """Bytes that are not a valid `.flw` file.

    `status` is what `flowrt_model_open` returns for the same bytes or, if it opens them, what it returns with
    FLOWRT_OPEN_VERIFY; of several wrong things, the two may name different ones. `record` is the index of the record in
    the file (-1 for the header), `offset` the byte offset of the offending field.
    """

    def __init__(self, status: Status, message: str, record: int = -1, offset: int = 0):
        place = "header" if record < 0 else f"record {record}"
        super().__init__(f"{message} ({place}, byte {offset})")
        self.status = status
        self.record = record
        self.offset = offset


class LibraryError(Error):
    """libflowrt is missing, or one of its calls failed with `status`."""

    def __init__(self, message: str, status: Status | int | None = None):
        super().__init__(message)
        self.status = status


class ArgumentError(LibraryError, ValueError):
    """A call with rows, contexts or numbers that it cannot take. `status` is what libflowrt calls the mistake."""

    def __init__(self, message: str, status: Status = Status.ARGUMENT):
        super().__init__(message, status)
