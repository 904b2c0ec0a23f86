"""From a description (`ir.Flow`) to a file (`format.File`), in float64 and without loss.

Permutations disappear into the index blocks of the autoregressive steps around them, runs of diagonal layers become one
diagonal step where that loses no digits, and x and z keep the coordinate order of the framework.
"""

from __future__ import annotations

import json

import numpy as np

from .._version import __version__
from ..errors import ExportError
from ..file.codes import parameters_per_rank
from ..file.records import (
    AutoregressiveMixture,
    AutoregressiveStep,
    ConditionalNormal,
    DiagonalStep,
    ElementwiseStep,
    Encoder,
    File,
    LinearStep,
    PermutationStep,
)
from ..flow import flow as ir
from ..flow import shapes
from .compositions import without_compositions
from .order import dependencies, prove
from .units import arrange

# How large a shift may become by the scale of a later diagonal step, unless scale and shift are exact in float32.
# (v - mean) / std, multiplied out, takes a number as large as mean / std from one that is nearly the same: that many
# roundings are lost of a result of about 1.
_FOLDED_SHIFT = 4.0


def compile(flow: ir.Flow) -> File:
    """The file of a flow, with float64 arrays. Raises `ExportError` for what docs/FORMAT.md cannot express."""
    shapes.check(flow)
    flow = without_compositions(flow)
    steps = _Steps(flow.dim)
    for step in flow.steps:
        steps.append(step)
    metadata = {"flowrt": __version__, "framework": flow.framework, "model": flow.model, "notes": flow.notes}
    return File(
        flow.dim,
        flow.context_dim,
        steps.finish(),
        _base(flow.base, flow.dim),
        None if flow.encoder is None else Encoder(_context_network(flow.encoder)),
        json.dumps(metadata).encode(),
    )


class _Steps:
    """Collects steps. Coordinate i of the framework's vector is entry `where[i]` of the vector so far."""

    def __init__(self, dim: int):
        self.dim = dim
        self.steps: list = []
        self.where = np.arange(dim)

    def append(self, step: ir.Step) -> None:
        {
            ir.Autoregressive: self._autoregressive,
            ir.Diagonal: self._diagonal,
            ir.Permutation: self._permutation,
            ir.Linear: self._linear,
            ir.Elementwise: self._elementwise,
        }[type(step)](step)

    def finish(self) -> list:
        """The steps, with what is left of the permutations moved into the last step that can take it."""
        where = self.where
        if np.array_equal(where, np.arange(self.dim)):
            return self.steps
        takers = [i for i, step in enumerate(self.steps) if isinstance(step, (AutoregressiveStep, LinearStep))]
        if not takers:
            return [*self.steps, PermutationStep(where)]
        taker = self.steps[takers[-1]]
        if isinstance(taker, AutoregressiveStep):
            taker.noise_index = np.argsort(where)[taker.noise_index]
        else:
            taker.matrix, taker.inverse, taker.shift = taker.matrix[where], taker.inverse[:, where], taker.shift[where]
        for step in self.steps[takers[-1] + 1 :]:
            for name, values in vars(step).items():
                if isinstance(values, np.ndarray):
                    setattr(step, name, values[where])
        return self.steps

    def _autoregressive(self, step: ir.Autoregressive) -> None:
        transformed = np.arange(self.dim) if step.transformed is None else np.asarray(step.transformed)
        count = parameters_per_rank(step.transformer.kind, step.transformer.form, step.transformer.bins)
        depends = dependencies(step.layers, self.dim, step.name)[-1]
        order = prove(depends.reshape(len(transformed), count, self.dim).any(axis=1), transformed, step.name)
        ranks = order.coordinates[self.dim - len(transformed) :]
        row_of_coordinate = np.full(self.dim, -1)
        row_of_coordinate[transformed] = np.arange(len(transformed))
        rows = (count * row_of_coordinate[ranks][:, None] + np.arange(count)).reshape(-1)
        degree = np.repeat(order.stage[transformed], count)
        self.steps.append(
            AutoregressiveStep(
                data_index=self.where[order.coordinates],
                noise_index=order.coordinates,
                stage_end=order.stage_end,
                layers=arrange(step.layers, degree, rows, order.stage, order.coordinates),
                reads=step.reads,
                passthrough=self.dim - len(transformed),
                transformer=step.transformer.kind,
                form=step.transformer.form,
                scale=step.transformer.scale,
                bins=step.transformer.bins,
                p=ir.parameters(step.transformer.p),
                bounded=getattr(step.transformer, "bounded", False),
            )
        )
        self.where = np.arange(self.dim)

    def _diagonal(self, step: ir.Diagonal) -> None:
        scale, shift, before = np.empty((3, self.dim))
        scale[self.where], shift[self.where], before[self.where] = step.scale, step.shift, step.before
        if np.any(scale == 0) or not np.all(np.isfinite([scale, shift, before])):
            raise ExportError(f"{step.name}: a scale is zero or a parameter is not finite")
        self._scale_and_shift(np.ones(self.dim), before)
        self._scale_and_shift(scale, shift)

    def _scale_and_shift(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """w = scale * v + shift, as one step with a diagonal one before it if that does no harm."""
        if self.steps and isinstance(self.steps[-1], DiagonalStep):
            previous = self.steps[-1]
            folded = scale * previous.shift
            joined = np.array([scale * previous.scale, folded + shift])
            if np.all(np.abs(folded) <= _FOLDED_SHIFT) or np.all(joined.astype(np.float32) == joined):
                self.steps.pop()
                scale, shift = joined
        if np.any(scale != 1) or np.any(shift != 0):
            self.steps.append(DiagonalStep(scale, shift))

    def _permutation(self, step: ir.Permutation) -> None:
        index = np.asarray(step.index)
        if not np.array_equal(np.sort(index), np.arange(self.dim)):
            raise ExportError(f"{step.name}: {index.tolist()} is not a permutation of {self.dim} coordinates")
        self.where = self.where[index]

    def _linear(self, step: ir.Linear) -> None:
        sign, log_det = np.linalg.slogdet(step.matrix)
        if sign == 0 or not np.isfinite(log_det):
            raise ExportError(f"{step.name}: the matrix is singular")
        if np.any(step.before != 0):
            self._diagonal(ir.Diagonal(np.ones(self.dim), step.before, step.name))
        matrix, inverse = np.empty_like(step.matrix), np.empty_like(step.matrix)
        matrix[:, self.where], inverse[self.where] = step.matrix, np.linalg.inv(step.matrix)
        self.steps.append(LinearStep(matrix, inverse, np.asarray(step.shift), float(log_det)))
        self.where = np.arange(self.dim)

    def _elementwise(self, step: ir.Elementwise) -> None:
        function, lower, upper = np.empty(self.dim, dtype=np.int64), np.empty(self.dim), np.empty(self.dim)
        function[self.where], lower[self.where], upper[self.where] = step.function, step.lower, step.upper
        self.steps.append(ElementwiseStep(function, lower, upper, step.margin))


def _base(base: ir.Base, dim: int):
    if isinstance(base, ir.ConditionalNormal):
        return ConditionalNormal(_context_network(base.layers))
    if isinstance(base, ir.AutoregressiveMixture):
        count = 3 * base.components
        depends = dependencies(base.layers, dim, "base density")[-1]
        order = prove(depends.reshape(dim, count, dim).any(axis=1), np.arange(dim), "base density")
        rows = (count * order.coordinates[:, None] + np.arange(count)).reshape(-1)
        layers = arrange(base.layers, np.repeat(order.stage, count), rows, order.stage, order.coordinates)
        return AutoregressiveMixture(
            order.coordinates, order.stage_end, layers, base.components, base.scale, ir.parameters(base.p)
        )
    return base


def _context_network(layers: list) -> list:
    outputs = layers[-1].width
    return arrange(layers, np.zeros(outputs, dtype=np.int64), np.arange(outputs))
