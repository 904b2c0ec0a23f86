"""Monotone rational-quadratic splines (Durkan et al. 2019, equations 4 to 8; docs/FORMAT.md, section 5.1)."""

from __future__ import annotations

import numpy as np

from .functions import softplus


def softmax(u):
    """Over the last axis."""
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def knots(parameters: np.ndarray, form: int, bins: int, p):
    """Knot positions x, y and derivatives d, each (..., K + 1), of raw parameters (..., P)."""
    lower, upper, min_width, min_height, min_derivative, clip, end_derivative, _ = p
    raw_widths, raw_heights, raw = np.split(parameters, [bins, 2 * bins], axis=-1)

    def positions(u, minimum):
        if form & 3 == 0:
            fractions = minimum + (1 - minimum * bins) * softmax(u)
        else:
            fractions = softmax(u / (1 + np.abs(2 * u) / clip))
        ends = np.cumsum(fractions, axis=-1)
        ends[..., -1] = 1.0
        zero = np.zeros_like(ends[..., :1])
        return lower + (upper - lower) * np.concatenate([zero, ends], axis=-1)

    d = softplus(raw) + min_derivative if form >> 2 & 3 == 0 else np.exp(raw / (1 + np.abs(raw) / clip))
    ends = form >> 4 & 3
    if ends == 0:
        fixed = np.full_like(d[..., :1], end_derivative)
        d = np.concatenate([fixed, d, fixed], axis=-1)
    elif ends == 2:
        d = np.concatenate([d, d[..., :1]], axis=-1)
    return positions(raw_widths, min_width), positions(raw_heights, min_height), d


def _bin(values, at):
    """The values at both ends of the bin that holds each point."""
    pick = lambda i: np.take_along_axis(values, i[..., None], axis=-1)[..., 0]  # noqa: E731
    return pick(at), pick(at + 1)


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


def _forward(r, parameters, form, bins, p):
    x, y, d = knots(parameters, form, bins, p)
    at = _find(x, r)
    (x0, x1), (y0, y1), (d0, d1) = _bin(x, at), _bin(y, at), _bin(d, at)
    s = (y1 - y0) / (x1 - x0)
    t = (r - x0) / (x1 - x0)
    u = t * (1 - t)
    denominator = s + (d1 + d0 - 2 * s) * u
    q = y0 + (y1 - y0) * (s * t * t + d0 * u) / denominator
    slope = s * s * (d1 * t * t + 2 * s * u + d0 * (1 - t) ** 2) / denominator**2
    inside = (r >= p[0]) & (r <= p[1])
    return np.where(inside, q, r), np.where(inside, np.log(np.where(inside, slope, 1.0)), 0.0)


def inverse(q, parameters, form, bins, p):
    """r with forward(r) = q, and log dr/dq."""
    x, y, d = knots(parameters, form, bins, p)
    at = _find(y, q)
    (x0, x1), (y0, y1), (d0, d1) = _bin(x, at), _bin(y, at), _bin(d, at)
    h = y1 - y0
    s = h / (x1 - x0)
    u = q - y0
    k = d1 + d0 - 2 * s
    a = h * (s - d0) + u * k
    b = h * d0 - u * k
    c = -s * u
    discriminant = np.maximum(b * b - 4 * a * c, 0.0)
    t = 2 * c / (-b - np.sqrt(discriminant))
    inside = (q >= p[0]) & (q <= p[1])
    r = np.where(inside, x0 + t * (x1 - x0), q)
    _, log_slope = _forward(r, parameters, form, bins, p)
    return _half_turn(r, form, p), -log_slope
