"""Transforms of `torch.distributions` (and zuko's kin of them) whose parameters are constants."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.constant_splines import constant_spline, half_turn
from ...building.coordinates import acting
from ...building.modules import class_names, diagonal, inverted_if, refuse
from ...file.codes import Function
from ...flow import flow as ir

SUPPORTED = (
    "AffineTransform, MonotonicAffineTransform, AdditiveTransform, MonotonicRQSTransform, CircularShiftTransform, "
    "SigmoidTransform, ExpTransform, TanhTransform, SoftclipTransform and the normal CumulativeDistributionTransform, "
    "composed, concatenated, stacked or inverted"
)


def constant_steps(transform, dim: int, supported: str = SUPPORTED) -> list:
    """The steps of a live transform of `dim` coordinates. Raises `ExportError` that names what is `supported`."""
    kinds, name = class_names(transform), type(transform).__name__
    if kinds & {"_InverseTransform", "Inverse"}:
        return [inverted_if(step, True) for step in reversed(constant_steps(transform.inv, dim, supported))]
    if kinds & {"ComposeTransform", "ComposedTransform"}:
        parts = transform.parts if hasattr(transform, "parts") else transform.transforms
        return merged([step for part in parts for step in constant_steps(part, dim, supported)])
    if "IndependentTransform" in kinds:
        return constant_steps(transform.base_transform, dim, supported)
    if "DependentTransform" in kinds:
        return constant_steps(transform.base, dim, supported)
    if "IdentityTransform" in kinds:
        return []
    if kinds & {"CatTransform", "StackTransform"}:
        return _side_by_side(transform, dim, supported)
    zeros, ones = np.zeros(dim), np.ones(dim)

    def every(function: Function, lower=zeros, upper=zeros) -> ir.Elementwise:
        return ir.Elementwise(np.full(dim, int(function)), lower, upper, name)

    if kinds & {"AffineTransform", "MonotonicAffineTransform"}:
        shift = transform.loc if "AffineTransform" in kinds else transform.shift
        return [diagonal(dim, name, float64(transform.scale), float64(shift))]
    if "AdditiveTransform" in kinds:
        return [diagonal(dim, name, shift=float64(transform.shift))]
    if "CircularShiftTransform" in kinds:
        return [half_turn(float(transform.bound), np.arange(dim), dim, name)]
    if "MonotonicRQSTransform" in kinds:
        knots = (transform.horizontal, transform.vertical, transform.derivatives)
        x, y, derivatives = (float64(part).reshape(-1, transform.bins + 1) for part in knots)
        spline, raw = constant_spline(dim, x[0, 0], np.diff(x), np.diff(y), derivatives[:, 1:-1])
        return [ir.Autoregressive([raw], spline, name=name)]
    if "SigmoidTransform" in kinds:
        return [every(Function.SIGMOID, zeros, ones)]
    if "ExpTransform" in kinds:
        return [every(Function.EXP_ABOVE)]
    if "TanhTransform" in kinds:
        return [every(Function.TANH)]
    if "SoftclipTransform" in kinds:
        return [every(Function.SOFTSIGN, np.broadcast_to(float64(transform.bound), (dim,)))]
    if "CumulativeDistributionTransform" in kinds and "Normal" in class_names(transform.distribution):
        normal = transform.distribution
        standardised = diagonal(dim, name, 1 / float64(normal.scale), before=0 - float64(normal.loc))
        return [standardised, every(Function.NORMAL_CDF, zeros, ones)]
    return refuse(transform, supported)


def _side_by_side(transform, dim: int, supported: str) -> list:
    """Transforms of consecutive coordinates: as many as `lengths` says, or one each."""
    lengths = getattr(transform, "lengths", [1] * len(transform.transforms))
    steps, start = [], 0
    for part, length in zip(transform.transforms, lengths):
        coordinates = np.arange(start, start + length)
        steps += [acting(step, coordinates, dim) for step in constant_steps(part, length, supported)]
        start += length
    return steps


def merged(steps: list) -> list:
    """A sigmoid or exponential with the affine map behind it as one step, which float32 evaluates better."""
    result: list = []
    for step in steps:
        before = result[-1] if result else None
        if isinstance(step, ir.Diagonal) and isinstance(before, ir.Elementwise):
            sigmoid = np.all(before.function == Function.SIGMOID) and np.all(step.scale > 0)
            if sigmoid and np.all(before.lower == 0) and np.all(before.upper == 1):
                lower = step.shift_alone
                result[-1] = ir.Elementwise(before.function, lower, lower + step.scale, before.name)
                continue
            if np.all(before.function == Function.EXP_ABOVE) and np.all(step.scale == 1):
                result[-1] = ir.Elementwise(before.function, before.lower + step.shift_alone, before.upper, before.name)
                continue
        result.append(step)
    return result
