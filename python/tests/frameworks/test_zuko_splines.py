"""zuko: splines, circular splines, transforms with bounds, bases."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import zuko
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from torch.distributions import Normal, biject_to, constraints
from torch.distributions import transforms as tt
from torch_weights import randomise
from zuko.transforms import MonotonicRQSTransform

import flowrt
from flowrt import reference
from flowrt.file import encode
from flowrt.file.codes import BaseKind, Function, Reads, SplineForm

FEATURES = st.sampled_from([1, 2, 3, 8, 17, 64])
ZUKO = SplineForm.SOFT_CLIPPED_BINS | SplineForm.SOFT_CLIPPED_DERIVATIVES


@given(
    features=FEATURES,
    context=st.sampled_from([0, 1, 4]),
    bins=st.sampled_from([2, 3, 8]),
    slope=st.sampled_from([1e-3, 1e-4, 0.05]),
    circular=st.booleans(),
    passes=st.sampled_from([None, 2]),
    randperm=st.booleans(),
    inverse=st.booleans(),
)
def test_neural_spline_flows(features, context, bins, slope, circular, passes, randperm, inverse):
    torch.manual_seed(0)
    options = {} if features == 1 else {"passes": passes}
    make = zuko.flows.NCSF if circular else zuko.flows.NSF
    model = make(features, context, bins, slope, transforms=2, randperm=randperm, hidden_features=(9, 7), **options)
    if inverse:
        model = zuko.lazy.Flow(model.transform.inv, model.base)
    randomise(model, 0.7)
    file = agree(model, rows=5, tolerance=1e-11)
    agree_in_c(model)
    for step in file.steps:
        assert step.form == (ZUKO | SplineForm.HALF_TURN if circular else ZUKO)
        assert step.reads == (Reads.NOISE if inverse else Reads.DATA)
        bound = np.pi if circular else 5.0
        assert step.p == pytest.approx((-bound, bound, 0, 0, 0, -np.log(slope), 1, 0))
    assert file.base.base == (BaseKind.BOX_UNIFORM if circular else BaseKind.STANDARD_NORMAL)


def test_points_outside_the_circle_have_no_density():
    model = zuko.flows.NCSF(2, transforms=2)
    file = agree(model)
    assert np.isneginf(reference.log_prob(file, [[3.2, 0.0]])) and np.isfinite(reference.log_prob(file, [[3.1, 0.0]]))


@given(context=st.sampled_from([0, 3]), bound=st.sampled_from([1.0, 2.5]), randmask=st.booleans())
def test_coupling_splines(context, bound, randmask):
    torch.manual_seed(0)
    spline = {"univariate": partial(MonotonicRQSTransform, bound=bound), "shapes": [(4,), (4,), (3,)]}
    model = zuko.flows.NICE(5, context, 2, randmask=randmask, hidden_features=(9,), **spline)
    randomise(model, 0.7)
    assert [step.p[1] for step in agree(model).steps] == [bound, bound]
    agree_in_c(model)


def constant(transform, *args, **parameters):
    return zuko.lazy.UnconditionalTransform(transform, *args, buffer=True, **parameters)


def between(lower, upper):
    """From the box to all numbers."""
    interval = biject_to(constraints.interval(lower, upper))
    return lambda: tt.IndependentTransform(interval, 1).inv


def above(lower):
    return lambda: tt.IndependentTransform(biject_to(constraints.greater_than(lower)), 1).inv


def below(upper):
    return lambda: tt.IndependentTransform(biject_to(constraints.less_than(upper)), 1).inv


def mixed():
    """Bounds of their own for the first coordinate, the second, and the rest."""
    interval = biject_to(constraints.interval(-1.0, 2.0))
    positive = biject_to(constraints.positive)
    return tt.CatTransform([interval, positive, tt.identity_transform], dim=-1, lengths=[1, 1, 1]).inv


LOWER, UPPER = torch.tensor([[-1.0, 0.0, 100.0], [1.0, 5.0, 101.0]], dtype=torch.float64)
BOUNDS = {
    "interval": (between(LOWER, UPPER), [Function.LOGIT]),
    "above": (above(LOWER), [Function.LOG_ABOVE]),
    "below": (below(UPPER), [None, Function.LOG_ABOVE]),
    "mixed": (mixed, None),
    "tanh": (lambda: tt.TanhTransform().inv, [Function.ATANH]),
    "softclip": (lambda: zuko.transforms.SoftclipTransform(2.0).inv, [Function.SOFTSIGN_INVERSE]),
    "probit": (lambda: tt.CumulativeDistributionTransform(Normal(1.0, 2.0)).inv, [Function.PROBIT, None]),
}


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name, inverse):
    make, functions = BOUNDS[name]
    flow = zuko.flows.MAF(3, transforms=1)
    lazy = constant(make)
    parts = [*flow.transform.transforms, lazy.inv] if inverse else [lazy, *flow.transform.transforms]
    steps = agree(zuko.lazy.Flow(parts, flow.base), tolerance=1e-9 if name == "probit" else 1e-11).steps
    found = [getattr(step, "function", [None])[0] for step in steps if not hasattr(step, "reads")]
    if functions is not None and not inverse:
        assert found == functions


def test_an_interval_is_one_step_with_its_bounds():
    flow = zuko.flows.MAF(3, transforms=1)
    flow = zuko.lazy.Flow([constant(between(LOWER, UPPER)), *flow.transform.transforms], flow.base)
    step = agree(flow).steps[0]
    np.testing.assert_allclose((step.lower, step.upper), (LOWER, UPPER))


def test_a_sigmoid_or_exponential_before_what_undoes_an_affine_map_is_one_step():
    t = torch.distributions.transforms
    for first, scale, lower in ((t.SigmoidTransform(), 2.0, -0.15), (t.ExpTransform(), 1.0, -0.3)):
        transform = t.IndependentTransform(t.ComposeTransform([first, t.AffineTransform(0.3, scale).inv]), 1)
        flow = zuko.flows.MAF(3, transforms=1)
        flow = zuko.lazy.Flow([constant(lambda transform=transform: transform), *flow.transform.transforms], flow.base)
        step, _ = agree(flow).steps
        np.testing.assert_allclose(step.lower, lower, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["diagonal", "spherical"])
@pytest.mark.parametrize("tied", [False, True])
def test_mixture_of_gaussians(covariance, tied):
    flow = zuko.flows.MAF(3, transforms=1)
    flow.base = zuko.mixtures.GMM(3, components=4, covariance_type=covariance, tied=tied)
    base = agree(flow).base
    agree_in_c(flow)
    assert base.base == BaseKind.NORMAL_MIXTURE and base.mean.shape == base.std.shape == (4, 3)


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("tied", [False, True])
def test_mixture_of_gaussians_with_full_covariances(features, tied):
    """A MADE of mixtures: its density, and the mean and covariance of its samples, are the framework's."""
    gmm = zuko.mixtures.GMM(features, components=3, tied=tied)
    flow = zuko.lazy.Flow([constant(zuko.transforms.IdentityTransform)], gmm)
    file = agree(flow)
    agree_in_c(flow)
    assert file.base.base == BaseKind.AUTOREGRESSIVE_MIXTURE and file.base.components == 3
    base = flow.base(None)
    weight, mean = torch.softmax(base.logits, 0), base.base.loc
    expected = weight @ mean
    second = base.base.covariance_matrix + mean[:, :, None] * mean[:, None, :]
    covariance = (weight[:, None, None] * second).sum(0) - torch.outer(expected, expected)
    samples = flowrt.Model(encode(file)).sample(40_000, seed=3)
    error = 5 * covariance.diagonal().sqrt().detach().numpy() / np.sqrt(len(samples))
    assert np.all(np.abs(samples.mean(axis=0) - expected.detach().numpy()) < error)
    size = covariance.diagonal().max().item()
    np.testing.assert_allclose(np.atleast_2d(np.cov(samples.T)), covariance.detach(), rtol=0, atol=0.05 * size)


def test_normal_base_with_full_covariance():
    flow = zuko.flows.MAF(3, transforms=1)
    lower = torch.tensor([[2.0, 0, 0], [0.5, 1, 0], [1, 0.3, 0.7]])
    flow.base = zuko.lazy.UnconditionalDistribution(
        torch.distributions.MultivariateNormal, torch.arange(3.0), scale_tril=lower, buffer=True
    )
    assert agree(flow).base.components == 1
    agree_in_c(flow)


@pytest.mark.parametrize("inverted", [False, True])
def test_univariate_transformations_of_constants(inverted):
    """What a network parametrises elsewhere, with parameters that depend on nothing."""
    widths, heights, derivatives = torch.randn(3, 5), torch.randn(3, 5), torch.randn(3, 4)
    for transform in (
        constant(zuko.transforms.MonotonicAffineTransform, shift=torch.randn(3), scale=torch.randn(3)),
        constant(zuko.transforms.AdditiveTransform, shift=torch.randn(3)),
        constant(zuko.transforms.MonotonicRQSTransform, widths=widths, heights=heights, derivatives=derivatives),
        constant(
            zuko.transforms.MonotonicRQSTransform, widths=widths, heights=heights, derivatives=derivatives, bound=2
        ),
    ):
        layers = [transform.inv if inverted else transform, *zuko.flows.MAF(3, transforms=1).transform.transforms]
        flow = zuko.lazy.Flow(layers, zuko.flows.MAF(3).base)
        assert len(agree(flow, rows=20, tolerance=1e-11).steps) == 2
        agree_in_c(flow)


@pytest.mark.parametrize("inverted", [False, True])
def test_half_a_turn(inverted):
    turn = constant(zuko.transforms.CircularShiftTransform, bound=3.0)
    layers = [turn.inv if inverted else turn, *zuko.flows.MAF(3, transforms=1).transform.transforms]
    flow = zuko.lazy.Flow(layers, zuko.flows.MAF(3).base)
    step = agree(flow, rows=20).steps[0]
    agree_in_c(flow)
    assert step.form & SplineForm.HALF_TURN and step.bounded


def test_uniform_base():
    flow = zuko.flows.MAF(3, transforms=1)
    flow.base = zuko.lazy.UnconditionalDistribution(zuko.distributions.BoxUniform, -2 * torch.ones(3), torch.ones(3))
    file = agree(flow)
    agree_in_c(flow)
    assert file.base.base == BaseKind.BOX_UNIFORM
    x, _ = reference.inverse(file, [[0.0, 1.5, 0.0], [0.5, 0.5, 0.5]])
    np.testing.assert_array_equal(np.isfinite(reference.log_prob(file, x)), [False, True])


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_splines_are_refused():
    class Stretched(MonotonicRQSTransform):
        def __init__(self, widths, heights, derivatives, **options):
            super().__init__(2 * widths, heights, derivatives, **options)

    spline = {"univariate": Stretched, "shapes": [(4,), (4,), (3,)]}
    refused(zuko.flows.MAF(3, **spline), "Stretched has knots that are not those of MonotonicRQSTransform")
    composed = lambda *phi: zuko.transforms.ComposedTransform(  # noqa: E731
        zuko.transforms.CircularShiftTransform(bound=2.0), MonotonicRQSTransform(*phi, bound=3.0)
    )
    refused(zuko.flows.MAF(3, **{**spline, "univariate": composed}), r"shifts the circle \[-2.0, 2.0\]")
    refused(zuko.flows.MAF(3, **{**spline, "shapes": [(4,), (4,), (4,)]}), "is not supported")
    softplus = zuko.flows.MAF(3, transforms=1)
    softplus.transform.transforms.append(constant(tt.SoftplusTransform))
    refused(softplus, "SoftplusTransform is not supported; .* CumulativeDistributionTransform")
