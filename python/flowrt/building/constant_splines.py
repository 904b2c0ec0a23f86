"""Rational-quadratic splines whose knots are known: what raw parameters a file makes them of."""

from __future__ import annotations

import numpy as np

from ..file.codes import SplineForm
from ..flow import flow as ir


def constant_spline(dim: int, lower: float, widths, heights, derivatives) -> tuple:
    """The transformer and the layer of a spline that depends on nothing, from `lower` on.

    Widths and heights (D or 1, K) have one sum; derivatives are (D or 1, K - 1), and 1 at both ends.
    """
    size = widths.sum(axis=-1).flat[0]
    parts = (np.log(widths / size), np.log(heights / size), derivatives + np.log(-np.expm1(-derivatives)))
    raw = np.concatenate([np.broadcast_to(part, (dim, part.shape[-1])) for part in parts], axis=1)
    spline = ir.Spline(widths.shape[-1], 0, (lower, lower + size, 0.0, 0.0, 0.0, 0.0, 1.0))
    return spline, ir.Layer(raw.reshape(-1))


def half_turn(bound: float, coordinates: np.ndarray, dim: int, name: str) -> ir.Autoregressive:
    """Moves `coordinates` of `dim` by half of the circle [-bound, bound]. It is its own inverse.

    All raw parameters are zero: the spline that the circle goes through is the identity.
    """
    form = SplineForm.SOFT_CLIPPED_BINS | SplineForm.SOFT_CLIPPED_DERIVATIVES | SplineForm.HALF_TURN
    spline = ir.Spline(2, form, (-bound, bound, 0.0, 0.0, 0.0, 1.0, 1.0), bounded=True)
    transformed = coordinates if len(coordinates) < dim else None
    return ir.Autoregressive([ir.Layer(np.zeros(5 * len(coordinates)))], spline, transformed=transformed, name=name)
