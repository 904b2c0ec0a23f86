"""The rows on which a model of the canon is compared: noise, and data that the model itself made of noise."""

from typing import NamedTuple, Optional

import numpy as np

from flowrt import format, reference

ROWS = 256
_MEANS = np.array([13.0, 2.3, 2.4, 19.5, 99.7, 2.3, 2.0, 0.36, 1.6, 5.1, 0.96, 2.6, 747.0])  # of the wines
_STDS = np.array([0.8, 1.1, 0.27, 3.3, 14.3, 0.63, 1.0, 0.12, 0.57, 2.3, 0.23, 0.71, 315.0])


class Rows(NamedTuple):
    """float64, exact in float32."""

    x: np.ndarray
    z: np.ndarray
    context: Optional[np.ndarray]


def rows_of(path, count=ROWS) -> Rows:
    """Rows for the file of a model. Its context is none, a cultivar (one of three), or the measurements of a wine."""
    file = format.read(path)
    generator = np.random.default_rng(0)
    contexts = {
        0: lambda: None,
        3: lambda: np.eye(3)[generator.integers(0, 3, count)],
        13: lambda: _float32(_MEANS + _STDS * generator.normal(size=(count, 13))),
    }
    context = contexts[file.context_dim]()
    z, noise = _float32(generator.normal(size=(2, count, file.dim)))
    return Rows(_float32(reference.inverse(file, noise, context)[0]), z, context)


def error(found, truth) -> float:
    """The largest difference, beside 1 or beside the largest value of its coordinate: x has the units of the data.

    An x that lies outside of the support when it is rounded to float32 has no finite results, in both.
    """
    outside = ~np.isfinite(truth)
    if not np.array_equal(outside, ~np.isfinite(found)):
        return np.inf
    largest = np.abs(np.where(outside, 0.0, truth)).max(axis=0)
    off = np.abs(np.where(outside, 0.0, found) - np.where(outside, 0.0, truth))
    return float(np.max(off / np.maximum(1.0, largest)))


def _float32(values):
    return values.astype(np.float32).astype(np.float64)
