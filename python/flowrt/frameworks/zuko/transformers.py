"""The univariate transformations of zuko's layers, recognised by what they compute of probing parameters.

No state dict holds the slope, the bound or the kind of a transformation: they are read off the live constructor.
"""

from __future__ import annotations

import numpy as np

from ...building import scales
from ...building.activations import describe
from ...building.arrays import float64
from ...building.modules import class_names
from ...errors import ExportError
from ...file.codes import Scale, SplineForm
from ...flow import flow as ir
from ...reference.spline import bins_of

_SPLINE = SplineForm.SOFT_CLIPPED_BINS | SplineForm.SOFT_CLIPPED_DERIVATIVES


def transformer(layer, supported: str):
    """The transformer of a live layer. Raises `ExportError` that names it if it is not `supported`."""
    shapes = [tuple(shape) for shape in layer.shapes]
    if len(shapes) in (1, 2) and not any(shapes):
        return _affine(layer, supported)
    if len(shapes) == 3 and shapes[0] == shapes[1] == (shapes[2][0] + 1,):
        return _spline(layer, shapes[0][0], supported)
    return _refuse(layer, supported)


def _affine(layer, supported: str):
    import torch

    raw = torch.as_tensor(scales.RAW)
    shift = torch.full_like(raw, scales.SHIFT)
    univariate = layer.univariate(*[shift, raw][: len(layer.shapes)])
    if not class_names(univariate) & {"MonotonicAffineTransform", "AdditiveTransform"}:
        return _refuse(layer, supported)
    with torch.no_grad():
        at_zero, at_one = (float64(univariate(torch.full_like(raw, value))) for value in (0.0, 1.0))
        log_slope = float64(univariate.log_abs_det_jacobian(raw, raw))
    slope = at_one - at_zero
    additive = "AdditiveTransform" in class_names(univariate)
    if not np.allclose(at_zero, scales.SHIFT) or (additive and not np.allclose(slope, 1)):
        raise ExportError(f"{type(univariate).__name__} does not compute scale * x + shift")
    if additive:
        return ir.Additive()
    candidate = scales.ScaleFunction(Scale.EXP_SOFT_CLIPPED, (_limit(log_slope[-1], scales.RAW[-1]),))
    scale = scales.match(slope, log_slope, [candidate], type(univariate).__name__)
    return ir.Affine(scale.scale, scale.p)


def _spline(layer, bins: int, supported: str) -> ir.Spline:
    """A spline, alone or behind a shift of the circle [-bound, bound] by half of it."""
    import torch

    raw = np.linspace(-30, 30, 3 * bins - 1).reshape(1, -1)
    widths, heights, derivatives = (torch.as_tensor(part) for part in np.split(raw, [bins, 2 * bins], axis=1))
    univariate = layer.univariate(widths, heights, derivatives)
    shift, name = None, type(univariate).__name__
    if "ComposedTransform" in class_names(univariate) and len(univariate.transforms) == 2:
        shift, univariate = univariate.transforms
    known = shift is None or "CircularShiftTransform" in class_names(shift)
    if not known or "MonotonicRQSTransform" not in class_names(univariate):
        return _refuse(layer, supported)
    bound = -float(univariate.horizontal[0, 0])
    limit = _limit(float(univariate.derivatives[0, -2].log()), raw[0, -1])
    form = _SPLINE if shift is None else _SPLINE | SplineForm.HALF_TURN
    spline = ir.Spline(bins, form, (-bound, bound, 0.0, 0.0, 0.0, limit, 1.0), bounded=shift is not None)
    found = [float64(part) for part in (univariate.horizontal, univariate.vertical, univariate.derivatives)]
    expected = bins_of(raw, spline.form, bins, ir.parameters(spline.p))
    ends = (expected.x, expected.y, np.append(expected.left, expected.right[..., -1:], axis=-1))
    if not all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(found, ends)):
        raise ExportError(f"{name} has knots that are not those of MonotonicRQSTransform")
    if shift is not None and not np.isclose(shift.bound, bound):
        raise ExportError(f"{name} shifts the circle [-{shift.bound}, {shift.bound}] of a spline on {bound}")
    return spline


def _limit(clipped: float, raw: float) -> float:
    """L of `clipped = raw / (1 + raw / L)`, for a positive raw parameter."""
    return float(clipped / (1 - clipped / raw))


def _refuse(layer, supported: str):
    function = getattr(layer.univariate, "func", layer.univariate)
    raise ExportError(f"univariate transformation {describe(function)} is not supported; supported are {supported}")
