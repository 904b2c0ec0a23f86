"""Rows in files, read and written as the command line tool does (docs/CLI.md): CSV, TSV and .npy."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Optional

import numpy as np

from .arguments import Floats
from .atomic import replacing
from .errors import Error
from .foreign import kind_of_rows

Lines = list[tuple[int, str]]


class CommandLineError(Error):
    """What the options say is wrong, by itself or for the model: exit code 2."""


_ARRAY = b"\x93NUMPY"
_SEPARATORS = ": columns are separated by commas, semicolons or tabs"
# What means to be a number, or several: "1,5", "1 000" or "1.5 -2.5".
_NEARLY_NUMBERS = re.compile(r"(?=.*[0-9])[-+]*(?:[0-9.,']| [-+]*)*")


@dataclass(frozen=True)
class FileRows:
    """(n, width) numbers, with their origin: a file, and the line of each row, or none for an array."""

    values: Floats
    name: str
    lines: Optional[Sequence[int]] = None

    def place(self, row: int) -> str:
        return f"{self.name}, row {row}" if self.lines is None else f"{self.name}, line {self.lines[row]}"


def read_rows(path: str, width: int, names: Optional[Sequence[str]] = None) -> FileRows:
    """The rows of a file, - for standard input. The columns of a header are found by `names`, if there are any.

    Raises `Error` with the place of what is wrong.
    """
    name = "standard input" if path == "-" else path
    if path == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(path, "rb") as stream:
            data = stream.read()
    if data.startswith(_ARRAY):
        return FileRows(_array(data, name, width), name)
    kind = kind_of_rows(data)
    if kind is not None:
        raise Error(f"{name}: expected rows as CSV or .npy, found {kind}")
    rows = _Text(name, width, names).read(data.decode("utf-8-sig", "surrogateescape"))
    if not len(rows.values):
        raise Error(f"{name}: there are no rows")
    return rows


def read_context(text: str, width: int, names: Optional[Sequence[str]]) -> FileRows:
    """The contexts of the option --context: a file, or one row of numbers between commas or blanks."""
    parts = text.replace(",", " ").replace(";", " ").split()
    values = [_number(part) for part in parts]
    wrong = values.index(None) if None in values else None
    if wrong == 0 or wrong is not None and os.path.exists(text):
        return read_rows(text, width, names)
    if wrong is not None:
        raise CommandLineError(f'--context: expected a number, found "{_printable(parts[wrong])}"')
    if len(values) != width:
        comma = ": a comma separates numbers, and is no decimal point" if len(values) > width and "," in text else ""
        found = f"expected {width} number{'s' * (width != 1)}, found {len(values)}"
        raise CommandLineError(f"--context: {found}{comma}")
    return FileRows(np.array([values], dtype=np.float32), "--context")


def write_rows(path: str, kind: str, rows: Floats, header: Optional[Sequence[str]] = None) -> None:
    """Writes (n, columns), or (n,) as one column, as csv, tsv or npy; - for standard output."""
    with output(path) as stream:
        if kind == "npy":
            np.save(stream if path != "-" else _Unseekable(stream), rows)
            return
        separator = "\t" if kind == "tsv" else ","
        if header is not None:
            stream.write((separator.join(_quoted(name, separator) for name in header) + "\n").encode())
        np.savetxt(stream, rows, delimiter=separator, fmt="%.9g")


def output(path: str) -> AbstractContextManager[BinaryIO]:
    """A binary stream into a file, - for standard output."""
    return nullcontext(sys.stdout.buffer) if path == "-" else replacing(path)


class _Unseekable(io.RawIOBase):
    """A stream without a file descriptor: NumPy writes to one directly, past what a stream still holds."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._stream.write(data)


def _quoted(name: str, separator: str) -> str:
    special = not name or name[0] in "# " or any(c in name for c in f'{separator}"\n\r')
    return '"' + name.replace('"', '""') + '"' if special else name


def _array(data: bytes, name: str, width: int) -> Floats:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError as error:
        raise Error(f"{name}: {error}") from None
    if array.dtype.str not in ("<f4", "<f8"):
        raise Error(f"{name}: expected numbers '<f4' or '<f8' (float32, float64), found {array.dtype.str!r}")
    if array.ndim not in (1, 2):
        raise Error(f"{name}: expected an array of 1 or 2 dimensions, found {array.ndim}")
    if not array.flags.c_contiguous:
        raise Error(f"{name}: expected rows in C order, found Fortran order: save numpy.ascontiguousarray(x)")
    rows = array if array.ndim == 2 else array.reshape(-1, 1) if width == 1 else array.reshape(1, -1)
    if rows.shape[1] != width:
        raise Error(f"{name}: expected an array (n, {width}), found {array.shape}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(rows, dtype=np.float32)


def _number(text: str) -> Optional[float]:
    """A decimal number, as the command line tool takes it; None for anything else."""
    try:
        return None if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return None


@dataclass
class _Text:
    """A table of numbers in text."""

    name: str
    width: int
    names: Optional[Sequence[str]]
    separator: str = ","
    header: Sequence[str] = ()
    columns: Optional[Sequence[int]] = None  # the field of each number, if a header tells

    def read(self, text: str) -> FileRows:
        lines = [(i, line.removesuffix("\r")) for i, line in enumerate(text.split("\n"), 1)]
        lines = [(i, line) for i, line in lines if line.strip(" \t") and line.lstrip(" \t")[0] != "#"]
        if lines:
            self._find_separator(lines[0][1])
            if self._is_header(*lines[0]):
                self._read_header(*lines.pop(0))
        return FileRows(self._numbers(lines), self.name, [i for i, _ in lines])

    def _numbers(self, lines: Lines) -> Floats:
        """By NumPy; one by one where it refuses, to tell the place, or where there are quotes."""
        if not lines:
            return np.empty((0, self.width), dtype=np.float32)
        expected = len(self.header) if self.columns is not None else self.width
        with np.errstate(over="ignore"):
            try:
                if self.columns is None:
                    texts = [line for _, line in lines]
                    found = np.loadtxt(texts, np.float32, comments=None, delimiter=self.separator, ndmin=2)
                    if found.shape == (len(lines), expected):
                        return found
            except ValueError:
                pass
            return np.array([self._row(*line, expected) for line in lines], dtype=np.float64).astype(np.float32)

    def _row(self, number: int, line: str, expected: int) -> list[float]:
        fields = list(self._fields(number, line))
        wanted = range(expected) if self.columns is None else set(self.columns)
        values: dict[int, float] = {}
        for column, (text, _) in enumerate(fields):
            if column in wanted:
                value = _number(text)
                if value is None:
                    self._refuse(number, column, text)
                values[column] = value
        if len(fields) != expected:
            self._refuse_count(number, expected, len(fields))
        return [values[column] for column in (self.columns if self.columns is not None else range(expected))]

    def _refuse(self, number: int, column: int, text: str) -> NoReturn:
        place = f"{self._line(number)}, column {column + 1}"
        if column < len(self.header):
            place += f" ({self.header[column]})"
        # A field that has a comma has another separator around it, or quotes.
        point = " with a decimal point" if "," in text else ""
        found = f'"{text[:40]}{"..." * (len(text) > 40)}"' if text else "nothing"
        hint = _SEPARATORS if " " in text else ""
        raise Error(f"{place}: expected a number{point}, found {_printable(found)}{hint}")

    def _refuse_count(self, number: int, expected: int, found: int) -> NoReturn:
        hint = _SEPARATORS if found == 1 else ""
        raise Error(f"{self._line(number)}: expected {expected} column{'s' * (expected != 1)}, found {found}{hint}")

    def _line(self, number: int) -> str:
        return f"{self.name}, line {number}"

    def _find_separator(self, line: str) -> None:
        outside = "".join(line.split('"')[::2])
        self.separator = "\t" if "\t" in outside else ";" if ";" in outside else ","

    def _fields(self, number: int, line: str) -> Iterator[tuple[str, bool]]:
        """The fields without quotes and the blanks around them, and whether they had quotes."""
        blanks = " " if self.separator == "\t" else " \t"
        rest: Optional[str] = line
        column = 0
        while rest is not None:
            column += 1
            start = rest.lstrip(blanks)
            if start[:1] != '"':
                field, found, after = rest.partition(self.separator)
                yield field.strip(blanks), False
                rest = after if found else None
                continue
            end = start.find('"', 1)
            while end >= 0 and start[end + 1 : end + 2] == '"':
                end = start.find('"', end + 2)
            after = start[end + 1 :].lstrip(blanks)
            if end < 0 or after[:1] not in ("", self.separator):
                raise Error(f"{self._line(number)}, column {column}: expected a closing quote and a separator")
            yield start[1:end], True
            rest = after[1:] if after else None

    def _is_header(self, number: int, line: str) -> bool:
        texts = [text for text, _ in self._fields(number, line)]
        return any(texts) and all(_number(text) is None and not _NEARLY_NUMBERS.fullmatch(text) for text in texts)

    def _read_header(self, number: int, line: str) -> None:
        self.header = [text.replace('""', '"') if quoted else text for text, quoted in self._fields(number, line)]
        for column, name in enumerate(self.header):
            if name in self.header[:column] and (not self.names or name in self.names):
                raise Error(f'{self._line(number)}, column {column + 1}: a second column "{_printable(name)}"')
        if self.names:
            for name in self.names:
                if name not in self.header:
                    found = _printable(", ".join(self.header))
                    raise Error(f'{self._line(number)}: expected a column "{name}", found {found}')
            self.columns = [self.header.index(name) for name in self.names]
        elif len(self.header) != self.width:
            self._refuse_count(number, self.width, len(self.header))


def _printable(text: str) -> str:
    return "".join("?" if ord(c) < 32 or ord(c) == 127 else c for c in text)


def kind_of(path: str, kind: Optional[str]) -> str:
    """csv, tsv or npy: what is asked for, else what the name of the output ends with."""
    end = os.path.splitext(path)[1][1:]
    return kind or (end if end in ("csv", "tsv", "npy") else "csv")
