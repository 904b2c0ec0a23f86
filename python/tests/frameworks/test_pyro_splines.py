"""Pyro's splines, elementwise transforms and bases other than the normal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live import agree, agree_in_c
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, DenseNN
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import BaseKind, Function, Reads, SplineForm

FORMS = {"quadratic": 0, "linear": SplineForm.LINEAR_RATIONAL}
ORDERS = list(FORMS)


def normal(features):
    return pd.Normal(torch.zeros(features), torch.ones(features))


def sizes(bins, order, features=1):
    return [features * count for count in (bins, bins, bins - 1, *([bins] if order == "linear" else []))]


def spline(features=3, bins=5, order="quadratic", bound=3.0):
    result = pt.Spline(features, bins, bound, order)
    randomise(result, 0.8)
    return result


def autoregressive(
    features=3, context=0, bins=5, hidden=(12,), skip=False, activation=None, order="quadratic", bound=3.0
):
    shape = {"skip_connections": skip, "nonlinearity": activation or nn.Tanh(), "param_dims": sizes(bins, order)}
    options = {"count_bins": bins, "order": order, "bound": bound}
    hidden = [features + more for more in hidden]
    if context:
        network = ConditionalAutoRegressiveNN(features, context, hidden, **shape)
        return pt.ConditionalSplineAutoregressive(features, network, **options)
    return pt.SplineAutoregressive(features, AutoRegressiveNN(features, hidden, **shape), **options)


def coupling(features=5, split=2, bins=4, hidden=(12,), identity=False, bound=3.0, order="quadratic"):
    network = DenseNN(split, list(hidden), sizes(bins, order, features - split), nonlinearity=nn.Tanh())
    return pt.SplineCoupling(features, split, network, bins, bound, order, identity)


def conditional(features=3, context=2, bins=4, order="quadratic"):
    return pt.ConditionalSpline(DenseNN(context, [7], sizes(bins, order, features)), features, bins, order=order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("features, bins, bound", [(1, 16, 3.0), (2, 5, 3.0), (3, 2, 0.7), (64, 5, 2.0)])
def test_elementwise_splines(features, bins, bound, inverse, order):
    layer = spline(features, bins, order, bound)
    (step,) = agree([layer.inv if inverse else layer], rows=20).steps
    share = 0.025 if order == "linear" else 0
    assert step.p == pytest.approx((-bound, bound, 1e-3, 1e-3, 1e-3, 0, 1 - 1e-3, share)) and step.bins == bins
    assert step.form == FORMS[order]
    assert step.reads == (Reads.DATA if inverse else Reads.NOISE) and len(step.stage_end) == 1
    agree_in_c([layer.inv if inverse else layer])


@settings(max_examples=40)
@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([0, 1, 4]),
    bins=st.sampled_from([2, 3, 8]),
    extra=st.lists(st.integers(0, 20), min_size=1, max_size=2),
    skip=st.booleans(),
    inverse=st.booleans(),
    bound=st.sampled_from([3.0, 1.5]),
    activation=st.sampled_from([nn.ReLU(), nn.Tanh(), nn.ELU()]),
    order=st.sampled_from(ORDERS),
)
def test_autoregressive_splines(features, context, bins, extra, skip, inverse, bound, activation, order):
    torch.manual_seed(0)
    layer = autoregressive(features, context, bins, extra, skip, activation, order, bound)
    kind = pd.ConditionalTransformedDistribution if context else pd.TransformedDistribution
    model = kind(normal(features), [layer.inv if inverse else layer, pt.Permute(torch.randperm(features))])
    randomise(model, 0.8)
    (step,) = agree(model, rows=3, tolerance=1e-11).steps
    assert (step.bins, step.p[1], step.reads) == (bins, bound, Reads.DATA if inverse else Reads.NOISE)
    assert step.form == FORMS[order]


@settings(max_examples=40)
@given(
    features=st.sampled_from([2, 3, 8, 17, 64]),
    share=st.floats(0, 0.99),
    bins=st.sampled_from([2, 8]),
    hidden=st.lists(st.integers(1, 20), min_size=1, max_size=2),
    inverse=st.booleans(),
    identity=st.booleans(),
    order=st.sampled_from(ORDERS),
)
def test_coupling_splines(features, share, bins, hidden, inverse, identity, order):
    torch.manual_seed(0)
    split = max(1, int(share * features))
    layer = coupling(features, split, bins, hidden, identity, order=order)
    model = pd.TransformedDistribution(
        normal(features), [pt.Permute(torch.randperm(features)), layer.inv if inverse else layer]
    )
    randomise(model, 0.8)
    steps = agree(model, rows=5).steps
    assert [step.form for step in steps] == (1 if identity else 2) * [FORMS[order]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("inverse", [False, True])
def test_conditional_elementwise_splines(inverse, order):
    layer = conditional(order=order)
    model = pd.ConditionalTransformedDistribution(normal(3), [layer.inv if inverse else layer])
    randomise(model, 0.8)
    file = agree(model, rows=20)
    assert file.context_dim == 2 and len(file.steps[0].stage_end) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_in_c(order):
    one = {"order": order}
    layers = [autoregressive(**one).inv, pt.Permute(torch.randperm(3)), spline(**one), autoregressive(**one)]
    model = pd.TransformedDistribution(normal(3), layers)
    randomise(model, 0.8)
    agree_in_c(model)
    agree_in_c([coupling(**one).inv, coupling(split=3, **one)])
    conditionals = [conditional(**one), autoregressive(3, 2, **one)]
    agree_in_c(pd.ConditionalTransformedDistribution(normal(3), conditionals))


def test_what_pyro_makes_by_default():
    """Splines of linear order, of eight bins."""
    for layer in (pt.spline(3), pt.spline_autoregressive(3), pt.spline_coupling(4)):
        steps = agree([layer], rows=20).steps
        assert {(step.form, step.bins) for step in steps} == {(SplineForm.LINEAR_RATIONAL, 8)}
    for layer in (pt.conditional_spline(3, 2), pt.conditional_spline_autoregressive(3, 2)):
        assert agree(pd.ConditionalTransformedDistribution(normal(3), [layer]), rows=20).context_dim == 2


@pytest.mark.parametrize("order", ORDERS)
def test_a_flow_that_was_just_used_can_be_saved(tmp_path, order):
    one = {"order": order}
    layers = [coupling(**one), autoregressive(5, **one), spline(5, **one), coupling(**one).inv]
    model = pd.TransformedDistribution(normal(5), layers)
    (-model.log_prob(model.rsample([5])).mean()).backward()
    flowrt.save(tmp_path / "flow.flw", model)
    agree(model)


# ---- elementwise transforms ----

t = torch.distributions.transforms
ELEMENTWISE = [  # and a shift that, with a scale of 0.9, leaves a point where the inverse takes it
    (t.ExpTransform(), Function.LOG_ABOVE, 0.0),
    (t.SigmoidTransform(), Function.LOGIT, 0.05),
    (t.TanhTransform(), Function.ATANH, 0.0),
    (pt.LeakyReLUTransform(), Function.LEAKY_INVERSE, 0.0),
    (t.CumulativeDistributionTransform(normal(3)), Function.PROBIT, 0.05),
]


@pytest.mark.parametrize("transform, function, shift", ELEMENTWISE, ids=lambda value: None)
def test_elementwise_transforms(transform, function, shift):
    model = pd.TransformedDistribution(normal(3), [pt.affine_autoregressive(3, [8]), transform])
    assert agree(model, tolerance=1e-10).steps[0].function.tolist() == [function] * 3
    agree_in_c(model)
    back = [transform, t.AffineTransform(shift, 0.9), transform.inv, pt.affine_autoregressive(3, [8]).inv]
    _, inverse, *_, again = agree(pd.TransformedDistribution(normal(3), back), tolerance=1e-10).steps
    assert again.function.tolist() == [function] * 3
    assert inverse.function.tolist() == [flowrt.reference.functions.INVERSES[function]] * 3


def test_bounds_as_biject_to_makes_them():
    """An interval for each coordinate: a sigmoid, then an affine map."""
    low, high = torch.tensor([0.0, -1.0, 2.0]), torch.tensor([1.0, 1.0, 5.0])
    bounds = torch.distributions.biject_to(torch.distributions.constraints.interval(low, high))
    file = agree(pd.TransformedDistribution(normal(3), [pt.affine_autoregressive(3, [8]).inv, bounds]))
    assert file.steps[0].lower.tolist() == [0, -1, 2] and file.steps[0].upper.tolist() == [1, 1, 5]
    (_, back) = agree([bounds, t.AffineTransform(0.5, 0.75), bounds.inv, pt.affine_autoregressive(3, [8])]).steps[:2]
    assert back.function[0] == Function.SIGMOID
    independent = torch.distributions.biject_to(
        torch.distributions.constraints.independent(torch.distributions.constraints.positive, 1)
    )
    agree(pd.TransformedDistribution(normal(3), [pt.affine_autoregressive(3, [8]), independent]))


def test_the_distribution_function_of_any_normal():
    transform = t.CumulativeDistributionTransform(pd.Normal(torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.5])))
    agree([spline(2), transform], tolerance=1e-9)  # torch's erfinv is that accurate
    agree([transform, spline(2, bound=2.0), transform.inv], tolerance=1e-9)


# ---- bases ----


def test_uniform_base():
    low, high = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([1.0, 3.0, 2.5])
    for base in (pd.Uniform(low, high), pd.Uniform(low, high).to_event(1)):
        model = pd.TransformedDistribution(base, [spline().inv, pt.affine_autoregressive(3, [8]).inv])
        file = agree(model, rows=30)
        assert file.base.base == BaseKind.BOX_UNIFORM and file.base.upper.tolist() == [1, 3, 2.5]
    inside = pd.TransformedDistribution(pd.Uniform(low - 9, high + 9), [pt.affine_autoregressive(3, [8])])
    agree(inside)
    agree_in_c(inside)


@pytest.mark.parametrize("kind", ["normal", "mixture", "shared"])
def test_bases_with_full_covariances(kind):
    mean, lower = torch.randn(4, 3), torch.tril(torch.randn(4, 3, 3), -1) + torch.diag_embed(torch.rand(4, 3) + 0.5)
    if kind == "normal":
        base = pd.MultivariateNormal(mean[0], lower[0] @ lower[0].T)
    else:
        components = pd.MultivariateNormal(mean, scale_tril=lower if kind == "mixture" else lower[0])
        base = pd.MixtureSameFamily(pd.Categorical(logits=torch.randn(4)), components)
    model = pd.TransformedDistribution(base, [pt.affine_autoregressive(3, [8])])
    assert agree(model, tolerance=1e-11).base.components == (1 if kind == "normal" else 4)
    agree_in_c(model)


@pytest.mark.parametrize("kind", ["same family", "diagonal", "shared"])
def test_mixture_bases(kind):
    logits, mean, std = torch.randn(4), torch.randn(4, 3), torch.empty(4, 3).uniform_(0.3, 2)
    if kind == "same family":
        base = pd.MixtureSameFamily(pd.Categorical(logits=logits), pd.Normal(mean, std).to_event(1))
    elif kind == "diagonal":
        base = pd.MixtureOfDiagNormals(mean, std, logits)
    else:
        base = pd.MixtureOfDiagNormalsSharedCovariance(mean, std[0], logits)
    model = pd.TransformedDistribution(base, [pt.affine_autoregressive(3, [8]), spline()])
    file = agree(model)
    assert file.base.base == BaseKind.NORMAL_MIXTURE
    np.testing.assert_allclose(np.exp(file.base.log_weight).sum(), 1)
    agree_in_c(model)


# ---- refusals ----


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_networks_are_refused():
    refused([pt.spline_autoregressive(3, order="quadratic")], "AutoRegressiveNN with 4 kinds of param")
    refused([pt.SplineCoupling(4, 2, nn.Linear(2, 22), 4, order="quadratic")], "Linear is not supported")
    wrong = DenseNN(2, [4], [8, 8, 8])
    refused([pt.SplineCoupling(4, 2, wrong, 4, order="quadratic")], r"has parameters \[8, 8, 8\], not \[8, 8, 6\]")
    more = AutoRegressiveNN(3, [8], [4, 4, 4])
    refused([pt.SplineAutoregressive(3, more, 4, order="quadratic")], "has 12 outputs for each feature, not 11")
    few = "AutoRegressiveNN with 3 kinds of parameters is not supported; .* widths, heights, derivatives and lambdas"
    refused([pt.SplineAutoregressive(3, more, 4)], few)
    cubic = pt.ConditionalSpline(DenseNN(2, [4], [8, 8, 8]), 2, 4, order="cubic")
    refused([cubic], "ConditionalSpline of order 'cubic' is not supported; supported are linear and quadratic")


def test_other_bases_are_refused():
    logits = torch.zeros(2)
    of_laplace = pd.MixtureSameFamily(pd.Categorical(logits=logits), pd.Laplace(torch.zeros(2, 3), 1.0).to_event(1))
    refused(pd.TransformedDistribution(of_laplace, [spline()]), "MixtureSameFamily is not supported; supported are")
