"""Rational-quadratic splines as nflows and what descends from it parametrise them.

The network gives each coordinate its K widths, K heights and the derivatives, side by side as a file has them. Widths
and heights may be divided by a constant first. `tails` says what is done at the ends of the interval: "linear" fixes
both end derivatives at 1, "circular" makes them equal, None leaves them free, and a list says it for each coordinate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads, SplineForm
from .modules import array

AUTOREGRESSIVE = {
    "MaskedPiecewiseRationalQuadraticAutoregressiveTransform",
    "MaskedPiecewiseRationalQuadraticAutoregressive",
}
COUPLINGS = {"PiecewiseRationalQuadraticCouplingTransform", "PiecewiseRationalQuadraticCoupling"}
UNCONDITIONAL = {"PiecewiseRationalQuadraticCDF"}


def autoregressive(module, layers: list, reads: Reads, dim: int) -> list:
    """The steps of a live autoregressive spline transform, from the layers of its network."""
    return _steps(module, layers, reads, np.arange(dim), dim, _divisor(module.autoregressive_net))


def coupling(module, layers: list, reads: Reads, transformed: np.ndarray, dim: int) -> list:
    """The steps of a live spline coupling that changes the coordinates `transformed`."""
    return _steps(module, layers, reads, transformed, dim, _divisor(module.transform_net))


def unconditional(module, dim: int, reads: Reads) -> list:
    """The steps of a live module whose spline has free parameters, (dim, ...) each."""
    parts = (module.unnormalized_widths, module.unnormalized_heights, module.unnormalized_derivatives)
    rows = np.concatenate([array(part).reshape(dim, -1) for part in parts], axis=1)
    return _steps(module, [ir.Layer(rows.reshape(-1))], reads, np.arange(dim), dim)


def _steps(module, layers: list, reads: Reads, transformed: np.ndarray, dim: int, scale: float = 1.0) -> list:
    """`transformed` are the coordinates that the network's rows belong to, `scale` is the divisor.

    There are several steps where the interval is another one for each coordinate.
    """
    name = type(module).__name__
    count = len(transformed)
    transformer, rows = _transformer(module, count, _bins(module))
    output = layers[-1]
    if output.width != rows * count:
        raise ExportError(f"{name}: the network has {output.width} outputs, not {rows * count}")
    _divide(output, rows, transformer.bins, scale)
    if isinstance(module.tails, (list, tuple)):
        _close_ends(output, rows, transformer, module.tails)
    step = ir.Autoregressive(layers, transformer, reads, transformed if count < dim else None, name)
    bounds = array(module.tail_bound) if module.tails is not None else np.ones(1)
    if np.all(bounds == bounds.reshape(-1)[0]):
        return [step]
    return _rescaled(step, np.broadcast_to(bounds, (count,)), transformed, dim)


def _divisor(network) -> float:
    """What nflows divides raw widths and heights by: it depends on whether the network tells its width."""
    for name in ("hidden_features", "hidden_channels"):
        if hasattr(network, name):
            return float(np.sqrt(getattr(network, name)))
    return 1.0


def _bins(module) -> int:
    return module.num_bins if hasattr(module, "num_bins") else module.unnormalized_widths.shape[-1]


def _transformer(module, count: int, bins: int) -> tuple:
    """The spline, and the number of rows of the network for each coordinate."""
    minima = module.min_bin_width, module.min_bin_height, module.min_derivative
    tails = module.tails
    if tails is None:
        return ir.Spline(bins, SplineForm.FREE_ENDS, (0.0, 1.0, *minima), bounded=True), 3 * bins + 1
    bound = array(module.tail_bound).reshape(-1)
    bound = float(bound[0]) if np.all(bound == bound[0]) else 1.0  # of coordinates that were divided by theirs
    if tails == "linear":
        return ir.Spline(bins, 0, (-bound, bound, *minima, 0.0, 1.0)), 3 * bins - 1
    if tails == "circular":
        return ir.Spline(bins, SplineForm.CIRCULAR, (-bound, bound, *minima)), 3 * bins
    if isinstance(tails, (list, tuple)) and {*tails} <= {"linear", "circular"} and len(tails) == count:
        return ir.Spline(bins, SplineForm.FREE_ENDS, (-bound, bound, *minima), bounded=True), 3 * bins + 1
    raise ExportError(f"{type(module).__name__}: tails {tails!r} are not supported; linear, circular and None are")


def _divide(output: ir.Layer, rows: int, bins: int, scale: float) -> None:
    """Divides the rows of widths and heights, in place."""
    gain = np.where(np.arange(output.width) % rows < 2 * bins, 1 / scale, 1.0)
    output.bias = gain * output.bias
    for field in ("weight", "context_weight"):
        if getattr(output, field) is not None:
            setattr(output, field, gain[:, None] * getattr(output, field))


def _close_ends(output: ir.Layer, rows: int, spline: ir.Spline, tails) -> None:
    """Gives linear coordinates end derivatives of 1 and circular ones two that are equal, in place."""
    one = np.log(np.expm1(1 - spline.p[4]))  # softplus(one) + the minimal derivative = 1
    for i, tail in enumerate(tails):
        first, last = rows * i + 2 * spline.bins, rows * i + rows - 1
        for values in (output.bias, output.weight, output.mask, output.context_weight):
            if values is not None:
                values[last] = values[first]
        if tail == "linear":
            output.bias[[first, last]] = one
            for values in (output.weight, output.mask, output.context_weight):
                if values is not None:
                    values[[first, last]] = 0


def _rescaled(step: ir.Autoregressive, bounds: np.ndarray, transformed: np.ndarray, dim: int) -> list:
    """A spline on [-1, 1] between two diagonal steps: x / bound, and back."""
    size = np.ones(dim)
    size[transformed] = bounds
    layers = [replace(layer, weight=layer.weight * size) if layer.source == ir.READ else layer for layer in step.layers]
    zeros = np.zeros(dim)
    return [ir.Diagonal(1 / size, zeros), replace(step, layers=layers), ir.Diagonal(size, zeros)]
