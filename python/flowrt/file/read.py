"""Bytes to `File`, refusing everything that docs/FORMAT.md does not allow.

The whole file is read and checked: structure first, then the checksum, then the values (finite parameters, zero
padding), so that a damaged file is reported by what is wrong with it as far as the structure shows it.
"""

from __future__ import annotations

import os
import zlib
from typing import NoReturn, Union

import numpy as np

from ..errors import FormatError, Status
from . import layout
from .codes import (
    LINE,
    MAGIC,
    MAJOR,
    MAX_COMPONENTS,
    MAX_CONTEXT_DIM,
    MAX_DIM,
    MAX_LAYERS,
    MAX_PANEL_LINES,
    MAX_RECORDS,
    MAX_WIDTH,
    PANEL,
    Activation,
    BaseKind,
    Kind,
)
from .panels import panel_depths, unpack
from .records import (
    AutoregressiveMixture,
    AutoregressiveStep,
    BoxUniform,
    ConditionalNormal,
    Conditioner,
    DiagonalNormal,
    DiagonalStep,
    ElementwiseStep,
    Encoder,
    File,
    Layer,
    LinearStep,
    NormalMixture,
    PermutationStep,
    StandardNormal,
)
from .rules import (
    Problem,
    beyond,
    check_elementwise,
    check_layer,
    check_scale,
    check_transformer,
    is_interval,
    is_set,
    unknown,
)

Source = Union[str, os.PathLike, bytes, bytearray, memoryview, File]


def read(source: Source) -> File:
    """The flow in a `.flw` file, given by path or by its bytes. A `File` is returned as it is.

    Raises `FormatError` for anything that is not a valid file, `OSError` if a path cannot be read.
    """
    if isinstance(source, File):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _Reader(bytes(source)).read()
    with open(os.fspath(source), "rb") as stream:
        return _Reader(stream.read()).read()


class _Reader:
    """Walks the records and, in step with them, their blocks."""

    def __init__(self, data: bytes):
        self.data = data
        self.record = -1
        self.block_start = 0
        self.value_errors: list[FormatError] = []

    def read(self) -> File:
        file = self._header()
        kind = self._peek()
        if kind == Kind.ENCODER:
            file.encoder = self._encoder()
            kind = self._peek()
        while kind != Kind.BASE:
            reader = _STEP_READERS.get(kind)
            if reader is None:
                self.record += 1
                known = kind in set(Kind)
                self._check(Problem(0, f"kind {kind} is not a step") if known else unknown(0, "kind", kind))
            file.steps.append(reader(self))
            kind = self._peek()
        file.base = self._base()
        self._require(self.record == self.record_count - 1, "records after the base density", 0)
        if self.block_start != len(self.data) - len(file.metadata):
            self._refuse("bytes between the last block and the metadata", self.block_start)
        self._checksum()
        if self.value_errors:
            raise self.value_errors[0]
        return file

    # ---- header ----

    def _header(self) -> File:
        data = self.data
        if len(data) < layout.HEADER.size:
            raise FormatError(Status.TRUNCATED, f"{len(data)} bytes are less than a header", -1, len(data))
        fields = layout.HEADER.unpack_from(data)
        magic, major, _, self.crc, file_size, features, dim, context_dim, self.record_count, metadata_size = fields
        self._require(magic == MAGIC, "this is not a .flw file", 0, Status.MAGIC)
        self._require(major == MAJOR, f"format version {major} is not {MAJOR}", 8, Status.VERSION)
        self._require(features == 0, f"unknown required features {features:#x}", 24, Status.FEATURE)
        self._require(file_size == len(data), f"{len(data)} bytes instead of {file_size}", 16, Status.TRUNCATED)
        self._require(dim >= 1, "dim is 0", 28)
        self._check(beyond(MAX_DIM, 28, dim))
        self._check(beyond(MAX_CONTEXT_DIM, 32, context_dim))
        self._require(self.record_count >= 1, "record_count is 0", 36)
        self._check(beyond(MAX_RECORDS, 36, self.record_count))
        records_end = layout.HEADER.size + LINE * self.record_count
        room = len(data) - records_end
        self._require(room >= 0, "the records do not fit into the file", 36)
        self._require(metadata_size <= room, "the metadata does not fit into the file", 40)
        self._require(not any(data[48:64]), "reserved bytes are not zero", 48)
        self.block_start = records_end
        self.block_limit = len(data) - metadata_size
        self.dim, self.context_dim = dim, context_dim
        return File(dim, context_dim, [], metadata=data[self.block_limit :])

    def _checksum(self) -> None:
        at = layout.CRC_OFFSET
        crc = zlib.crc32(self.data[:at] + bytes(4) + self.data[at + 4 :])
        if crc != self.crc:
            raise FormatError(Status.CHECKSUM, "the checksum does not match the bytes", -1, at)

    # ---- fields of the current record ----

    def _require(self, condition: bool, message: str, field: int, status: Status = Status.MALFORMED) -> None:
        """`field` is the byte offset in the current record, or in the header."""
        if not condition:
            raise FormatError(status, message, self.record, self._record_start() + field)

    def _check(self, problem: Problem | None) -> None:
        if problem is not None:
            self._require(False, problem.message, problem.field, problem.status)

    def _refuse(self, message: str, offset: int, status: Status = Status.MALFORMED) -> NoReturn:
        """`offset` is that of the wrong element of a block."""
        raise FormatError(status, message, self.record, offset)

    def _record_start(self) -> int:
        return layout.HEADER.size + LINE * self.record if self.record >= 0 else 0

    def _peek(self) -> int:
        self._require(self.record + 1 < self.record_count, "there is no base density", 36 if self.record < 0 else 0)
        start = layout.HEADER.size + LINE * (self.record + 1)
        return int.from_bytes(self.data[start : start + 2], "little")

    def _next(self, structure, kind: Kind) -> list:
        """The fields of the next record after its kind; every byte that no field covers must be zero."""
        self.record += 1
        start = self._record_start()
        fields = structure.unpack_from(self.data, start)
        self._require(fields[0] == kind, f"kind {fields[0]} where {int(kind)} belongs", 0)
        blank = structure.pack(*fields)
        stored = self.data[start : start + LINE]
        for offset, (a, b) in enumerate(zip(stored, blank)):
            self._require(a == b, "reserved byte is not zero", offset)
        return list(fields[1:])

    # ---- blocks ----

    def _block(self, count: int) -> np.ndarray:
        """The next block as 32-bit words: `count` elements, and the padding that fills the last 64 bytes."""
        size = 4 * count + -4 * count % LINE
        start = self.block_start
        if start + size > self.block_limit:
            self._refuse("a block does not fit into the file", start, Status.TRUNCATED)
        self.block_start += size
        return np.frombuffer(self.data, dtype="<u4", count=size // 4, offset=start)

    def _expect(self, valid, message: str, start: int) -> None:
        """Notes the first value that is not `valid`, of those that begin at `start`; one truth is that of all."""
        if not np.all(valid):
            offset = start + 4 * int(np.argmin(valid))
            self.value_errors.append(FormatError(Status.VALUE, message, self.record, offset))

    def _floats(self, count: int) -> np.ndarray:
        start = self.block_start
        words = self._block(count)
        values = words[:count].view("<f4")
        self._expect(np.isfinite(values), "a parameter is NaN or infinite", start)
        self._expect(words[count:] == 0, "padding is not zero", start + 4 * count)
        return values

    def _integers(self, count: int) -> np.ndarray:
        start = self.block_start
        words = self._block(count)
        if np.any(words[count:]):
            self._refuse("padding is not zero", start + 4 * (count + int(np.argmax(words[count:] != 0))))
        return words[:count].astype(np.int64)

    def _permutation_index(self) -> np.ndarray:
        start = self.block_start
        index = self._integers(self.dim)
        if not np.array_equal(np.sort(index), np.arange(self.dim)):
            self._refuse("not a permutation of the coordinates", start)
        return index

    def _stage_end(self, count: int, field: int) -> np.ndarray:
        self._require(1 <= count <= self.dim, f"{count} stages for {self.dim} ranks", field)
        start = self.block_start
        ends = self._integers(count)
        if ends[0] == 0 or np.any(np.diff(ends) <= 0) or ends[-1] != self.dim:
            self._refuse(f"stages must increase to {self.dim}", start)
        return ends

    def _weights(self, visible: np.ndarray, source_width: int) -> np.ndarray:
        start = self.block_start
        lines = int(np.sum(panel_depths(visible)))
        panels = self._floats(PANEL * lines)
        if lines > MAX_PANEL_LINES.most:
            self._refuse(MAX_PANEL_LINES.message(lines), start, Status.LIMIT)
        weight, padding = unpack(panels, visible, source_width)
        is_padded = not np.any(padding.view(np.uint32))  # to the bit: a negative zero is not padding
        self._expect(is_padded, "a weight outside the visible prefix is not zero", start)
        return weight

    # ---- steps ----

    def _autoregressive(self) -> AutoregressiveStep:
        fields = self._next(layout.AUTOREGRESSIVE, Kind.AUTOREGRESSIVE)
        reads, stages, passthrough, layer_count, transformer, form, scale, bins, *p = fields
        self._require(reads <= 1, f"reads is {reads}", 2)
        self._require(passthrough < self.dim, f"passthrough is {passthrough}", 8)
        self._check(check_transformer(transformer, form, scale, bins, p))
        self._layer_count(layer_count)
        data_index, noise_index = self._permutation_index(), self._permutation_index()
        stage_end = self._stage_end(stages, 4)
        self._require(passthrough in (0, *stage_end), "passthrough does not end on a stage", 8)
        step = AutoregressiveStep(
            data_index, noise_index, stage_end, [], reads, passthrough, transformer, form, scale, bins, tuple(p)
        )
        self._layers(step.conditioner, layer_count, (self.dim - passthrough) * step.parameters)
        return step

    def _diagonal(self) -> DiagonalStep:
        (log_det,) = self._next(layout.VOLUME, Kind.DIAGONAL)
        self._require(bool(np.isfinite(log_det)), "log_det is not finite", 8)
        start = self.block_start
        scale = self._floats(self.dim)
        self._expect(scale != 0, "a scale is zero", start)
        return DiagonalStep(scale, self._floats(self.dim), log_det)

    def _linear(self) -> LinearStep:
        (log_det,) = self._next(layout.VOLUME, Kind.LINEAR)
        self._require(bool(np.isfinite(log_det)), "log_det is not finite", 8)
        dense = np.full(self.dim, self.dim)
        matrix, inverse = self._weights(dense, self.dim), self._weights(dense, self.dim)
        return LinearStep(matrix, inverse, self._floats(self.dim), log_det)

    def _elementwise(self) -> ElementwiseStep:
        self._next(layout.PLAIN, Kind.ELEMENTWISE)
        starts = [self.block_start]
        function = self._integers(self.dim)
        starts.append(self.block_start)
        step = ElementwiseStep(function, self._floats(self.dim), self._floats(self.dim))
        for i, (code, lower, upper) in enumerate(zip(step.function, step.lower, step.upper)):
            problem = check_elementwise(code, lower, upper)
            if problem is not None:
                self._refuse(f"coordinate {i}: {problem.message}", starts[problem.field] + 4 * i, problem.status)
        return step

    def _permutation(self) -> PermutationStep:
        self._next(layout.PLAIN, Kind.PERMUTATION)
        return PermutationStep(self._permutation_index())

    # ---- encoder and base ----

    def _encoder(self) -> Encoder:
        (layer_count,) = self._next(layout.ENCODER, Kind.ENCODER)
        self._layer_count(layer_count)
        self._require(self.context_dim > 0, "an encoder without a context", 0)
        encoder = Encoder([])
        self._layers(encoder.conditioner, layer_count, None)
        self.context_dim = encoder.layers[-1].width
        return encoder

    def _base(self):
        base, stages, layer_count, scale, bins, *p = self._next(layout.BASE, Kind.BASE)
        self._require(base <= max(BaseKind), f"unknown base density {base}", 2, Status.FEATURE)
        mixture = base in (BaseKind.NORMAL_MIXTURE, BaseKind.AUTOREGRESSIVE_MIXTURE)
        made = base == BaseKind.AUTOREGRESSIVE_MIXTURE
        layered = made or base == BaseKind.CONDITIONAL_NORMAL
        self._require(made or stages == 0, "stage_count of a base without stages", 4)
        self._require(layered or layer_count == 0, f"{layer_count} layers in base {base}", 12)
        self._require(mixture == (bins > 0), f"{bins} components in base {base}", 20)
        self._check(beyond(MAX_COMPONENTS, 20, bins))
        self._require(made or not (scale or is_set(*p)), "unused fields are not zero", 18)
        self._check(check_scale(scale, p) if made else None)
        if layered:
            self._layer_count(layer_count)
        if base == BaseKind.STANDARD_NORMAL:
            return StandardNormal()
        if base == BaseKind.DIAGONAL_NORMAL:
            return DiagonalNormal(self._floats(self.dim), self._positive(self.dim))
        if base == BaseKind.BOX_UNIFORM:
            start = self.block_start
            lower, upper = self._floats(self.dim), self._floats(self.dim)
            valid = is_interval(lower, upper)
            if not np.all(valid):
                i = int(np.argmin(valid))
                message = f"coordinate {i}: the interval [{lower[i]}, {upper[i]}] is empty or too wide for float32"
                self._refuse(message, start + 4 * i)
            return BoxUniform(lower, upper)
        if base == BaseKind.NORMAL_MIXTURE:
            log_weight = self._floats(bins)
            components = [(self._floats(self.dim), self._positive(self.dim)) for _ in range(bins)]
            means, stds = zip(*components)
            return NormalMixture(log_weight, np.stack(means), np.stack(stds))
        if base == BaseKind.CONDITIONAL_NORMAL:
            normal = ConditionalNormal([])
            self._layers(normal.conditioner, layer_count, 2 * self.dim)
            return normal
        index, stage_end = self._permutation_index(), self._stage_end(stages, 4)
        mixture = AutoregressiveMixture(index, stage_end, [], bins, scale, tuple(p))
        self._layers(mixture.conditioner, layer_count, 3 * bins * self.dim)
        return mixture

    def _positive(self, count: int) -> np.ndarray:
        start = self.block_start
        values = self._floats(count)
        self._expect(values > 0, "a standard deviation is not positive", start)
        return values

    # ---- layers ----

    def _layer_count(self, count: int) -> None:
        """The field layer_count of the current record."""
        self._require(count >= 1, "there is no layer", 12)
        self._check(beyond(MAX_LAYERS, 12, count))
        left = self.record_count - 1 - self.record
        self._require(count <= left, f"{count} layers, but {left} records follow", 12)

    def _layers(self, conditioner: Conditioner, count: int, output_width: int | None) -> None:
        """Appends `count` layers to the conditioner's list."""
        for i in range(count):
            is_output = i == count - 1
            layer = self._layer_record(conditioner, output_width if is_output else None)
            conditioner.layers.append(layer)
            has_known_degrees = is_output and conditioner.stage_end is not None
            if not has_known_degrees:
                layer.degree_end = self._degree_end(conditioner, i)
            self._check_references(conditioner, i)
            if layer.activation == Activation.LAYER_NORM:
                alone = not has_known_degrees and conditioner.depends_on_context_alone(i)
                self._require(alone, "layer norm where a unit depends on more than the context, or is an output", 2)
            self._layer_values(conditioner, i)

    def _layer_record(self, conditioner: Conditioner, output_width: int | None) -> Layer:
        fields = self._next(layout.LAYER, Kind.LAYER)
        activation, width, source, context, gate, add0, add1, add2, scaled, a = fields
        references = {"source": source, "context": context, "gate": gate, "add": (add0, add1, add2)}
        self._require(width >= 1, "width is 0", 4)
        self._check(beyond(MAX_WIDTH, 4, width))
        self._require(output_width in (None, width), f"the output layer has {width} units, not {output_width}", 4)
        self._check(check_layer(conditioner, self.context_dim, activation, a, width, references, scaled))
        self.scaled = [bool(scaled >> j & 1) for j in range(3)]
        return Layer(np.zeros(width), activation, a, **references)

    def _degree_end(self, conditioner: Conditioner, i: int) -> np.ndarray:
        width = conditioner.layers[i].width
        start = self.block_start
        ends = self._integers(conditioner.stage_count)
        if np.any(np.diff(ends) < 0) or ends[-1] != width:
            self._refuse(f"degrees must rise to {width} units", start)
        if conditioner.depends_on_context_alone(i) and ends[0] != width:
            self._refuse("what depends on the context alone has degree 0", start)
        return ends

    def _check_references(self, conditioner: Conditioner, i: int) -> None:
        layer = conditioner.layers[i]
        for reference in (*layer.add, layer.gate):
            if reference and np.any(conditioner.degree_end(reference - 2) < conditioner.degree_end(i)):
                self._require(False, "an added or gating layer has a larger degree than its user", 12)

    def _layer_values(self, conditioner: Conditioner, i: int) -> None:
        layer = conditioner.layers[i]
        layer.bias = self._floats(layer.width)
        layer.scales = tuple(self._floats(layer.width) if scaled else None for scaled in self.scaled)
        if layer.context:
            width = self.context_dim if layer.context == 1 else conditioner.layers[layer.context - 2].width
            layer.context_weight = self._weights(np.full(layer.width, width), width)
        if layer.source:
            layer.weight = self._weights(conditioner.visible(i), conditioner.source_width(i))


_STEP_READERS = {
    Kind.AUTOREGRESSIVE: _Reader._autoregressive,
    Kind.DIAGONAL: _Reader._diagonal,
    Kind.LINEAR: _Reader._linear,
    Kind.ELEMENTWISE: _Reader._elementwise,
    Kind.PERMUTATION: _Reader._permutation,
}
