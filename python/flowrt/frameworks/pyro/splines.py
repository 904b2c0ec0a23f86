"""Pyro's splines: elementwise, autoregressive and as couplings.

Widths and heights of bins are at least a thousandth of the interval, derivatives at least a thousandth, and both end
derivatives are 1 minus that. A spline of linear order (Dolatabadi et al. 2020) has a share of each width besides, where
one map ends and the other begins.
"""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.modules import class_names
from ...errors import ExportError
from ...file.codes import Reads, SplineForm, spline_parameters
from ...flow import flow as ir
from .networks import context_features, layers_of, require

SPLINES = {"Spline", "ConditionalSpline", "SplineAutoregressive", "ConditionalSplineAutoregressive", "SplineCoupling"}
# Arguments of a function of Pyro that none of its transforms changes:
_MINIMUM = 1e-3
_LEAST_SHARE = 0.025
_PARAMETERS = ("widths", "heights", "derivatives", "lambdas")


def spline_steps(transform, inverted: bool, dim: int) -> list:
    """The steps from data to noise of a spline transform, which maps noise to data unless it is `inverted`."""
    kinds, name = class_names(transform), type(transform).__name__
    reads = Reads.DATA if inverted else Reads.NOISE
    if "Spline" in kinds:
        return [ir.Autoregressive([_free(transform)], _transformer(transform, name), reads, name=name)]
    if "ConditionalSpline" in kinds:
        transformer = _transformer(transform, name)
        layers = _dense(transform, transformer, context_alone=True)
        return [ir.Autoregressive(layers, transformer, reads, name=name)]
    if "SplineCoupling" in kinds:
        return _coupling(transform, reads, dim, name)
    network = transform.arn if hasattr(transform, "arn") else transform.nn
    options = transform.condition(_zeros(context_features(network))) if hasattr(transform, "condition") else transform
    transformer = _transformer(options.spline, name)
    _require_parameters(network, transformer, "AutoRegressiveNN and ConditionalAutoRegressiveNN")
    count = sum(_sizes(transformer))
    if network.output_multiplier != count:
        raise ExportError(f"{name}: the network has {network.output_multiplier} outputs for each feature, not {count}")
    rows = np.arange(count * dim).reshape(count, dim).T.reshape(-1)
    return [ir.Autoregressive(layers_of(network, rows), transformer, reads, name=name)]


def _coupling(transform, reads: Reads, dim: int, name: str) -> list:
    """The first half parametrises the second one and, unless `identity`, goes through a spline of its own after that.

    "After" is in the direction of the class, noise to data; it is the noise that is read, or the data if inverted.
    """
    first, last = np.split(np.arange(dim), [transform.split_dim])
    transformer = _transformer(transform.upper_spline, name)
    layers = reading(_dense(transform.upper_spline, transformer), first, dim)
    steps = [ir.Autoregressive(layers, transformer, reads, last, name)]
    if not transform.identity:
        lower = transform.lower_spline
        steps.append(ir.Autoregressive([_free(lower)], _transformer(lower, name), reads, first, name))
    return steps[::-1] if reads == Reads.NOISE else steps


def _transformer(options, name: str) -> ir.Spline:
    bound = float(options.bound)
    p = (-bound, bound, _MINIMUM, _MINIMUM, _MINIMUM, 0.0, 1.0 - _MINIMUM)
    if options.order == "quadratic":
        return ir.Spline(options.count_bins, 0, p)
    if options.order == "linear":
        return ir.Spline(options.count_bins, SplineForm.LINEAR_RATIONAL, (*p, _LEAST_SHARE))
    raise ExportError(f"{name} of order {options.order!r} is not supported; supported are linear and quadratic")


def _sizes(transformer: ir.Spline) -> list:
    """How many widths, heights, derivatives and, of linear order, shares a feature has."""
    return [size for size in spline_parameters(transformer.form, transformer.bins) if size]


def _require_parameters(network, transformer: ir.Spline, supported: str) -> None:
    count = len(_sizes(transformer))
    require(network, count, f"{supported} with {', '.join(_PARAMETERS[: count - 1])} and {_PARAMETERS[count - 1]}")


def _free(spline) -> ir.Layer:
    """Parameters that depend on nothing."""
    parts = [getattr(spline, f"unnormalized_{name}", None) for name in _PARAMETERS]
    return ir.Layer(np.concatenate([float64(part) for part in parts if part is not None], axis=1).reshape(-1))


def _dense(spline, transformer: ir.Spline, context_alone: bool = False) -> list:
    """Layers of the DenseNN of a ConditionalSpline: all widths of the first feature, of the second; all heights."""
    _require_parameters(spline.nn, transformer, "DenseNN and ConditionalDenseNN")
    features = spline.input_dim
    sizes = [features * size for size in _sizes(transformer)]
    if list(spline.nn.param_dims) != sizes:
        raise ExportError(f"{type(spline).__name__}: the network has parameters {spline.nn.param_dims}, not {sizes}")
    starts = np.cumsum([0, *sizes])
    parts = [np.arange(start, end).reshape(features, -1) for start, end in zip(starts, starts[1:])]
    return layers_of(spline.nn, np.concatenate(parts, axis=1).reshape(-1), context_alone)


def _zeros(count: int):
    import torch

    return torch.zeros(count)
