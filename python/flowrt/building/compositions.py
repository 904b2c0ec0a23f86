"""Activations that docs/FORMAT.md has not, as layers of those that it has.

    SELU      scale * elu(v)                         ReLU6       relu(v) - relu(v - 6)
    CELU      alpha * elu(v / alpha)                 Hardtanh    low + relu(v - low) - relu(v - high)
    PReLU     relu(v) - slopes * relu(-v)            Hardswish   v * (clipped linear function of v), by a gate
    Mish      v * tanh(softplus(v)), by a gate       ...

Each is exact: no function is approximated. It costs a pass over the units for each layer, and no matrix.
"""

from __future__ import annotations

import math

import numpy as np

from ..file.codes import Activation
from ..flow.flow import Composition, Stage
from ..reference import functions

NAMES = ("selu", "celu", "prelu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "mish", "swish with a factor",
         "softplus with a factor", "logsigmoid", "tanhshrink", "softshrink")  # fmt: skip
V = 0  # the value that the activation is applied to


def scaled_elu(gain: float, alpha: float, factor: float) -> Composition:
    """gain * elu(factor * v; alpha)."""
    return _scaled(gain, Activation.ELU, factor, alpha)


def leaky_relu_of_units(slopes) -> Composition:
    """v for v > 0, slope v below, with a slope for each unit."""
    return Composition([
        Stage({V: 1.0}, activation=Activation.RELU),
        Stage({V: -1.0}, activation=Activation.RELU),
        Stage({1: 1.0, 2: -np.asarray(slopes, dtype=np.float64)}),
    ])  # fmt: skip


def clipped(slope: float, offset: float, low: float, high: float) -> Composition:
    """min(max(slope * v + offset, low), high)."""
    return Composition([
        Stage({V: slope}, offset - low, Activation.RELU),
        Stage({V: slope}, offset - high, Activation.RELU),
        Stage({1: 1.0, 2: -1.0}, low),
    ])  # fmt: skip


def floor(low: float) -> Composition:
    """max(v, low)."""
    return Composition([Stage({V: 1.0}, -low, Activation.RELU), Stage({1: 1.0}, low)])


def mish() -> Composition:
    """v tanh(softplus(v))."""
    return Composition([
        Stage({V: 1.0}, activation=Activation.SOFTPLUS),
        Stage({1: 1.0}, activation=Activation.TANH),
        Stage({V: 1.0}, gate=2),
    ])  # fmt: skip


def swish(factor: float) -> Composition:
    """v sigmoid(factor * v)."""
    return Composition([Stage({V: factor}, activation=Activation.SIGMOID), Stage({V: 1.0}, gate=1)])


def hardswish(slope: float, offset: float, low: float, high: float) -> Composition:
    """v times a clipped linear function of v."""
    stages = clipped(slope, offset, low, high).stages
    return Composition([*stages, Stage({V: 1.0}, gate=len(stages))])


def tanhshrink() -> Composition:
    """v - tanh(v)."""
    return Composition([Stage({V: 1.0}, activation=Activation.TANH), Stage({V: 1.0, 1: -1.0})])


def softshrink(width: float) -> Composition:
    """v - width above width, v + width below -width, 0 between."""
    return Composition([
        Stage({V: 1.0}, -width, Activation.RELU),
        Stage({V: -1.0}, -width, Activation.RELU),
        Stage({1: 1.0, 2: -1.0}),
    ])  # fmt: skip


def _scaled(gain: float, kind: Activation, factor: float, a: float = 0.0) -> Composition:
    return Composition([Stage({V: factor}, activation=kind, a=a), Stage({1: gain})])


# ---- recognised by their values ----


def recognise(grid: np.ndarray, values: np.ndarray, tolerance: float) -> Composition | None:
    """The composition with these values on a grid that reaches from far below 0 to far above, or None."""
    for candidate in _candidates(grid, values):
        if np.allclose(evaluate(candidate, grid), values, rtol=tolerance, atol=tolerance):
            return candidate
    return None


def evaluate(composition: Composition, v: np.ndarray) -> np.ndarray:
    """The values of a composition without slopes of single units."""
    found = [np.asarray(v, dtype=np.float64)]
    for stage in composition.stages:
        total = stage.shift + sum(scale * found[term] for term, scale in stage.terms.items())
        total = functions.activation(stage.activation, total, stage.a)
        found.append(total if stage.gate is None else found[stage.gate] * total)
    return found[-1]


def _candidates(grid: np.ndarray, values: np.ndarray):
    order = np.argsort(grid, kind="stable")
    grid, values = grid[order], values[order]
    if not np.all(np.isfinite(values)):
        return

    def at(v: float) -> float:
        return float(values[np.argmin(np.abs(grid - v))])

    yield mish()
    yield tanhshrink()
    yield _scaled(-1.0, Activation.SOFTPLUS, -1.0)  # log sigmoid
    slope, bottom = values[-1] / grid[-1], values[0]
    if slope > 0 and bottom < 0 and 0 < at(-1) / bottom < 1:
        factor = -math.log1p(-at(-1) / bottom)
        yield scaled_elu(slope / factor, -bottom * factor / slope, factor)
    if 0 < at(1) < 1:
        yield swish(math.log(at(1) / (1 - at(1))))
    if at(0) > 0:
        yield _scaled(at(0) / math.log(2), Activation.SOFTPLUS, math.log(2) / at(0))
    yield floor(bottom)
    yield softshrink(grid[-1] - values[-1])
    with np.errstate(all="ignore"):
        yield from (clipped(*line) for line in _lines(grid, values))
        quotient = np.where(grid == 0, np.nan, values / grid)
    yield from (hardswish(*line) for line in _lines(grid[grid != 0], quotient[grid != 0]))


def _lines(grid: np.ndarray, values: np.ndarray):
    """slope, offset, low, high of a clipped linear function that goes through the values, if they are of one."""
    low, high = values[0], values[-1]
    inside = np.flatnonzero((values > low + 1e-9) & (values < high - 1e-9))
    if len(inside) >= 2 and values[1] == low and values[-2] == high:  # what ends beyond the grid is no limit
        first, last = inside[0], inside[-1]
        slope = (values[last] - values[first]) / (grid[last] - grid[first])
        yield slope, values[first] - slope * grid[first], low, high


NAMED = {
    "selu": scaled_elu(1.0507009873554805, 1.6732632423543772, 1.0),
    "celu": scaled_elu(1.0, 1.0, 1.0),
    "relu6": clipped(1.0, 0.0, 0.0, 6.0),
    "hardtanh": clipped(1.0, 0.0, -1.0, 1.0),
    "hardsigmoid": clipped(1 / 6, 0.5, 0.0, 1.0),
    "hardswish": hardswish(1 / 6, 0.5, 0.0, 1.0),
    "mish": mish(),
    "log_sigmoid": _scaled(-1.0, Activation.SOFTPLUS, -1.0),
    "tanhshrink": tanhshrink(),
}
