"""The transformers and scale functions of a description."""

from __future__ import annotations

import math

import numpy as np

from ..building.output_rows import reordered, scale_rows
from ..file.codes import CONSTANTS_OF_SCALE, Form, Scale, Transformer
from ..flow import flow as ir
from ..tables import Table
from .fields import Fields
from .networks import ROWS, sort_rows
from .splines import read_spline

_FORMS = {kind.name.lower(): kind for kind in Form}
_SCALES = {kind.name.lower(): kind for kind in Scale}


def read_transformer(fields: Fields, output: ir.Layer, coordinates: int, sorted_rows: bool = False):
    """The transformer; the rows of the output layer are sorted, and constants folded into them, in place.

    With `sorted_rows` they are shift and raw scale of one coordinate after the other.
    """
    kinds = {kind.name.lower(): kind for kind in Transformer}
    kind = fields.choice("kind", "what joins the two sides", kinds)
    if not sorted_rows:
        result = _TRANSFORMERS[kind](fields, output, coordinates)
    elif kind == Transformer.AFFINE:
        result = _affine(fields, output, coordinates, sorted_rows)
    else:
        fields.refuse(f"'kind' is {kind.name.lower()!r}, but 'shift_layers' and 'scale_layers' are for affine")
    fields.close()
    return result


def _additive(fields: Fields, output: ir.Layer, coordinates: int) -> ir.Additive:
    sort_rows(output, {"coordinate": coordinates}, ["coordinate"], fields)
    scale_rows(output, slice(None), fields.number("gain", "", 1.0), 0.0)
    return ir.Additive()


def _affine(fields: Fields, output: ir.Layer, coordinates: int, sorted_rows: bool = False) -> ir.Affine:
    form = fields.choice("form", "the formula", _FORMS)
    scale, p, gain, offset = read_scale(fields)
    if not sorted_rows:
        _sort(fields, output, {"coordinate": coordinates, "parameter": 2}, ("shift", "scale"))
    scale_rows(output, slice(1, None, 2), gain, offset)
    return ir.Affine(scale, p, form)


_TRANSFORMERS = Table(
    "flowrt.descriptions.transformers._TRANSFORMERS",
    Transformer,
    {Transformer.AFFINE: _affine, Transformer.ADDITIVE: _additive, Transformer.SPLINE: read_spline},
)


def read_scale(fields: Fields) -> tuple:
    """(Scale, p, gain, offset) of s(gain * a + offset; p)."""
    scale = fields.choice("scale", "the function that makes a positive scale of a raw one", _SCALES)
    p = tuple(fields.number(name, what) for name, what in CONSTANTS_OF_SCALE[scale].names)
    if scale == Scale.EXP_SOFT_CLIPPED:
        if not 0 < p[0] < 1:
            fields.refuse(f"'slope' is {p[0]}, not between 0 and 1")
        p = (-math.log(p[0]),)
    gain, offset = fields.number("gain", "", 1.0), fields.number("offset", "", 0.0)
    if scale in (Scale.EXP_TANH, Scale.EXP_ATAN) and p[0] < 0:  # c f(v) = -c f(-v)
        return scale, (-p[0],), -gain, -offset
    return scale, p, gain, offset


def read_mixture(fields: Fields, output: ir.Layer, coordinates: int) -> tuple:
    """(components, Scale, p) of a mixture for each coordinate; rows become logits, means, raw scales of each."""
    count = fields.whole("components", "how many normals each coordinate has")
    scale, p, gain, offset = read_scale(fields)
    axes = {"coordinate": coordinates, "parameter": 3, "component": count}
    _sort(fields, output, axes, ("logit", "mean", "scale"))
    raw = np.arange(3 * count * coordinates).reshape(coordinates, 3, count)[:, 2].reshape(-1)
    scale_rows(output, raw, gain, offset)
    return count, scale, p


def read_mean_and_std(fields: Fields, output: ir.Layer, coordinates: int) -> None:
    """Rows of a conditional normal, which become mean, log std of each coordinate."""
    _sort(fields, output, {"coordinate": coordinates, "parameter": 2}, ("mean", "log_std"))
    scale_rows(output, slice(1, None, 2), fields.number("gain", "", 1.0), 0.0)


def _sort(fields: Fields, output: ir.Layer, axes: dict, parameters: tuple) -> None:
    example = list(axes)
    rows = fields.order("rows", f"{ROWS} {example} or {example[1:] + example[:1]}", axes)
    order = fields.order("parameters", f"the order of the parameters, for example {list(parameters)}", parameters)
    sort_rows(output, axes, rows, fields)
    places = [order.index(name) for name in parameters]
    inner = math.prod(list(axes.values())[2:])
    at = np.arange(len(output.bias)).reshape(axes["coordinate"], len(parameters), inner)
    reordered(output, at[:, places].reshape(-1))
