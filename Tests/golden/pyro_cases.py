"""Golden cases of Pyro with splines, elementwise transforms, uniform and mixture bases."""

from __future__ import annotations

import torch
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, DenseNN
from torch import nn

FEATURES, BINS, BOUND = 4, 4, 5.0  # wide bins: narrow ones make float32 errors depend on the rows too much
constraints = torch.distributions.constraints


def normal():
    return pd.Normal(torch.zeros(FEATURES), torch.ones(FEATURES))


def flow(*transforms, base=None):
    return pd.TransformedDistribution(base or normal(), list(transforms))


def conditional_flow(*transforms):
    return pd.ConditionalTransformedDistribution(normal(), list(transforms))


def permute():
    return pt.Permute(torch.randperm(FEATURES))


def affine():
    return pt.AffineAutoregressive(AutoRegressiveNN(FEATURES, [12]), -1.0, 1.0).inv


def sizes(order, features=1):
    return [features * size for size in (BINS, BINS, BINS - 1, *([BINS] if order == "linear" else []))]


def spline(order="quadratic", **options):
    network = AutoRegressiveNN(FEATURES, [12], param_dims=sizes(order), nonlinearity=nn.Tanh(), **options)
    return pt.SplineAutoregressive(FEATURES, network, BINS, BOUND, order)


def conditional_spline(order="quadratic"):
    network = ConditionalAutoRegressiveNN(FEATURES, 3, [12], param_dims=sizes(order), nonlinearity=nn.Tanh())
    return pt.ConditionalSplineAutoregressive(FEATURES, network, count_bins=BINS, bound=BOUND, order=order)


def coupling(order="quadratic", split=2, identity=False):
    network = DenseNN(split, [12], sizes(order, FEATURES - split), nn.Tanh())
    return pt.SplineCoupling(FEATURES, split, network, BINS, BOUND, order, identity)


def elementwise(order="quadratic"):
    return pt.Spline(FEATURES, BINS, BOUND, order)


def of_context(order="quadratic"):
    network = DenseNN(2, [12], sizes(order, FEATURES), nn.Tanh())
    return pt.ConditionalSpline(network, FEATURES, BINS, BOUND, order)


def bounds():
    low, high = torch.tensor([0.0, -1.0, 2.0, -3.0]), torch.tensor([1.0, 1.0, 5.0, 3.0])
    return torch.distributions.biject_to(constraints.interval(low, high))


def mixture():
    logits, mean, std = torch.randn(3), torch.randn(3, FEATURES), torch.empty(3, FEATURES).uniform_(0.5, 2)
    return pd.MixtureSameFamily(pd.Categorical(logits=logits), pd.Normal(mean, std).to_event(1))


def correlated(components=0):
    """A normal, or a mixture of normals, with full covariances."""
    mean, lower = (
        torch.randn(3, FEATURES),
        torch.tril(0.4 * torch.randn(3, FEATURES, FEATURES), -1) + torch.eye(FEATURES),
    )
    if not components:
        return pd.MultivariateNormal(mean[0], scale_tril=lower[0])
    return pd.MixtureSameFamily(pd.Categorical(logits=torch.randn(3)), pd.MultivariateNormal(mean, scale_tril=lower))


PYRO = {
    "pyro_spline_autoregressive": lambda: flow(spline().inv, permute()),
    "pyro_spline_iaf": lambda: flow(spline(skip_connections=True), permute()),
    "pyro_spline_context": lambda: conditional_flow(conditional_spline().inv, permute()),
    "pyro_spline_coupling": lambda: flow(coupling(), permute(), affine()),
    "pyro_spline_coupling_identity": lambda: flow(permute(), coupling(identity=True)),
    "pyro_spline_elementwise": lambda: flow(elementwise(), affine(), elementwise().inv),
    "pyro_spline_of_context": lambda: conditional_flow(of_context(), permute(), of_context().inv),
    "pyro_linear_spline_autoregressive": lambda: flow(spline("linear").inv, permute()),
    "pyro_linear_spline_iaf": lambda: flow(spline("linear", skip_connections=True), permute()),
    "pyro_linear_spline_context": lambda: conditional_flow(conditional_spline("linear").inv, permute()),
    "pyro_linear_spline_coupling": lambda: flow(coupling("linear"), permute(), affine()),
    "pyro_linear_spline_coupling_identity": lambda: flow(permute(), coupling("linear", identity=True)),
    "pyro_linear_spline_elementwise": lambda: flow(elementwise("linear"), affine(), elementwise("linear").inv),
    "pyro_linear_spline_of_context": lambda: conditional_flow(
        of_context("linear"), permute(), of_context("linear").inv
    ),
    "pyro_bounds": lambda: flow(affine(), bounds()),
    "pyro_positive": lambda: flow(affine(), torch.distributions.transforms.ExpTransform()),
    "pyro_leaky_tanh": lambda: flow(pt.LeakyReLUTransform(), affine(), torch.distributions.transforms.TanhTransform()),
    "pyro_uniform": lambda: flow(
        elementwise(), base=pd.Uniform(torch.full((FEATURES,), -2.0), torch.full((FEATURES,), 3.0))
    ),
    "pyro_mixture": lambda: flow(affine(), permute(), spline(), base=mixture()),
    "pyro_mixture_full": lambda: flow(affine(), base=correlated(components=3)),
    "pyro_correlated_normal": lambda: flow(affine(), base=correlated()),
}
