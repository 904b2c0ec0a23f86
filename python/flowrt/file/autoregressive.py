"""Autoregressive steps (docs/FORMAT.md, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .codes import MAX_BINS, NO_PARAMETERS, Form, Kind, Reads, Scale, Transformer, parameters_per_rank
from .conditioner import Conditioner
from .cursor import Reader, Writer, float32, layer_count, within
from .fields import Structure
from .layer import read_layers, write_layers
from .transformer import check_transformer

AUTOREGRESSIVE = Structure(
    ("kind", "H"),
    ("reads", "H"),
    ("stage_count", "I"),
    ("passthrough", "I"),
    ("layer_count", "H"),
    ("transformer", "H"),
    ("form", "H"),
    ("scale", "H"),
    ("bins", "I"),
    ("p", "8f"),
    ("reserved", "8x"),
)


@dataclass
class AutoregressiveStep:
    """One step with a conditioner: MAF, IAF, MADE or a coupling (section 2.1)."""

    data_index: np.ndarray
    noise_index: np.ndarray
    stage_end: np.ndarray
    layers: list
    reads: int = Reads.DATA
    passthrough: int = 0
    transformer: int = Transformer.AFFINE
    form: int = Form.SCALE_THEN_SHIFT
    scale: int = Scale.EXP
    bins: int = 0
    p: tuple = NO_PARAMETERS
    bounded: bool = False  # the framework has no answer outside of a spline's interval; not in the file
    kind = Kind.AUTOREGRESSIVE

    @property
    def parameters(self) -> int:
        return parameters_per_rank(self.transformer, self.form, self.bins)

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers, self.stage_end, self.passthrough, self.parameters)


def read_autoregressive(reader: Reader) -> AutoregressiveStep:
    record = reader.next(AUTOREGRESSIVE, Kind.AUTOREGRESSIVE)
    passthrough = record.passthrough
    reader.require(record.reads in set(Reads), f"reads is {record.reads}", "reads")
    reader.require(passthrough < reader.dim, f"passthrough is {passthrough}", "passthrough")
    reader.check(check_transformer(record))
    reader.layer_count(record.layer_count)
    data_index, noise_index = reader.permutation(), reader.permutation()
    stage_end = reader.stage_end(record.stage_count)
    reader.require(passthrough in (0, *stage_end), "passthrough does not end on a stage", "passthrough")
    step = AutoregressiveStep(
        data_index,
        noise_index,
        stage_end,
        [],
        record.reads,
        passthrough,
        record.transformer,
        record.form,
        record.scale,
        record.bins,
        record.p,
    )
    read_layers(reader, step.conditioner, record.layer_count, (reader.dim - passthrough) * step.parameters)
    return step


def write_autoregressive(writer: Writer, step: AutoregressiveStep) -> None:
    writer.record(
        AUTOREGRESSIVE,
        kind=Kind.AUTOREGRESSIVE,
        reads=step.reads,
        stage_count=len(step.stage_end),
        passthrough=step.passthrough,
        layer_count=layer_count(step),
        transformer=step.transformer,
        form=step.form,
        scale=step.scale,
        bins=within(MAX_BINS, step.bins),
        p=float32(step.p),
    )
    for indices in (step.data_index, step.noise_index, step.stage_end):
        writer.integers(indices)
    write_layers(writer, step.conditioner)
