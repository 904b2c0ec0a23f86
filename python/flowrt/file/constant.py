"""Steps whose log-determinant is a constant: diagonal and linear ones (docs/FORMAT.md, sections 2.2 and 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from .codes import Kind
from .cursor import Reader, Writer, float32
from .fields import Structure

CONSTANT = Structure(("kind", "H"), ("reserved0", "6x"), ("log_det", "d"), ("reserved", "48x"))


@dataclass
class DiagonalStep:
    """w = scale * v + shift, both (D,). `log_det` is made by the writer if it is None."""

    scale: np.ndarray
    shift: np.ndarray
    log_det: Optional[float] = None
    kind = Kind.DIAGONAL


@dataclass
class LinearStep:
    """w = matrix v + shift, v = inverse (w - shift); matrices (D, D)."""

    matrix: np.ndarray
    inverse: np.ndarray
    shift: np.ndarray
    log_det: float
    kind = Kind.LINEAR


def _read_log_det(reader: Reader, kind: Kind) -> float:
    log_det = reader.next(CONSTANT, kind).log_det
    reader.require(bool(np.isfinite(log_det)), "log_det is not finite", "log_det")
    return log_det


def read_diagonal(reader: Reader) -> DiagonalStep:
    log_det = _read_log_det(reader, Kind.DIAGONAL)
    start = reader.block_start
    scale = reader.floats(reader.dim)
    reader.expect(scale != 0, "a scale is zero", start)
    return DiagonalStep(scale, reader.floats(reader.dim), log_det)


def write_diagonal(writer: Writer, step: DiagonalStep) -> None:
    scale = float32(step.scale)
    log_det = step.log_det
    if log_det is None:  # it must fit the scale as the file holds it, rounded
        log_det = float(np.sum(np.log(np.abs(scale.astype(np.float64)))))
    writer.record(CONSTANT, kind=Kind.DIAGONAL, log_det=log_det)
    writer.floats(scale)
    writer.floats(step.shift)


def read_linear(reader: Reader) -> LinearStep:
    log_det = _read_log_det(reader, Kind.LINEAR)
    dense = np.full(reader.dim, reader.dim)
    matrix, inverse = reader.weights(dense, reader.dim), reader.weights(dense, reader.dim)
    return LinearStep(matrix, inverse, reader.floats(reader.dim), log_det)


def write_linear(writer: Writer, step: LinearStep) -> None:
    writer.record(CONSTANT, kind=Kind.LINEAR, log_det=step.log_det)
    dense = np.full(writer.dim, writer.dim)
    writer.weights(step.matrix, dense)
    writer.weights(step.inverse, dense)
    writer.floats(step.shift)
