"""Noise of docs/SAMPLING.md: a pure function of (seed, stream, index, coordinate)."""

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


def _unit(word: int) -> float:
    """V of docs/SAMPLING.md: exact in float32, so exact here."""
    return (word >> 9) * 2.0**-23 + 2.0**-24


def _stream_key(seed: int, stream: int):
    return philox((*_halves(stream), 0x776F6C66, 0x00007472), _halves(seed))[:2]


def _words(count: int, dim: int, seed: int, stream: int, index: int):
    """For each draw index .. index + count - 1, the words of the coordinates in groups of four."""
    key = _stream_key(seed, stream)
    for row in range(count):
        yield [philox((*_halves(index + row), group, 0), key) for group in range((dim + 3) // 4)]


def standard_normal(count: int, dim: int, seed: int = 0, stream: int = 0, index: int = 0) -> np.ndarray:
    """(count, dim) float64: the draws index .. index + count - 1 of (seed, stream)."""
    rows = np.empty((count, dim))
    for row, groups in enumerate(_words(count, dim, seed, stream, index)):
        values = [value for a, b, c, d in groups for value in (*_normals(a, b), *_normals(c, d))]
        rows[row] = values[:dim]
    return rows


def uniform(count: int, dim: int, seed: int = 0, stream: int = 0, index: int = 0) -> np.ndarray:
    """(count, dim) float64 in (0, 1), of the same words as the normals."""
    rows = np.empty((count, dim))
    for row, groups in enumerate(_words(count, dim, seed, stream, index)):
        rows[row] = [_unit(word) for group in groups for word in group][:dim]
    return rows


def choices(count: int, numbers: int, seed: int = 0, stream: int = 0, index: int = 0) -> np.ndarray:
    """(count, numbers) float64 in (0, 1): the choices 0 .. numbers - 1 of each draw."""
    key = _stream_key(seed, stream)
    draws = (_halves(index + row) for row in range(count))
    return np.array([[_unit(philox((*draw, j, 1), key)[0]) for j in range(numbers)] for draw in draws])
