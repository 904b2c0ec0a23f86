"""zuko 1.x: `MAF`, `NSF`, `NCSF`, `NICE`, `RealNVP` and other lazy flows of affine, additive and spline transforms.

zuko transforms map data to noise; `.inv` turns a masked autoregressive transform into an inverse one. The context is
appended to the variables at the input of the network. The mask of a coupling is true where it changes nothing.
"""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.mixtures import full_mixture, full_normal
from ...building.modules import affine_map, class_names, context_size, inverted_if, refuse
from ...building.networks import perceptron
from ...errors import ExportError
from ...file.codes import Reads
from ...flow import flow as ir
from ..torch.live import TorchModel
from ..torch.overrides import require_own_sampler
from ..torch.plain import with_plain_weights
from ..torch.transforms import SUPPORTED as CONSTANTS
from ..torch.transforms import constant_steps
from .transformers import transformer

framework = "zuko"

_CALLED = "NormalizingFlow"  # a distribution
_LINEAR = {"RotationTransform", "LULinearTransform"}
_SUPPORTED = (
    "MaskedAutoregressiveTransform, GeneralCouplingTransform and ElementWiseTransform with MonotonicAffineTransform, "
    "AdditiveTransform, MonotonicRQSTransform or CircularRQSTransform, UnconditionalTransform of an IdentityTransform, "
    f"PermutationTransform, RotationTransform, LULinearTransform, or of {CONSTANTS}, LazyInverse and "
    "LazyComposedTransform, with DiagNormal, MultivariateNormal, BoxUniform or a GMM without context as base"
)


def accepts(model) -> bool:
    """Whether the object looks like a lazy flow of zuko, or what one gives when it is called."""
    return (
        hasattr(model, "transform")
        and hasattr(model, "base")
        and bool(class_names(model) & {"LazyDistribution", _CALLED})
    )


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    if _CALLED in class_names(model):
        raise ExportError(
            f"{type(model).__name__} is what a lazy flow of zuko gives for one context, or without; give the lazy flow "
            "itself, the module"
        )
    model = with_plain_weights(model)
    base = _base(model.base)
    dim = model.base(None).event_shape[0]
    layers = _flatten(model.transform, inverted=False)
    steps = [step for layer, inverted in layers for step in _steps(layer, inverted, dim)]
    context = context_size(steps, context_dim, base)
    return ir.Flow(dim, context, steps, base, framework=framework, model=type(model).__name__)


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    flow = TorchModel.copy_of(with_plain_weights(model), dtype)

    def log_prob(x, context):
        distribution = flow(context)
        require_own_sampler(distribution)
        return distribution.log_prob(x)

    return live_of(flow, dtype).with_density(log_prob)


def live_of(flow, dtype) -> TorchModel:
    """The evaluation of a live flow that is of type `dtype` already."""

    def run(transform, values):
        result, log_slopes = transform.call_and_ladj(values)
        if log_slopes.shape == values.shape:  # one for each coordinate: a flow of elementwise transforms alone
            log_slopes = log_slopes.sum(dim=-1)
        return result, log_slopes

    return TorchModel(
        dtype,
        forward=lambda x, c: run(flow.transform(c), x),
        inverse=lambda z, c: run(flow.transform(c).inv, z),
        base_log_prob=lambda z, c: flow.base(c).log_prob(z),
    )


def _flatten(transform, inverted: bool):
    """(layer, inverted) from data to noise, with nested compositions and inverses resolved."""
    kinds = class_names(transform)
    if "LazyInverse" in kinds:
        yield from _flatten(transform.transform, not inverted)
    elif "LazyComposedTransform" in kinds:
        parts = list(transform.transforms)
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield transform, inverted


def _base(lazy) -> ir.Base:
    """An unconditional base density, made by calling the lazy distribution in float64."""
    import torch

    kinds = class_names(lazy)
    if not kinds & {"UnconditionalDistribution", "Unconditional", "GMM"} or hasattr(lazy, "hyper"):
        return refuse(lazy, _SUPPORTED)
    base = TorchModel.copy_of(lazy, torch.float64)(None)
    require_own_sampler(base)
    if len(base.event_shape) != 1:
        return refuse(base, _SUPPORTED)
    if "DiagNormal" in class_names(base):
        mean, std = float64(base.base_dist.loc), float64(base.base_dist.scale)
        return ir.StandardNormal() if np.all(mean == 0) and np.all(std == 1) else ir.DiagonalNormal(mean, std)
    if "BoxUniform" in class_names(base):
        return ir.BoxUniform(float64(base.base_dist.low), float64(base.base_dist.high))
    if "MultivariateNormal" in class_names(base):
        return full_normal(float64(base.loc), float64(base.scale_tril))
    if "Mixture" not in class_names(base) or base.logits.dim() != 1:
        return refuse(base, _SUPPORTED)
    shape = len(base.logits), *base.event_shape
    if "MultivariateNormal" in class_names(base.base):
        mean, scale = np.broadcast_to(float64(base.base.loc), shape), float64(base.base.scale_tril)
        return full_mixture(float64(base.logits), mean, np.broadcast_to(scale, (*shape, shape[1])))
    if "DiagNormal" not in class_names(base.base):
        return refuse(base.base, _SUPPORTED)
    mean, std = (np.broadcast_to(float64(v), shape) for v in (base.base.base_dist.loc, base.base.base_dist.scale))
    return ir.NormalMixture(float64(base.logits), mean, std)


def _steps(layer, inverted: bool, dim: int) -> list:
    kinds = class_names(layer)
    if "UnconditionalTransform" in kinds:
        return _constant(layer, inverted, dim)
    transformed = None
    if "MaskedAutoregressiveTransform" in kinds:
        layers = perceptron(layer.hyper, slice(0, dim), slice(dim, None))
    elif "GeneralCouplingTransform" in kinds:
        constant, transformed = np.flatnonzero(float64(layer.mask)), np.flatnonzero(float64(layer.mask) == 0)
        layers = perceptron(layer.hyper, slice(0, len(constant)), slice(len(constant), None))
        layers = reading(layers, constant, dim)
    elif "ElementWiseTransform" in kinds and hasattr(layer, "hyper"):
        layers = perceptron(layer.hyper, slice(0, 0), slice(0, None))
    elif "ElementWiseTransform" in kinds:
        layers = [ir.Layer(np.concatenate([float64(phi).reshape(dim, -1) for phi in layer.phi], axis=1).reshape(-1))]
    else:
        return refuse(layer, _SUPPORTED)
    reads = Reads.NOISE if inverted else Reads.DATA
    return [ir.Autoregressive(layers, transformer(layer, _SUPPORTED), reads, transformed, type(layer).__name__)]


def _constant(layer, inverted: bool, dim: int) -> list:
    """A transform whose parameters depend on nothing, such as a standardisation or a rotation."""
    import torch

    transform = TorchModel.copy_of(layer, torch.float64)(None)
    kinds, name = class_names(transform), type(transform).__name__
    if "PermutationTransform" in kinds:
        index = float64(transform.order).astype(np.int64)
        return [ir.Permutation(np.argsort(index) if inverted else index, name)]
    if kinds & _LINEAR:
        return [inverted_if(ir.Linear(*affine_map(transform, dim), name), inverted)]
    return constant_steps(transform.inv if inverted else transform, dim, _SUPPORTED)
