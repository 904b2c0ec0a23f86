"""`File` to bytes, as docs/FORMAT.md says."""

from __future__ import annotations

import zlib
from typing import Iterator

import numpy as np

from ..errors import ExportError
from . import layout
from .codes import (
    LINE,
    MAGIC,
    MAJOR,
    MAX_BINS,
    MAX_COMPONENTS,
    MAX_CONTEXT_DIM,
    MAX_DIM,
    MAX_LAYERS,
    MAX_RECORDS,
    MAX_WIDTH,
    MINOR_OF_ACTIVATION,
    NO_PARAMETERS,
    BaseKind,
    Kind,
    Limit,
)
from .panels import pack
from .read import read
from .records import Conditioner, File


def encode(file: File) -> bytes:
    """The bytes of a flow, parameters rounded to float32.

    Raises `ExportError` where a parameter overflows or a number is beyond its limit, `FormatError` for whatever else
    docs/FORMAT.md does not allow.
    """
    writer = _Writer(file)
    writer.write()
    data = writer.bytes()
    read(data)  # the reader is stricter than any check here: nothing invalid leaves this function
    return data


class _Writer:
    """Collects records and blocks in file order."""

    def __init__(self, file: File):
        self.file = file
        self.records: list[bytes] = []
        self.blocks: list[bytes] = []
        self.minor = 0  # the lowest version that has what the file uses

    def bytes(self) -> bytes:
        file = self.file
        body = b"".join(self.records) + b"".join(self.blocks) + file.metadata
        fields = [MAGIC, MAJOR, self.minor, 0, layout.HEADER.size + len(body), 0]
        fields += [_within(MAX_DIM, file.dim), _within(MAX_CONTEXT_DIM, file.context_dim)]
        fields += [_within(MAX_RECORDS, len(self.records)), len(file.metadata)]
        fields[3] = zlib.crc32(layout.HEADER.pack(*fields) + body)
        return layout.HEADER.pack(*fields) + body

    def write(self) -> None:
        if self.file.encoder is not None:
            self.records.append(layout.ENCODER.pack(Kind.ENCODER, _layer_count(self.file.encoder)))
            self._layers(self.file.encoder.conditioner)
        for step in self.file.steps:
            _STEP_WRITERS[step.kind](self, step)
        self._base(self.file.base)

    def _block(self, data: bytes) -> None:
        self.blocks.append(data + bytes(-len(data) % LINE))

    def _integers(self, values) -> None:
        self._block(np.asarray(values).astype("<u4").tobytes())

    def _floats(self, values) -> None:
        self._block(_float32(values).tobytes())

    def _autoregressive(self, step) -> None:
        self.records.append(
            layout.AUTOREGRESSIVE.pack(
                Kind.AUTOREGRESSIVE, step.reads, len(step.stage_end), step.passthrough, _layer_count(step),
                step.transformer, step.form, step.scale, _within(MAX_BINS, step.bins), *_float32(step.p),
            )
        )  # fmt: skip
        for indices in (step.data_index, step.noise_index, step.stage_end):
            self._integers(indices)
        self._layers(step.conditioner)

    def _diagonal(self, step) -> None:
        scale = _float32(step.scale)
        log_det = step.log_det
        if log_det is None:  # of the scale that the file holds, not of the one before rounding
            log_det = float(np.sum(np.log(np.abs(scale.astype(np.float64)))))
        self.records.append(layout.VOLUME.pack(Kind.DIAGONAL, log_det))
        self._floats(scale)
        self._floats(step.shift)

    def _linear(self, step) -> None:
        self.records.append(layout.VOLUME.pack(Kind.LINEAR, step.log_det))
        dense = np.full(self.file.dim, self.file.dim)
        self._floats(pack(_float32(step.matrix), dense))
        self._floats(pack(_float32(step.inverse), dense))
        self._floats(step.shift)

    def _elementwise(self, step) -> None:
        self.records.append(layout.PLAIN.pack(Kind.ELEMENTWISE))
        self._integers(step.function)
        self._floats(step.lower)
        self._floats(step.upper)

    def _permutation(self, step) -> None:
        self.records.append(layout.PLAIN.pack(Kind.PERMUTATION))
        self._integers(step.index)

    def _base(self, base) -> None:
        stages = layers = scale = bins = 0
        p = NO_PARAMETERS
        if base.base == BaseKind.NORMAL_MIXTURE:
            bins = _within(MAX_COMPONENTS, len(base.log_weight))
        elif base.base == BaseKind.CONDITIONAL_NORMAL:
            layers = _layer_count(base)
        elif base.base == BaseKind.AUTOREGRESSIVE_MIXTURE:
            stages, layers, scale = len(base.stage_end), _layer_count(base), base.scale
            bins, p = _within(MAX_COMPONENTS, base.components), base.p
        self.records.append(layout.BASE.pack(Kind.BASE, base.base, stages, layers, scale, bins, *_float32(p)))
        if base.base == BaseKind.DIAGONAL_NORMAL:
            self._floats(base.mean)
            self._floats(base.std)
        elif base.base == BaseKind.BOX_UNIFORM:
            self._floats(base.lower)
            self._floats(base.upper)
        elif base.base == BaseKind.NORMAL_MIXTURE:
            self._floats(base.log_weight)
            for mean, std in zip(base.mean, base.std):
                self._floats(mean)
                self._floats(std)
        elif base.base == BaseKind.CONDITIONAL_NORMAL:
            self._layers(base.conditioner)
        elif base.base == BaseKind.AUTOREGRESSIVE_MIXTURE:
            self._integers(base.index)
            self._integers(base.stage_end)
            self._layers(base.conditioner)

    def _layers(self, conditioner: Conditioner) -> None:
        for i, layer in enumerate(conditioner.layers):
            add = (*layer.add, 0, 0, 0)[:3]
            self.minor = max(self.minor, MINOR_OF_ACTIVATION.get(layer.activation, 0))
            scaled = sum(1 << j for j, scale in enumerate(layer.scales) if scale is not None)
            self.records.append(
                layout.LAYER.pack(
                    Kind.LAYER, layer.activation, _within(MAX_WIDTH, layer.width), layer.source, layer.context,
                    layer.gate, *add, scaled, _float32(layer.a),
                )
            )  # fmt: skip
            for block in _layer_blocks(conditioner, i):
                self._block(block.tobytes())


def _layer_blocks(conditioner: Conditioner, i: int) -> Iterator[np.ndarray]:
    """The blocks of one layer, section 4.1."""
    layer = conditioner.layers[i]
    if layer.degree_end is not None:
        yield np.asarray(layer.degree_end).astype("<u4")
    yield _float32(layer.bias)
    for scale in layer.scales:
        if scale is not None:
            yield _float32(scale)
    if layer.context:
        everything = np.full(layer.width, layer.context_weight.shape[1])
        yield pack(_float32(layer.context_weight), everything)
    if layer.source:
        yield pack(_float32(layer.weight), conditioner.visible(i))


def _layer_count(owner) -> int:
    return _within(MAX_LAYERS, len(owner.layers))


def _within(limit: Limit, count: int) -> int:
    if count > limit.most:
        raise ExportError(limit.message(count))
    return count


def _float32(values) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype("<f4")
    if not np.all(np.isfinite(rounded)):
        raise ExportError("a parameter of the model is NaN, infinite or too large for float32")
    return rounded


_STEP_WRITERS = {
    Kind.AUTOREGRESSIVE: _Writer._autoregressive,
    Kind.DIAGONAL: _Writer._diagonal,
    Kind.LINEAR: _Writer._linear,
    Kind.ELEMENTWISE: _Writer._elementwise,
    Kind.PERMUTATION: _Writer._permutation,
}
