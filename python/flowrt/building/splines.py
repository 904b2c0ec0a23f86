"""Splines as nflows and what descends from it parametrise them: linear, quadratic, cubic and rational-quadratic ones.

The network gives each coordinate its K widths, K heights and the derivatives, side by side as a file has them; linear
pieces have heights alone, and what nflows calls the heights of a quadratic spline are derivatives. Widths and heights
may be divided by a constant first. `tails` says what is done at the ends of the interval: "linear" fixes both end
derivatives, "circular" makes them equal, None leaves them free, and a list says it for each coordinate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ExportError
from ..file.codes import Pieces, Reads, SplineForm, pieces_of, spline_parameters
from ..flow import flow as ir
from ..tables import Table
from .arrays import float64
from .modules import class_names
from .output_rows import scale_rows

_PIECES = {
    "PiecewiseLinear": SplineForm.LINEAR,
    "PiecewiseQuadratic": SplineForm.QUADRATIC,
    "PiecewiseCubic": SplineForm.CUBIC,
    "PiecewiseRationalQuadratic": SplineForm(0),
}
AUTOREGRESSIVE = {
    *(f"Masked{pieces}AutoregressiveTransform" for pieces in _PIECES),
    "MaskedPiecewiseRationalQuadraticAutoregressive",
}
COUPLINGS = {*(f"{pieces}CouplingTransform" for pieces in _PIECES), "PiecewiseRationalQuadraticCoupling"}
UNCONDITIONAL = {f"{pieces}CDF" for pieces in _PIECES}
_MINIMUM = 1e-3  # the least width, height and derivative, where a class has no option for it
_FREE_PARAMETERS = (
    "unnormalized_pdf",
    "unnormalized_widths",
    "unnormalized_heights",
    "unnormalized_derivatives",
    "unnorm_derivatives_left",
    "unnorm_derivatives_right",
)


def form_of_pieces(module) -> SplineForm:
    """What the bins of a live module's spline are made of; what has no such class is rational-quadratic."""
    kinds = class_names(module)
    return next((form for pieces, form in _PIECES.items() if any(pieces in kind for kind in kinds)), SplineForm(0))


def autoregressive(module, layers: list, reads: Reads, dim: int) -> list:
    """The steps of a live autoregressive spline transform, from the layers of its network."""
    return _steps(module, layers, reads, np.arange(dim), dim, _divisor(module, module.autoregressive_net))


def coupling(module, layers: list, reads: Reads, transformed: np.ndarray, dim: int) -> list:
    """The steps of a live spline coupling that changes the coordinates `transformed`."""
    return _steps(module, layers, reads, transformed, dim, _divisor(module, module.transform_net))


def unconditional(module, dim: int, reads: Reads) -> list:
    """The steps of a live module whose spline has free parameters, (dim, ...) each."""
    parts = [getattr(module, name) for name in _FREE_PARAMETERS if hasattr(module, name)]
    rows = np.concatenate([float64(part).reshape(dim, -1) for part in parts], axis=1)
    return _steps(module, [ir.Layer(rows.reshape(-1))], reads, np.arange(dim), dim)


def _steps(module, layers: list, reads: Reads, transformed: np.ndarray, dim: int, divisor: float = 1.0) -> list:
    """`transformed` are the coordinates that the network's rows belong to.

    There are several steps where the interval is another one for each coordinate.
    """
    name = type(module).__name__
    count, tails = len(transformed), getattr(module, "tails", None)
    transformer = _transformer(module, count, _bins(module))
    rows = sum(spline_parameters(transformer.form, transformer.bins))
    output = layers[-1]
    if output.width != rows * count:
        raise ExportError(f"{name}: the network has {output.width} outputs, not {rows * count}")
    divided = np.arange(len(output.bias)) % rows < _divided(module, transformer)
    scale_rows(output, slice(None), np.where(divided, 1 / divisor, 1.0))
    if isinstance(tails, (list, tuple)):
        _close_ends(output, rows, transformer, tails)
    step = ir.Autoregressive(layers, transformer, reads, transformed if count < dim else None, name)
    bounds = float64(module.tail_bound) if tails is not None else np.ones(1)
    if np.all(bounds == bounds.reshape(-1)[0]):
        return [step]
    return _rescaled(step, np.broadcast_to(bounds, (count,)), transformed, dim)


def _divisor(module, network) -> float:
    """What nflows divides raw widths and heights by: it depends on whether the network tells its width.

    Networks of images tell channels, which only rational-quadratic splines ask for.
    """
    names = ("hidden_features", "hidden_channels")
    for name in names if form_of_pieces(module) == SplineForm(0) else names[:1]:
        if hasattr(network, name):
            return float(np.sqrt(getattr(network, name)))
    return 1.0


def _divided(module, spline: ir.Spline) -> int:
    """The number of rows of a coordinate, the first ones, that nflows divides."""
    pieces = form_of_pieces(module)
    if pieces == SplineForm.LINEAR:
        return 0
    if pieces == SplineForm.QUADRATIC:
        return spline.bins if class_names(module) & AUTOREGRESSIVE else sum(spline_parameters(spline.form, spline.bins))
    return 2 * spline.bins


def _bins(module) -> int:
    if hasattr(module, "num_bins"):
        return module.num_bins
    return getattr(module, "unnormalized_widths", getattr(module, "unnormalized_pdf", None)).shape[-1]


def _transformer(module, count: int, bins: int) -> ir.Spline:
    pieces, tails = form_of_pieces(module), getattr(module, "tails", None)
    minima, fixed, free = _minima(module, pieces)
    if tails is None:
        return ir.Spline(bins, pieces | free, (0.0, 1.0, *minima), bounded=True)
    bound = float64(module.tail_bound).reshape(-1)
    bound = (
        float(bound[0]) if np.all(bound == bound[0]) else 1.0
    )  # each coordinate is divided by its own, see _rescaled
    if tails == "linear":
        return ir.Spline(bins, pieces, (-bound, bound, *minima, 0.0, fixed))
    if not pieces and tails == "circular":
        return ir.Spline(bins, SplineForm.CIRCULAR, (-bound, bound, *minima))
    if not pieces and isinstance(tails, (list, tuple)) and {*tails} <= {"linear", "circular"} and len(tails) == count:
        return ir.Spline(bins, free, (-bound, bound, *minima), bounded=True)
    raise ExportError(f"{type(module).__name__}: tails {tails!r} are not supported; linear, circular and None are")


def _minima(module, pieces: SplineForm) -> tuple:
    """p2, p3 and p4 of a file; the derivative p6 of linear tails; the bits of the form of ends without tails."""
    width, height = (getattr(module, f"min_bin_{name}", _MINIMUM) for name in ("width", "height"))
    return _MINIMA[pieces_of(pieces)](module, width, height)


_MINIMA = Table(
    "flowrt.building.splines._MINIMA",
    set(Pieces) - {Pieces.LINEAR_RATIONAL},  # which nflows has not
    {
        Pieces.RATIONAL_QUADRATIC: lambda module, width, height: (
            (width, height, getattr(module, "min_derivative", _MINIMUM)),
            1.0,
            SplineForm.FREE_ENDS,
        ),
        Pieces.LINEAR: lambda module, width, height: ((0.0, 0.0, 0.0), 0.0, 0),
        Pieces.QUADRATIC: lambda module, width, height: ((width, height, _MINIMUM), 0.0, SplineForm.FREE_ENDS),
        Pieces.CUBIC: lambda module, width, height: ((width, height, 0.0), 0.0, 0),
    },
)


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
