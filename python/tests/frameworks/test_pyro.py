"""Pyro: options, dimensions, ways to hand a flow over, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c, as_exact_in_c
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, ConditionalDenseNN, DenseNN
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import BaseKind, Form, Reads, Scale


def normal(features):
    return pd.Normal(torch.zeros(features), torch.ones(features))


def affine(features=3, hidden=(8,), **options):
    return pt.AffineAutoregressive(AutoRegressiveNN(features, list(hidden)), **options)


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([0, 1, 4]),
    extra=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    skip=st.booleans(),
    stable=st.booleans(),
    inverse=st.booleans(),
    nonlinearity=st.sampled_from([nn.ReLU(), nn.Tanh(), nn.ELU(), nn.GELU()]),
)
def test_every_combination_of_options(features, context, extra, skip, stable, inverse, nonlinearity):
    torch.manual_seed(0)
    options = {"skip_connections": skip, "nonlinearity": nonlinearity}
    hidden = [features + more for more in extra]
    if context:
        network = ConditionalAutoRegressiveNN(features, context, hidden, **options)
        transform, distribution = pt.ConditionalAffineAutoregressive, pd.ConditionalTransformedDistribution
    else:
        network = AutoRegressiveNN(features, hidden, **options)
        transform, distribution = pt.AffineAutoregressive, pd.TransformedDistribution
    layer = transform(network, stable=stable)
    layers = [layer.inv if inverse else layer, pt.Permute(torch.randperm(features))]
    model = distribution(normal(features), layers)
    randomise(model, 0.2)
    agree(model, rows=3)


def test_directions():
    iaf = agree([affine()]).steps[0]
    maf = agree([affine().inv]).steps[0]
    assert (iaf.reads, maf.reads) == (Reads.NOISE, Reads.DATA)
    assert maf.scale == Scale.EXP_CLAMPED and maf.p[:2] == (-5.0, 3.0)
    gated = agree([affine(stable=True).inv]).steps[0]
    assert gated.form == Form.GATED and gated.scale == Scale.SIGMOID and gated.p[0] == 0


def test_the_clamp_is_read_from_the_live_object():
    step = agree([affine(log_scale_min_clip=-1.5, log_scale_max_clip=0.5)]).steps[0]
    assert step.p[:2] == (-1.5, 0.5)


@given(
    features=st.sampled_from([2, 3, 8, 17, 64]),
    share=st.floats(0, 0.99),
    context=st.sampled_from([0, 1, 4]),
    hidden=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    inverse=st.booleans(),
    nonlinearity=st.sampled_from([nn.ReLU(), nn.Tanh(), nn.ELU()]),
)
def test_every_combination_of_coupling_options(features, share, context, hidden, inverse, nonlinearity):
    torch.manual_seed(0)
    split = max(1, int(share * features))
    sizes = [hidden, [features - split] * 2]
    if context:
        network = ConditionalDenseNN(split, context, *sizes, nonlinearity=nonlinearity)
        transform, distribution = pt.ConditionalAffineCoupling, pd.ConditionalTransformedDistribution
    else:
        network = DenseNN(split, *sizes, nonlinearity=nonlinearity)
        transform, distribution = pt.AffineCoupling, pd.TransformedDistribution
    layer = transform(split, network, log_scale_min_clip=-0.5, log_scale_max_clip=0.25)
    model = distribution(normal(features), [pt.Permute(torch.randperm(features)), layer.inv if inverse else layer])
    randomise(model, 0.8)
    (step,) = agree(model, rows=3).steps
    agree_in_c(model)
    assert step.passthrough == split and step.reads == (Reads.DATA if inverse else Reads.NOISE)
    assert step.p[:2] == (-0.5, 0.25)


def test_couplings_made_by_pyro():
    model = [pt.affine_coupling(5, [7]), pt.permute(5), pt.affine_coupling(5, [7, 6], split_dim=1).inv]
    assert agree(model).dim == 5
    conditional = pd.ConditionalTransformedDistribution(
        normal(5), [pt.conditional_affine_coupling(5, 2, [7]), pt.affine_coupling(5, [7])]
    )
    assert agree(conditional).context_dim == 2


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("features", [1, 2, 5, 64])
def test_linear_transforms(features, inverse):
    lower = torch.eye(features) + 0.2 / features**0.5 * torch.randn(features, features).tril(-1)
    cholesky = pt.LowerCholeskyAffine(torch.randn(features), lower * torch.empty(features).uniform_(0.5, 2))
    householder = pt.Householder(features, min(features, 3))
    for transform in (cholesky, householder):
        step = agree([transform.inv if inverse else transform]).steps[-1]  # behind a shift, in the inverse of a matrix
        np.testing.assert_allclose(step.matrix @ step.inverse, np.eye(features), atol=1e-12)
    permute = pt.Permute(torch.randperm(features))
    transforms = [cholesky, permute, householder] if not inverse else [householder.inv, permute, cholesky.inv]
    agree(transforms)
    agree_in_c(transforms)


@pytest.mark.parametrize("inverse", [False, True])
def test_batch_norm(inverse):
    norm = pt.BatchNorm(3)
    randomise(norm, 1.0)
    with torch.no_grad():
        norm.gamma[1] = -1.0  # Pyro takes max(gamma, 0) + 1e-6
    transform = norm.inv if inverse else norm
    scale = np.prod([step.scale for step in agree([transform], tolerance=1e-11).steps], axis=0)
    assert scale.min() < 1e-5 or scale.max() > 1e5


@pytest.mark.parametrize("inverse", [False, True])
def test_far_means_cost_no_digits(inverse):
    """Data around 1000, or noise."""
    far = torch.distributions.AffineTransform(torch.tensor([1000.0, -300.0, 7.0]), torch.tensor([3.0, 0.1, 20.0]))
    norm = pt.BatchNorm(3)
    randomise(norm, 1.0)
    norm.moving_mean.copy_(torch.tensor([500.0, -20.0, 0.5]))
    for transform in (far, norm):
        layers = [affine().inv, transform.inv if inverse else transform]
        as_exact_in_c(pd.TransformedDistribution(normal(3), layers))


def test_ways_to_hand_a_flow_over():
    transforms = [affine().inv, pt.Permute(torch.tensor([2, 0, 1])), affine()]
    expected = flowrt.format.encode(agree(pd.TransformedDistribution(normal(3), transforms)))
    ways = [
        pd.TransformedDistribution(normal(3).to_event(1), transforms),
        pd.TransformedDistribution(pd.Normal(0.0, 1.0).expand([3]).to_event(1), transforms),
        torch.distributions.TransformedDistribution(
            torch.distributions.Normal(torch.zeros(3), torch.ones(3)), transforms
        ),
        pd.TransformedDistribution(normal(3), [torch.distributions.transforms.ComposeTransform(transforms)]),
        pd.ConditionalTransformedDistribution(normal(3), transforms),
        transforms,
        tuple(transforms),
    ]
    for way in ways:
        found = flowrt.format.read(flowrt.format.encode(agree(way)))
        found.metadata = flowrt.format.read(expected).metadata
        assert flowrt.format.encode(found) == expected
    assert len(agree(nn.ModuleList([affine(), affine()])).steps) == 2
    assert len(agree(affine()).steps) == 1


def test_transformed_distributions_of_transformed_distributions():
    first, last = [affine().inv, pt.Permute(torch.tensor([2, 0, 1]))], [affine(), pt.ExpTransform()]
    for base, kind in (
        (pd.TransformedDistribution(normal(3).to_event(1), first), pd.TransformedDistribution),
        (pd.TransformedDistribution(normal(3), first).to_event(0), torch.distributions.TransformedDistribution),
        (pd.TransformedDistribution(normal(3), first), pd.ConditionalTransformedDistribution),
    ):
        assert len(agree(kind(base, last)).steps) == len(agree([*first, *last]).steps)
    elementwise = pd.TransformedDistribution(normal(3), [pt.AffineTransform(1.0, 2.0)]).to_event(1)
    agree(pd.TransformedDistribution(elementwise, [affine()]))
    layer = pt.conditional_affine_autoregressive(3, 2, [8])
    inner = pd.ConditionalTransformedDistribution(normal(3), [layer])
    agree(pd.ConditionalTransformedDistribution(inner, [pt.conditional_affine_autoregressive(3, 2, [8]), *first]))


def test_a_base_that_is_not_standard():
    base = pd.Normal(torch.tensor([0.5, 1.0, -1.0]), torch.tensor([1.0, 2.0, 0.5]))
    file = agree(pd.TransformedDistribution(base, [affine()]))
    assert file.base.base == BaseKind.DIAGONAL_NORMAL
    np.testing.assert_array_equal(file.base.mean, [0.5, 1.0, -1.0])
    independent = pd.TransformedDistribution(base.to_event(1), [affine()])
    assert agree(independent).base.base == BaseKind.DIAGONAL_NORMAL
    agree_in_c(independent)


def test_affine_transforms_of_torch():
    standardise = torch.distributions.transforms.AffineTransform(
        torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, -2.0, 4.0])
    )
    file = agree([affine().inv, standardise])
    np.testing.assert_allclose(file.steps[0].scale, [2.0, -0.5, 0.25])


def test_parameters_that_are_results_of_a_computation():
    raw, loc, scale = (torch.randn(*shape, requires_grad=True) for shape in ((3,), (3,), (3, 3)))
    positive = nn.functional.softplus(raw)
    triangular = torch.tril(scale, -1) + torch.diag(positive)
    for layer in (
        pt.AffineTransform(loc, positive, event_dim=1),
        pt.AffineTransform(loc, positive).inv,
        pt.LowerCholeskyAffine(loc, triangular),
        pt.ComposeTransform([pt.AffineTransform(loc, positive), pt.ExpTransform()]),
    ):
        model = pd.TransformedDistribution(pd.Normal(loc, positive).to_event(1), [layer])
        x = model.sample((20,))
        theirs = model.log_prob(x).detach().double()
        ours = torch.tensor(flowrt.reference.log_prob(agree(model), x.numpy()))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_flow_that_was_just_used_can_be_saved(tmp_path):
    """Pyro caches tensors that carry gradients, which cannot be copied."""
    model = pd.TransformedDistribution(normal(3), [affine(), affine(stable=True).inv])
    loss = -model.log_prob(model.rsample([5])).mean()
    loss.backward()
    flowrt.save(tmp_path / "flow.flw", model)
    agree(model)


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_transforms_are_refused_by_name():
    refused([affine(), pt.Planar(3)], "Planar is not supported; supported are AffineAutoregressive")
    refused([affine(), torch.distributions.transforms.SoftplusTransform()], "SoftplusTransform is not supported")
    refused([affine(), pt.conditional_householder(3, 2)], "ConditionalHouseholder is not supported")
    refused([affine(), pt.MatrixExponential(3)], "MatrixExponential is not supported")
    refused([pt.NeuralAutoregressive(AutoRegressiveNN(3, [8], [4] * 3), hidden_units=4)], "NeuralAutoregressive is not")


def test_other_bases_are_refused_by_name():
    refused(
        pd.TransformedDistribution(pd.Laplace(torch.zeros(3), torch.ones(3)), [affine()]), "Laplace is not supported"
    )


def test_other_networks_are_refused_by_name():
    layer = affine()
    layer.arn = nn.Linear(3, 6)
    refused([layer, pt.BatchNorm(3)], "Linear is not supported; supported are AutoRegressiveNN")


def test_other_networks_of_couplings_are_refused_by_name():
    refused([pt.AffineCoupling(1, nn.Linear(1, 4)), pt.BatchNorm(3)], "Linear is not supported; supported are DenseNN")
    conditional = pt.ConditionalAffineCoupling(1, nn.Linear(1, 4))
    refused([conditional, pt.BatchNorm(3)], "Linear is not supported; supported are DenseNN")
    three = pt.AffineCoupling(1, DenseNN(1, [4], [2, 2, 2]))
    refused([three], "DenseNN with 3 kinds of parameters is not supported; supported are DenseNN and Cond.* with two p")
    four = pt.spline_autoregressive(3, [8], order="quadratic")  # which Pyro makes for the other order
    refused([four], "AutoRegressiveNN with 4 kinds of parameters is not supported; .* with widths, heights and deriv")


def test_what_was_given_its_context_is_refused():
    for layer in (
        pt.conditional_affine_autoregressive(3, 2, [8]),
        pt.conditional_affine_coupling(3, 2, [8]),
        pt.conditional_spline(3, 2, [8]),
        pt.conditional_spline_autoregressive(3, 2, [8]),
    ):
        model = pd.ConditionalTransformedDistribution(normal(3), [layer])
        refused(
            model.condition(torch.zeros(2)), "of one context is not supported; give the distribution as it is before"
        )


def test_a_coupling_of_another_dimension_is_refused():
    layer = pt.affine_coupling((3, 2), [4], dim=-2)
    refused([layer], "AffineCoupling splits dimension -2")


def test_masks_that_are_not_autoregressive_are_refused():
    layer = affine()
    layer.arn.layers[-1].mask.fill_(1)
    refused([layer], "AffineAutoregressive is not autoregressive")
