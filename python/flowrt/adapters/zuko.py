"""zuko 1.x: `MAF` and other lazy flows made of masked autoregressive affine (or additive) transforms.

zuko transforms map data to noise; `.inv` turns a masked autoregressive transform into an inverse one. The context is
appended to the variables at the input of the network.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..errors import ExportError
from ..format.codes import Reads, Scale
from . import scales
from .live import Live, normal_log_prob
from .modules import activated, array, concatenated_linear, context_size, is_identity, masked_linear, names, refuse

framework = "zuko"

_SUPPORTED = (
    "MaskedAutoregressiveTransform and (for one feature) ElementWiseTransform with MonotonicAffineTransform or "
    "AdditiveTransform, UnconditionalTransform of an AffineTransform, LazyInverse and LazyComposedTransform, with "
    "DiagNormal as base"
)


def accepts(model) -> bool:
    """Whether the object looks like a lazy flow of zuko."""
    return hasattr(model, "transform") and hasattr(model, "base") and "LazyDistribution" in names(model)


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    base = _base(model.base)
    dim = len(base.mean)
    layers = list(_flatten(model.transform, inverted=False))
    described = [_step(layer, inverted, dim) for layer, inverted in layers]
    context = context_size([context for _, context in described], context_dim)
    if np.all(base.mean == 0) and np.all(base.std == 1):
        base = ir.StandardNormal()
    steps = [step for step, _ in described]
    return ir.Flow(dim, context, steps, base, framework=framework, model=type(model).__name__)


def live(model, dtype) -> Live:
    """The framework's own evaluation of a copy of the model."""
    flow = Live.copy_of(model, dtype)

    def base_log_prob(z, context):
        normal = flow.base(context).base_dist
        return normal_log_prob(z, normal.loc, normal.scale)

    return Live(
        dtype,
        forward=lambda x, c: flow.transform(c).call_and_ladj(x),
        inverse=lambda z, c: flow.transform(c).inv.call_and_ladj(z),
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


def _step(layer, inverted: bool, dim: int) -> tuple:
    """The step of a layer, and the number of context features that it takes."""
    kinds = names(layer)
    if "UnconditionalTransform" in kinds:
        return _affine(layer, inverted, dim), 0
    if "MaskedAutoregressiveTransform" in kinds:
        context = layer.hyper.in_features - dim
        layers = _network(layer.hyper, slice(0, dim), slice(dim, None))
    elif "ElementWiseTransform" in kinds and hasattr(layer, "hyper"):
        context = layer.hyper.in_features
        layers = _network(layer.hyper, slice(0, 0), slice(0, None))
    elif "ElementWiseTransform" in kinds:
        context = 0
        layers = [ir.Layer(np.stack([array(phi) for phi in layer.phi], axis=-1).reshape(-1))]
    else:
        return refuse(layer, _SUPPORTED)
    reads = Reads.NOISE if inverted else Reads.DATA
    return ir.Autoregressive(layers, _transformer(layer), reads, name=type(layer).__name__), context


def _affine(layer, inverted: bool, dim: int) -> ir.Diagonal:
    """A constant affine map, such as a standardisation."""
    transform = layer(None)
    if "AffineTransform" not in names(transform):
        return refuse(transform, _SUPPORTED)
    scale, shift = array(transform.scale), array(transform.loc)
    if inverted:
        scale, shift = 1 / scale, -shift / scale
    return ir.Diagonal(np.broadcast_to(scale, (dim,)), np.broadcast_to(shift, (dim,)), type(transform).__name__)


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


# ---- networks ----


def _network(hyper, variables: slice, context: slice) -> list:
    """A (masked) multi-layer perceptron: linear layers, activations and residual blocks in sequence."""
    layers: list[ir.Layer] = []
    for module in hyper:
        _append(layers, module, lambda linear: concatenated_linear(linear, variables, context))
    return layers


def _append(layers: list, module, first) -> None:
    """Adds what a module does to the last layer's value. `first` makes the layer that takes the network's input."""
    if "Residual" in names(module):
        start = len(layers) - 1
        for inner in module:
            _append(layers, inner, first)
        if layers[-1].add:
            layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(len(layers) - 1)]))
        layers[-1].add.append(ir.Add(start))
    elif getattr(module, "weight", None) is not None and module.weight.dim() == 2:
        layers.append(masked_linear(module, len(layers) - 1) if layers else first(module))
    elif not is_identity(module):
        if layers[-1].activation or layers[-1].add:
            layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(len(layers) - 1)]))
        activated(layers[-1], module)
