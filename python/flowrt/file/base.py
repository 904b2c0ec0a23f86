"""Base densities (docs/FORMAT.md, section 2.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, NamedTuple, Union

import numpy as np

from ..errors import Status
from ..tables import Table
from .codes import MAX_COMPONENTS, NO_PARAMETERS, BaseKind, Kind, Scale
from .conditioner import Conditioner
from .cursor import WORD, Reader, Writer, float32, layer_count, within
from .fields import Structure, beyond, is_interval, is_set
from .layer import read_layers, write_layers
from .transformer import check_scale

BASE = Structure(
    ("kind", "H"),
    ("density", "H"),
    ("stage_count", "I"),
    ("reserved0", "4x"),
    ("layer_count", "H"),
    ("reserved1", "4x"),
    ("scale", "H"),
    ("components", "I"),
    ("p", "8f"),
    ("reserved", "8x"),
)


@dataclass
class StandardNormal:
    """Independent normals of mean 0 and variance 1."""

    base = BaseKind.STANDARD_NORMAL


@dataclass
class DiagonalNormal:
    """Independent normals; mean and std (D,)."""

    mean: np.ndarray
    std: np.ndarray
    base = BaseKind.DIAGONAL_NORMAL


@dataclass
class BoxUniform:
    """Uniform on the box between two corners (D,)."""

    lower: np.ndarray
    upper: np.ndarray
    base = BaseKind.BOX_UNIFORM


@dataclass
class NormalMixture:
    """log_weight (K,), mean and std (K, D)."""

    log_weight: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    base = BaseKind.NORMAL_MIXTURE


@dataclass
class ConditionalNormalBase:
    """Output rows 2 i, 2 i + 1 of the last layer: mean and log std of coordinate i."""

    layers: list
    base = BaseKind.CONDITIONAL_NORMAL

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers)


@dataclass
class AutoregressiveMixtureBase:
    """MADE with mixtures of `components` normals; rows of a rank: logits, means, raw scales."""

    index: np.ndarray
    stage_end: np.ndarray
    layers: list
    components: int
    scale: int = Scale.EXP
    p: tuple = NO_PARAMETERS
    base = BaseKind.AUTOREGRESSIVE_MIXTURE

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers, self.stage_end, 0, 3 * self.components)


Base = Union[
    StandardNormal, DiagonalNormal, BoxUniform, NormalMixture, ConditionalNormalBase, AutoregressiveMixtureBase
]


# ---- blocks of each density ----


def _read_diagonal(reader: Reader, record) -> DiagonalNormal:
    return DiagonalNormal(reader.floats(reader.dim), _read_std(reader))


def _write_diagonal(writer: Writer, base: DiagonalNormal) -> None:
    writer.floats(base.mean)
    writer.floats(base.std)


def _read_std(reader: Reader) -> np.ndarray:
    start = reader.block_start
    values = reader.floats(reader.dim)
    reader.expect(values > 0, "a standard deviation is not positive", start)
    return values


def _read_box(reader: Reader, record) -> BoxUniform:
    start = reader.block_start
    lower, upper = reader.floats(reader.dim), reader.floats(reader.dim)
    valid = is_interval(lower, upper)
    if not np.all(valid):
        i = int(np.argmin(valid))
        message = f"coordinate {i}: the interval [{lower[i]}, {upper[i]}] is empty or too wide for float32"
        reader.refuse(message, start + WORD * i)
    return BoxUniform(lower, upper)


def _write_box(writer: Writer, base: BoxUniform) -> None:
    writer.floats(base.lower)
    writer.floats(base.upper)


def _read_mixture(reader: Reader, record) -> NormalMixture:
    log_weight = reader.floats(record.components)
    components = [(reader.floats(reader.dim), _read_std(reader)) for _ in range(record.components)]
    means, stds = zip(*components)
    return NormalMixture(log_weight, np.stack(means), np.stack(stds))


def _write_mixture(writer: Writer, base: NormalMixture) -> None:
    writer.floats(base.log_weight)
    for mean, std in zip(base.mean, base.std):
        writer.floats(mean)
        writer.floats(std)


def _read_conditional(reader: Reader, record) -> ConditionalNormalBase:
    base = ConditionalNormalBase([])
    read_layers(reader, base.conditioner, record.layer_count, 2 * reader.dim, planes=False)
    return base


def _write_conditional(writer: Writer, base: ConditionalNormalBase) -> None:
    write_layers(writer, base.conditioner)


def _read_autoregressive(reader: Reader, record) -> AutoregressiveMixtureBase:
    index, stage_end = reader.permutation(), reader.stage_end(record.stage_count)
    base = AutoregressiveMixtureBase(index, stage_end, [], record.components, record.scale, record.p)
    read_layers(reader, base.conditioner, record.layer_count, 3 * record.components * reader.dim)
    return base


def _write_autoregressive(writer: Writer, base: AutoregressiveMixtureBase) -> None:
    writer.integers(base.index)
    writer.integers(base.stage_end)
    write_layers(writer, base.conditioner)


class _Density(NamedTuple):
    """`fields(base)` are those of its record that are not zero; `read` and `write` are for its blocks."""

    read: Callable
    write: Callable
    fields: Callable = lambda base: {}
    has_layers: bool = False
    has_stages: bool = False  # and a scale function
    has_components: bool = False


_DENSITIES = Table(
    "flowrt.file.base._DENSITIES",
    BaseKind,
    {
        BaseKind.STANDARD_NORMAL: _Density(lambda reader, record: StandardNormal(), lambda writer, base: None),
        BaseKind.DIAGONAL_NORMAL: _Density(_read_diagonal, _write_diagonal),
        BaseKind.BOX_UNIFORM: _Density(_read_box, _write_box),
        BaseKind.NORMAL_MIXTURE: _Density(
            _read_mixture,
            _write_mixture,
            lambda base: {"components": within(MAX_COMPONENTS, len(base.log_weight))},
            has_components=True,
        ),
        BaseKind.CONDITIONAL_NORMAL: _Density(
            _read_conditional, _write_conditional, lambda base: {"layer_count": layer_count(base)}, has_layers=True
        ),
        BaseKind.AUTOREGRESSIVE_MIXTURE: _Density(
            _read_autoregressive,
            _write_autoregressive,
            lambda base: {
                "stage_count": len(base.stage_end),
                "layer_count": layer_count(base),
                "scale": base.scale,
                "components": within(MAX_COMPONENTS, base.components),
                "p": base.p,
            },
            has_layers=True,
            has_stages=True,
            has_components=True,
        ),
    },
)


# ---- the record ----


def read_base(reader: Reader) -> Base:
    record = reader.next(BASE, Kind.BASE)
    code, components, count = record.density, record.components, record.layer_count
    reader.require(code in set(BaseKind), f"unknown base density {code}", "density", Status.FEATURE)
    density = _DENSITIES[code]
    staged = density.has_stages
    reader.require(staged or record.stage_count == 0, "stage_count of a base without stages", "stage_count")
    reader.require(density.has_layers or count == 0, f"{count} layers in base {code}", "layer_count")
    has_components = density.has_components == (components > 0)
    reader.require(has_components, f"{components} components in base {code}", "components")
    reader.check(beyond(MAX_COMPONENTS, "components", components))
    reader.require(staged or not (record.scale or is_set(*record.p)), "unused fields are not zero", "scale")
    if staged:
        reader.check(check_scale(record.scale, record.p))
    if density.has_layers:
        reader.layer_count(count)
    return density.read(reader, record)


def write_base(writer: Writer, base: Base) -> None:
    density = _DENSITIES[base.base]
    unused = {"stage_count": 0, "layer_count": 0, "scale": 0, "components": 0, "p": NO_PARAMETERS}
    fields = {**unused, **density.fields(base)}
    writer.record(BASE, kind=Kind.BASE, density=base.base, **{**fields, "p": float32(fields["p"])})
    density.write(writer, base)
