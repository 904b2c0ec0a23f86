"""Pyro 1.9: `TransformedDistribution`, `ConditionalTransformedDistribution`, or a list of transforms.

Pyro transforms map noise to data and are listed from the base on. An `AffineAutoregressive` is an inverse
autoregressive flow (its network reads the noise); its `.inv` in the list is a masked autoregressive flow. The context
stands before the variables at the input of a network; the output has all shifts first, then all raw scales.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

from ...building.modules import class_names, context_size
from ...errors import ExportError
from ...flow import flow as ir
from ..torch.live import TorchModel
from ..torch.overrides import require_own_sampler
from ..torch.plain import with_plain_weights
from . import bases as pyro_bases
from .steps import copied, steps_of

framework = "pyro"

_WRAPPERS = {"Independent", "ConstantConditionalDistribution"}
_INVERSE = {"_InverseTransform", "Inverse"}  # torch's class, whose name zuko changes when it is imported


def accepts(model) -> bool:
    """Whether the object looks like a transformed distribution, a transform or a list of transforms of Pyro."""
    if hasattr(model, "base_dist") and hasattr(model, "transforms"):
        return True
    return _is_transform(model) or (_is_list(model) and len(model) > 0 and all(_is_transform(t) for t in model))


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    if hasattr(model, "base_dist"):
        _require_rows(model)
        require_own_sampler(model)
    transforms = [(with_plain_weights(transform), inverted) for transform, inverted in _flatten(model, inverted=False)]
    for transform, _ in transforms:
        _require_unconditioned(transform)
    dim = _dim(model, transforms)
    steps = steps_of(transforms, dim)
    context = context_size(steps, context_dim)
    name = "list of transforms" if _is_list(model) else type(model).__name__
    base = pyro_bases.describe(_base_of(model), dim)
    return ir.Flow(dim, context, steps, base, framework=framework, model=name)


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the transforms."""
    pairs = [(copied(transform, dtype), inverted) for transform, inverted in _flatten(model, inverted=False)]
    density = pyro_bases.live(_base_of(model), dtype)

    def run(values, context, to_noise: bool):
        log_det = 0.0
        for transform, inverted in reversed(pairs) if to_noise else pairs:
            if hasattr(transform, "condition"):
                transform = transform.condition(context)
            backwards = inverted != to_noise
            result = transform._inverse(values) if backwards else transform._call(values)
            ends = (result, values) if backwards else (values, result)
            slope = transform.log_abs_det_jacobian(*ends)
            if transform.domain.event_dim == 0:
                slope = slope.expand(values.shape).sum(dim=-1)
            log_det = log_det - slope if backwards else log_det + slope
            values = result
        return values, log_det

    return TorchModel(
        dtype,
        forward=lambda x, c: run(x, c, to_noise=True),
        inverse=lambda z, c: run(z, c, to_noise=False),
        base_log_prob=None if density is None else lambda z, c: density.log_prob(z),
        density=_density(_copied_distribution(model, dtype)) if hasattr(model, "base_dist") else None,
    )


def _density(flow):
    """The log density of a distribution, as a function of rows and the context."""

    def log_prob(x, context):
        result = (flow.condition(context) if hasattr(flow, "condition") else flow).log_prob(x)
        return (
            result.sum(dim=-1) if result.shape == x.shape else result
        )  # a flow of elementwise transforms alone gives one for each coordinate

    return log_prob


# ---- walking ----


def _is_list(model) -> bool:
    return "ModuleList" in class_names(model) or (isinstance(model, Sequence) and not isinstance(model, (str, bytes)))


def _is_transform(model) -> bool:
    return bool(class_names(model) & {"Transform", "ConditionalTransform"}) and not hasattr(
        model, "_elementwise_forward"
    )


def _flatten(model, inverted: bool):
    """(transform, inverted) from noise to data, with lists, compositions, inverses and constant wrappers resolved."""
    kinds = class_names(model)
    if kinds & _INVERSE:
        yield from _flatten(model.inv, not inverted)
    elif "_ConditionalInverseTransformModule" in kinds:
        yield from _flatten(model._transform, not inverted)
    elif "ConstantConditionalTransform" in kinds:
        yield from _flatten(model.transform, inverted)
    elif "IndependentTransform" in kinds:
        yield from _flatten(model.base_transform, inverted)
    elif "ComposeTransform" in kinds or hasattr(model, "transforms") or _is_list(model):
        parts = list(model.parts if "ComposeTransform" in kinds else getattr(model, "transforms", model))
        base = _inside(getattr(model, "base_dist", None))
        if hasattr(base, "transforms"):
            parts = [base, *parts]
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield model, inverted


def _copied_distribution(model, dtype):
    """A copy of a distribution, transformed or not, in the wrappers that it is in."""
    import torch

    if class_names(model) & _WRAPPERS:
        inner = _copied_distribution(model.base_dist, dtype)
        return type(model)(inner, *([model.reinterpreted_batch_ndims] if "Independent" in class_names(model) else []))
    if not hasattr(model, "transforms"):
        return pyro_bases.copied(model, dtype)
    flow = copy.copy(model)
    for name, value in vars(model).items():
        if torch.is_tensor(value) and value.is_floating_point():
            setattr(flow, name, value.to(dtype))
    flow.base_dist, flow._validate_args = _copied_distribution(model.base_dist, dtype), False
    flow.transforms = [_copied(transform, dtype) for transform in model.transforms]
    return flow


def _copied(transform, dtype):
    """A copy of a transform, in the wrappers that `_flatten` resolves."""
    kinds, remake = class_names(transform), type(transform)
    if kinds & _INVERSE:
        return _copied(transform.inv, dtype).inv
    if "_ConditionalInverseTransformModule" in kinds:
        return remake(_copied(transform._transform, dtype))
    if "ConstantConditionalTransform" in kinds:
        return remake(_copied(transform.transform, dtype))
    if "IndependentTransform" in kinds:
        return remake(_copied(transform.base_transform, dtype), transform.reinterpreted_batch_ndims)
    if "ComposeTransform" in kinds or hasattr(transform, "transforms"):
        parts = transform.parts if "ComposeTransform" in kinds else transform.transforms
        return remake([_copied(part, dtype) for part in parts])
    return copied(transform, dtype)


def _require_rows(model) -> None:
    """Raises `ExportError` for a distribution of anything but one vector."""
    while not hasattr(model, "batch_shape"):
        model = model.base_dist
    batch, event = tuple(model.batch_shape), tuple(model.event_shape)
    if len(batch) + len(event) > 1:
        raise ExportError(
            f"{type(model).__name__} with events of shape {event} and batches of shape {batch} is not supported; a "
            "file holds the density of one vector"
        )


def _require_unconditioned(transform) -> None:
    """Raises `ExportError` for what `condition` makes of a conditional transform."""
    network = getattr(transform, "arn", getattr(transform, "nn", None))
    if isinstance(network, partial) or type(transform).__name__ == "ConditionedSpline":
        raise ExportError(
            f"{type(transform).__name__} of one context is not supported; give the distribution as it is before "
            "`condition`"
        )


def _base_of(model):
    """The distribution under all transformed ones, without wrappers; None for a bare list of transforms."""
    base = _inside(getattr(model, "base_dist", None))
    return _base_of(base) if hasattr(base, "transforms") else base


def _inside(distribution):
    """A distribution without the wrappers of Pyro."""
    while class_names(distribution) & _WRAPPERS:
        distribution = distribution.base_dist
    return distribution


def _dim(model, transforms) -> int:
    for transform, _ in transforms:
        if "SplineCoupling" in class_names(transform):
            return transform.split_dim + transform.upper_spline.input_dim
        if class_names(transform) & {"Spline", "ConditionalSpline"}:
            return transform.input_dim
        network = getattr(transform, "arn", getattr(transform, "nn", None))
        if hasattr(transform, "split_dim") and hasattr(network, "param_dims"):
            return transform.split_dim + network.param_dims[0]
        if hasattr(network, "input_dim"):
            return network.input_dim
        if "Permute" in class_names(transform):
            return len(transform.permutation)
        if class_names(transform) & {"BatchNorm", "Householder"}:
            return transform.input_dim
        if "LowerCholeskyAffine" in class_names(transform):
            return len(transform.loc)
    dim = pyro_bases.dim(_base_of(model))
    if dim is None:
        raise ExportError(f"the number of features of {type(model).__name__} cannot be determined from its transforms")
    return dim
