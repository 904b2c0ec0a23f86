"""Going through a file: `Reader` over its bytes, `Writer` that collects them. Records and blocks go in step.

Records are a list behind the header, each of 64 bytes. Blocks of numbers follow them in the order of the records, each
padded to 64 bytes. Modules of records ask for the next of both.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NoReturn

import numpy as np

from ..errors import ExportError, FormatError, Status
from .codes import LINE, MAX_LAYERS, MAX_PANEL_LINES, MINOR_OF_PLANES, PANEL, Feature, Kind, Limit
from .fields import RECORD, Problem, Structure, beyond
from .panels import pack, panel_depths, unpack

WORD = 4  # bytes of a number in a block


class Reader:
    """A position in the records of a file and, in step with it, in the blocks.

    `dim`, `context_dim` (as steps see it), `record_count`, `block_start` and `block_limit` come from the header.
    Structure is refused where it is found. Values that are wrong are noted in `value_errors`: the checksum goes first.
    """

    def __init__(self, data: bytes, fields: Structure):
        self.data = data
        self.record = -1  # the header
        self.fields = fields
        self.block_start = 0
        self.block_limit = len(data)
        self.dim = self.context_dim = self.record_count = 0
        self.features = Feature(0)  # of what was read
        self.value_errors: list[FormatError] = []

    # ---- fields of the current record ----

    def require(self, condition: bool, message: str, field: str, status: Status = Status.MALFORMED) -> None:
        """Raises `FormatError` at a field of the current record unless the condition holds."""
        if not condition:
            self.check(Problem(field, message, status))

    def check(self, problem: Problem | None) -> None:
        """Raises the `FormatError` of a problem with the current record, if there is one."""
        if problem is not None:
            offset = self._record_start(self.record) + self.fields.offset(problem.field, problem.index)
            raise FormatError(problem.status, problem.message, self.record, offset)

    def refuse(self, message: str, offset: int, status: Status = Status.MALFORMED) -> NoReturn:
        """Raises `FormatError` for the element of a block at a byte offset in the file."""
        raise FormatError(status, message, self.record, offset)

    def _record_start(self, record: int) -> int:
        return LINE * (record + 1)

    def peek(self) -> int:
        """The kind of the next record."""
        exists = self.record + 1 < self.record_count
        self.require(exists, "there is no base density", "record_count" if self.record < 0 else "kind")
        return RECORD.unpack(self.data, self._record_start(self.record + 1)).kind

    def skip(self) -> None:
        """Goes to the next record, of which nothing is known."""
        self.record += 1
        self.fields = RECORD

    def next(self, fields: Structure, kind: Kind) -> SimpleNamespace:
        """The values of the next record by name; every byte that no field covers must be zero."""
        self.record += 1
        self.fields = fields
        start = self._record_start(self.record)
        values = fields.unpack(self.data, start)
        self.require(values.kind == kind, f"kind {values.kind} where {int(kind)} belongs", "kind")
        blank = fields.pack(**vars(values))
        for offset, (a, b) in enumerate(zip(self.data[start : start + LINE], blank)):
            if a != b:
                self.refuse("reserved byte is not zero", start + offset)
        return values

    def layer_count(self, count: int) -> None:
        """Checks the field layer_count of the current record."""
        self.require(count >= 1, "there is no layer", "layer_count")
        self.check(beyond(MAX_LAYERS, "layer_count", count))
        left = self.record_count - 1 - self.record
        self.require(count <= left, f"{count} layers, but {left} records follow", "layer_count")

    # ---- blocks ----

    def _block(self, count: int) -> np.ndarray:
        """The next block as 32-bit words: `count` elements, and the padding that fills the last 64 bytes."""
        size = WORD * count + -WORD * count % LINE
        start = self.block_start
        if start + size > self.block_limit:
            self.refuse("a block does not fit into the file", start, Status.TRUNCATED)
        self.block_start += size
        return np.frombuffer(self.data, dtype="<u4", count=size // WORD, offset=start)

    def expect(self, valid, message: str, start: int) -> None:
        """Notes the first value that is not `valid`, of those that begin at byte `start`; one truth is for all."""
        if not np.all(valid):
            offset = start + WORD * int(np.argmin(valid))
            self.value_errors.append(FormatError(Status.VALUE, message, self.record, offset))

    def floats(self, count: int) -> np.ndarray:
        start = self.block_start
        words = self._block(count)
        values = words[:count].view("<f4")
        self.expect(np.isfinite(values), "a parameter is NaN or infinite", start)
        self.expect(words[count:] == 0, "padding is not zero", start + WORD * count)
        return values

    def integers(self, count: int) -> np.ndarray:
        start = self.block_start
        words = self._block(count)
        if np.any(words[count:]):
            self.refuse("padding is not zero", start + WORD * (count + int(np.argmax(words[count:] != 0))))
        return words[:count].astype(np.int64)

    def permutation(self) -> np.ndarray:
        start = self.block_start
        index = self.integers(self.dim)
        if not np.array_equal(np.sort(index), np.arange(self.dim)):
            self.refuse("not a permutation of the coordinates", start)
        return index

    def stage_end(self, count: int) -> np.ndarray:
        """The ends of as many stages as the field stage_count of the current record says."""
        self.require(1 <= count <= self.dim, f"{count} stages for {self.dim} ranks", "stage_count")
        start = self.block_start
        ends = self.integers(count)
        if ends[0] == 0 or np.any(np.diff(ends) <= 0) or ends[-1] != self.dim:
            self.refuse(f"stages must increase to {self.dim}", start)
        return ends

    def weights(self, visible: np.ndarray, source_width: int) -> np.ndarray:
        """(len(visible), source_width) from panels, of which unit u holds the first `visible[u]`."""
        start = self.block_start
        lines = int(np.sum(panel_depths(visible)))
        panels = self.floats(PANEL * lines)
        if lines > MAX_PANEL_LINES.most:
            self.refuse(MAX_PANEL_LINES.message(lines), start, Status.LIMIT)
        weight, padding = unpack(panels, visible, source_width)
        is_padded = not np.any(padding.view(np.uint32))  # to the bit: a negative zero is not padding
        self.expect(is_padded, "a weight outside the visible prefix is not zero", start)
        return weight


class Writer:
    """Collects records and blocks in file order, parameters rounded to float32."""

    def __init__(self, dim: int):
        self.dim = dim
        self.records: list[bytes] = []
        self.blocks: list[bytes] = []
        self.minor = 0  # the lowest minor version that has what the file uses
        self.features = Feature(0)

    def planes(self) -> None:
        """Notes that the file has a plane."""
        self.minor, self.features = max(self.minor, MINOR_OF_PLANES), self.features | Feature.PLANES

    def record(self, fields: Structure, **values) -> None:
        self.records.append(fields.pack(**values))

    def integers(self, values) -> None:
        self._block(np.asarray(values).astype("<u4"))

    def floats(self, values) -> None:
        self._block(float32(values))

    def weights(self, weight, visible: np.ndarray) -> None:
        """(H, K) weights as panels, of which unit u holds the first `visible[u]`."""
        self._block(pack(float32(weight), visible))

    def _block(self, values: np.ndarray) -> None:
        data = values.tobytes()
        self.blocks.append(data + bytes(-len(data) % LINE))


def layer_count(owner) -> int:
    """How many layers a step, an encoder or a base has. Raises `ExportError` for too many."""
    return within(MAX_LAYERS, len(owner.layers))


def within(limit: Limit, count: int) -> int:
    """The number itself. Raises `ExportError` if it is beyond the limit."""
    if count > limit.most:
        raise ExportError(limit.message(count))
    return count


def float32(values) -> np.ndarray:
    """The numbers in float32. Raises `ExportError` if one of them is not finite there."""
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype("<f4")
    if not np.all(np.isfinite(rounded)):
        raise ExportError("a parameter of the model is NaN, infinite or too large for float32")
    return rounded
