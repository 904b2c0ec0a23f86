"""Layers of a network (docs/FORMAT.md, section 4): their records and blocks. `plane.py` has what planes add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import numpy as np

from . import plane
from .codes import MAX_WIDTH, MINOR_OF_ACTIVATION, Activation, Kind, LayerOperation
from .conditioner import Conditioner
from .cursor import Reader, Writer, float32, within
from .fields import Problem, Structure, beyond, is_set, unknown

LAYER = Structure(
    ("kind", "H"),
    ("activation", "H"),
    ("width", "I"),
    ("source", "H"),
    ("context", "H"),
    ("gate", "H"),
    ("add", "3H"),
    ("scaled", "H"),
    ("operation", "H"),
    ("a", "f"),
    *plane.FIELDS,
)
ADDS = 3  # as many layers may be added to one


@dataclass
class SortedLayer:
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
    operation = LayerOperation.DENSE

    @property
    def width(self) -> int:
        return len(self.bias)


# ---- rules ----

_FREE, _POSITIVE = "free", "positive"
_PARAMETERS = {  # what the parameter `a` may be; the activations that are not here have none, and theirs is refused
    Activation.ELU: _FREE,
    Activation.LEAKY_RELU: _FREE,
    Activation.LAYER_NORM: _POSITIVE,
}


def _check_activation(activation: int, a: float) -> Optional[Problem]:
    if activation not in set(Activation):
        return unknown("activation", "activation", activation)
    if not math.isfinite(a):
        return Problem("a", "the parameter of the activation is not finite")
    if _PARAMETERS.get(activation) == _POSITIVE and not a > 0:
        return Problem("a", f"{Activation(activation).name.lower()} needs a > 0")
    if activation not in _PARAMETERS and is_set(a):
        return Problem("a", f"the unused parameter of activation {activation} is not zero")
    return None


def _check_references(record, conditioner: Conditioner, context_dim: int) -> Optional[Problem]:
    """The record of a layer that follows those of the conditioner."""
    earlier, added = conditioner.layers, [("add", reference) for reference in record.add]
    references = [(name, getattr(record, name)) for name in ("source", "context", "gate")]
    for name, reference in [*references, *added]:
        if reference >= 2 + len(earlier):
            return Problem(name, f"{name} {reference} is not an earlier layer")
    if record.source == 1 and conditioner.stage_end is None:
        return Problem("source", "there is no read side here")
    if record.context == 1 and context_dim == 0:
        return Problem("context", "the flow has no context")
    if record.context >= 2 and not conditioner.depends_on_context_alone(record.context - 2):
        return Problem("context", f"layer {record.context - 2} does not depend on the context alone")
    for name, reference in [("gate", record.gate), *added]:
        if reference == 1:
            return Problem(name, f"{name} must be a layer")
        if reference and earlier[reference - 2].width != record.width:
            units = earlier[reference - 2].width
            return Problem(name, f"layer {reference - 2} has {units} units, not {record.width}")
    scaled = record.scaled
    if scaled >> ADDS or any(scaled >> j & 1 and not reference for j, reference in enumerate(record.add)):
        return Problem("scaled", f"scaled {scaled:#x} names a layer that is not added")
    return None


# ---- reading ----


def read_layers(
    reader: Reader, conditioner: Conditioner, count: int, output_width: int | None, planes: bool = True
) -> None:
    """Appends `count` layers to the conditioner's list; the last has `output_width` units, or any if that is None.

    `planes` says whether plane layers may be among them.
    """
    for i in range(count):
        record = reader.next(LAYER, Kind.LAYER)
        is_known = record.operation in set(LayerOperation) - {LayerOperation.DENSE}
        reader.require(planes or not is_known, "a plane layer in a base density of the context", "operation")
        _read_layer(reader, record, conditioner, output_width if i == count - 1 else None, i == count - 1)


def _read_layer(reader: Reader, record, conditioner: Conditioner, width: int | None, is_output: bool) -> None:
    i = len(conditioner.layers)
    reader.require(record.width >= 1, "width is 0", "width")
    reader.check(beyond(MAX_WIDTH, "width", record.width))
    reader.require(width in (None, record.width), f"the output layer has {record.width} units, not {width}", "width")
    reader.check(_check_activation(record.activation, record.a))
    reader.check(_check_operation(record))
    reader.check(_check_references(record, conditioner, reader.context_dim))
    if record.operation != LayerOperation.DENSE:
        reader.check(plane.check_input(record, conditioner, _input_width(record, conditioner, reader.context_dim)))
    layer = _layer_of(record)
    conditioner.layers.append(layer)
    has_known_degrees = is_output and conditioner.stage_end is not None
    if not has_known_degrees:
        layer.degree_end = _read_degree_end(reader, conditioner, i)
    _require_degrees(reader, conditioner, i)
    if layer.operation != LayerOperation.DENSE:
        plane.require_one_degree(reader, conditioner, i)
        plane.read_blocks(reader, conditioner, i, _context_width(layer, conditioner, reader.context_dim))
        return
    if layer.activation == Activation.LAYER_NORM:
        alone = not has_known_degrees and conditioner.depends_on_context_alone(i)
        message = "layer norm where a unit depends on more than the context, or is an output"
        reader.require(alone, message, "activation")
    _read_values(reader, conditioner, i, [bool(record.scaled >> j & 1) for j in range(ADDS)])


def _check_operation(record) -> Optional[Problem]:
    """What is wrong with the fields from `operation` on."""
    operation = record.operation
    if operation not in set(LayerOperation):
        return unknown("operation", "operation", operation)
    if operation not in (LayerOperation.DENSE, LayerOperation.GATHER):
        return plane.check_window(_window_of(record), record.width, operation)
    for name, value in plane.UNUSED.items():
        if getattr(record, name) != value:
            return Problem(name, f"{name} of a layer without a window is not zero")
    return None


def _input_width(record, conditioner: Conditioner, context_dim: int) -> int:
    """Units of the input of a plane layer that is not the read side."""
    if record.source:
        return conditioner.source_width_of(record.source)
    return _context_width(record, conditioner, context_dim)


def _context_width(layer, conditioner: Conditioner, context_dim: int) -> int:
    """Numbers of the context of a layer, 0 if it has none."""
    if layer.context < 2:
        return context_dim if layer.context else 0
    return conditioner.layers[layer.context - 2].width


def _window_of(record) -> plane.Window:
    return plane.Window(**{name: getattr(record, name) for name in plane.UNUSED})


def _layer_of(record):
    """The layer of a record, without its blocks."""
    references = {name: getattr(record, name) for name in ("activation", "a", "source", "context", "gate", "add")}
    if record.operation == LayerOperation.DENSE:
        return SortedLayer(np.zeros(record.width), **references)
    if record.operation == LayerOperation.GATHER:
        return plane.PlaneLayer(record.operation, index=np.zeros(record.width, dtype=np.int64), **references)
    return plane.PlaneLayer(record.operation, _window_of(record), **references)


def _read_degree_end(reader: Reader, conditioner: Conditioner, i: int) -> np.ndarray:
    width = conditioner.layers[i].width
    start = reader.block_start
    ends = reader.integers(conditioner.stage_count)
    if np.any(np.diff(ends) < 0) or ends[-1] != width:
        reader.refuse(f"degrees must rise to {width} units", start)
    if conditioner.depends_on_context_alone(i) and ends[0] != width:
        reader.refuse("what depends on the context alone has degree 0", start)
    return ends


def _require_degrees(reader: Reader, conditioner: Conditioner, i: int) -> None:
    layer = conditioner.layers[i]
    for reference in (*layer.add, layer.gate):
        if reference and np.any(conditioner.degree_end(reference - 2) < conditioner.degree_end(i)):
            reader.require(False, "an added or gating layer has a larger degree than its user", "gate")


def _read_values(reader: Reader, conditioner: Conditioner, i: int, scaled: list) -> None:
    """The blocks of one layer, section 4.1."""
    layer = conditioner.layers[i]
    layer.bias = reader.floats(layer.width)
    layer.scales = tuple(reader.floats(layer.width) if is_scaled else None for is_scaled in scaled)
    if layer.context:
        width = _context_width(layer, conditioner, reader.context_dim)
        layer.context_weight = reader.weights(np.full(layer.width, width), width)
    if layer.source:
        layer.weight = reader.weights(conditioner.visible(i), conditioner.source_width(i))


# ---- writing ----


def write_layers(writer: Writer, conditioner: Conditioner) -> None:
    for i, layer in enumerate(conditioner.layers):
        writer.minor = max(writer.minor, MINOR_OF_ACTIVATION.get(layer.activation, 0))
        writer.record(
            LAYER,
            kind=Kind.LAYER,
            activation=layer.activation,
            width=within(MAX_WIDTH, layer.width),
            source=layer.source,
            context=layer.context,
            gate=layer.gate,
            add=(*layer.add, *[0] * ADDS)[:ADDS],
            scaled=sum(1 << j for j, scale in enumerate(layer.scales) if scale is not None),
            a=float32(layer.a),
            **plane.fields_of(writer, layer),
        )
        _write_values(writer, conditioner, i)


def _write_values(writer: Writer, conditioner: Conditioner, i: int) -> None:
    """The blocks of one layer, section 4.1."""
    layer = conditioner.layers[i]
    if layer.degree_end is not None:
        writer.integers(layer.degree_end)
    if layer.operation != LayerOperation.DENSE:
        plane.write_blocks(writer, layer)
        return
    writer.floats(layer.bias)
    for scale in layer.scales:
        if scale is not None:
            writer.floats(scale)
    if layer.context:
        writer.weights(layer.context_weight, np.full(layer.width, layer.context_weight.shape[1]))
    if layer.source:
        writer.weights(layer.weight, conditioner.visible(i))
