"""glasflow: its flows, scale activations, linear transforms and latent distributions."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
import torch
from glasflow import flows
from glasflow.distributions import MultivariateUniform, ResampledGaussian
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c

import flowrt
from flowrt.file.codes import BaseKind, Scale, SplineForm, Transformer
from flowrt.frameworks import registry

SCALES = {
    "nflows": (Scale.SIGMOID, (1e-3,)),
    "nflows_general": (Scale.SOFTPLUS_CLAMPED, (1e-3, 1e-3, 3.0)),
    "wide": (Scale.SOFTPLUS_CLAMPED, (1e-3, 1e-3, 3.0)),
    "log1": (Scale.EXP_TANH, (1.0,)),
    "log2": (Scale.EXP_TANH, (2.0,)),
    "log3": (Scale.EXP_TANH, (3.0,)),
    "log0.5": (Scale.EXP_TANH, (0.5,)),
}
FLOWS = {"coupling": flows.RealNVP, "autoregressive": flows.MaskedAffineAutoregressiveFlow}


def randomised(model, gain=0.5):
    """Weights as large as leaves all values moderate; `*_entries` are those of a triangular matrix in one row."""
    for name, parameter in model.named_parameters():
        fan_in = parameter.shape[-1] if parameter.dim() > 1 else 1
        fan_in = (2 * parameter.numel()) ** 0.5 if name.endswith("_entries") and parameter.numel() else fan_in
        parameter.data = gain * torch.randn_like(parameter) / fan_in**0.5
    for module in model.modules():
        if hasattr(module, "running_var"):
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("kind", FLOWS)
def test_scale_activations(kind, name):
    model = randomised(FLOWS[kind](4, 2, n_neurons=8, scale_activation=name))
    scale, p = SCALES[name]
    for step in agree(model).steps:
        assert step.scale == scale and step.p[: len(p)] == pytest.approx(p)
    agree_in_c(model)


def test_the_default_scale_of_an_autoregressive_flow():
    (step,) = agree(randomised(flows.MaskedAffineAutoregressiveFlow(3, 1, n_neurons=8))).steps
    assert step.scale == Scale.SOFTPLUS and step.p[0] == pytest.approx(1e-3)


@given(
    features=st.sampled_from([2, 3, 17, 64]),
    context=st.sampled_from([None, 2]),
    linear=st.sampled_from([None, "permutation", "lu", "svd"]),
    within=st.booleans(),
    between=st.booleans(),
    preserving=st.booleans(),
)
def test_real_nvp(features, context, linear, within, between, preserving):
    torch.manual_seed(0)
    model = flows.RealNVP(
        features,
        2,
        context,
        n_neurons=9,
        n_blocks_per_transform=1,
        batch_norm_within_blocks=within,
        batch_norm_between_transforms=between,
        linear_transform=linear,
        volume_preserving=preserving,
    )
    file = agree(randomised(model, 0.3), rows=3, tolerance=1e-10)
    assert file.context_dim == (context or 0)
    kinds = {step.transformer for step in file.steps if hasattr(step, "transformer")}
    assert kinds == {Transformer.ADDITIVE if preserving else Transformer.AFFINE}
    agree_in_c(model)


@given(features=st.sampled_from([1, 3, 17]), context=st.sampled_from([None, 2]), permutations=st.booleans())
def test_autoregressive_flow(features, context, permutations):
    torch.manual_seed(0)
    model = flows.MaskedAffineAutoregressiveFlow(
        features, 2, context, n_neurons=9, use_random_permutations=permutations
    )
    agree(randomised(model), rows=3)
    agree_in_c(model)


@given(
    features=st.sampled_from([2, 3, 17]),
    context=st.sampled_from([None, 2]),
    uniform=st.booleans(),
    bins=st.sampled_from([2, 4]),
)
def test_coupling_splines(features, context, uniform, bins):
    torch.manual_seed(0)
    model = flows.CouplingNSF(
        features, 2, context, n_neurons=9, num_bins=bins, distribution="uniform" if uniform else None
    )
    file = agree(randomised(model), rows=5)
    agree_in_c(model)
    assert {step.form for step in file.steps} == {SplineForm.FREE_ENDS if uniform else 0}
    assert file.base.base == (BaseKind.BOX_UNIFORM if uniform else BaseKind.STANDARD_NORMAL)


def test_autoregressive_splines():
    model = flows.MaskedPiecewiseRationalQuadraticAutoregressiveFlow(3, 2, n_neurons=9, tails="linear", tail_bound=4.0)
    assert {step.p[1] for step in agree(randomised(model)).steps} == {4.0}


PIECES = {
    SplineForm.LINEAR: flows.MaskedPiecewiseLinearAutoregressiveFlow,
    SplineForm.QUADRATIC | SplineForm.FREE_ENDS: flows.MaskedPiecewiseQuadraticAutoregressiveFlow,
    SplineForm.CUBIC: flows.MaskedPiecewiseCubicAutoregressiveAutoregressiveFlow,
}


@pytest.mark.parametrize("form", PIECES)
@pytest.mark.parametrize("context", [None, 2])
def test_autoregressive_splines_of_other_pieces(form, context):
    base = MultivariateUniform(low=torch.zeros(3), high=torch.ones(3))
    model = randomised(PIECES[form](3, 2, context, n_neurons=9, num_bins=5, distribution=base))
    file = agree(model)
    agree_in_c(model)
    assert {(step.form, step.bins, step.bounded) for step in file.steps} == {(form, 5, True)}
    assert file.base.base == BaseKind.BOX_UNIFORM


def test_a_uniform_latent_distribution():
    base = MultivariateUniform(low=torch.tensor([-3.0, -2.0]), high=torch.tensor([3.0, 2.0]))
    file = agree(randomised(flows.RealNVP(2, 2, n_neurons=8, distribution=base)))
    np.testing.assert_array_equal((file.base.lower, file.base.upper), [[-3, -2], [3, 2]])


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_others_are_refused_by_name():
    base = ResampledGaussian([2], torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid()), 100, 0.1)
    refused(flows.RealNVP(2, 2, n_neurons=8, distribution=base), "ResampledGaussian is not supported")
    refused(flows.RealNVP(2, 1, n_neurons=8, scale_activation=lambda a: 1 + a * a), "has an unknown scale function")


def test_the_file_names_the_fork(tmp_path):
    flowrt.save(tmp_path / "flow.flw", flows.RealNVP(2, 2, n_neurons=8))
    assert flowrt.Model(tmp_path / "flow.flw").metadata["framework"] == "glasflow 0.4.1"
    assert metadata.version("glasflow") in registry.named("glasflow").tested
