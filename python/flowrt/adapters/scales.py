"""Scale functions of `w = s(a) r + t` recognised by what they compute, as docs/FORMAT.md, section 5, has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ExportError
from ..format.codes import NO_PARAMETERS, Scale
from ..reference import functions

RAW = np.concatenate([[-40.0], np.linspace(-12, 12, 97), [40.0]])  # raw scale parameters to probe a formula with
_TOLERANCE = 1e-7  # frameworks replace softplus by its asymptote for large arguments


class ScaleFunction(NamedTuple):
    """s(a) = scale(gain * a + offset; p). Gain and offset are folded into the rows of the output layer."""

    scale: Scale
    p: tuple = ()
    gain: float = 1.0
    offset: float = 0.0

    def log(self, a: np.ndarray) -> np.ndarray:
        return functions.log_scale(self.scale, self.gain * a + self.offset, (*self.p, *NO_PARAMETERS)[:8])


def nflows_candidates(epsilon: float) -> list:
    """Scale functions of nflows, its older releases and its forks."""
    return [
        ScaleFunction(Scale.SOFTPLUS, (epsilon,)),
        ScaleFunction(Scale.SIGMOID, (epsilon,), offset=2.0),
        ScaleFunction(Scale.SOFTPLUS_CLAMPED, (epsilon, epsilon, 3.0)),
        ScaleFunction(Scale.EXP),
        *(ScaleFunction(Scale.EXP_TANH, (float(n),), gain=0.5) for n in (1, 2, 3)),  # exp(2 n (sigmoid(a) - 1/2))
    ]


def match(values: np.ndarray, log_values: np.ndarray, candidates: list, name: str) -> ScaleFunction:
    """The candidate with s(RAW) = values and log s(RAW) = log_values, or `ExportError`."""
    for candidate in candidates:
        expected = candidate.log(RAW)
        if _close(values, np.exp(expected)) and _close(log_values, expected):
            return candidate
    raise ExportError(
        f"{name} has a scale function that is not known here; a file holds those of docs/FORMAT.md, section 5"
    )


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE))
