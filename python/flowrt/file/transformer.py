"""What the fields of a transformer may say (docs/FORMAT.md, section 5): each check gives the first problem, or None."""

from __future__ import annotations

import math
from typing import Optional, Sequence

import numpy as np

from ..tables import Table
from .codes import (
    CONSTANTS_OF_SCALE,
    MAX_BINS,
    Derivatives,
    Ends,
    Form,
    Pieces,
    Scale,
    SplineFields,
    Transformer,
    Widths,
    spline_parameters,
)
from .fields import Problem, beyond, is_interval, is_set, unknown


def check_transformer(record) -> Optional[Problem]:
    """The fields of an autoregressive step that describe its transformer."""
    if record.transformer not in set(Transformer):
        return unknown("transformer", "transformer", record.transformer)
    return _TRANSFORMERS[record.transformer](record.form, record.scale, record.bins, record.p)


def _check_affine(form: int, scale: int, bins: int, p: Sequence[float]) -> Optional[Problem]:
    if form not in set(Form):
        return unknown("form", "form", form)
    problem = check_scale(scale, p)
    if problem:
        return problem
    if form == Form.GATED and not (scale == Scale.SIGMOID and p[0] == 0):
        return Problem("form", "the gated form needs the sigmoid scale with p0 = 0")
    return Problem("bins", f"{bins} bins in an affine transformer") if bins else None


def _check_additive(form: int, scale: int, bins: int, p: Sequence[float]) -> Optional[Problem]:
    if form or scale or bins or is_set(*p):
        return Problem("form", "unused fields of an additive transformer are not zero")
    return None


# ---- scale functions ----


def check_scale(scale: int, p: Sequence[float]) -> Optional[Problem]:
    """A scale function and its parameters."""
    if scale not in set(Scale):
        return unknown("scale", "scale function", scale)
    constants = CONSTANTS_OF_SCALE[scale]
    used = len(constants.names)
    if not constants.are_allowed(p) or not all(math.isfinite(value) for value in p):
        return Problem("p", f"parameters {tuple(p[:used])} are not allowed for scale function {scale}")
    if is_set(*p[used:]):
        return Problem("p", f"unused parameters of scale function {scale} are not zero", index=used)
    return None


# ---- splines (section 5.1) ----


def _check_spline(form: int, scale: int, bins: int, p: Sequence[float]) -> Optional[Problem]:
    fields = SplineFields.of(form)
    if not _is_known(fields):
        return unknown("form", "spline form", form)
    if scale:
        return Problem("scale", "unused fields of a spline are not zero")
    if bins < 2:
        return Problem("bins", f"a spline of {bins} bins")
    if bins > MAX_BINS.most:
        return beyond(MAX_BINS, "bins", bins)
    if not all(math.isfinite(value) for value in p):
        return Problem("p", "a parameter of the spline is not finite")
    if not is_interval(p[0], p[1]):
        return Problem("p", f"the interval [{p[0]}, {p[1]}] is empty or too wide for float32")
    for index, (name, is_used, is_allowed) in enumerate(_uses(fields, bins), start=2):
        if not (is_allowed(p[index]) if is_used else not is_set(p[index])):
            return Problem("p", name.format(p[index]), index=index)
    return None


def _is_known(fields: SplineFields) -> bool:
    """Whether each field is known, and those that the pieces have no use for are 0."""
    known = ((fields.widths, Widths), (fields.derivatives, Derivatives), (fields.ends, Ends), (fields.pieces, Pieces))
    if not all(code in set(codes) for code, codes in known):
        return False
    ends, derivatives, turned = fields.ends, fields.derivatives, fields.turned
    return _FITS[fields.pieces](ends, derivatives, turned)


_FITS = Table(
    "flowrt.file.transformer._FITS",
    Pieces,
    {
        Pieces.RATIONAL_QUADRATIC: lambda ends, derivatives, turned: True,
        Pieces.LINEAR: lambda ends, derivatives, turned: ends == Ends.FIXED and not derivatives,
        Pieces.QUADRATIC: lambda ends, derivatives, turned: ends != Ends.CIRCULAR and not derivatives,
        Pieces.LINEAR_RATIONAL: lambda ends, derivatives, turned: True,
        Pieces.CUBIC: lambda ends, derivatives, turned: ends == Ends.FIXED and not derivatives,
    },
)


def _uses(fields: SplineFields, bins: int) -> list:
    """For p2 to p7: the message about one that is wrong, whether it is used, and whether a value is allowed then."""
    widths, heights, derivatives, shares = (count > 0 for count in spline_parameters(fields.form, bins))
    derivatives &= fields.pieces != Pieces.CUBIC  # whose two are shares of a slope
    quadratic, softmax = fields.pieces == Pieces.QUADRATIC, fields.widths == Widths.SOFTMAX
    softplus, fixed = fields.derivatives == Derivatives.SOFTPLUS, fields.ends == Ends.FIXED
    minima = 1 if quadratic else bins  # a quadratic spline has one minimal derivative, not a height for each bin

    def is_positive(value):
        return value > 0

    return [
        (f"minimal width {{}} is not allowed for {bins} bins", softmax and widths, lambda v: _leaves_room(v, bins)),
        (
            f"minimal height {{}} is not allowed for {bins} bins",
            quadratic or (softmax and heights),
            lambda v: _leaves_room(v, minima),
        ),
        ("minimal derivative {} is not allowed", softplus and derivatives, lambda v: v >= 0),
        ("soft clip {} is not allowed", not (softmax and softplus), is_positive),
        ("end derivative {} is not allowed", fixed and derivatives and not quadratic, is_positive),
        ("minimal share {} is not allowed", shares, lambda v: 0 < v < 0.5),
    ]


def _leaves_room(minimum: float, count: int) -> bool:
    """Whether `count` minima are less than the whole, in float32."""
    return 0 <= minimum < 1 and np.float32(minimum) * np.float32(count) < 1


_TRANSFORMERS = Table(
    "flowrt.file.transformer._TRANSFORMERS",
    Transformer,
    {
        Transformer.AFFINE: _check_affine,
        Transformer.ADDITIVE: _check_additive,
        Transformer.SPLINE: _check_spline,
    },
)
