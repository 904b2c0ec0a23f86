"""Scale functions of `w = s(a) r + t` recognised by what they compute, as docs/FORMAT.md, section 5, has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import ExportError
from ..file.codes import NO_PARAMETERS, Scale
from ..flow.flow import Layer
from ..reference import functions
from .arrays import float64
from .output_rows import scale_rows

RAW = np.concatenate([[-40.0], np.linspace(-12, 12, 97), [40.0]])  # raw scale parameters to probe a formula with
SHIFT = 0.75  # the shift parameter beside them
_TOLERANCE = 1e-7  # frameworks replace softplus by its asymptote for large arguments


class ScaleFunction(NamedTuple):
    """s(a) = scale(gain * a + offset; p). Gain and offset are folded into the rows of the output layer."""

    scale: Scale
    p: tuple = ()
    gain: float = 1.0
    offset: float = 0.0

    def log(self, a: np.ndarray) -> np.ndarray:
        return functions.log_scale(self.scale, self.gain * a + self.offset, (*self.p, *NO_PARAMETERS)[:8])


ONE = ScaleFunction(Scale.EXP, gain=0.0)  # s(a) = 1: an additive step


def nflows_candidates(epsilon: float) -> list:
    """Scale functions of nflows, its older releases and its forks."""
    return [
        ScaleFunction(Scale.SOFTPLUS, (epsilon,)),
        ScaleFunction(Scale.SIGMOID, (epsilon,), offset=2.0),
        ScaleFunction(Scale.SOFTPLUS_CLAMPED, (epsilon, epsilon, 3.0)),
        ScaleFunction(Scale.EXP),
        _exp_tanh_of_half,
    ]


def _exp_tanh_of_half(log_values: np.ndarray) -> ScaleFunction:
    """glasflow's exp(2 n (sigmoid(a) - 1/2)) = exp(n tanh(a / 2)), with n from log s of a large a."""
    return ScaleFunction(Scale.EXP_TANH, (float(log_values[-1]),), gain=0.5)


def of_affine(evaluate, features: int, candidates: list, name: str) -> ScaleFunction:
    """The scale function of a live `w = s(a) r + t`, or `ExportError` if it is not that.

    `evaluate(r)` takes rows (n, features) of float64 and gives w and log s summed over features, for a = RAW[row] and
    t = SHIFT in all features.
    """
    import torch

    def at(value: float):
        with torch.no_grad():
            return [float64(t) for t in evaluate(torch.full((len(RAW), features), value, dtype=torch.float64))]

    (at_zero, log_det), (at_one, _), (at_two, _) = at(0.0), at(1.0), at(2.0)
    straight = np.allclose(at_two - at_one, at_one - at_zero, rtol=1e-9, atol=1e-9)
    if not straight or not np.allclose(at_zero, SHIFT):
        raise ExportError(f"{name} does not compute scale * x + shift")
    return match((at_one - at_zero)[:, 0], log_det / features, candidates, name)


def of_nflows_coupling(layer, count: int) -> ScaleFunction | None:
    """The scale function of a live affine coupling of `count` features or channels; None for an additive one.

    Its network gives all shifts, then all raw scales.
    """
    import torch

    raw = torch.as_tensor(RAW)
    shifts = torch.full((len(raw), count), SHIFT, dtype=torch.float64)
    additive = layer._transform_dim_multiplier() == 1
    parameters = shifts if additive else torch.cat([shifts, raw[:, None].expand(shifts.shape)], dim=1)
    candidates = [ONE] if additive else nflows_candidates(1e-3)
    name = type(layer).__name__
    scale = of_affine(lambda x: layer._coupling_transform_forward(x, parameters), count, candidates, name)
    return None if additive else scale


def fold(function: ScaleFunction, output: Layer) -> None:
    """Folds gain and offset into the raw scales, the odd rows of an output layer, in place."""
    scale_rows(output, slice(1, None, 2), function.gain, function.offset)


def match(values: np.ndarray, log_values: np.ndarray, candidates: list, name: str) -> ScaleFunction:
    """The candidate with s(RAW) = values and log s(RAW) = log_values, or `ExportError`.

    A candidate may be a function that makes one from log_values.
    """
    for candidate in candidates:
        if not isinstance(candidate, ScaleFunction):
            candidate = candidate(log_values)
        expected = candidate.log(RAW)
        if _close(values, np.exp(expected)) and _close(log_values, expected):
            return candidate
    raise ExportError(f"{name} has an unknown scale function; supported are those of docs/FORMAT.md, section 5")


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE))
