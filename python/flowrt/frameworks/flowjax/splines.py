"""flowjax's `RationalQuadraticSpline`: knots + 1 bins, free derivatives at both ends.

Positions are a softmax with an absolute least width, derivatives a softplus with a least derivative, which only the
closure of its function knows.
"""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names
from ...errors import ExportError
from ...file.codes import SplineForm
from ...flow import flow as ir
from ...reference.functions import softplus

_FAR_BELOW = -600.0  # where a softplus is zero


def read_spline(spline) -> tuple:
    """The transformer of a spline whose parameters are still wrapped, and its raw parameters, (..., 3 K + 1)."""
    lower, upper = (float(bound) for bound in spline.interval)
    bins = spline.knots + 1
    widths, min_width = _positions(spline.x_pos, (lower, upper))
    heights, min_height = _positions(spline.y_pos, (lower, upper))
    derivatives, min_derivative = _derivatives(spline.derivatives)
    raw = np.concatenate([widths, heights, derivatives], axis=-1)
    if raw.shape[-1] != 3 * bins + 1:
        raise ExportError(
            f"RationalQuadraticSpline with {bins} bins has {raw.shape[-1]} parameters, not {3 * bins + 1}"
        )
    return ir.Spline(bins, SplineForm.FREE_ENDS, (lower, upper, min_width, min_height, min_derivative)), raw


def _positions(wrapped, interval: tuple) -> tuple:
    """The raw parameters of knots, and the least width of a bin as a fraction of the interval."""
    import paramax

    known = "RealToIncreasingOnInterval" in class_names(wrapped) and wrapped.include_endpoints == "both"
    if not known or tuple(float(bound) for bound in wrapped.interval) != interval:
        raise ExportError(
            "RationalQuadraticSpline with positions that are not RealToIncreasingOnInterval, as in flowjax 19, is not "
            "supported"
        )
    return float64(paramax.unwrap(wrapped.arr)), float(wrapped.min_width) / (interval[1] - interval[0])


def _derivatives(wrapped) -> tuple:
    """The raw parameters of derivatives, and the least derivative."""
    import jax.numpy as jnp
    import paramax

    if "Parameterize" in class_names(wrapped) and len(wrapped.args) == 1 and not wrapped.kwargs:
        minimum = float(wrapped.fn(jnp.asarray(_FAR_BELOW)))
        grid = np.linspace(-20, 20, 41)
        if minimum >= 0 and np.allclose(
            float64(wrapped.fn(jnp.asarray(grid))), softplus(grid) + minimum, rtol=1e-9, atol=0
        ):
            return float64(paramax.unwrap(wrapped.args[0])), minimum
    raise ExportError("RationalQuadraticSpline with derivatives that are not softplus + constant is not supported")
