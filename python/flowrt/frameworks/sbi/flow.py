"""sbi 0.27: `DirectPosterior`, or a density estimator that holds a flow of nflows or zuko.

Posteriors that were pickled before sbi 0.23 hold a flow of nflows itself, which the adapter of nflows reads.

The flow is what those adapters export. What is sbi's own is the way of the condition: it is standardised and embedded.
A standardisation folds into the layers that take the condition, unless float32 would suffer; an embedding net becomes
the context encoder.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names, refuse
from ...building.standardisation import for_each_number, of_standardised_context, take_standardisation
from ...errors import ExportError
from ...flow import flow as ir
from ..nflows import flow as nflows
from ..nflows.steps import copied
from ..torch.encoders import embedding_layers, modules_of
from ..torch.live import TorchModel
from ..torch.overrides import require_own_sampler
from ..torch.plain import deep_copy, with_parts, with_plain_weights
from ..zuko import flow as zuko

framework = "sbi"

_ESTIMATORS = {"NFlowsFlow", "ZukoFlow", "ZukoUnconditionalFlow"}
_HOLDS = ("posterior_estimator", "net")  # attributes of a posterior, the second of those before sbi 0.18
_SUPPORTED = "DirectPosterior and the density estimators NFlowsFlow, ZukoFlow and ZukoUnconditionalFlow"

_OTHERS = {  # what a user has beside these, and the way on
    "EnsemblePosterior": "it is a mixture of posteriors; flowrt.save_mixture saves it",
    "MixedDensityEstimator": (
        "a file has no probabilities of discrete variables; save its continuous_net, whose context is the condition "
        "and the discrete variables, and evaluate its discrete_net elsewhere"
    ),
    "MixtureDensityEstimator": "it is a mixture of normals of the context, which no file has; a flow (maf, nsf) is one",
    "RatioEstimator": "it is a classifier and has no density to evaluate or to draw from; only flows have one",
    "ConditionalVectorFieldEstimator": "its flow is continuous: its density is an integral over time",
    "RestrictedPrior": (
        "it is a prior with a classifier; save the posterior that it was made of, draw of that (within=model.bounds, "
        "where the prior is a box), and reject with the classifier"
    ),
    "MCMCPosterior": "it draws by Markov chains",
    "RejectionPosterior": "it draws by rejection from a potential",
    "ImportanceSamplingPosterior": "it weights draws of a proposal",
    "VIPosterior": "it fits a variational distribution to a potential",
    "VectorFieldPosterior": "its flow is continuous: its density is an integral over time",
}

_OF_POTENTIALS = {  # what a posterior that is no flow draws from
    "likelihood_estimator": (
        "save the density estimator of its likelihood (potential_fn.likelihood_estimator), whose data are observations "
        "and whose context are parameters"
    ),
    "posterior_estimator": "save the flow that it draws from (potential_fn.posterior_estimator)",
    "ratio_estimator": (
        "what it draws from is a classifier (potential_fn.ratio_estimator), which has no density of its own"
    ),
}


def accepts(model) -> bool:
    """Whether the object looks like a posterior or an estimator of sbi."""
    kinds = {"NeuralPosterior", "ConditionalEstimator", "UnconditionalEstimator", "RatioEstimator", "RestrictedPrior"}
    return bool(class_names(model) & {*kinds, *_ESTIMATORS})


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    estimator = _estimator(model)
    if _is_old(estimator):
        return replace(nflows.describe(estimator, context_dim), framework=framework, model=type(model).__name__)
    shape = getattr(estimator, "condition_shape", None)
    size = 0 if shape is None else int(np.prod(shape))
    if context_dim not in (None, size):
        raise ExportError(f"the condition of {type(model).__name__} has {size} numbers; context_dim is {context_dim}")
    if size == 0:
        flow, encoder = _flow(estimator.net, 0), []
    else:
        scale, shift, embedding = _condition(estimator, size)
        encoder = embedding_layers(estimator.embedding_net, embedding, shape)
        flow = _flow(estimator.net, encoder[-1].width if encoder else size)
    flow = replace(flow, context_dim=size, encoder=encoder or None, framework=framework, model=type(model).__name__)
    flow.bounds = _prior_bounds(model)
    if shape is not None and len(shape) > 1:
        flow.context_shape = tuple(shape)
    return of_standardised_context(flow, scale, shift) if size else flow


def behind_embedding(model):
    """The estimator as a function of what its embedding net gives: a copy without one. None if it has no embedding net.

    What standardises the condition is a part of the embedding net.
    """
    estimator = _estimator(model)
    if _is_old(estimator):
        return nflows.behind_embedding(estimator)
    shape = getattr(estimator, "condition_shape", None)
    if shape is None or not np.prod(shape) or not list(modules_of(estimator.embedding_net)):
        return None
    import torch

    embedding = deep_copy(with_plain_weights(estimator.embedding_net)).cpu().eval()
    dtypes = [parameter.dtype for parameter in embedding.parameters() if parameter.is_floating_point()]
    with torch.no_grad():
        width = embedding(torch.zeros(1, *shape, dtype=dtypes[0] if dtypes else torch.float32)).shape[-1]
    inside = {"_condition_shape": torch.Size([width])}
    if "_embedding_net" in estimator._modules:
        inside["_embedding_net"] = torch.nn.Identity()
    if hasattr(estimator.net, "_embedding_net"):
        inside["net"] = with_parts(estimator.net, _embedding_net=torch.nn.Identity())
    return with_parts(estimator, **inside)


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    if _is_old(_estimator(model)):
        return nflows.live(_estimator(model), dtype)
    estimator = copied(_estimator(model), dtype)
    flow = estimator.net

    def embed(context):
        if context is None:
            return None
        return estimator.embedding_net(context.reshape(-1, *estimator.condition_shape))

    def log_prob(x, context):
        """sbi takes rows of samples for each condition, here one."""
        if context is None:
            return estimator.log_prob(x[None])[0]
        return estimator.log_prob(x[None], context.reshape(-1, *estimator.condition_shape))[0]

    if hasattr(flow, "_transform"):
        inner = nflows.live_of(flow._transform, flow._distribution, dtype)
    else:
        inner = zuko.live_of(flow, dtype)
    return inner.given(embed).with_density(log_prob, _units(estimator))


def _estimator(model):
    """The density estimator that a model is or holds."""
    if "DirectPosterior" in class_names(model):
        model = next((vars(model)[name] for name in _HOLDS if name in vars(model)), model)
    if _is_old(model):
        return model
    for kind, reason in _OTHERS.items():
        if kind in class_names(model):
            raise ExportError(f"{type(model).__name__} is not supported: {reason}{_way_on(model)}")
    if not class_names(model) & _ESTIMATORS:
        refuse(model, _SUPPORTED)
    require_own_sampler(model)
    require_own_sampler(model.net)
    return with_plain_weights(model)


def _way_on(posterior) -> str:
    """What to save instead of a posterior that draws from a potential; empty where it has none that is known."""
    potential = getattr(posterior, "potential_fn", None)
    return next((f"; {way}" for name, way in _OF_POTENTIALS.items() if hasattr(potential, name)), "")


def _is_old(estimator) -> bool:
    """Whether an estimator is the flow of nflows itself, as before sbi 0.23."""
    return nflows.accepts(estimator)


def _prior_bounds(model):
    """Low and high of a posterior whose prior is uniform on a box; None for others, and for what has no prior."""
    prior = getattr(model, "prior", None)
    if "BoxUniform" not in class_names(prior):
        return None
    return tuple(float64(bound).reshape(-1).tolist() for bound in (prior.base_dist.low, prior.base_dist.high))


def _flow(net, context_dim: int) -> ir.Flow:
    """The flow inside of an estimator, as a function of the embedded condition."""
    if not hasattr(net, "_transform"):
        return zuko.describe(net, context_dim)
    import torch

    parts = {"_transform": net._transform, "_distribution": net._distribution}
    return nflows.describe(SimpleNamespace(**parts, _embedding_net=torch.nn.Identity()), context_dim)


# ---- the condition ----


def _units(estimator):
    """Means and standard deviations of the conditions that an estimator was trained with, if it standardises them."""
    shape = getattr(estimator, "condition_shape", None)
    if shape is None or not np.prod(shape):
        return None
    scale, shift, _ = _condition(estimator, int(np.prod(shape)))
    return -shift / scale, 1 / scale


def _condition(estimator, size: int) -> tuple:
    """Scale and shift (C,) of the standardisation that the embedding net begins with, and the modules behind it."""
    scale, shift, modules = take_standardisation(modules_of(estimator.embedding_net))
    return *for_each_number(scale, shift, size), modules
