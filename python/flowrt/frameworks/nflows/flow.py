"""nflows 0.14 and its forks, such as glasflow: `Flow`, or a bare `Transform` with a standard normal base.

nflows transforms map data to noise. `InverseTransform` turns a masked autoregressive layer into an inverse one. A
`MADEMoG` alone is a flow without steps.
"""

from __future__ import annotations

import inspect

from ...building.modules import class_names, context_size
from ...building.standardisation import for_each_number, of_standardised_context, take_standardisation
from ...errors import ExportError
from ...flow import flow as ir
from ..torch.encoders import embedding_layers, modules_of, numbers_taken
from ..torch.live import TorchModel, standard_normal_log_prob, uniform_log_prob
from ..torch.overrides import require_own
from ..torch.plain import with_parts, with_plain_weights
from . import images
from .bases import base
from .steps import LINEAR, SUPPORTED, copied, flatten, steps_of

framework = "nflows"


def accepts(model) -> bool:
    """Whether the object looks like a flow, a transform or a MADEMoG of nflows."""
    kinds = class_names(model)
    return _is_flow(model) or "MADEMoG" in kinds or ("Transform" in kinds and callable(getattr(model, "inverse", None)))


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    model = with_plain_weights(model)
    transform = model._transform if _is_flow(model) else None if _is_density(model) else model
    if images.is_of_images(transform, _distribution(model)):
        embedding, name = getattr(model, "_embedding_net", None), type(model).__name__
        return images.describe(transform, _distribution(model), embedding, context_dim, name)
    layers = [] if transform is None else list(flatten(transform, inverted=False))
    dim = _dim(model, layers)
    steps = [step for layer, inverted in layers for step in steps_of(layer, inverted, dim)]
    density = base(_distribution(model), dim, SUPPORTED)
    name = type(model).__name__
    embedding = getattr(model, "_embedding_net", None)
    scale, shift, modules = take_standardisation(modules_of(embedding))
    encoder = embedding_layers(embedding, modules, (context_dim,) if context_dim else None)
    given = numbers_taken(encoder) if encoder else context_size(steps, context_dim, density)
    if encoder:
        context_size(steps, encoder[-1].width, density)
    if context_dim not in (None, given):
        raise ExportError(f"the embedding net takes a context of {given} numbers; context_dim is {context_dim}")
    flow = ir.Flow(dim, given, steps, density, encoder or None, framework, name)
    return flow if scale is None else of_standardised_context(flow, *for_each_number(scale, shift, given))


def behind_embedding(model):
    """The flow as a function of what its embedding net gives: a copy without one. None if it has no embedding net."""
    embedding = getattr(model, "_embedding_net", None) if _is_flow(model) else None
    if embedding is None or not list(modules_of(embedding)):
        return None
    import torch

    return with_parts(model, _embedding_net=torch.nn.Identity())


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    copy = copied(with_plain_weights(model), dtype)
    transform = copy._transform if _is_flow(copy) else None if _is_density(copy) else copy
    if images.is_of_images(transform, _distribution(copy)):
        density = _density(_distribution(copy))
        return images.live(transform, _distribution(copy), type(copy).__name__, density, dtype)
    if _is_density(copy):
        return TorchModel(dtype, _unchanged, _unchanged, _density(copy))
    if not _is_flow(copy):
        return live_of(copy, None, dtype)
    flow = live_of(copy._transform, copy._distribution, dtype)
    flow = flow.given(copy._embedding_net) if hasattr(copy, "_embedding_net") else flow
    if "context" in inspect.signature(copy._distribution.log_prob).parameters:
        return flow.with_density(copy.log_prob, _units(copy))
    require_own(model, "log_prob", "_log_prob")  # the framework's own raises an error with such a base
    return flow


def _units(flow):
    """Means and standard deviations of the contexts that a flow was trained with, if sbi standardises them."""
    scale, shift, _ = take_standardisation(modules_of(getattr(flow, "_embedding_net", None)))
    return None if scale is None else ((-shift / scale).reshape(-1), (1 / scale).reshape(-1))


def live_of(transform, distribution, dtype) -> TorchModel:
    """The evaluation of a live transform and base (None for standard normal), both of type `dtype` already."""
    return TorchModel(
        dtype,
        forward=lambda x, c: transform(x, c),
        inverse=lambda z, c: transform.inverse(z, c),
        base_log_prob=_density(distribution),
    )


def _density(distribution):
    """The log density of a live base as a function of z and the context.

    A uniform density has no context, and would raise an error for points outside, which have no density.
    """
    if distribution is None:
        return standard_normal_log_prob
    bounds = _bounds(distribution)
    if bounds is not None:
        return lambda z, context: uniform_log_prob(z, bounds.low, bounds.high)
    return lambda z, context: distribution.log_prob(z, context)


def _bounds(distribution):
    """What has the bounds of a uniform density, or None."""
    bounds = getattr(distribution, "base_dist", distribution)
    return bounds if hasattr(bounds, "low") and hasattr(bounds, "high") else None


def _unchanged(values, context):
    return values, values.new_zeros(len(values))


def _is_flow(model) -> bool:
    return hasattr(model, "_transform") and hasattr(model, "_distribution")


def _is_density(model) -> bool:
    return "MADEMoG" in class_names(model)


def _distribution(model):
    """The live base density; None for a transform, which is given the standard normal."""
    return model._distribution if _is_flow(model) else model if _is_density(model) else None


def _dim(model, layers) -> int:
    if _is_flow(model):
        shape = getattr(model._distribution, "_shape", None) or getattr(model._distribution, "event_shape", ())
        if len(shape) == 1:
            return int(shape[0])
    for layer, _ in layers:
        if hasattr(layer, "autoregressive_net"):
            return layer.autoregressive_net.initial_layer.weight.shape[1]
        if hasattr(layer, "_permutation"):
            return len(layer._permutation)
        for name in ("unnormalized_widths", "unnormalized_pdf"):
            if hasattr(layer, name):
                return len(getattr(layer, name))
        if class_names(layer) & (LINEAR | {"CouplingTransform"}):
            return layer.features
    if hasattr(_distribution(model), "_made"):
        made = _distribution(model)._made
        return made.initial_layer.weight.shape[1] - ("MADEMoGWrapper" in class_names(_distribution(model)))
    raise ExportError(f"the number of features of {type(model).__name__} cannot be determined from its layers")
