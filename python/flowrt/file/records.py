"""A `.flw` file as Python objects, arrays dense.

The arrays may be float64: a `File` that an adapter made is exact, and is rounded to float32 only when it is written. A
`File` that was read holds float32 arrays. Field names and numbers are those of docs/FORMAT.md; `source`, `context`,
`gate` and `add` hold references as they stand in a layer record: 0 none, 1 the read side or the context, 2 + i layer i.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

import numpy as np

from .codes import NO_PARAMETERS, Activation, BaseKind, Form, Kind, Reads, Scale, Transformer, parameters_per_rank


@dataclass
class Layer:
    """`gate * activation(bias + context_weight c + weight source + sum of scale_j * add_j)`, H units sorted by degree.

    Weights are (H, K) with zeros wherever a unit may not see. `degree_end` is None in the output layer of a step.
    """

    bias: np.ndarray
    activation: int = Activation.IDENTITY
    a: float = 0.0
    degree_end: Optional[np.ndarray] = None
    source: int = 0
    weight: Optional[np.ndarray] = None
    context: int = 0
    context_weight: Optional[np.ndarray] = None
    gate: int = 0
    add: tuple = ()
    scales: tuple = ()  # one for each add: an (H,) array, or None for plain addition

    @property
    def width(self) -> int:
        return len(self.bias)


@dataclass
class Conditioner:
    """Layers that yield parameters.

    `stage_end` are the stages of the read side, or None where nothing is read (an encoder, a conditional base). With
    stages, the last layer has `parameters` rows for each rank from `passthrough` on.
    """

    layers: list
    stage_end: Optional[np.ndarray] = None
    passthrough: int = 0
    parameters: int = 0

    @property
    def stage_count(self) -> int:
        return 1 if self.stage_end is None else len(self.stage_end)

    def degree_end(self, i: int) -> np.ndarray:
        """(S,) number of units of layer i with degree <= g. Those of the output layer follow from the stages."""
        if self.layers[i].degree_end is not None:
            return np.asarray(self.layers[i].degree_end, dtype=np.int64)
        return self.parameters * np.maximum(np.asarray(self.stage_end, dtype=np.int64) - self.passthrough, 0)

    def degrees(self, i: int) -> np.ndarray:
        """(H,) degree of each unit of layer i."""
        return np.searchsorted(self.degree_end(i), np.arange(self.layers[i].width), side="right")

    def source_width(self, i: int) -> int:
        """Units of the source of layer i, 0 without one."""
        source = self.layers[i].source
        if source == 0:
            return 0
        return int(self.stage_end[-1]) if source == 1 else self.layers[source - 2].width

    def visible(self, i: int) -> np.ndarray:
        """(H,) how many leading units of its source each unit of layer i may see (section 3)."""
        degrees = self.degrees(i)
        source = self.layers[i].source
        if source == 0:
            return np.zeros(len(degrees), dtype=np.int64)
        if source == 1:
            return np.concatenate([[0], self.stage_end])[degrees].astype(np.int64)
        return self.degree_end(source - 2)[degrees]

    def depends_on_context_alone(self, i: int) -> bool:
        """Section 4: nothing, or only layers of the context alone, as source, added and gating layers."""
        alone: list[bool] = []
        for layer in self.layers[: i + 1]:
            references = [r for r in (layer.source, *layer.add, layer.gate) if r]
            alone.append(all(r != 1 and alone[r - 2] for r in references))
        return alone[i]


@dataclass
class AutoregressiveStep:
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


@dataclass
class ElementwiseStep:
    function: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    margin: float = 0.0  # share of an interval, at both ends, where the framework clamps; not in the file
    kind = Kind.ELEMENTWISE


@dataclass
class PermutationStep:
    index: np.ndarray
    kind = Kind.PERMUTATION


@dataclass
class Encoder:
    layers: list
    kind = Kind.ENCODER

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers)


@dataclass
class StandardNormal:
    base = BaseKind.STANDARD_NORMAL


@dataclass
class DiagonalNormal:
    mean: np.ndarray
    std: np.ndarray
    base = BaseKind.DIAGONAL_NORMAL


@dataclass
class BoxUniform:
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
class ConditionalNormal:
    """Output rows 2 i, 2 i + 1 of the last layer: mean and log std of coordinate i."""

    layers: list
    base = BaseKind.CONDITIONAL_NORMAL

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers)


@dataclass
class AutoregressiveMixture:
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


Step = Union[AutoregressiveStep, DiagonalStep, LinearStep, ElementwiseStep, PermutationStep]
Base = Union[StandardNormal, DiagonalNormal, BoxUniform, NormalMixture, ConditionalNormal, AutoregressiveMixture]


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
