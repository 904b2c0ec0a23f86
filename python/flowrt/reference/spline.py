"""Monotone splines (docs/FORMAT.md, section 5.1): Durkan et al. 2019, equations 4 to 8, and what is like them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..file.codes import Pieces, pieces_of, spline_parameters
from .functions import sigmoid, softplus


class Bins(NamedTuple):
    """Knots x, y (..., K + 1), and the derivatives at the left and the right end of each bin (..., K)."""

    x: np.ndarray
    y: np.ndarray
    left: np.ndarray
    right: np.ndarray


def softmax(u):
    """Over the last axis."""
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def bins_of(parameters: np.ndarray, form: int, bins: int, p) -> Bins:
    """The bins of raw parameters (..., P). Linear-rational bins are divided: there are twice as many."""
    lower, upper, min_width, min_height, min_derivative, clip, end_derivative, min_share = p
    pieces, size = pieces_of(form), upper - lower
    parts = np.split(parameters, np.cumsum(spline_parameters(form, bins))[:-1], axis=-1)
    raw_widths, raw_heights, raw, raw_shares = parts

    def fractions(u, minimum):
        if form & 3 == 0:
            return minimum + (1 - minimum * bins) * softmax(u)
        return softmax(u / (1 + np.abs(2 * u) / clip))

    def derivatives():
        d = softplus(raw) + min_derivative if form >> 2 & 3 == 0 else np.exp(raw / (1 + np.abs(raw) / clip))
        ends = form >> 4 & 3
        if ends == 0:
            fixed = np.full_like(d[..., :1], end_derivative)
            d = np.concatenate([fixed, d, fixed], axis=-1)
        elif ends == 2:
            d = np.concatenate([d, d[..., :1]], axis=-1)
        return d[..., :-1], d[..., 1:]

    if pieces == Pieces.LINEAR:
        heights = fractions(raw_heights, min_height)
        slopes = bins * heights
        return _from(lower, size, np.full_like(heights, 1 / bins), heights, slopes, slopes)
    widths = fractions(raw_widths, min_width)
    if pieces == Pieces.QUADRATIC:
        left, right = _quadratic_derivatives(softplus(raw) + min_derivative, widths, min_height)
        return _from(lower, size, widths, widths * (left + right) / 2, left, right)
    heights = fractions(raw_heights, min_height)
    if pieces == Pieces.CUBIC:
        return _from(lower, size, widths, heights, *_cubic_derivatives(raw, heights / widths, widths))
    left, right = derivatives()
    if pieces == Pieces.LINEAR_RATIONAL:
        share = min_share + (1 - 2 * min_share) * sigmoid(raw_shares)
        return _from(lower, size, *_divided(share, widths, heights, left, right))
    return _from(lower, size, widths, heights, left, right)


def _from(lower, size, widths, heights, left, right) -> Bins:
    """Bins whose widths and heights are fractions of an interval of `size` from `lower` on."""

    def positions(fractions):
        ends = np.cumsum(fractions, axis=-1)
        ends[..., -1] = 1.0
        return lower + size * np.concatenate([np.zeros_like(ends[..., :1]), ends], axis=-1)

    return Bins(positions(widths), positions(heights), left, right)


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
    if not form >> 6 & 1:
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


def _bin_of(bins: Bins, positions, v) -> _Bin:
    at = _find(positions, v)
    pick = lambda values, i: np.take_along_axis(values, i[..., None], axis=-1)[..., 0]  # noqa: E731
    x, y = pick(bins.x, at), pick(bins.y, at)
    size = pick(bins.x, at + 1) - x, pick(bins.y, at + 1) - y
    return _Bin(x, y, *size, pick(bins.left, at), pick(bins.right, at))


def _forward(r, parameters, form, bins, p):
    knots = bins_of(parameters, form, bins, p)
    at = _bin_of(knots, knots.x, r)
    s, t = at.slope, (r - at.x) / at.width
    if pieces_of(form) == Pieces.CUBIC:
        add, slope = at.cubic(t)
    else:
        u = t * (1 - t)
        denominator = s + (at.right + at.left - 2 * s) * u
        add = at.height * (s * t * t + at.left * u) / denominator
        slope = s * s * (at.right * t * t + 2 * s * u + at.left * (1 - t) ** 2) / denominator**2
    inside = (r >= p[0]) & (r <= p[1])
    return np.where(inside, at.y + add, r), np.where(inside, np.log(np.where(inside, slope, 1.0)), 0.0)


def inverse(q, parameters, form, bins, p):
    """r with forward(r) = q, and log dr/dq."""
    knots = bins_of(parameters, form, bins, p)
    at = _bin_of(knots, knots.y, q)
    t = (_cubic_root if pieces_of(form) == Pieces.CUBIC else _rational_root)(at, q - at.y)
    inside = (q >= p[0]) & (q <= p[1])
    r = np.where(inside, at.x + t * at.width, q)
    _, log_slope = _forward(r, parameters, form, bins, p)
    return _half_turn(r, form, p), -log_slope


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
