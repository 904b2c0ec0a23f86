"""The splines of a description (docs/FORMAT.md, section 5.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..building.output_rows import scale_rows
from ..file.codes import Derivatives, Ends, Pieces, SplineFields, Widths, spline_parameters
from ..flow import flow as ir
from ..tables import Table
from .fields import Fields
from .networks import ROWS, sort_rows

_PIECES = {kind.name.lower(): kind for kind in Pieces}
_WIDTHS = {"softmax": Widths.SOFTMAX, "soft_clipped_softmax": Widths.CLIPPED}
_DERIVATIVES = {"softplus": Derivatives.SOFTPLUS, "exp_soft_clipped": Derivatives.EXP}
_ENDS = {kind.name.lower(): kind for kind in Ends}
_MINIMA = {
    "min_width": "the least width of a bin, a fraction of the interval",
    "min_height": "the least height of a bin, a fraction of the interval; of quadratic pieces, the least derivative",
    "min_derivative": "what is added to the softplus of a derivative",
}


class _Entries(NamedTuple):
    """What a description says of a spline, depending on its pieces."""

    min_width: bool = True
    min_height: bool = False  # also where widths and heights are soft-clipped
    derivatives: bool = False  # how they are made positive, and with fixed ends what they are there
    min_derivative: bool = False
    ends: tuple = ()
    min_share: bool = False


_ENTRIES = Table(
    "flowrt.descriptions.splines._ENTRIES",
    Pieces,
    {
        Pieces.RATIONAL_QUADRATIC: _Entries(derivatives=True, min_derivative=True, ends=tuple(_ENDS)),
        Pieces.LINEAR: _Entries(min_width=False),
        Pieces.QUADRATIC: _Entries(min_height=True, min_derivative=True, ends=("fixed", "free")),
        Pieces.LINEAR_RATIONAL: _Entries(derivatives=True, min_derivative=True, ends=tuple(_ENDS), min_share=True),
        Pieces.CUBIC: _Entries(),
    },
)


def read_spline(fields: Fields, output: ir.Layer, coordinates: int) -> ir.Spline:
    """The spline; the rows of the output layer are sorted, and the divisor folded into them, in place."""
    pieces = fields.choice("pieces", "what a bin of the spline is", _PIECES, "rational_quadratic")
    asked = _ENTRIES[pieces]
    bins = fields.whole("bins", "how many bins the spline has")
    lower, upper = (fields.number(name, f"the {name} end of the interval of the spline") for name in ("lower", "upper"))
    widths = fields.choice("widths", "how widths and heights are made positive", _WIDTHS)
    derivatives, ends = Derivatives.SOFTPLUS, Ends.FIXED
    if asked.derivatives:
        derivatives = fields.choice("derivatives", "how derivatives are made positive", _DERIVATIVES)
    if asked.ends:
        choices = {name: _ENDS[name] for name in asked.ends}
        ends = fields.choice("ends", "the derivatives at the ends of the interval", choices)
    used = {
        "min_width": asked.min_width and widths == Widths.SOFTMAX,
        "min_height": asked.min_height or widths == Widths.SOFTMAX,
        "min_derivative": asked.min_derivative and derivatives == Derivatives.SOFTPLUS,
    }
    minima = [fields.number(name, what) if used[name] else 0.0 for name, what in _MINIMA.items()]
    clip = end = share = 0.0
    if widths == Widths.CLIPPED or derivatives == Derivatives.EXP:
        slope = fields.number("slope", "the least derivative of the soft clip")
        if not 0 < slope < 1:
            fields.refuse(f"'slope' is {slope}, not between 0 and 1")
        clip = -math.log(slope)
    if asked.derivatives and ends == Ends.FIXED:
        end = fields.number("end_derivative", "the derivative at both ends, 1 for a smooth map")
    if asked.min_share:
        share = fields.number("min_share", "the least share of a bin's width that either of its two maps has")
    form = SplineFields(widths, derivatives, ends, pieces=pieces).form
    _sort_and_divide(fields, output, coordinates, spline_parameters(form, bins))
    return ir.Spline(bins, form, (lower, upper, *minima, clip, end, share))


def _sort_and_divide(fields: Fields, output: ir.Layer, coordinates: int, sizes: tuple) -> None:
    """`sizes` are the numbers of widths, heights, derivatives and shares of a coordinate."""
    count = sum(sizes)
    axes = {"coordinate": coordinates, "parameter": count}
    rows = fields.order("rows", f"{ROWS} ['coordinate', 'parameter'] or ['parameter', 'coordinate']", axes)
    sort_rows(output, axes, rows, fields)
    divided = np.arange(count) < sizes[0] + sizes[1]
    gain = np.tile(np.where(divided, 1 / fields.number("divisor", "", 1.0), 1.0), coordinates)
    scale_rows(output, slice(None), gain)
