"""normflows: rational-quadratic splines, plain and circular, and bases other than the diagonal normal."""

from __future__ import annotations

import normflows as nf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt import reference
from flowrt.file.codes import Activation, BaseKind, Reads, SplineForm, Transformer
from flowrt.frameworks.torch.live import TorchModel

CIRCULAR = nf.flows.CircularAutoregressiveRationalQuadraticSpline
CIRCULAR_COUPLING = nf.flows.CircularCoupledRationalQuadraticSpline


def flow(*layers, features=3, base=None):
    return nf.NormalizingFlow(base or nf.distributions.DiagGaussian(features, trainable=False), list(layers))


def conditional(*layers, features=3, base=None):
    base = base or nf.distributions.DiagGaussian(features, trainable=False)
    return nf.ConditionalNormalizingFlow(base, list(layers))


def splines(file):
    return [step for step in file.steps if getattr(step, "transformer", 0) == Transformer.SPLINE]


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([None, 1, 4]),
    bins=st.sampled_from([2, 8]),
    bound=st.sampled_from([1, 3.0]),
    blocks=st.integers(1, 2),
    permute_mask=st.booleans(),
    reverse=st.booleans(),
)
def test_autoregressive(features, context, bins, bound, blocks, permute_mask, reverse):
    torch.manual_seed(0)
    layer = nf.flows.AutoregressiveRationalQuadraticSpline(
        features, blocks, 9, context, bins, bound, nn.Tanh, permute_mask=permute_mask
    )
    reverse = reverse and context is None  # Reverse and LULinearPermute take no context
    layers = [nf.flows.Reverse(layer) if reverse else layer]
    layers.append(nf.flows.LULinearPermute(features) if context is None else nf.flows.Permute(features))
    model = (flow if context is None else conditional)(*layers, features=features)
    randomise(model, 0.4)
    file = agree(model, rows=5, tolerance=1e-11)
    agree_in_c(model)
    assert [(step.reads, step.p[1]) for step in splines(file)] == [(Reads.NOISE if reverse else Reads.DATA, bound)]
    assert file.context_dim == (context or 0)


@given(
    features=st.sampled_from([2, 3, 8, 17]),
    context=st.sampled_from([None, 1, 4]),
    tails=st.sampled_from(["linear", "circular"]),
    bound=st.sampled_from([1.0, 3.0]),
    reverse_mask=st.booleans(),
    reverse=st.booleans(),
)
def test_couplings(features, context, tails, bound, reverse_mask, reverse):
    torch.manual_seed(0)
    layer = nf.flows.CoupledRationalQuadraticSpline(
        features, 1, 9, context, 4, tails, bound, nn.ELU, reverse_mask=reverse_mask
    )
    layer = nf.flows.Reverse(layer) if reverse and context is None else layer
    model = (flow if context is None else conditional)(layer, nf.flows.Permute(features), features=features)
    randomise(model, 0.7)
    agree_in_c(model)
    form = SplineForm.CIRCULAR if tails == "circular" else 0
    assert {step.form for step in splines(agree(model, rows=5, tolerance=1e-11))} == {form}


PER_FEATURE = torch.tensor([np.pi, 2.0, np.pi, 1.5], dtype=torch.float64)


@given(
    angles=st.sets(st.integers(0, 3), min_size=1),
    bound=st.sampled_from([1.0, 3.0, PER_FEATURE]),
    context=st.sampled_from([None, 2]),
    coupling=st.booleans(),
    reverse=st.booleans(),
)
def test_circular_features(angles, bound, context, coupling, reverse):
    """Angles enter the network through sines, and have equal derivatives at both ends; the others have 1 there."""
    torch.manual_seed(0)
    make = CIRCULAR_COUPLING if coupling else CIRCULAR
    if coupling and torch.is_tensor(bound) and not {i for i in angles if i % 2 == 1}:
        bound = 3.0  # normflows cannot make the features of no angle
    layer = make(4, 1, 9, [*angles], context, 4, bound)
    model = (flow if context is None else conditional)(
        nf.flows.Reverse(layer) if reverse and context is None else layer, features=4
    )
    randomise(model, 0.5)
    file = agree(model, rows=5, tolerance=1e-11)
    agree_in_c(model)
    assert {step.form for step in splines(file)} == {SplineForm.FREE_ENDS}


def test_angles_enter_the_network_through_sines():
    model = flow(CIRCULAR(3, 1, 9, [0], permute_mask=False), CIRCULAR_COUPLING(3, 1, 9, [0, 1, 2]))
    randomise(model, 0.5)
    sines = [[layer.activation for layer in step.layers].count(Activation.SINE) for step in splines(agree(model))]
    assert sorted(sines) == [0, 1, 1]  # the unconditional half of the coupling has no network


def test_periodic_features_with_a_bias():
    layer = CIRCULAR(3, 1, 9, [0, 2])
    net = layer.mprqat.autoregressive_net
    net.preprocessing = nf.utils.nn.PeriodicFeaturesElementwise(3, [0, 2], 1.0, bias=True)
    model = flow(layer)
    randomise(model, 0.5)
    agree(model)
    net.preprocessing.activation = nn.Tanh()
    refused(model, "PeriodicFeaturesElementwise is not supported; supported are networks without preprocessing")


def test_a_spline_without_wrapper_reads_the_noise():
    inner = nf.flows.AutoregressiveRationalQuadraticSpline(3, 1, 9).mprqat
    randomise(inner, 0.5)
    assert agree(flow(inner)).steps[0].reads == Reads.NOISE
    assert agree(flow(nf.flows.Reverse(inner))).steps[0].reads == Reads.DATA


def spline(context=None):
    return nf.flows.AutoregressiveRationalQuadraticSpline(3, 1, 9, context)


def test_uniform_base():
    model = flow(spline(), base=nf.distributions.base.Uniform(3, -3.0, 3.0))
    randomise(model, 0.5)
    file = agree(model)
    agree_in_c(model)
    assert file.base.base == BaseKind.BOX_UNIFORM
    assert np.isneginf(reference.log_prob(file, [[0.0, 0.0, 3.5]]))


@pytest.mark.parametrize("features, uniform", [(1, [0]), (3, [2, 0]), (3, 1)])
def test_partly_uniform_base(features, uniform):
    """The uniform coordinates are normal behind a probit; elsewhere the noise is that of the framework."""
    base = nf.distributions.UniformGaussian(features, uniform, torch.rand(features) + 0.5)
    model = flow(nf.flows.MaskedAffineAutoregressive(features, 9), base=base)
    file = agree(model, rows=20, tolerance=1e-11)
    agree_in_c(model)
    x = np.random.default_rng(0).normal(size=(20, features))
    ours, framework = reference.log_prob(file, x), TorchModel.copy_of(model, torch.float64).log_prob(torch.tensor(x))
    inside = np.isfinite(ours)
    assert 0 < inside.sum() < 20
    np.testing.assert_allclose(ours[inside], framework.detach().numpy()[inside], rtol=0, atol=1e-11)


@pytest.mark.parametrize("bound", [3.0, torch.tensor([1.0, 3.0])])
@pytest.mark.parametrize("reverse", [False, True])
def test_shifts_by_half_of_a_circle(bound, reverse):
    shift = nf.flows.PeriodicShift([2, 0], bound, -3 * bound)
    model = flow(spline(), nf.flows.Reverse(shift) if reverse else shift)
    steps = agree(model, rows=20, tolerance=1e-11).steps
    assert sum(bool(step.form & SplineForm.HALF_TURN) for step in steps) == torch.as_tensor(bound).numel()
    agree_in_c(model)


def test_other_shifts_are_refused():
    text = r"PeriodicShift is not supported where it shifts circles of the bounds \[3.0\] by \[1.0\]; .* by half of the"
    refused(flow(spline(), nf.flows.PeriodicShift([1], 3.0, 1.0)), text)


def test_mixture_base():
    base = nf.distributions.GaussianMixture(4, 3, scale=np.full((4, 3), 0.7), weights=np.arange(1.0, 5))
    file = agree(flow(spline(), base=base))
    agree_in_c(flow(spline(), base=base))
    assert file.base.base == BaseKind.NORMAL_MIXTURE and len(file.base.log_weight) == 4


def test_conditional_base():
    encoder = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 6))
    model = conditional(spline(2), base=nf.distributions.base.ConditionalDiagGaussian(3, encoder))
    randomise(model, 0.5)
    assert agree(model).base.base == BaseKind.CONDITIONAL_NORMAL
    agree_in_c(model)


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_bases_are_refused_by_name():
    images = nf.distributions.GlowBase((3, 1, 1))  # the steps below it are of vectors
    text = "AutoregressiveRationalQuadraticSpline is not supported; supported are GlowBlock"
    refused(flow(spline(), base=images), text)
