"""Pyro's splines: elementwise, autoregressive and as couplings.

Widths and heights of bins are at least a thousandth of the interval, derivatives at least a thousandth, and both end
derivatives are 1 minus that. A spline of linear order (Dolatabadi et al. 2020) is two Moebius maps in each bin. These
are rational-quadratic pieces, but raw parameters of theirs are logarithms of what a network gives: such a spline is
supported where its parameters depend on nothing.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads
from ..reference.functions import sigmoid, softplus
from ..reference.spline import softmax
from .constant_splines import constant_spline
from .modules import array, names
from .pyro_networks import context_features, layers_of, require
from .subset import reading

SPLINES = {"Spline", "ConditionalSpline", "SplineAutoregressive", "ConditionalSplineAutoregressive", "SplineCoupling"}
_MINIMUM = 1e-3  # arguments of a function of Pyro that none of its transforms changes
_LEAST_SHARE = 0.025


def spline_steps(transform, inverted: bool, dim: int) -> list:
    """The steps from data to noise of a spline transform, which maps noise to data unless it is `inverted`."""
    kinds, name = names(transform), type(transform).__name__
    reads = Reads.DATA if inverted else Reads.NOISE
    if "Spline" in kinds and transform.order == "linear":
        transformer, parameters = _of_linear_order(transform)
        return [ir.Autoregressive([parameters], transformer, reads, name=name)]
    if "Spline" in kinds:
        return [ir.Autoregressive([_free(transform)], _transformer(transform, name), reads, name=name)]
    if "ConditionalSpline" in kinds:
        transformer = _transformer(transform, name)
        return [ir.Autoregressive(_dense(transform, context_alone=True), transformer, reads, name=name)]
    if "SplineCoupling" in kinds:
        return _coupling(transform, reads, dim, name)
    network = transform.arn if hasattr(transform, "arn") else transform.nn
    options = transform.condition(_zeros(context_features(network))) if hasattr(transform, "condition") else transform
    transformer = _transformer(options.spline, name)
    require(network, 3, "AutoRegressiveNN and ConditionalAutoRegressiveNN with widths, heights and derivatives")
    count = 3 * transformer.bins - 1
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
    layers = reading(_dense(transform.upper_spline), first, dim)
    steps = [ir.Autoregressive(layers, transformer, reads, last, name)]
    if not transform.identity:
        lower = transform.lower_spline
        steps.append(ir.Autoregressive([_free(lower)], _transformer(lower, name), reads, first, name))
    return steps[::-1] if reads == Reads.NOISE else steps


def _transformer(options, name: str) -> ir.Spline:
    if options.order != "quadratic":
        raise ExportError(
            f'{name} of order "{options.order}" is not supported; supported are order="quadratic", and both orders of '
            "a Spline whose parameters depend on nothing"
        )
    bound = float(options.bound)
    p = (-bound, bound, _MINIMUM, _MINIMUM, _MINIMUM, 0.0, 1.0 - _MINIMUM)
    return ir.Spline(options.count_bins, 0, p)


def _free(spline) -> ir.Layer:
    """Parameters that depend on nothing."""
    names_ = ("unnormalized_widths", "unnormalized_heights", "unnormalized_derivatives")
    return ir.Layer(np.concatenate([array(getattr(spline, name)) for name in names_], axis=1).reshape(-1))


def _of_linear_order(spline) -> tuple:
    """The same map as a spline of twice as many bins, divided where the two Moebius maps of a bin meet.

    A rational-quadratic piece of slope s and end derivatives d, e is a Moebius map if d e = s^2.
    """
    bins, bound = spline.count_bins, float(spline.bound)
    raw = (array(getattr(spline, f"unnormalized_{name}")) for name in ("widths", "heights", "derivatives", "lambdas"))
    widths, heights, derivatives, lambdas = raw
    widths, heights = (2 * bound * (_MINIMUM + (1 - _MINIMUM * bins) * softmax(part)) for part in (widths, heights))
    inner = softplus(derivatives) + _MINIMUM
    ends = np.full((len(inner), 1), 1 - _MINIMUM)
    left, right = np.hstack([ends, inner]), np.hstack([inner, ends])
    share = _LEAST_SHARE + (1 - 2 * _LEAST_SHARE) * sigmoid(lambdas)  # of the width, where the first map ends
    weight = share * np.sqrt(left / right)
    height = heights * weight / (1 - share + weight)
    middle = (height / (share * widths)) ** 2 / left

    def alternating(first, second):
        return np.stack([first, second], axis=-1).reshape(len(first), -1)

    return constant_spline(
        spline.input_dim,
        -bound,
        alternating(share * widths, (1 - share) * widths),
        alternating(height, heights - height),
        alternating(middle, right)[:, :-1],
        end=1 - _MINIMUM,
    )


def _dense(spline, context_alone: bool = False) -> list:
    """Layers of the DenseNN of a ConditionalSpline: all widths of the first feature, of the second; all heights."""
    require(spline.nn, 3, "DenseNN and ConditionalDenseNN with widths, heights and derivatives")
    features, bins = spline.input_dim, spline.count_bins
    sizes = [features * bins, features * bins, features * (bins - 1)]
    if list(spline.nn.param_dims) != sizes:
        raise ExportError(f"{type(spline).__name__}: the network has parameters {spline.nn.param_dims}, not {sizes}")
    starts = np.cumsum([0, *sizes])
    parts = [np.arange(start, end).reshape(features, -1) for start, end in zip(starts, starts[1:])]
    return layers_of(spline.nn, np.concatenate(parts, axis=1).reshape(-1), context_alone)


def _zeros(count: int):
    import torch

    return torch.zeros(count)
