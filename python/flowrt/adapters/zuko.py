"""zuko 1.x: `MAF`, `NICE`, `RealNVP` and other lazy flows made of affine (or additive) transforms.

zuko transforms map data to noise; `.inv` turns a masked autoregressive transform into an inverse one. The context is
appended to the variables at the input of the network. The mask of a coupling is true where it changes nothing.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads, Scale
from . import scales
from .live import Live, normal_log_prob
from .modules import affine_map, array, context_size, inverted_if, names, refuse
from .networks import perceptron
from .subset import reading

framework = "zuko"

_LINEAR = {"RotationTransform", "LULinearTransform"}
_SUPPORTED = (
    "MaskedAutoregressiveTransform, GeneralCouplingTransform and ElementWiseTransform with MonotonicAffineTransform or "
    "AdditiveTransform, UnconditionalTransform of an AffineTransform, IdentityTransform, PermutationTransform, "
    "RotationTransform or LULinearTransform, LazyInverse and LazyComposedTransform, with DiagNormal as base"
)


def accepts(model) -> bool:
    """Whether the object looks like a lazy flow of zuko."""
    return hasattr(model, "transform") and hasattr(model, "base") and "LazyDistribution" in names(model)


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    base = _base(model.base)
    dim = len(base.mean)
    layers = list(_flatten(model.transform, inverted=False))
    steps = [_step(layer, inverted, dim) for layer, inverted in layers]
    context = context_size(steps, context_dim)
    if np.all(base.mean == 0) and np.all(base.std == 1):
        base = ir.StandardNormal()
    return ir.Flow(dim, context, steps, base, framework=framework, model=type(model).__name__)


def live(model, dtype) -> Live:
    """The framework's own evaluation of a copy of the model."""
    flow = Live.copy_of(model, dtype)

    def base_log_prob(z, context):
        normal = flow.base(context).base_dist
        return normal_log_prob(z, normal.loc, normal.scale)

    def run(transform, values):
        result, log_slopes = transform.call_and_ladj(values)
        if log_slopes.shape == values.shape:  # one for each coordinate: a flow of elementwise transforms alone
            log_slopes = log_slopes.sum(dim=-1)
        return result, log_slopes

    return Live(
        dtype,
        forward=lambda x, c: run(flow.transform(c), x),
        inverse=lambda z, c: run(flow.transform(c).inv, z),
        base_log_prob=base_log_prob,
    )


def _flatten(transform, inverted: bool):
    """(layer, inverted) from data to noise, with nested compositions and inverses resolved."""
    kinds = names(transform)
    if "LazyInverse" in kinds:
        yield from _flatten(transform.transform, not inverted)
    elif "LazyComposedTransform" in kinds:
        parts = list(transform.transforms)
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield transform, inverted


def _base(lazy) -> ir.DiagonalNormal:
    """Mean and standard deviation of an unconditional diagonal normal, made by calling the lazy distribution."""
    if "UnconditionalDistribution" not in names(lazy) and "Unconditional" not in names(lazy):
        return refuse(lazy, _SUPPORTED)
    base = lazy(None)
    if "DiagNormal" not in names(base) or len(base.event_shape) != 1:
        return refuse(base, _SUPPORTED)
    return ir.DiagonalNormal(array(base.base_dist.loc), array(base.base_dist.scale))


def _step(layer, inverted: bool, dim: int) -> ir.Step:
    kinds = names(layer)
    if "UnconditionalTransform" in kinds:
        return _constant(layer, inverted, dim)
    transformed = None
    if "MaskedAutoregressiveTransform" in kinds:
        layers = perceptron(layer.hyper, slice(0, dim), slice(dim, None))
    elif "GeneralCouplingTransform" in kinds:
        constant, transformed = np.flatnonzero(array(layer.mask)), np.flatnonzero(array(layer.mask) == 0)
        layers = perceptron(layer.hyper, slice(0, len(constant)), slice(len(constant), None))
        layers = reading(layers, constant, dim)
    elif "ElementWiseTransform" in kinds and hasattr(layer, "hyper"):
        layers = perceptron(layer.hyper, slice(0, 0), slice(0, None))
    elif "ElementWiseTransform" in kinds:
        layers = [ir.Layer(np.stack([array(phi) for phi in layer.phi], axis=-1).reshape(-1))]
    else:
        return refuse(layer, _SUPPORTED)
    reads = Reads.NOISE if inverted else Reads.DATA
    return ir.Autoregressive(layers, _transformer(layer), reads, transformed, type(layer).__name__)


def _constant(layer, inverted: bool, dim: int) -> ir.Step:
    """A transform whose parameters depend on nothing, such as a standardisation or a rotation."""
    import torch

    transform = Live.copy_of(layer, torch.float64)(None)
    kinds, name = names(transform), type(transform).__name__
    if "PermutationTransform" in kinds:
        index = array(transform.order).astype(np.int64)
        return ir.Permutation(np.argsort(index) if inverted else index, name)
    if kinds & _LINEAR:
        step = ir.Linear(*affine_map(transform, dim), name)
    elif "AffineTransform" in kinds:
        scale, shift = (np.broadcast_to(array(values), (dim,)) for values in (transform.scale, transform.loc))
        step = ir.Diagonal(scale, shift, name)
    elif "IdentityTransform" in kinds:
        step = ir.Diagonal(np.ones(dim), np.zeros(dim), name)
    else:
        return refuse(transform, _SUPPORTED)
    return inverted_if(step, inverted)


def _transformer(layer):
    """The univariate transformation of the live layer, with the slope that no state dict holds."""
    import torch

    raw = torch.as_tensor(scales.RAW)
    shift = torch.full_like(raw, 0.75)
    univariate = layer.univariate(*[shift, raw][: len(layer.shapes)]) if _is_scalar(layer.shapes) else None
    if univariate is None or not names(univariate) & {"MonotonicAffineTransform", "AdditiveTransform"}:
        name = getattr(layer.univariate, "func", layer.univariate)
        raise ExportError(
            f"univariate transformation {getattr(name, '__name__', name)} is not supported; {_SUPPORTED} are"
        )
    with torch.no_grad():
        at_zero, at_one = (array(univariate(torch.full_like(raw, value))) for value in (0.0, 1.0))
        log_slope = array(univariate.log_abs_det_jacobian(raw, raw))
    slope = at_one - at_zero
    if not np.allclose(at_zero, 0.75) or ("AdditiveTransform" in names(univariate) and not np.allclose(slope, 1)):
        raise ExportError(f"{type(univariate).__name__} does not compute scale * x + shift")
    if "AdditiveTransform" in names(univariate):
        return ir.Additive()
    # The last raw parameter is positive: log s = a / (1 + a / limit), solved for the limit.
    limit = float(log_slope[-1] / (1 - log_slope[-1] / scales.RAW[-1]))
    candidate = scales.ScaleFunction(Scale.EXP_SOFT_CLIPPED, (limit,))
    scale = scales.match(slope, log_slope, [candidate], type(univariate).__name__)
    return ir.Affine(scale.scale, scale.p)


def _is_scalar(shapes) -> bool:
    return len(shapes) in (1, 2) and all(len(shape) == 0 for shape in shapes)
