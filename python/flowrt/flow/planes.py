"""Layers of planes, as an adapter or a description gives them: convolutions, pooling, and units picked one by one.

The units of a plane are its pixels, row by row, and within a pixel its channels: unit (y W + x) C + c. The numbers of
an image (C, H, W) come in another order; `flowrt.building.planes` has the lists that translate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Union

import numpy as np

from ..file.codes import Activation
from ..file.plane import Window


class _PlaneLayer:
    """What all layers of planes share with `Layer`."""

    add: list
    gate: Optional[int]

    @property
    def partners(self) -> list:
        """Layers whose units meet the units of this one, number by number."""
        return [add.layer for add in self.add] + ([] if self.gate is None else [self.gate])


class _WithWindow(_PlaneLayer):
    """A layer whose units each see a window of the input plane."""

    window: Window

    @property
    def output(self) -> tuple:
        """Rows and columns of the output plane."""
        return self.window.output

    @property
    def width(self) -> int:
        return self.window.outputs


@dataclass
class Convolution(_WithWindow):
    """`gate * activation(bias + context_weight c + convolution of the source + sum of adds)`, zeros outside.

    `weight` is (outputs, inputs, rows, columns), of a `depthwise` convolution (channels, 1, rows, columns); `bias`
    (outputs,), `context_weight` (outputs, C), the same at each pixel. `source` is READ, CONTEXT, or the index of an
    earlier layer, of which `grid` says how many rows and columns its pixels have. `coordinates` lists those of the read
    side that are the units of the input plane, pixel by pixel. `padding` are the zeros above, below, left and right.
    Other fields are those of `Layer`.

    An edge detector on a picture of 4 x 5 pixels that is the context:

    >>> from flowrt import ir
    >>> edges = ir.Convolution(np.zeros(1), np.array([[[[-1.0, 1.0]]]]), ir.CONTEXT, (4, 5))
    >>> edges.output, edges.width
    ((4, 4), 16)
    """

    bias: np.ndarray
    weight: np.ndarray
    source: Union[str, int]
    grid: tuple
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    depthwise: bool = False
    coordinates: Optional[np.ndarray] = None
    context_weight: Optional[np.ndarray] = None
    context_source: Union[str, int] = "context"
    activation: Any = Activation.IDENTITY
    a: float = 0.0
    add: list = field(default_factory=list)
    gate: Optional[int] = None

    @property
    def window(self) -> Window:
        outputs, inputs, *kernel = self.weight.shape
        inputs = outputs if self.depthwise else inputs
        return Window(self.grid, inputs, outputs, tuple(kernel), self.stride, self.dilation, self.padding)

    @property
    def channels(self) -> int:
        return len(self.weight)


class _WithoutWeights(_PlaneLayer):
    bias = weight = context_weight = None
    context_source = "context"


@dataclass
class MaxPool(_WithoutWeights, _WithWindow):
    """`gate * activation(largest number of a window, for each channel, + sum of adds)`. Padding never is the largest.

    Fields are those of `Convolution`.
    """

    kernel: tuple
    channels: int
    source: Union[str, int]
    grid: tuple
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    coordinates: Optional[np.ndarray] = None
    activation: Any = Activation.IDENTITY
    a: float = 0.0
    add: list = field(default_factory=list)
    gate: Optional[int] = None

    @property
    def window(self) -> Window:
        return Window(self.grid, self.channels, self.channels, self.kernel, self.stride, self.dilation, self.padding)


@dataclass
class Gather(_WithoutWeights):
    """Unit u is unit `index[u]` of the source, coordinate `index[u]` of READ; 0 where that is -1."""

    index: np.ndarray
    source: Union[str, int]
    activation: Any = Activation.IDENTITY
    a: float = 0.0
    add: list = field(default_factory=list)
    gate: Optional[int] = None
    window = None

    @property
    def width(self) -> int:
        return len(self.index)


PLANES = (Convolution, MaxPool, Gather)


def has_planes(layers) -> bool:
    """Whether one of the layers of a network is one of a plane."""
    return any(isinstance(layer, PLANES) for layer in layers)
