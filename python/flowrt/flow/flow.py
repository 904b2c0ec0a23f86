"""A flow as an adapter or a description gives it: dense weights, boolean masks, every unit where the framework has it.

Nothing here is sorted, pruned or rounded. `flowrt.compile` proves the autoregressive order and brings the flow into
the shape of docs/FORMAT.md. Arrays are float64 (masks boolean); formulas and codes are those of that page.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Optional, Sequence, Union

import numpy as np

from ..file.base import BoxUniform, DiagonalNormal, NormalMixture, StandardNormal
from ..file.codes import NO_PARAMETERS, Activation, Form, Reads, Scale, Transformer
from .planes import Convolution, Gather, MaxPool
from .planes import has_planes as has_planes

READ = "read"  # source of a layer: the side of the step that the conditioner reads
CONTEXT = "context"  # context source of a layer: the context itself


@dataclass
class Add:
    """The values of an earlier layer, unit by unit, times `scale` (H,) if there is one."""

    layer: int
    scale: Optional[np.ndarray] = None


@dataclass
class Stage:
    """`gate * activation(shift + sum of scale * value)`, unit by unit: a layer of a `Composition`.

    `terms` maps values to their scales, numbers or (H,); value 0 is what the composition is applied to, value i + 1 is
    that of stage i. `gate` is a value, too.
    """

    terms: dict
    shift: float = 0.0
    activation: Activation = Activation.IDENTITY
    a: float = 0.0
    gate: Optional[int] = None


@dataclass
class Composition:
    """An activation that a file has not, as stages of those that it has; the last stage is its value."""

    stages: list


@dataclass
class Layer:
    """`gate * activation(bias + context_weight c + (weight * mask) source + sum of adds)`, H units.

    `bias` is (H,), `weight` and `mask` (H, K), `context_weight` (H, C). `source` is READ (K = D) or the index of an
    earlier layer of K units, `context_source` CONTEXT or the index of an earlier layer that depends on the context
    alone. `mask` is where a weight may act, whatever its value; None is everywhere. `a` is the parameter of the
    activation, `gate` the index of an earlier layer of H units, `add` a list of `Add`. A `Composition` as activation
    becomes layers of its own when the flow is compiled.

    `flowrt.compile` raises `ExportError` for shapes that do not fit, and names the layer.

    Three units that see the first of two coordinates:

    >>> from flowrt import ir
    >>> mask = [[True, False]] * 3
    >>> hidden = ir.Layer(np.zeros(3), np.ones((3, 2)), np.array(mask), ir.READ, activation=ir.Activation.TANH)
    >>> hidden.width
    3
    """

    bias: np.ndarray
    weight: Optional[np.ndarray] = None
    mask: Optional[np.ndarray] = None
    source: Union[str, int, None] = None
    context_weight: Optional[np.ndarray] = None
    context_source: Union[str, int] = CONTEXT
    activation: Union[Activation, Composition] = Activation.IDENTITY
    a: float = 0.0
    add: list = field(default_factory=list)
    gate: Optional[int] = None

    def __post_init__(self):
        if self.weight is not None and self.mask is None:
            self.mask = np.ones(self.weight.shape, dtype=bool)

    @property
    def width(self) -> int:
        return len(self.bias)

    @property
    def partners(self) -> list:
        """Layers whose units meet the units of this one, number by number: they must be sorted alike."""
        return [add.layer for add in self.add] + ([] if self.gate is None else [self.gate])


AnyLayer = Union[Layer, Convolution, MaxPool, Gather]


def rewired(layer: AnyLayer, moved) -> AnyLayer:
    """The layer with `moved(reference)` for each number of an earlier layer that it refers to."""

    def new(reference):
        return moved(reference) if isinstance(reference, (int, np.integer)) else reference

    changes = {name: new(getattr(layer, name)) for name in ("source", "context_source", "gate")}
    if "context_source" not in {field.name for field in fields(layer)}:
        del changes["context_source"]
    return replace(layer, add=[replace(add, layer=new(add.layer)) for add in layer.add], **changes)


@dataclass
class Affine:
    """Parameters of a coordinate: t, a. `scale` and `p` say what positive number a stands for."""

    scale: Scale
    p: tuple = ()
    form: Form = Form.SCALE_THEN_SHIFT
    kind = Transformer.AFFINE
    bins = 0


@dataclass
class Additive:
    """Parameter of a coordinate: t."""

    kind = Transformer.ADDITIVE
    form = Form.SCALE_THEN_SHIFT
    scale = Scale.EXP
    p = ()
    bins = 0


@dataclass
class Spline:
    """Monotone spline; `form` (a sum of `SplineForm`) and `p` as in section 5.1 of docs/FORMAT.md.

    `bounded` says that the framework has no answer outside of [p0, p1], where a file has the identity: rows that check
    a file stay inside.
    """

    bins: int
    form: int
    p: tuple
    bounded: bool = False
    kind = Transformer.SPLINE
    scale = Scale.EXP


@dataclass
class Autoregressive:
    """MAF, IAF, MADE or coupling layer.

    `layers` are those of its network, the output layer last; among them may be layers of planes (`Convolution`,
    `MaxPool`, `Gather`), if the network reads none of the coordinates that are `transformed`. The output layer has P
    rows for each coordinate of `transformed` (all coordinates if None), in that order: row `P i + j` is parameter j of
    coordinate `transformed[i]`. The other coordinates stay as they are. `reads` is the side that the network is given:
    the data (MAF) or the noise (IAF).

    `flowrt.compile` raises `ExportError` if the masks do not prove an order of the coordinates, and names those that
    depend on themselves.

    A MAF of two coordinates, z0 = x0 and z1 = exp(x0) x1 + 1. The network has one layer, with rows t, a for each:

    >>> import flowrt
    >>> from flowrt import ir
    >>> bias, weight = np.array([0.0, 0.0, 1.0, 0.0]), np.array([[0, 0], [0, 0], [0, 0], [1.0, 0]])
    >>> mask = np.array([[False, False]] * 2 + [[True, False]] * 2)  # the second coordinate may see the first
    >>> step = ir.Autoregressive([ir.Layer(bias, weight, mask, ir.READ)], ir.Affine(ir.Scale.EXP))
    >>> file = flowrt.compile(ir.Flow(2, 0, [step]))
    >>> z, log_det = flowrt.reference.forward(file, [[2.0, 3.0]])
    >>> print(z.round(3), log_det)
    [[ 2.    23.167]] [2.]
    """

    layers: list
    transformer: Union[Affine, Additive, Spline]
    reads: Reads = Reads.DATA
    transformed: Optional[np.ndarray] = None
    name: str = "autoregressive layer"


class _WithBefore:
    """`before`, what a map adds first, is nothing if it is not given."""

    def __post_init__(self):
        if self.before is None:
            self.before = np.zeros(np.shape(self.shift))


@dataclass
class Diagonal(_WithBefore):
    """w = scale * (v + before) + shift, in these steps where `before` is large: as for `Linear`."""

    scale: np.ndarray
    shift: np.ndarray
    name: str = "diagonal layer"
    before: Optional[np.ndarray] = None  # zeros

    @property
    def shift_alone(self) -> np.ndarray:
        """The shift of the same map, multiplied out."""
        return self.scale * self.before + self.shift


@dataclass
class Permutation:
    """w[i] = v[index[i]]."""

    index: np.ndarray
    name: str = "permutation"


@dataclass
class Linear(_WithBefore):
    """w = matrix (v + before) + shift.

    What undoes `matrix v + shift` takes the shift away first. Were it multiplied out, `matrix v` and a constant could
    cancel, with the rounding errors of numbers that are larger than the result.
    """

    matrix: np.ndarray
    shift: np.ndarray
    name: str = "linear layer"
    before: Optional[np.ndarray] = None  # zeros


@dataclass
class PixelwiseLinear(_WithBefore):
    """w = matrix (v + before) + shift of the numbers v at `coordinates` (pixels, channels), the same for each pixel.

    `matrix` is (channels, channels), `shift` and `before` (channels,). All other coordinates stay as they are. An
    invertible 1x1 convolution, with or without actnorm.
    """

    matrix: np.ndarray
    shift: np.ndarray
    coordinates: np.ndarray
    name: str = "pixelwise linear layer"
    before: Optional[np.ndarray] = None  # zeros


@dataclass
class Elementwise:
    """w[i] = function[i](v[i]), section 2.4.

    `margin` is the share of an interval, at both of its ends, where the framework clamps instead: rows that check a
    file stay out of it.
    """

    function: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    name: str = "elementwise layer"
    margin: float = 0.0


@dataclass
class ConditionalNormal:
    """Rows 2 i, 2 i + 1 of the last layer: mean and log std of coordinate i, from the context alone."""

    layers: list


@dataclass
class AutoregressiveMixture:
    """Row `3 K i + j` of the last layer: K logits, K means, K raw scales of coordinate i."""

    layers: list
    components: int
    scale: Scale
    p: tuple = ()


Step = Union[Autoregressive, Diagonal, Permutation, Linear, Elementwise, PixelwiseLinear]
Base = Union[StandardNormal, DiagonalNormal, BoxUniform, NormalMixture, ConditionalNormal, AutoregressiveMixture]


@dataclass
class Flow:
    """Steps from data to noise, then the base density of the noise. `encoder` are layers that see the context alone.

    `shape` and `context_shape` say that x, or the context, is an image: (channels, rows, columns), flattened.
    """

    dim: int
    context_dim: int
    steps: list
    base: Base = field(default_factory=StandardNormal)
    encoder: Optional[list] = None
    framework: str = ""
    model: str = ""
    notes: str = ""
    bounds: Optional[tuple] = None  # low and high (D,) of a prior that log p is not corrected for
    names: Optional[Sequence[str]] = None  # of the coordinates of x,
    context_names: Optional[Sequence[str]] = None  # and of the context
    shape: Optional[tuple] = None
    context_shape: Optional[tuple] = None


def parameters(values) -> tuple:
    """The eight parameter fields of a record, from the ones that are used."""
    return (*values, *NO_PARAMETERS)[:8]
