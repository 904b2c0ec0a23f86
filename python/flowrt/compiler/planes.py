"""Networks with layers of planes, as the layers of a file (docs/FORMAT.md, section 4.3).

Their units stay where they are: nothing is pruned or sorted, and the order is the coarse one of a coupling. All that a
network reads is final before the first coordinate that it transforms is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ExportError
from ..file.codes import NOWHERE, Activation, LayerOperation
from ..file.layer import SortedLayer
from ..file.plane import PlaneLayer
from ..flow import flow as ir
from ..flow.shapes import listed

MOST_ADDED = 3


@dataclass
class CouplingOrder:
    """`coordinates` (D,) in rank order: the input plane of the network, other ones that stay, the transformed ones."""

    coordinates: np.ndarray
    passthrough: int

    @property
    def stage_end(self) -> np.ndarray:
        return np.array([self.passthrough, len(self.coordinates)])

    @property
    def rank(self) -> np.ndarray:
        """(D,) of each coordinate."""
        return np.argsort(self.coordinates)


def order_of(layers: list, transformed: np.ndarray, dim: int, name: str) -> CouplingOrder:
    """The order of a coupling whose network has planes. Raises `ExportError` if it reads what it transforms."""
    read = np.zeros(dim, dtype=bool)
    plane = np.zeros(0, dtype=np.int64)
    for layer in layers:
        if layer.source == ir.READ:
            read[_read_by(layer)] = True
            if isinstance(layer, (ir.Convolution, ir.MaxPool)) and not len(plane):
                plane = np.asarray(layer.coordinates)
    both = transformed[read[transformed]]
    if len(both):
        what = "coordinate" if len(both) == 1 else "coordinates"
        raise ExportError(
            f"{name} is not a coupling: its network with planes reads what it transforms, {what} {listed(both)}"
        )
    stays = np.ones(dim, dtype=bool)
    stays[transformed] = stays[plane] = False
    coordinates = np.concatenate([plane, np.flatnonzero(stays), transformed])
    return CouplingOrder(coordinates, dim - len(transformed))


def _read_by(layer) -> np.ndarray:
    if isinstance(layer, ir.Layer):
        return np.flatnonzero(layer.mask.any(axis=0))
    if isinstance(layer, ir.Gather):
        index = np.asarray(layer.index)
        return index[index >= 0]
    return np.asarray(layer.coordinates)


def arrange_coupling(layers: list, order: CouplingOrder, name: str) -> list:
    """The layers of a coupling. The units of the last one are those of its coordinates in the order of the ranks."""
    layers = _from_first_ranks(layers, order)
    alone = _context_alone(layers)
    for layer, is_alone in zip(layers, alone):
        of_context = layer.source == ir.CONTEXT or (isinstance(layer.source, int) and alone[layer.source])
        if of_context and not isinstance(layer, ir.Layer):
            raise ExportError(
                f"{name}: a plane made of the context alone is for the encoder of the flow, not for a step"
            )
        if not is_alone and layer.activation == Activation.LAYER_NORM:
            raise ExportError(f"{name}: layer norm is supported on the context only")
    result = []
    for i, layer in enumerate(layers):
        converted = _converted(layer, order)
        if i < len(layers) - 1:
            converted.degree_end = np.array([converted.width if alone[i] else 0, converted.width])
        result.append(converted)
    return result


def arrange_encoder(layers: list) -> list:
    """The layers of a network that sees the context alone."""
    result = [_converted(layer, None) for layer in layers]
    for layer in result:
        layer.degree_end = np.array([layer.width])
    return result


def _context_alone(layers: list) -> list:
    """Which layers depend on nothing or on the context (docs/FORMAT.md, section 4)."""
    alone: list[bool] = []
    for layer in layers:
        earlier = [r for r in (layer.source, *layer.partners) if isinstance(r, (int, np.integer))]
        alone.append(layer.source != ir.READ and all(alone[r] for r in earlier))
    return alone


def _from_first_ranks(layers: list, order: CouplingOrder) -> list:
    """The layers with a gather before each plane of the read side that is not the first ranks."""
    result: list = []
    place: dict = {}
    gathered: dict = {}
    for i, layer in enumerate(layers):
        layer = ir.rewired(layer, place.__getitem__)
        if layer.source == ir.READ and isinstance(layer, (ir.Convolution, ir.MaxPool)):
            coordinates = np.asarray(layer.coordinates)
            if not np.array_equal(coordinates, order.coordinates[: len(coordinates)]):
                key = coordinates.tobytes()
                if key not in gathered:
                    gathered[key] = len(result)
                    result.append(ir.Gather(coordinates, ir.READ))
                layer = replace(layer, source=gathered[key])
        place[i] = len(result)
        result.append(layer)
    return result


def _converted(layer, order: CouplingOrder | None):
    """A layer of a file, without its degrees."""
    if len(layer.add) > MOST_ADDED:
        raise ExportError(f"a layer adds {len(layer.add)} others; a file holds at most three")
    references = {
        "add": tuple(2 + add.layer for add in layer.add),
        "gate": 0 if layer.gate is None else 2 + layer.gate,
        "activation": layer.activation,
        "a": layer.a,
    }
    if isinstance(layer, ir.Layer):
        return _dense(layer, order, references)
    result = PlaneLayer(_OPERATIONS[type(layer)](layer), layer.window, **references)
    if layer.source == ir.CONTEXT:
        result.context = 1
    else:
        result.source = 1 if layer.source == ir.READ else 2 + layer.source
    if isinstance(layer, ir.Gather):
        index = np.asarray(layer.index)
        taken = order.rank[index] if layer.source == ir.READ else index
        result.index = np.where(index < 0, NOWHERE, taken)
    elif isinstance(layer, ir.Convolution):
        result.bias = layer.bias
        result.weight = layer.weight.transpose(0, 2, 3, 1).reshape(layer.channels, -1)
        if layer.context_weight is not None:
            result.context, result.context_weight = _context(layer), layer.context_weight
    return result


_OPERATIONS = {
    ir.Convolution: lambda layer: (
        LayerOperation.DEPTHWISE_CONVOLUTION if layer.depthwise else LayerOperation.CONVOLUTION
    ),
    ir.MaxPool: lambda layer: LayerOperation.MAX_POOLING,
    ir.Gather: lambda layer: LayerOperation.GATHER,
}


def _dense(layer: ir.Layer, order: CouplingOrder | None, references: dict) -> SortedLayer:
    result = SortedLayer(layer.bias, **references, scales=tuple(add.scale for add in layer.add))
    if layer.source is not None:
        weight = layer.weight * layer.mask
        result.weight = weight[:, order.coordinates] if layer.source == ir.READ else weight
        result.source = 1 if layer.source == ir.READ else 2 + layer.source
    if layer.context_weight is not None:
        result.context, result.context_weight = _context(layer), layer.context_weight
    return result


def _context(layer) -> int:
    return 2 + layer.context_source if isinstance(layer.context_source, (int, np.integer)) else 1
