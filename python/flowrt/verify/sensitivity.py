"""How far the results of a file move when what floating point rounds is moved: values, contexts and parameters.

A difference between two evaluations of one flow proves that their formulas differ only if it is larger than this.

Values move by a share of their own spread, not of their size: times in seconds since 1970 that vary by a minute are
exact numbers, and the first thing that a model does is to subtract their mean. Parameters move by a share of their
size, but for those whose products and sums are exact: weights of 1, and the shift of what has only these. What
one step gives the next moves by a share of its size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import reference
from ..file import File
from ..file.codes import BaseKind, Kind
from ..file.constant import DiagonalStep
from .rows import Units

DRAWS = 3


class Evaluator:
    """The float64 evaluator of one file, with the methods of `Model`; it knows no `units` of its contexts."""

    units = None

    def __init__(self, file):
        self.file = file

    def forward(self, x, context=None):
        return reference.forward(self.file, x, context)

    def inverse(self, z, context=None):
        return reference.inverse(self.file, z, context)

    def log_prob(self, x, context=None):
        return reference.log_prob(self.file, x, context)


def changes(function, file: File, values, context, units: Units, share: float, held=np.float64) -> dict:
    """(n,) by quantity: the largest change of what `function(flow, values, context)` gives, in `DRAWS` trials.

    `held` is the type that parameters are rounded to. `units.values` and `units.context` are the spreads of `values`
    and `context`. Infinite where a moved row has no finite result, but the row itself has.
    """
    generator = np.random.default_rng(1)
    found = function(Evaluator(file), values, context)
    largest = {quantity: np.zeros(len(values)) for quantity in found}
    for _ in range(DRAWS):
        moved = values + share * units.values * generator.normal(size=values.shape)
        around = context
        if context is not None:
            around = context + share * units.context * generator.normal(size=context.shape)
        other = function(Evaluator(perturbed(file, share, generator, held)), moved, around)
        for quantity, numbers in found.items():
            change = row_differences(other[quantity], numbers)
            largest[quantity] = np.maximum(largest[quantity], change)
    return largest


def row_differences(ours, theirs) -> np.ndarray:
    """(n,) the largest |ours - theirs| of each row; where both are equally infinite or both NaN they agree."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.abs(ours - theirs))
    difference = np.where(np.isnan(difference), np.inf, difference)
    return np.max(difference.reshape(len(difference), -1), axis=1)


def row_sizes(values) -> np.ndarray:
    """(n,) the largest finite magnitude of each row, at least 1."""
    values = np.reshape(values, (len(values), -1))
    return np.max(np.abs(values), axis=1, where=np.isfinite(values), initial=1.0)


def perturbed(file: File, share: float, generator, held) -> File:
    """The file with all that is rounded times 1 + `share` * normal: parameters, and what steps give each other."""

    def moved(values):
        return None if values is None else np.asarray(values) * (1.0 + share * generator.normal(size=np.shape(values)))

    def weights(values):
        """Products with 0, 1 and -1 are exact."""
        return None if values is None else np.where(np.abs(values) == 1, values, moved(values))

    def shift(values, exact):
        """What has products that are `exact` is so itself, if it needs no rounding."""
        if values is None:
            return None
        return np.where(exact & (np.asarray(values).astype(held) == values), values, moved(values))

    def layer(old):
        factors = [part for part in (old.weight, old.context_weight, *old.scales) if part is not None]
        exact = bool(factors or old.add) and all(np.all(np.isin(part, (-1, 0, 1))) for part in factors)
        return replace(
            old,
            bias=shift(old.bias, exact),
            weight=weights(old.weight),
            context_weight=weights(old.context_weight),
            scales=tuple(weights(scale) for scale in old.scales),
        )

    def layers(old):
        return [layer(one) for one in old]

    def step(old):
        if old.kind == Kind.AUTOREGRESSIVE:
            return replace(old, layers=layers(old.layers))
        if old.kind == Kind.DIAGONAL:
            return replace(old, scale=weights(old.scale), shift=shift(old.shift, np.abs(old.scale) == 1))
        if old.kind in (Kind.LINEAR, Kind.PIXELWISE_LINEAR):
            matrix = weights(old.matrix)
            same = matrix is old.matrix or np.array_equal(matrix, old.matrix)
            pixels = len(old.index) if old.kind == Kind.PIXELWISE_LINEAR else 1
            log_det = float(pixels * np.linalg.slogdet(matrix)[1])
            return old if same else replace(old, matrix=matrix, inverse=np.linalg.inv(matrix), log_det=log_det)
        return old

    def between():
        return DiagonalStep(1.0 + share * generator.normal(size=file.dim), np.zeros(file.dim), 0.0)

    base = file.base
    if base.base in (BaseKind.CONDITIONAL_NORMAL, BaseKind.AUTOREGRESSIVE_MIXTURE):
        base = replace(base, layers=layers(base.layers))
    elif base.base in (BaseKind.DIAGONAL_NORMAL, BaseKind.NORMAL_MIXTURE):
        base = replace(base, mean=moved(base.mean), std=moved(base.std))
    encoder = None if file.encoder is None else replace(file.encoder, layers=layers(file.encoder.layers))
    steps = [moved_step for old in file.steps for moved_step in (between(), step(old))][1:]
    return replace(file, steps=steps, base=base, encoder=encoder)
