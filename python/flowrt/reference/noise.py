"""Standard normal noise of docs/SAMPLING.md: a pure function of (seed, stream, index, coordinate)."""

from __future__ import annotations

import math

import numpy as np

_MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 of four counter words and two key words (Salmon et al. 2011): four 32-bit words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = product1 >> 32 ^ c1 ^ k0, product1 & _MASK, product0 >> 32 ^ c3 ^ k1, product0 & _MASK
        k0, k1 = k0 + 0x9E3779B9 & _MASK, k1 + 0xBB67AE85 & _MASK
    return c0, c1, c2, c3


def _halves(value: int):
    return value & _MASK, value >> 32 & _MASK


def _normals(a: int, b: int):
    """Box-Muller of two words. U and T are rounded to float32, everything after that is float64."""
    u = float(np.float32(a >> 1) * np.float32(2.0**-31) + np.float32(2.0**-32))
    signed = b - (1 << 32) if b >> 31 else b
    t = float(np.float32(signed) * np.float32(2.0**-32))
    radius = math.sqrt(-2 * math.log(u))
    return radius * math.cos(2 * math.pi * t), radius * math.sin(2 * math.pi * t)


def standard_normal(count: int, dim: int, seed: int = 0, stream: int = 0, index: int = 0) -> np.ndarray:
    """(count, dim) float64: the draws index .. index + count - 1 of (seed, stream)."""
    key = philox((*_halves(stream), 0x776F6C66, 0x00007472), _halves(seed))[:2]
    rows = np.empty((count, dim))
    for row in range(count):
        draw = _halves(index + row)
        values = []
        for group in range((dim + 3) // 4):
            a, b, c, d = philox((*draw, group, 0), key)
            values += [*_normals(a, b), *_normals(c, d)]
        rows[row] = values[:dim]
    return rows
