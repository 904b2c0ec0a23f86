"""A whole `.flw` file as Python objects, arrays dense: `read` makes them from bytes, `encode` bytes from them.

The arrays may be float64: a `File` that was compiled is exact, and is rounded to float32 only when it is written. A
`File` that was read holds float32 arrays. Names and numbers are those of docs/FORMAT.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Optional, Union

from ..errors import FormatError
from ..tables import Table
from .autoregressive import AutoregressiveStep, read_autoregressive, write_autoregressive
from .base import Base, StandardNormal, read_base, write_base
from .codes import STEP_KINDS, Kind
from .constant import DiagonalStep, LinearStep, read_diagonal, read_linear, write_diagonal, write_linear
from .cursor import Reader, Writer
from .elementwise import ElementwiseStep, read_elementwise, write_elementwise
from .encoder import Encoder, read_encoder, write_encoder
from .fields import Problem, unknown
from .header import check_features, checksum, read_header, write_header
from .permutation import PermutationStep, read_permutation, write_permutation
from .pixelwise import PixelwiseLinearStep, read_pixelwise, write_pixelwise

Step = Union[AutoregressiveStep, DiagonalStep, LinearStep, ElementwiseStep, PermutationStep, PixelwiseLinearStep]
_STEPS = Table(
    "flowrt.file.file._STEPS",
    STEP_KINDS,
    {
        Kind.AUTOREGRESSIVE: (read_autoregressive, write_autoregressive),
        Kind.DIAGONAL: (read_diagonal, write_diagonal),
        Kind.LINEAR: (read_linear, write_linear),
        Kind.ELEMENTWISE: (read_elementwise, write_elementwise),
        Kind.PERMUTATION: (read_permutation, write_permutation),
        Kind.PIXELWISE_LINEAR: (read_pixelwise, write_pixelwise),
    },
)


@dataclass
class File:
    """A whole flow: steps from data to noise, then the base density of the noise."""

    dim: int
    context_dim: int
    steps: list
    base: Base = field(default_factory=StandardNormal)
    encoder: Optional[Encoder] = None
    metadata: bytes = b""

    @property
    def encoded_context_dim(self) -> int:
        """Floats of the context that steps and base see: the encoder's output, or the caller's context."""
        return self.encoder.layers[-1].width if self.encoder else self.context_dim


Source = Union[str, os.PathLike, bytes, bytearray, memoryview, File]


# ---- reading ----


def read(source: Source) -> File:
    """The flow in a `.flw` file, given by path or by its bytes. A `File` is returned as it is.

    The whole file is checked: structure first, then the checksum, then the values (finite parameters, zero padding). So
    a damaged file is reported by what is wrong with it, as far as the structure shows it.

    Raises `FormatError` for anything that is not a valid file, `OSError` if a path cannot be read.
    """
    if isinstance(source, File):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source))
    path = os.fspath(source)
    with open(path, "rb") as stream:
        data = stream.read()
    try:
        return _decode(data)
    except FormatError as error:
        error.args = (f"{path}: {error}",)
        raise


def _decode(data: bytes) -> File:
    reader = read_header(data)
    file = File(reader.dim, reader.context_dim, [], metadata=data[reader.block_limit :])
    if reader.peek() == Kind.ENCODER:
        file.encoder = read_encoder(reader)
    while reader.peek() != Kind.BASE:
        file.steps.append(_read_step(reader))
    file.base = read_base(reader)
    reader.require(reader.record == reader.record_count - 1, "records after the base density", "kind")
    if reader.block_start != reader.block_limit:
        reader.refuse("bytes between the last block and the metadata", reader.block_start)
    check_features(reader)
    checksum(data)
    if reader.value_errors:
        raise reader.value_errors[0]
    return file


def _read_step(reader: Reader) -> Step:
    kind = reader.peek()
    if kind not in STEP_KINDS:
        known = kind in set(Kind)
        reader.skip()
        reader.check(Problem("kind", f"kind {kind} is not a step") if known else unknown("kind", "kind", kind))
    read_one, _ = _STEPS[kind]
    return read_one(reader)


# ---- writing ----


def encode(file: File) -> bytes:
    """The bytes of a flow, parameters rounded to float32.

    Raises `ExportError` where a parameter overflows or a number is beyond its limit, `FormatError` for whatever else
    docs/FORMAT.md does not allow.
    """
    data = unchecked(file)
    read(data)  # the reader is stricter than any check here: nothing invalid leaves this function
    return data


def unchecked(file: File) -> bytes:
    """The bytes of a flow that may be invalid."""
    writer = Writer(file.dim)
    if file.encoder is not None:
        write_encoder(writer, file.encoder)
    for step in file.steps:
        _, write_one = _STEPS[step.kind]
        write_one(writer, step)
    write_base(writer, file.base)
    return write_header(writer, file.context_dim, file.metadata)
