"""Elementwise bijectors of TensorFlow Probability, and splines whose parameters depend on nothing."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.constant_splines import constant_spline
from ...building.modules import class_names
from ...errors import ExportError
from ...file.codes import Function, Reads
from ...flow import flow as ir
from ...reference.functions import INVERSES
from .networks import cast

_FUNCTIONS = {  # from data to noise, where a bijector maps noise to data; and the constants of the function
    "Exp": (Function.LOG_ABOVE, 0.0, 0.0),
    "Sigmoid": (Function.LOGIT, 0.0, 1.0),
    "Tanh": (Function.ATANH, 0.0, 0.0),
    "Softsign": (Function.SOFTSIGN_INVERSE, 1.0, 0.0),
    "NormalCDF": (Function.PROBIT, 0.0, 1.0),
}
CLASSES = {*_FUNCTIONS, "RationalQuadraticSpline"}


def step(layer, inverted: bool, dim: int):
    """The step from data to noise of a bijector, which maps noise to data unless it is `inverted`."""
    kinds, name = class_names(layer), type(layer).__name__
    if "RationalQuadraticSpline" in kinds:
        transformer, parameters = _spline(layer, dim)
        return ir.Autoregressive([parameters], transformer, Reads.DATA if inverted else Reads.NOISE, name=name)
    function, lower, upper = _FUNCTIONS[next(kind for kind in _FUNCTIONS if kind in kinds)]
    if "Sigmoid" in kinds and layer.low is not None:
        lower, upper = float64(layer.low), float64(layer.high)
    function = INVERSES[function] if inverted else function
    constants = (np.broadcast_to(bound, (dim,)) for bound in (lower, upper))
    return ir.Elementwise(np.full(dim, int(function)), *constants, name)


def copied(layer, dtype):
    """The bijector with parameters of another floating-point type."""
    kinds, remake = class_names(layer), type(layer)
    if "RationalQuadraticSpline" in kinds:
        return remake(*(cast(part, dtype) for part in _bins(layer)), range_min=cast(layer.range_min, dtype))
    if "Sigmoid" in kinds and layer.low is not None:
        return remake(low=cast(layer.low, dtype), high=cast(layer.high, dtype))
    return layer


def _spline(layer, dim: int) -> tuple:
    """The transformer and the layer of its parameters. The end slopes are 1."""
    return constant_spline(dim, float(float64(layer.range_min)), *_bins(layer))


def _bins(layer) -> tuple:
    """Widths and heights (..., K) and slopes (..., K - 1), every row of bins with exactly the same sum.

    In single precision, the sums differ by their rounding.
    """
    widths, heights, slopes = (float64(part) for part in (layer.bin_widths, layer.bin_heights, layer.knot_slopes))
    count = max(widths.shape[-1], heights.shape[-1])
    widths, heights = (np.broadcast_to(part, (*part.shape[:-1], count)) for part in (widths, heights))
    size = widths.sum(axis=-1).flat[0]
    scales = [size / part.sum(axis=-1, keepdims=True) for part in (widths, heights)]
    if float64(layer.range_min).ndim or not all(np.allclose(scale, 1, rtol=0, atol=1e-5) for scale in scales):
        raise ExportError(
            "RationalQuadraticSpline whose bins do not add up to one interval, the same for widths, heights and all "
            "features, is not supported"
        )
    slopes = np.broadcast_to(slopes, (*slopes.shape[:-1], count - 1))
    return widths * scales[0], heights * scales[1], slopes
