"""The transformers of flowjax: scalar bijections made from a vector of raw parameters by a function of the layer.

What they compute is told from their values, with the constants that they add to the raw parameters: users replace the
scale function of `Affine` as they like.
"""

from __future__ import annotations

import numpy as np

from ...building import scales
from ...building.arrays import float64
from ...building.modules import class_names, refuse
from ...errors import ExportError
from ...file.codes import Scale
from ...flow import flow as ir
from .networks import parameter_count
from .splines import read_spline

_SUPPORTED = "Affine, Loc, Scale and RationalQuadraticSpline as transformer"


def transformer(layer, output: ir.Layer):
    """The transformer of the live layer, its constants folded into the rows of the output layer, in place."""
    probe = _Probe(layer)
    if "Loc" in probe.kinds:
        output.bias = output.bias + probe.shift([0])
        return ir.Additive()
    if "RationalQuadraticSpline" in probe.kinds:
        spline, raw = read_spline(probe.transformer)
        output.bias = output.bias + np.tile(raw, output.width // len(raw))
        return spline
    if "Affine" in probe.kinds:
        shift, scale = probe.shift([0, 1]), probe.scale([0, 1])
    elif "Scale" in probe.kinds:
        shift, scale = 0.0, probe.scale([0])
        _insert_shift_rows(output)
    else:
        return refuse(probe.transformer, _SUPPORTED)
    output.bias[0::2] += shift
    output.bias[1::2] += scale.offset
    return ir.Affine(scale.scale, scale.p)


class _Probe:
    """Evaluates a transformer for many raw parameters: a user may replace its functions with `equinox.tree_at`."""

    def __init__(self, layer):
        import jax.numpy as jnp

        self.constructor = layer.transformer_constructor
        self.count = parameter_count(layer)
        self.transformer = self.constructor(jnp.zeros(self.count))
        self.kinds = class_names(self.transformer)

    def shift(self, parameters: list) -> float:
        """The constant c of t = theta_0 + c."""
        self._require(len(parameters))
        at_zero, slope, _ = self._line(0, scales.RAW)
        constant = float(self._line(0, np.zeros(1))[0][0])
        if not np.allclose(at_zero, scales.RAW + constant) or not np.allclose(slope, slope[0]):
            raise ExportError(f"{type(self.transformer).__name__} does not compute scale * x + shift")
        return constant

    def scale(self, parameters: list) -> scales.ScaleFunction:
        """The function of the last parameter that is the scale, with what is added to the parameter as its offset."""
        self._require(len(parameters))
        _, values, log_values = self._line(-1, scales.RAW)
        at_zero, far_below = (float(self._line(-1, np.array([a]))[1][0]) for a in (0.0, -600.0))
        above, candidates = at_zero - far_below, []
        if above > 0:
            candidates.append(scales.ScaleFunction(Scale.EXP, offset=np.log(at_zero)))
            candidates.append(scales.ScaleFunction(Scale.SOFTPLUS, (far_below,), offset=np.log(np.expm1(above))))
        if 0 < above < 1:
            candidates.append(scales.ScaleFunction(Scale.SIGMOID, (far_below,), offset=np.log(above / (1 - above))))
        return scales.match(values, log_values, candidates, type(self.transformer).__name__)

    def _require(self, count: int) -> None:
        if self.count != count:
            raise ExportError(f"{type(self.transformer).__name__} has {self.count} parameters, not {count}")

    def _line(self, which: int, raw: np.ndarray) -> tuple:
        """Value at 0, slope and log-determinant, for each value of one raw parameter; the others are zero."""
        import jax

        def line(parameters):
            transformer = self.constructor(parameters)
            (start, log_det), (end, _), (far, _) = (transformer.transform_and_log_det(x) for x in (0.0, 1.0, 2.0))
            return start, end, far, log_det

        parameters = np.zeros((len(raw), self.count))
        parameters[:, which] = raw
        start, end, far, log_det = (float64(values) for values in jax.vmap(line)(parameters))
        if not np.allclose(far - end, end - start, rtol=1e-9, atol=1e-9):
            raise ExportError(f"{type(self.transformer).__name__} does not compute scale * x + shift")
        return start, end - start, log_det


def _insert_shift_rows(output: ir.Layer) -> None:
    """Rows of zeros for the shifts that a transformer without them lacks."""
    for field in ("bias", "weight", "mask", "context_weight"):
        rows = getattr(output, field)
        if rows is not None:
            setattr(output, field, np.stack([np.zeros_like(rows), rows], axis=1).reshape(-1, *rows.shape[1:]))
