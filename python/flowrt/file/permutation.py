"""Permutations (docs/FORMAT.md, section 2.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .codes import Kind
from .cursor import Reader, Writer
from .fields import RECORD


@dataclass
class PermutationStep:
    """w[i] = v[index[i]], index (D,)."""

    index: np.ndarray
    kind = Kind.PERMUTATION


def read_permutation(reader: Reader) -> PermutationStep:
    reader.next(RECORD, Kind.PERMUTATION)
    return PermutationStep(reader.permutation())


def write_permutation(writer: Writer, step: PermutationStep) -> None:
    writer.record(RECORD, kind=Kind.PERMUTATION)
    writer.integers(step.index)
