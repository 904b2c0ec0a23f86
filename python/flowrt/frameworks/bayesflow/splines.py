"""The spline transform of bayesflow, whose network gives each row an interval of its own, as steps that a file has.

    x in [L, L + W]            u = (x - L) / W               y = B + H v
    ---- affine step ----> u in [0, 1] ---- spline ----> v in [0, 1] ---- affine step ----> y in [B, B + H]

L, B, W and H are outputs of the network, and so are the bins. Outside of the interval bayesflow's map is the straight
line between its corners: the identity between u and v. So the spline has one interval for all rows, and its bins and
derivatives in the units of u and v are functions of the outputs: layers of the network.

    width of a bin / W    (m + (W - n m) softmax(b)) / W      its log, but for a constant, log1p(ys), y = (W - n m) / m
    derivative of v by u  softplus(q) W / H                   its log

with n bins that are at least m wide. The layers have softplus, ELU, softsign, inverse hyperbolic sine and products:

    log sum exp(b)    pairs: log(exp a + exp b) = a + softplus(b - a)
    s = exp(t)        elu(t) + 1, since t = b - log sum exp(b) <= 0
    1 / (1 + t)       1 - softsign(t) for t >= 0
    log(1 + t)        arsinh((1 + t - 1 / (1 + t)) / 2) = arsinh((t + softsign(t)) / 2)
    log(t)            arsinh(k t) - log(2 k), which is less than 1 / (2 k t)^2 too large; k = 2^24

Only the last one is no identity: a derivative below 3e-8 is 3e-8.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...building.coordinates import reading
from ...building.raw_scales import scaled, sliced
from ...file.codes import Activation, Reads, Scale, SplineForm
from ...flow import flow as ir
from ..torch.overrides import require_own

_K = 2.0**24
_LINEAR = 40.0  # softplus(t) = t in float64 from here on
_SHIFT = math.log(math.e - 1)  # of the derivatives: softplus(_SHIFT) = 1
_UNCLIPPED = 1e30  # of the derivatives' logarithms


def spline_steps(transform, layers: list, seen: np.ndarray, changed: np.ndarray, dim: int, name: str) -> list:
    """The steps of one coupling. `layers` are those of its network; the last one is linear."""
    require_own(transform, "call", "constrain_parameters", "split_parameters", "_forward", "_inverse")
    count = len(changed)
    outputs = np.arange(count * transform.params_per_dim).reshape(count, -1)
    left, bottom, width, height = outputs[:, :4].T
    sides = [
        _Side(width, transform.default_width, transform.min_width, transform.min_bin_width, transform._shift),
        _Side(height, transform.default_height, transform.min_height, transform.min_bin_height, transform._shift),
    ]
    spline = ir.Spline(transform.bins, SplineForm.SOFT_CLIPPED_DERIVATIVES, (0, 1, 0, 0, 0, _UNCLIPPED, 1))

    def step(network: list, transformer, reads=Reads.DATA):
        return ir.Autoregressive(reading(network, seen, dim), transformer, reads, transformed=changed, name=name)

    def stretched(factor: float):
        scale = np.ones(dim)
        scale[changed] = factor
        return ir.Diagonal(scale, np.zeros(dim), name)

    affine = ir.Affine(Scale.SOFTPLUS, (0.0,))
    to_u, to_y = (_LINEAR / side.least for side in sides)
    inner = []  # a single bin is the straight line from corner to corner
    if transform.bins > 1:
        inner = [step(_spline_network(layers, outputs[:, 4:], transform.bins, sides), spline)]
    return [
        step(_interval(layers, left, transform.default_left, sides[0]), affine, Reads.NOISE),
        stretched(to_u),
        *inner,
        stretched(1 / to_y),
        step(_interval(layers, bottom, transform.default_bottom, sides[1]), affine),
    ]


class _Side:
    """The length of an interval of a coordinate, and of its bins: `gain` arsinh(softplus(o + shift)) + `least`."""

    def __init__(self, outputs: np.ndarray, default: float, least: float, least_bin: float, shift: float):
        self.outputs, self.gain, self.least = outputs, float(default - least), float(least)
        self.least_bin, self.shift = float(least_bin), float(shift)

    def affine(self, bins: int) -> tuple[float, float]:
        """y = factor * arsinh(...) + offset."""
        m = self.least_bin or 1.0  # y is not used if bins have no least length
        return self.gain / m, (self.least - bins * m) / m


class _Network:
    """Layers that grow, and are called by their numbers."""

    def __init__(self, layers: list):
        self.layers, self.output = list(layers[:-1]), layers[-1]

    def add(self, layer: ir.Layer) -> int:
        self.layers.append(layer)
        return len(self.layers) - 1

    def outputs(self, rows, shift=0.0, activation=Activation.IDENTITY) -> int:
        """Some outputs of the network that was given, through an activation."""
        layer = sliced(self.output, rows)
        return self.add(replace(layer, bias=layer.bias + shift, activation=activation))

    def units(self, terms: dict, bias=0.0, activation=Activation.IDENTITY, gate=None) -> int:
        """gate * activation(bias + the sum of factors times layers, unit by unit)."""
        width = self.layers[next(iter(terms))].width
        a = 1.0 if activation == Activation.ELU else 0.0
        bias, *factors = (np.broadcast_to(np.float64(values), (width,)) for values in (bias, *terms.values()))
        adds = [ir.Add(layer, factor) for layer, factor in zip(terms, factors)]
        return self.add(ir.Layer(bias, add=adds, activation=activation, a=a, gate=gate))

    def linear(self, weight: np.ndarray, source: int, terms: dict, bias=0.0, activation=Activation.IDENTITY) -> int:
        """activation(bias + weight * a layer + the sum of factors times layers)."""
        if terms:
            adds = self.layers[self.units(terms, bias, activation)]
            self.layers.pop()
            return self.add(replace(adds, weight=weight, mask=weight != 0, source=source))
        bias = np.broadcast_to(np.asarray(bias, dtype=np.float64), (len(weight),))
        return self.add(ir.Layer(bias, weight, weight != 0, source, activation=activation))

    def lengths(self, *sides: _Side) -> int:
        """arsinh(softplus(o + shift)) of intervals, those of a side together."""
        rows = np.concatenate([side.outputs for side in sides])
        shifts = np.repeat([side.shift for side in sides], len(sides[0].outputs))
        units = self.outputs(rows, shifts, Activation.SOFTPLUS)
        return self.units({units: 1.0}, activation=Activation.INVERSE_HYPERBOLIC_SINE)


def _interval(layers: list, begin: np.ndarray, default: float, side: _Side) -> list:
    """A network that gives t, a of each coordinate: where its interval begins, and a multiple of its length."""
    network, count, factor = _Network(layers), len(begin), _LINEAR / side.least
    length = network.lengths(side)
    is_begin = np.arange(2 * count) % 2 == 0
    begins = network.add(scaled(sliced(network.output, np.repeat(begin, 2)), is_begin))
    weight = np.zeros((2 * count, count))
    weight[1::2] = factor * side.gain * np.eye(count)
    network.linear(weight, length, {begins: 1.0}, np.where(is_begin, default, factor * side.least))
    return network.layers


def _spline_network(layers: list, outputs: np.ndarray, bins: int, sides: list) -> list:
    """A network that gives the raw parameters of the spline between u and v: logarithms, but for constants.

    `outputs` (coordinates, 3 bins - 1) are those of the network that was given, in the order of a spline's parameters.
    """
    network, count = _Network(layers), len(outputs)
    group = np.repeat([0, 1, 2], [bins, bins, bins - 1])  # of a parameter: widths, heights, derivatives
    coordinate, group = np.repeat(np.arange(count), len(group)), np.tile(group, count)
    is_bin, is_derivative = group < 2, group == 2
    has_least = np.append([side.least_bin > 0 for side in sides], False)[group]

    raw = network.outputs(outputs.reshape(-1))
    total = _log_sum_exp(network, outputs[:, : 2 * bins].reshape(2 * count, bins))  # widths, heights of each in turn
    own_total = np.zeros((len(group), 2 * count))
    own_total[is_bin, 2 * coordinate[is_bin] + group[is_bin]] = -1
    share = network.linear(own_total, total, {raw: is_bin}, activation=Activation.ELU)  # less 1
    derivative = network.units({raw: is_derivative}, _SHIFT * is_derivative, Activation.SOFTPLUS)

    length = network.lengths(*sides)
    factors, offsets = np.transpose([*(side.affine(bins) for side in sides), (0.0, 0.0)])
    own_length = np.zeros((len(group), 2 * count))
    own_length[is_bin, coordinate[is_bin] + count * group[is_bin]] = factors[group[is_bin]]
    room = network.linear(own_length, length, {}, offsets[group])  # y
    own_ratio = is_derivative[:, None] * (coordinate[:, None] == np.arange(count))
    gate = network.linear(own_ratio.astype(float), _ratio(network, length, count, *sides), {room: 1.0})
    product = network.units({share: is_bin, derivative: is_derivative}, is_bin, gate=gate)

    soft = network.units({product: is_bin}, activation=Activation.SOFTSIGN)
    terms = {product: np.where(is_bin, 0.5, _K), soft: 0.5 * is_bin}
    logs = network.units(terms, activation=Activation.INVERSE_HYPERBOLIC_SINE)
    network.units({logs: has_least | is_derivative, raw: is_bin & ~has_least}, -math.log(2 * _K) * is_derivative)
    return network.layers


def _ratio(network: _Network, length: int, count: int, widths: _Side, heights: _Side) -> int:
    """W / H: W times the reciprocal of H, which is at least `heights.least`."""
    first, second = np.eye(2 * count)[:count], np.eye(2 * count)[count:]
    width = network.linear(widths.gain * first, length, {}, widths.least)
    soft = network.linear(heights.gain / heights.least * second, length, {}, activation=Activation.SOFTSIGN)
    return network.units({soft: -1 / heights.least}, 1 / heights.least, gate=width)


def _log_sum_exp(network: _Network, outputs: np.ndarray) -> int:
    """log sum exp of the outputs in each row (rows, n): pairs, pairs of pairs, and so on."""
    rows, n = outputs.shape
    values = network.outputs(outputs.reshape(-1))
    while n > 1:
        pairs = (n + 1) // 2  # the last one is alone if n is odd
        first = np.zeros((rows, pairs, rows, n))
        change = np.zeros((rows, pairs, rows, n))
        for row in range(rows):
            for pair in range(pairs):
                first[row, pair, row, 2 * pair] = 1
                if 2 * pair + 1 < n:
                    change[row, pair, row, [2 * pair, 2 * pair + 1]] = -1, 1
        both = np.tile(np.arange(pairs) < n // 2, rows)
        first, change = (weight.reshape(rows * pairs, rows * n) for weight in (first, change))
        larger = network.linear(change, values, {}, activation=Activation.SOFTPLUS)
        values, n = network.linear(first, values, {larger: both}), pairs
    return values
