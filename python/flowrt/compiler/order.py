"""The autoregressive order of a network, proved from its masks.

No framework's word about orders or degrees is taken. Composing the masks of all layers gives, for each coordinate, the
set of coordinates that its parameters can depend on. If that relation has no cycle, a topological sort gives the
stages: the coordinates of a stage depend on earlier stages only, so they become known together in the sequential
direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ExportError
from ..file.codes import Activation
from ..flow.flow import READ
from ..flow.shapes import listed


@dataclass
class Order:
    """`coordinates` (D,) in rank order, `stage_end` (S,) as in docs/FORMAT.md, `stage` (D,) of each coordinate."""

    coordinates: np.ndarray
    stage_end: np.ndarray
    stage: np.ndarray


def dependencies(layers: list, dim: int, name: str) -> list:
    """For each layer, (H, dim) booleans: which coordinates of the read side a unit can depend on."""
    sets: list[np.ndarray] = []
    for layer in layers:
        depends = np.zeros((layer.width, dim), dtype=bool)
        if layer.source is not None:
            source = np.eye(dim, dtype=bool) if layer.source == READ else sets[layer.source]
            depends |= _composed(layer.mask, source)
        for partner in layer.partners:
            depends |= sets[partner]
        if layer.context_weight is not None and isinstance(layer.context_source, int):
            if sets[layer.context_source].any():
                raise ExportError(f"{name}: a context network depends on the flow's own variables")
        if layer.activation == Activation.LAYER_NORM and depends.any():
            raise ExportError(
                f"{name}: layer norm mixes units of different degree; it is supported on the context only"
            )
        sets.append(depends)
    return sets


def prove(depends: np.ndarray, transformed: np.ndarray, name: str) -> Order:
    """The order of a step, from what the parameters of each transformed coordinate depend on, (len(transformed), dim).

    Raises `ExportError` that names the coordinates if the step is not autoregressive.
    """
    dim = depends.shape[1]
    itself = transformed[depends[np.arange(len(transformed)), transformed]]
    if len(itself):
        reflexive = "itself" if len(itself) == 1 else "themselves"
        raise ExportError(f"{name} is not autoregressive: {_coordinates(itself)} parametrised by {reflexive}")
    needed_by = np.zeros((dim, dim), dtype=bool)
    needed_by[:, transformed] = depends.T
    missing = needed_by.sum(axis=0)  # how many coordinates of no stage yet each one needs
    stage = np.full(dim, -1)
    ready, current = np.setdiff1d(np.arange(dim), transformed), 0
    if not len(ready):
        ready = np.flatnonzero(missing == 0)
    while len(ready):
        stage[ready] = current
        missing -= needed_by[ready].sum(axis=0)
        ready, current = np.flatnonzero((stage < 0) & (missing == 0)), current + 1
    if np.any(stage < 0):
        raise ExportError(f"{name} is not autoregressive: {_coordinates(_cycle(needed_by))} parametrised in a circle")
    return Order(np.argsort(stage, kind="stable"), np.cumsum(np.bincount(stage)), stage)


def _cycle(needed_by: np.ndarray) -> np.ndarray:
    """Coordinates that, over some path, depend on themselves."""
    reach = needed_by
    while True:
        further = reach | _composed(reach, reach)
        if np.array_equal(further, reach):
            return np.flatnonzero(np.diag(reach))
        reach = further


def _composed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product of two matrices of booleans."""
    with np.errstate(invalid="ignore"):  # a vectorised product may compute lanes of garbage, and drops them
        return left.astype(np.float32) @ right.astype(np.float32) > 0


def _coordinates(indices: np.ndarray) -> str:
    return f"coordinate {listed(indices)} is" if len(indices) == 1 else f"coordinates {listed(indices)} are"
