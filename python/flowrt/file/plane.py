"""Plane layers: convolutions, max pooling and gathering (docs/FORMAT.md, section 4.3).

The units of a plane are its pixels, row by row, and within a pixel its channels: unit (y W + x) C + c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from .codes import MAX_PLANE, MAX_POOLED, NOWHERE, PANEL, Activation, Feature, LayerOperation
from .conditioner import Conditioner
from .cursor import Reader, Writer, within
from .fields import Problem, beyond

CONVOLUTIONS = (LayerOperation.CONVOLUTION, LayerOperation.DEPTHWISE_CONVOLUTION)
FIELDS = (  # of a layer's record, from byte 28 on
    ("plane", "2H"),
    ("in_channels", "I"),
    ("channels", "I"),
    ("kernel", "2H"),
    ("stride", "2H"),
    ("dilation", "2H"),
    ("pad", "4H"),
    ("reserved", "4x"),
)
UNUSED = {name: (0,) * int(form[0]) if len(form) == 2 else 0 for name, form in FIELDS if not form.endswith("x")}


@dataclass
class Window:
    """What each output pixel sees of an input plane: sizes of plane, kernel, stride and dilation as (rows, columns).

    `pad` are the zeros above, below, left and right of the plane.
    """

    plane: tuple
    in_channels: int
    channels: int
    kernel: tuple
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    pad: tuple = (0, 0, 0, 0)

    @property
    def padded(self) -> tuple:
        """Rows and columns of the input plane with its padding."""
        return self.plane[0] + self.pad[0] + self.pad[1], self.plane[1] + self.pad[2] + self.pad[3]

    @property
    def output(self) -> tuple:
        """Rows and columns of the output plane; less than 1 where the kernel is larger than the padded plane."""
        rows, columns = (
            (size - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, dilation in zip(self.padded, self.kernel, self.stride, self.dilation)
        )
        return rows, columns

    @property
    def inputs(self) -> int:
        """Units of the input plane."""
        return self.plane[0] * self.plane[1] * self.in_channels

    @property
    def outputs(self) -> int:
        return self.output[0] * self.output[1] * self.channels


@dataclass
class PlaneLayer:
    """A layer whose linear term is a convolution, the largest of a window, or units picked from its input.

    A convolution has `bias` (channels,) and `weight` (channels, lines): line (i kernel_w + j) in_channels + c, or
    i kernel_w + j of a depthwise one. `context_weight` is (channels, C), where `source` is not 0. A gather has `index`
    (H,), with NOWHERE for 0, and no window. References are those of `SortedLayer`.
    """

    operation: int
    window: Optional[Window] = None
    bias: Optional[np.ndarray] = None
    weight: Optional[np.ndarray] = None
    index: Optional[np.ndarray] = None
    activation: int = Activation.IDENTITY
    a: float = 0.0
    degree_end: Optional[np.ndarray] = None
    source: int = 0
    context: int = 0
    context_weight: Optional[np.ndarray] = None
    gate: int = 0
    add: tuple = ()
    scales: tuple = ()  # none: no added layer of a plane is scaled

    @property
    def width(self) -> int:
        return len(self.index) if self.window is None else self.window.outputs

    @property
    def lines(self) -> int:
        """Terms of the sum of a convolution."""
        window = self.window
        taps = window.kernel[0] * window.kernel[1]
        return taps * window.in_channels if self.operation == LayerOperation.CONVOLUTION else taps


# ---- rules ----


def check_window(window: Window, width: Optional[int], operation: int) -> Optional[Problem]:
    """What is wrong with the fields of a layer of `width` units, any if None, that has a window."""
    for name in ("plane", "kernel", "stride", "dilation"):
        for i, value in enumerate(getattr(window, name)):
            if value == 0:
                return Problem(name, f"{name} is {getattr(window, name)}", index=i)
    for name in ("in_channels", "channels"):
        if getattr(window, name) == 0:
            return Problem(name, f"{name} is 0")
    if operation != LayerOperation.CONVOLUTION and window.channels != window.in_channels:
        return Problem("channels", f"{window.channels} channels of {window.in_channels}")
    problem = beyond(MAX_PLANE, "in_channels", units_of(window.padded, window.in_channels))
    if problem is not None:
        return problem
    rows, columns = window.output
    if rows < 1 or columns < 1:
        return Problem("kernel", f"the kernel is larger than the plane of {window.padded} pixels with its padding")
    problem = beyond(MAX_PLANE, "channels", units_of(window.output, window.channels))
    if problem is not None:
        return problem
    taps = window.kernel[0] * window.kernel[1]
    if operation == LayerOperation.MAX_POOLING and window.outputs * taps > MAX_POOLED.most:
        return beyond(MAX_POOLED, "kernel", window.outputs * taps)
    if width not in (None, window.outputs):
        return Problem("width", f"width is {width}, not {rows} x {columns} pixels of {window.channels} channels")
    return None


def units_of(pixels: tuple, channels: int) -> int:
    """Units of a plane with channels rounded up to a multiple of 16."""
    return pixels[0] * pixels[1] * (-(-channels // PANEL) * PANEL)


def check_input(record, conditioner: Conditioner, available: int) -> Optional[Problem]:
    """What is wrong with the references of a plane layer; `available` are the units of the layer or context it takes.

    Those of the read side are checked where the degree is known.
    """
    if record.source == 0 and record.context == 0:
        return Problem("source", "a plane layer without an input")
    if record.source and record.context and record.operation not in CONVOLUTIONS:
        return Problem("context", "a context besides the input, which only a convolution may have")
    if record.scaled:
        return Problem("scaled", "a plane layer that scales what it adds")
    if record.activation == Activation.LAYER_NORM:
        return Problem("activation", "layer norm of a plane")
    if record.operation == LayerOperation.GATHER or record.source == 1:
        return None
    inputs = record.plane[0] * record.plane[1] * record.in_channels
    if inputs != available:
        return Problem("plane", f"an input plane of {inputs} units, but the input has {available}")
    return None


def require_one_degree(reader: Reader, conditioner: Conditioner, i: int) -> None:
    """Section 4.3: all units have one degree, and see the whole input plane."""
    layer = conditioner.layers[i]
    degrees = conditioner.degrees(i)
    reader.require(bool(degrees[0] == degrees[-1]), "a plane whose units have several degrees", "operation")
    if conditioner.stage_end is not None:
        alone = layer.source == 0 or (layer.source > 1 and conditioner.depends_on_context_alone(layer.source - 2))
        reader.require(not alone, "the input of a plane in a step depends on the context alone", "source")
    if layer.source == 0 or layer.operation == LayerOperation.GATHER:
        return
    visible = int(conditioner.visible(i)[0])
    message = f"an input plane of {layer.window.inputs} units, of which {visible} are visible"
    reader.require(layer.window.inputs <= visible, message, "plane")


# ---- blocks ----


def read_blocks(reader: Reader, conditioner: Conditioner, i: int, context_width: int) -> None:
    """The blocks of layer i behind its degrees."""
    layer = conditioner.layers[i]
    reader.features |= Feature.PLANES
    if layer.operation == LayerOperation.GATHER:
        visible = int(conditioner.visible(i)[0]) if layer.source else context_width
        start = reader.block_start
        layer.index = reader.integers(layer.width)
        if np.any((layer.index >= visible) & (layer.index != NOWHERE)):
            reader.refuse(f"an index is not below {visible}, the units that the layer sees", start)
    elif layer.operation in CONVOLUTIONS:
        channels = layer.window.channels
        layer.bias = reader.floats(channels)
        if layer.source and layer.context:
            layer.context_weight = reader.weights(np.full(channels, context_width), context_width)
        layer.weight = reader.weights(np.full(channels, layer.lines), layer.lines)


def write_blocks(writer: Writer, layer: PlaneLayer) -> None:
    if layer.operation == LayerOperation.GATHER:
        writer.integers(layer.index)
    elif layer.operation in CONVOLUTIONS:
        channels = layer.window.channels
        writer.floats(layer.bias)
        if layer.context_weight is not None:
            writer.weights(layer.context_weight, np.full(channels, layer.context_weight.shape[1]))
        writer.weights(layer.weight, np.full(channels, layer.lines))


def fields_of(writer: Writer, layer) -> dict:
    """The fields of a record from byte 22 on; those of a dense layer are 0."""
    if layer.operation == LayerOperation.DENSE:
        return {"operation": LayerOperation.DENSE, **UNUSED}
    writer.planes()
    window = layer.window
    if window is None:
        return {"operation": layer.operation, **UNUSED}
    within(MAX_PLANE, max(units_of(window.padded, window.in_channels), units_of(window.output, window.channels)))
    return {"operation": layer.operation, **{name: getattr(window, name) for name in UNUSED}}
