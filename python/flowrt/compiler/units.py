"""Networks in the order of their units' degrees (docs/FORMAT.md, section 3).

Units that reach no output are dropped, the rest are sorted by degree, so that what a unit may see is a prefix. Layers
that are added or multiplied unit by unit share one order; their degrees are raised to a common value, which is
harmless: a degree only says how late a unit is computed. Where a raised unit would come too late for one of its users,
it is carried to the place where it is added by a layer with an identity matrix, which may be as late as it likes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ExportError
from ..file.codes import Activation
from ..file.layer import SortedLayer
from ..flow.flow import CONTEXT, READ, Layer


def arrange(layers: list, output_degree: np.ndarray, output_order: np.ndarray, stage=None, coordinates=None) -> list:
    """The layers of a file from the layers of a flow.

    `output_degree` (H,) belongs to the rows of the last layer, `output_order` (H,) lists them as the file wants them.
    `stage` (D,) and `coordinates` (D,) are those of `order.Order`; both are None for a network that reads nothing but
    the context.
    """
    layers = _prune(layers)
    degrees = _degrees(layers, output_degree, stage)
    if degrees is None:
        layers = _carry(layers)
        degrees = _degrees(layers, output_degree, stage)
    orders = _orders(layers, degrees, output_order)
    stage_count = 1 if stage is None else int(stage.max()) + 1
    return [_sorted(layers, i, degrees, orders, stage_count, coordinates) for i in range(len(layers))]


# ---- units that reach nothing ----


def _prune(layers: list) -> list:
    """Drops units and layers that reach no output, multiplies weights by their masks.

    A unit that is needed in one of several layers which are added to each other stays in all of them; where nothing
    needs it, it is emptied, so that it depends on nothing.
    """
    alive = _alive(layers)
    layers, alive = _without_dead_layers(layers, alive)
    group = _groups(layers)
    keep = [
        np.logical_or.reduce([alive[j] for j in range(len(layers)) if group[j] == group[i]]) for i in range(len(layers))
    ]
    return [_shrunk(layers, i, alive[i], keep) for i in range(len(layers))]


def _alive(layers: list) -> list:
    alive = [np.zeros(layer.width, dtype=bool) for layer in layers]
    alive[-1][:] = True
    for i, layer in reversed(list(enumerate(layers))):
        if not alive[i].any():
            continue
        if layer.activation == Activation.LAYER_NORM:
            alive[i][:] = True
        if isinstance(layer.source, int):
            alive[layer.source] |= layer.mask[alive[i]].any(axis=0)
        if layer.context_weight is not None and isinstance(layer.context_source, int):
            alive[layer.context_source][:] = True
        for partner in layer.partners:
            alive[partner] |= alive[i]
    return alive


def _without_dead_layers(layers: list, alive: list):
    kept = [i for i in range(len(layers)) if alive[i].any()]
    position = {old: new for new, old in enumerate(kept)}
    return [_renumbered(layers[i], position) for i in kept], [alive[i] for i in kept]


def _renumbered(layer: Layer, position: dict) -> Layer:
    """The layer with references to the new positions; a source that is gone was masked out entirely."""
    source, weight, mask = layer.source, layer.weight, layer.mask
    if isinstance(source, int):
        source = position.get(source)
        if source is None:
            weight = mask = None
    context_source = layer.context_source
    if layer.context_weight is not None and context_source != CONTEXT:
        context_source = position[context_source]
    return replace(
        layer,
        source=source,
        weight=weight,
        mask=mask,
        context_source=context_source,
        add=[replace(add, layer=position[add.layer]) for add in layer.add],
        gate=None if layer.gate is None else position[layer.gate],
    )


def _shrunk(layers: list, i: int, alive: np.ndarray, keep: list) -> Layer:
    layer, units = layers[i], keep[i]
    mask, weight, source = layer.mask, layer.weight, layer.source
    if source is not None:
        columns = slice(None) if source == READ else keep[source]
        mask = (mask & alive[:, None])[units][:, columns]
        weight = np.where(mask, weight[units][:, columns], 0.0)
        if not mask.any():
            mask = weight = source = None
    context_weight = layer.context_weight
    if context_weight is not None:
        columns = keep[layer.context_source] if isinstance(layer.context_source, int) else slice(None)
        context_weight = np.where(alive[:, None], context_weight, 0.0)[units][:, columns]
    return replace(
        layer,
        bias=np.where(alive, layer.bias, 0.0)[units],
        weight=weight,
        mask=mask,
        source=source,
        context_weight=context_weight,
        add=[replace(add, scale=None if add.scale is None else add.scale[units]) for add in layer.add],
    )


# ---- degrees ----


def _groups(layers: list) -> list:
    """A number for each layer, equal for layers whose units must be in the same order."""
    group = list(range(len(layers)))
    for i, layer in enumerate(layers):
        for partner in layer.partners:
            old, new = group[partner], group[i]
            group = [new if g == old else g for g in group]
    return group


def _context_alone(layers: list) -> list:
    """Section 4: such layers have degree 0 in all units."""
    alone: list[bool] = []
    for layer in layers:
        references = [] if layer.source is None else [layer.source]
        alone.append(all(r != READ and alone[r] for r in references + layer.partners))
    return alone


def _degrees(layers: list, output_degree: np.ndarray, stage) -> list | None:
    """(H,) least degrees of the units of each layer, equal within each group.

    Degrees only rise here: a unit comes after all that it sees, and with the partners that it is added to. If that
    pushes the outputs beyond `output_degree`, which the step prescribes, the groups tie too much together: then the
    result is None, and `_carry` unties them.
    """
    alone, group = _context_alone(layers), _groups(layers)
    degrees = [np.zeros(layer.width, dtype=np.int64) for layer in layers]
    degrees[-1] = np.asarray(output_degree, dtype=np.int64)
    while True:
        before = [d.copy() for d in degrees]
        for i, layer in enumerate(layers):
            if layer.source is not None:
                available = stage + 1 if layer.source == READ else degrees[layer.source]
                degrees[i] = np.maximum(degrees[i], np.max(layer.mask * available, axis=1))
        for g in set(group):
            members = [i for i in range(len(layers)) if group[i] == g and not alone[i]]
            if members:
                common = np.maximum.reduce([degrees[i] for i in members])
                for i in members:
                    degrees[i] = common
        if np.any(degrees[-1] > output_degree) or max(d.max() for d in degrees) > max(output_degree):
            return None
        if all(np.array_equal(a, b) for a, b in zip(before, degrees)):
            return degrees


def _carry(layers: list) -> list:
    """The network with an identity layer between each added or gating layer and its user.

    Then a unit may be raised for its user's sake without coming too late for others: the copy is raised, not the unit.
    """
    carried: list[Layer] = []
    position: dict[int, int] = {}

    def carry(partner: int) -> int:
        identity = np.eye(layers[partner].width)
        carried.append(Layer(np.zeros(len(identity)), identity, identity > 0, position[partner]))
        return len(carried) - 1

    for i, layer in enumerate(layers):
        add = [(carry(add.layer), add) for add in layer.add]
        gate = None if layer.gate is None else carry(layer.gate)
        moved = _renumbered(replace(layer, add=[], gate=None), position)
        position[i] = len(carried)
        carried.append(replace(moved, add=[replace(a, layer=at) for at, a in add], gate=gate))
    return carried


# ---- the sorted network ----


def _orders(layers: list, degrees: list, output_order: np.ndarray) -> list:
    """For each layer, its units in the order of the file."""
    alone, group = _context_alone(layers), _groups(layers)
    orders = []
    for i, layer in enumerate(layers):
        leaders = [j for j in range(len(layers)) if group[j] == group[i] and not alone[j]]
        if group[i] == group[-1]:
            orders.append(np.asarray(output_order))
        elif leaders:
            orders.append(np.argsort(degrees[leaders[0]], kind="stable"))
        else:
            orders.append(np.arange(layer.width))
    return orders


def _sorted(layers: list, i: int, degrees: list, orders: list, stage_count: int, coordinates) -> SortedLayer:
    layer, units = layers[i], orders[i]
    if len(layer.add) > 3:
        raise ExportError(f"a layer adds {len(layer.add)} others; a file holds at most three")
    is_output = i == len(layers) - 1 and coordinates is not None
    result = SortedLayer(layer.bias[units], layer.activation, layer.a)
    if not is_output:
        result.degree_end = np.searchsorted(degrees[i][units], np.arange(stage_count), side="right")
    if layer.source is not None:
        columns = coordinates if layer.source == READ else orders[layer.source]
        result.source = 1 if layer.source == READ else 2 + layer.source
        result.weight = layer.weight[units][:, columns]
    if layer.context_weight is not None:
        from_layer = isinstance(layer.context_source, int)
        result.context = 2 + layer.context_source if from_layer else 1
        result.context_weight = layer.context_weight[units]
        if from_layer:
            result.context_weight = result.context_weight[:, orders[layer.context_source]]
    result.add = tuple(2 + add.layer for add in layer.add)
    result.scales = tuple(None if add.scale is None else add.scale[units] for add in layer.add)
    result.gate = 0 if layer.gate is None else 2 + layer.gate
    return result
