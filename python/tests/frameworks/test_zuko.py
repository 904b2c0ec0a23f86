"""zuko: options, dimensions, refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import zuko
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import Activation, BaseKind, Reads, Scale, Transformer


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([0, 1, 4]),
    hidden=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    residual=st.booleans(),
    randperm=st.booleans(),
    passes=st.sampled_from([None, 2, 3]),
    activation=st.sampled_from([None, nn.Tanh, nn.ELU, partial(nn.LeakyReLU, 0.3)]),
)
def test_every_combination_of_options(features, context, hidden, residual, randperm, passes, activation):
    torch.manual_seed(0)
    options = {} if features == 1 else {"residual": residual, "passes": passes}
    model = zuko.flows.MAF(
        features, context, transforms=2, randperm=randperm, hidden_features=hidden, activation=activation, **options
    )
    randomise(model, 0.5)
    agree(model, rows=3)


@given(seed=st.integers(0, 1000), features=st.integers(2, 9), context=st.integers(0, 2), residual=st.booleans())
def test_any_graph(seed, features, context, residual):
    """Dependencies that are no chain: units of one layer see subsets that are not nested."""
    torch.manual_seed(seed)
    graph = torch.tril(torch.rand(features, features) < 0.4) | torch.eye(features, dtype=torch.bool)
    scramble = torch.randperm(features)
    graph = graph[scramble][:, scramble]
    if not (graph & ~torch.eye(features, dtype=torch.bool)).any() and context == 0:
        return  # zuko cannot build a network of nothing
    layer = zuko.flows.MaskedAutoregressiveTransform(
        features, context, adjacency=graph, hidden_features=(13, 13), residual=residual
    )
    base = zuko.flows.MAF(features).base
    model = zuko.lazy.Flow([layer], base)
    randomise(model, 0.5)
    agree(model, rows=3)


@given(slope=st.floats(1e-6, 0.5))
def test_the_slope_is_read_from_the_live_object(slope):
    univariate = partial(zuko.transforms.MonotonicAffineTransform, slope=slope)
    file = agree(zuko.flows.MAF(3, transforms=1, hidden_features=(8,), univariate=univariate))
    assert file.steps[0].scale == Scale.EXP_SOFT_CLIPPED
    assert file.steps[0].p[0] == pytest.approx(-np.log(slope), rel=1e-9)


def test_passes_are_stages():
    (step,) = agree(zuko.flows.MAF(6, transforms=1, passes=2)).steps
    assert step.stage_end.tolist() == [3, 6]


def test_inverse_layers_read_noise():
    flow = zuko.flows.MAF(3, transforms=2)
    flow = zuko.lazy.Flow(flow.transform.inv, flow.base)
    assert [step.reads for step in agree(flow).steps] == [Reads.NOISE, Reads.NOISE]


def test_additive():
    flow = zuko.flows.MAF(3, transforms=1, univariate=zuko.transforms.AdditiveTransform, shapes=[()])
    assert agree(flow).steps[0].transformer == Transformer.ADDITIVE


ADDITIVE = {"univariate": zuko.transforms.AdditiveTransform, "shapes": [()]}


@given(
    features=st.sampled_from([2, 3, 8, 17, 64]),
    context=st.sampled_from([0, 1, 4]),
    hidden=st.lists(st.integers(1, 30), min_size=0, max_size=3),
    randmask=st.booleans(),
    additive=st.booleans(),
    inverse=st.booleans(),
    activation=st.sampled_from([None, nn.Tanh, nn.ELU]),
)
def test_every_combination_of_coupling_options(features, context, hidden, randmask, additive, inverse, activation):
    torch.manual_seed(0)
    model = zuko.flows.NICE(
        features,
        context,
        transforms=2,
        randmask=randmask,
        hidden_features=hidden,
        activation=activation,
        **(ADDITIVE if additive else {}),
    )
    if inverse:
        model = zuko.lazy.Flow(model.transform.inv, model.base)
    randomise(model, 0.5)
    for step in agree(model, rows=3).steps:
        assert step.transformer == (Transformer.ADDITIVE if additive else Transformer.AFFINE)
        assert step.reads == (Reads.NOISE if inverse else Reads.DATA)
        assert step.stage_end.tolist() == [step.passthrough, features]
    agree_in_c(model)


@given(mask=st.lists(st.booleans(), min_size=2, max_size=9).filter(lambda mask: 0 < sum(mask) < len(mask)))
def test_any_mask(mask):
    torch.manual_seed(0)
    layer = zuko.flows.coupling.GeneralCouplingTransform(len(mask), mask=mask, hidden_features=(7,))
    model = zuko.lazy.Flow([layer], zuko.flows.MAF(len(mask)).base)
    randomise(model, 0.5)
    assert agree(model).steps[0].passthrough == sum(mask)


def test_a_base_that_is_not_standard():
    flow = zuko.flows.MAF(3, transforms=1)
    flow.base.loc.normal_()
    flow.base.scale.uniform_(0.5, 2)
    assert agree(flow).base.base == BaseKind.DIAGONAL_NORMAL
    agree_in_c(flow)


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("features", [1, 2, 5, 64])
def test_constant_linear_transforms(features, inverted, buffer):
    near_one = torch.eye(features) + 0.3 / features**0.5 * torch.randn(features, features)
    lazies = [
        zuko.lazy.UnconditionalTransform(zuko.transforms.RotationTransform, near_one, buffer=buffer),
        zuko.lazy.UnconditionalTransform(zuko.transforms.LULinearTransform, near_one, buffer=buffer),
        constant(zuko.transforms.PermutationTransform, order=torch.randperm(features)),
        constant(zuko.transforms.IdentityTransform),
    ]
    base = zuko.flows.MAF(features).base
    for lazy in lazies:
        agree(zuko.lazy.Flow([lazy.inv if inverted else lazy], base))
    everything = zuko.lazy.LazyComposedTransform(*lazies)
    flow = zuko.lazy.Flow([everything.inv if inverted else everything], base)
    agree(flow)
    agree_in_c(flow)


def constant(transform, **parameters):
    return zuko.lazy.UnconditionalTransform(transform, buffer=True, **parameters)


@pytest.mark.parametrize("inverted", [False, True])
def test_standardisation_as_sbi_does_it(inverted):
    loc, scale = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.5, 3.0, -2.0])
    standardise = constant(torch.distributions.transforms.AffineTransform, loc=loc, scale=scale, event_dim=1)
    flow = zuko.flows.MAF(3, 2, transforms=1)
    flow = zuko.lazy.Flow([standardise.inv if inverted else standardise, *flow.transform.transforms], flow.base)
    step = agree(flow).steps[0]
    np.testing.assert_allclose(step.scale, 1 / scale if inverted else scale, rtol=1e-7)


def test_free_parameters_of_one_feature():
    (first, second) = agree(zuko.flows.MAF(1, transforms=2)).steps
    assert first.layers[0].source == 0 and first.layers[0].width == 2 and len(second.layers) == 1


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_flows_are_refused_by_name():
    refused(zuko.flows.NAF(3), "is not supported")
    refused(zuko.flows.GF(3), "GaussianizationTransform is not supported; supported are MaskedAutoregressiveTransform")
    refused(zuko.flows.BPF(3), "BernsteinTransform is not supported")
    refused(zuko.flows.CNF(3), "FFJTransform is not supported")
    flow = zuko.flows.MAF(3)
    flow.transform.transforms.append(constant(zuko.transforms.CosTransform))
    refused(flow, "CosTransform is not supported; supported are MaskedAutoregressiveTransform")


def test_other_bases_are_refused_by_name():
    flow = zuko.flows.MAF(3)
    flow.base = zuko.lazy.UnconditionalDistribution(zuko.distributions.Joint, zuko.distributions.Uniform(0, 1))
    refused(flow, "Joint is not supported")
    flow.base = zuko.mixtures.GMM(3, 2, covariance_type="diagonal")
    refused(flow, "GMM is not supported; .* or a GMM without context as base")


@pytest.mark.parametrize("build", [zuko.flows.MAF, zuko.flows.NSF])
def test_layer_norm_in_networks_of_the_context(build):
    """zuko divides by the unbiased variance."""
    flow = build(1, 3, transforms=2, hidden_features=(7, 5), normalize=True)
    layers = [layer for step in agree(flow, tolerance=1e-11).steps for layer in step.layers]
    assert sum(layer.activation == Activation.LAYER_NORM for layer in layers) == 4
    agree_in_c(flow)


def test_layer_norm_in_networks_of_variables_is_refused_by_name():
    refused(zuko.flows.NICE(4, 2, normalize=True), "LayerNorm in a network that reads variables is not supported")


def test_an_unknown_activation_is_refused_by_name():
    refused(
        zuko.flows.MAF(3, activation=nn.Hardshrink),
        "activation Hardshrink is not supported; supported are identity, relu",
    )


def test_what_a_lazy_flow_gives_is_refused():
    for called in (zuko.flows.MAF(3)(), zuko.flows.MAF(3, 2)(torch.zeros(2))):
        with pytest.raises(
            flowrt.ExportError, match="NormalizingFlow is what a lazy flow of zuko gives .* give the lazy"
        ):
            flowrt.save("never-written.flw", called)


def test_masks_that_are_not_autoregressive_are_refused():
    flow = zuko.flows.MAF(3, transforms=1)
    flow.transform.transforms[0].hyper[-1].mask.fill_(True)
    refused(flow, "MaskedAutoregressiveTransform is not autoregressive")
