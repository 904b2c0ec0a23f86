"""The steps of a file, with permutations and diagonal steps folded into the steps around them.

A permutation costs nothing where a step next to it has an index block, or a matrix, that can take it:

    step, permutation, autoregressive      the permutation goes into `data_index` of the step behind it
    linear, permutation, elementwise       what is left at the end goes into the last step that can take it

Two diagonal steps in a row become one where that loses no digits in float32.
"""

from __future__ import annotations

import numpy as np

from ..file import AutoregressiveStep, DiagonalStep, LinearStep, PermutationStep, PixelwiseLinearStep

# How large a shift may become by the scale of a later diagonal step, unless scale and shift are exact in float32.
# (v - mean) / std, multiplied out, takes a number as large as mean / std from one that is nearly the same: that many
# roundings are lost of a result of about 1.
FOLDED_SHIFT = 4.0


class FoldedSteps:
    """Collects steps from data to noise. Coordinate i of the framework's vector is entry `where[i]` of ours so far."""

    def __init__(self, dim: int):
        self.dim = dim
        self.where = np.arange(dim)
        self._steps: list = []

    def placed(self, values, dtype=np.float64) -> np.ndarray:
        """(D,) values of the framework's coordinates, in the order of our vector."""
        result = np.empty(self.dim, dtype=dtype)
        result[self.where] = values
        return result

    def append(self, step) -> None:
        """Adds a step whose arrays are in the order of our vector already; it leaves the order as it is."""
        self._steps.append(step)

    def append_in_order(self, step) -> None:
        """Adds a step that takes our vector, and gives one in the framework's order."""
        self._steps.append(step)
        self.where = np.arange(self.dim)

    def permute(self, index: np.ndarray) -> None:
        """w[i] = v[index[i]] of the framework's vectors: only the order changes."""
        self.where = self.where[index]

    def scale_and_shift(self, scale: np.ndarray, shift: np.ndarray) -> None:
        """w = scale * v + shift of our vectors, as one step with a diagonal one before it if that does no harm."""
        if self._steps and isinstance(self._steps[-1], DiagonalStep):
            previous = self._steps[-1]
            folded = scale * previous.shift
            joined = np.array([scale * previous.scale, folded + shift])
            if np.all(np.abs(folded) <= FOLDED_SHIFT) or np.all(joined.astype(np.float32) == joined):
                self._steps.pop()
                scale, shift = joined
        if np.any(scale != 1) or np.any(shift != 0):
            self._steps.append(DiagonalStep(scale, shift))

    def finished(self) -> list:
        """The steps, with what is left of the permutations moved into the last step that can take it."""
        where = self.where
        if np.array_equal(where, np.arange(self.dim)):
            return self._steps
        takers = [i for i, step in enumerate(self._steps) if type(step) in _TAKERS]
        if not takers:
            return [*self._steps, PermutationStep(where)]
        taker = self._steps[takers[-1]]
        _TAKERS[type(taker)](taker, where)
        for step in self._steps[takers[-1] + 1 :]:
            if isinstance(step, PixelwiseLinearStep):
                step.index = np.argsort(where)[step.index]
                continue
            for name, values in vars(step).items():
                if isinstance(values, np.ndarray):
                    setattr(step, name, values[where])
        return self._steps


def _into_index(step: AutoregressiveStep, where: np.ndarray) -> None:
    step.noise_index = np.argsort(where)[step.noise_index]


def _into_matrix(step: LinearStep, where: np.ndarray) -> None:
    step.matrix, step.inverse, step.shift = step.matrix[where], step.inverse[:, where], step.shift[where]


_TAKERS = {AutoregressiveStep: _into_index, LinearStep: _into_matrix}
