"""Monotone splines (docs/FORMAT.md, section 5.1): Durkan et al. 2019, equations 4 to 8, and what is like them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..file.codes import Derivatives, Ends, Pieces, SplineFields, Widths, pieces_of, spline_parameters
from ..tables import Table
from .functions import sigmoid, softplus


class Bins(NamedTuple):
    """Knots x, y (..., K + 1), and of each bin (..., K) its size and the derivatives at its left and its right end.

    A size is no difference of knots: that of a bin far narrower than the interval would have no digits.
    """

    x: np.ndarray
    y: np.ndarray
    width: np.ndarray
    height: np.ndarray
    left: np.ndarray
    right: np.ndarray


def softmax(u):
    """Over the last axis."""
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def bins_of(parameters: np.ndarray, form: int, bins: int, p) -> Bins:
    """The bins of raw parameters (..., P). Linear-rational bins are divided: there are twice as many."""
    parts = np.split(parameters, np.cumsum(spline_parameters(form, bins))[:-1], axis=-1)
    raw = _Raw(SplineFields.of(form), bins, _Parameters(*p), *parts)
    return _PIECES[raw.fields.pieces](raw)


class _Parameters(NamedTuple):
    """p0 to p7 of section 5.1."""

    lower: float
    upper: float
    min_width: float
    min_height: float
    min_derivative: float
    clip: float
    end_derivative: float
    min_share: float


class _Raw(NamedTuple):
    """A spline as a network gives it."""

    fields: SplineFields
    bins: int
    p: _Parameters
    raw_widths: np.ndarray
    raw_heights: np.ndarray
    raw_derivatives: np.ndarray
    raw_shares: np.ndarray

    def widths(self):
        return _FRACTIONS[self.fields.widths](self.raw_widths, self.p.min_width, self)

    def heights(self):
        return _FRACTIONS[self.fields.widths](self.raw_heights, self.p.min_height, self)

    def derivatives(self):
        """At the left and the right end of each bin."""
        d = _ENDS[self.fields.ends](_DERIVATIVES[self.fields.derivatives](self.raw_derivatives, self.p), self.p)
        return d[..., :-1], d[..., 1:]

    def made_of(self, widths, heights, left, right) -> Bins:
        """Bins whose widths and heights are fractions of the interval."""
        return _from(self.p.lower, self.p.upper - self.p.lower, widths, heights, left, right)


_FRACTIONS = Table(
    "flowrt.reference.spline._FRACTIONS",
    Widths,
    {
        Widths.SOFTMAX: lambda u, minimum, raw: minimum + (1 - minimum * raw.bins) * softmax(u),
        Widths.CLIPPED: lambda u, minimum, raw: softmax(u / (1 + np.abs(2 * u) / raw.p.clip)),
    },
)
_DERIVATIVES = Table(
    "flowrt.reference.spline._DERIVATIVES",
    Derivatives,
    {
        Derivatives.SOFTPLUS: lambda raw, p: softplus(raw) + p.min_derivative,
        Derivatives.EXP: lambda raw, p: np.exp(raw / (1 + np.abs(raw) / p.clip)),
    },
)


def _fixed_ends(d, p):
    end = np.full_like(d[..., :1], p.end_derivative)
    return np.concatenate([end, d, end], axis=-1)


_ENDS = Table(
    "flowrt.reference.spline._ENDS",
    Ends,
    {
        Ends.FIXED: _fixed_ends,
        Ends.FREE: lambda d, p: d,
        Ends.CIRCULAR: lambda d, p: np.concatenate([d, d[..., :1]], axis=-1),
    },
)


def _rational_quadratic(raw: _Raw) -> Bins:
    return raw.made_of(raw.widths(), raw.heights(), *raw.derivatives())


def _linear(raw: _Raw) -> Bins:
    heights = raw.heights()
    slopes = raw.bins * heights
    return raw.made_of(np.full_like(heights, 1 / raw.bins), heights, slopes, slopes)


def _quadratic(raw: _Raw) -> Bins:
    widths = raw.widths()
    values = softplus(raw.raw_derivatives) + raw.p.min_derivative
    left, right = _quadratic_derivatives(values, widths, raw.p.min_height)
    return raw.made_of(widths, widths * (left + right) / 2, left, right)


def _linear_rational(raw: _Raw) -> Bins:
    share = raw.p.min_share + (1 - 2 * raw.p.min_share) * sigmoid(raw.raw_shares)
    return raw.made_of(*_divided(share, raw.widths(), raw.heights(), *raw.derivatives()))


def _cubic(raw: _Raw) -> Bins:
    widths, heights = raw.widths(), raw.heights()
    return raw.made_of(widths, heights, *_cubic_derivatives(raw.raw_derivatives, heights / widths, widths))


_PIECES = Table(
    "flowrt.reference.spline._PIECES",
    Pieces,
    {
        Pieces.RATIONAL_QUADRATIC: _rational_quadratic,
        Pieces.LINEAR: _linear,
        Pieces.QUADRATIC: _quadratic,
        Pieces.LINEAR_RATIONAL: _linear_rational,
        Pieces.CUBIC: _cubic,
    },
)


def _from(lower, size, widths, heights, left, right) -> Bins:
    """Bins whose widths and heights are fractions of an interval of `size` from `lower` on."""

    def positions(fractions):
        ends = np.cumsum(fractions, axis=-1)
        ends[..., -1] = 1.0
        return lower + size * np.concatenate([np.zeros_like(ends[..., :1]), ends], axis=-1)

    return Bins(positions(widths), positions(heights), size * widths, size * heights, left, right)


def _quadratic_derivatives(v, widths, minimum):
    """Values v at the knots, all of them or without the ends, become derivatives whose integral is 1."""
    if v.shape[-1] < widths.shape[-1]:
        first, last = widths[..., :1] / 4, widths[..., -1:] / 4
        inner = np.sum((v[..., :-1] + v[..., 1:]) / 2 * widths[..., 1:-1], axis=-1, keepdims=True)
        end = (inner + first * v[..., :1] + last * v[..., -1:]) / (1 - first - last)
        v = np.concatenate([end, v, end], axis=-1)
    area = np.sum((v[..., :-1] + v[..., 1:]) / 2 * widths, axis=-1, keepdims=True)
    d = minimum + (1 - minimum) * v / area
    return d[..., :-1], d[..., 1:]


def _cubic_derivatives(raw, slopes, widths):
    """Steffen 1990, equation 11; the ends are given."""
    s1, s2, w1, w2 = slopes[..., :-1], slopes[..., 1:], widths[..., :-1], widths[..., 1:]
    inner = np.minimum(2 * np.minimum(s1, s2), (w2 * s1 + w1 * s2) / (w1 + w2))
    ends = 3 * sigmoid(raw) * slopes[..., [0, -1]]
    d = np.concatenate([ends[..., :1], inner, ends[..., 1:]], axis=-1)
    return d[..., :-1], d[..., 1:]


def _divided(share, widths, heights, left, right) -> tuple:
    """Widths, heights, left and right derivatives of two pieces for each linear-rational bin (Dolatabadi et al. 2020).

    The first piece ends at `share` of the width. A rational-quadratic piece is a Moebius map if the product of its
    derivatives is the square of its slope.
    """
    weight = share * np.sqrt(left / right)
    height = heights * weight / (1 - share + weight)
    middle = (height / (share * widths)) ** 2 / left

    def alternating(first, second):
        return np.stack([first, second], axis=-1).reshape(*first.shape[:-1], -1)

    return (
        alternating(share * widths, (1 - share) * widths),
        alternating(height, heights - height),
        alternating(left, middle),
        alternating(middle, right),
    )


def _find(positions, v):
    last = positions.shape[-1] - 2
    return np.clip(np.sum(v[..., None] >= positions, axis=-1) - 1, 0, last)


def _half_turn(r, form, p):
    """r moved round by half the interval, where `form` says so; its own inverse."""
    if not SplineFields.of(form).turned:
        return r
    lower, upper = p[0], p[1]
    half = 0.5 * (upper - lower)
    turned = np.where(r < lower + half, r + half, r - half)
    return np.where((r >= lower) & (r <= upper), turned, r)


def forward(r, parameters, form, bins, p):
    """q and log dq/dr."""
    return _forward(_half_turn(r, form, p), parameters, form, bins, p)


class _Bin(NamedTuple):
    """The bin that holds a point: its corner, size and derivatives at both ends."""

    x: np.ndarray
    y: np.ndarray
    width: np.ndarray
    height: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def slope(self):
        return self.height / self.width

    def cubic(self, t):
        """What a cubic piece adds to y, and its derivative."""
        b, c = 3 * self.slope - 2 * self.left - self.right, self.left + self.right - 2 * self.slope
        return self.width * t * (self.left + t * (b + t * c)), self.left + t * (2 * b + 3 * t * c)

    def rational(self, t):
        """What a rational-quadratic piece, or one that is such a piece, adds to y, and its derivative."""
        s, u = self.slope, t * (1 - t)
        denominator = s + (self.right + self.left - 2 * s) * u
        add = self.height * (s * t * t + self.left * u) / denominator
        return add, s * s * (self.right * t * t + 2 * s * u + self.left * (1 - t) ** 2) / denominator**2


def _bin_of(bins: Bins, positions, v) -> _Bin:
    at = _find(positions, v)
    pick = lambda values, i: np.take_along_axis(values, i[..., None], axis=-1)[..., 0]  # noqa: E731
    return _Bin(*(pick(values, at) for values in bins))


def _forward(r, parameters, form, bins, p):
    knots = bins_of(parameters, form, bins, p)
    at = _bin_of(knots, knots.x, r)
    value, _ = _MAPS[pieces_of(form)]
    add, slope = value(at, (r - at.x) / at.width)
    inside = (r >= p[0]) & (r <= p[1])
    return np.where(inside, at.y + add, r), _log_of(slope, inside)


def inverse(q, parameters, form, bins, p):
    """r with forward(r) = q, and log dr/dq in the bin of q: that of r may be its neighbour, where bins are narrow."""
    knots = bins_of(parameters, form, bins, p)
    at = _bin_of(knots, knots.y, q)
    value, root = _MAPS[pieces_of(form)]
    inside = (q >= p[0]) & (q <= p[1])
    t = np.where(inside, root(at, q - at.y), 0.0)
    _, slope = value(at, t)
    return _half_turn(np.where(inside, at.x + t * at.width, q), form, p), -_log_of(slope, inside)


def _log_of(slope, inside):
    return np.where(inside, np.log(np.where(inside, slope, 1.0)), 0.0)


def _rational_root(at: _Bin, u):
    """Durkan et al. 2019, equations 6 to 8."""
    s = at.slope
    k = at.right + at.left - 2 * s
    a = at.height * (s - at.left) + u * k
    b = at.height * at.left - u * k
    c = -s * u
    discriminant = np.maximum(b * b - 4 * a * c, 0.0)
    return 2 * c / (-b - np.sqrt(discriminant))


def _cubic_root(at: _Bin, u):
    """By bisection."""
    low, high = np.zeros_like(u), np.ones_like(u)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = at.cubic(middle)[0] < u
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return (low + high) / 2


_MAPS = Table(  # what a piece adds to y, with its derivative; and t of what it adds
    "flowrt.reference.spline._MAPS",
    Pieces,
    {
        Pieces.RATIONAL_QUADRATIC: (_Bin.rational, _rational_root),
        Pieces.LINEAR: (_Bin.rational, _rational_root),
        Pieces.QUADRATIC: (_Bin.rational, _rational_root),
        Pieces.LINEAR_RATIONAL: (_Bin.rational, _rational_root),
        Pieces.CUBIC: (_Bin.cubic, _cubic_root),
    },
)
