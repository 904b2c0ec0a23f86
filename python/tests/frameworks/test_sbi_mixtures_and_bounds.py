"""sbi: ensembles, the box of a prior, the leakage correction, and what is no flow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sbi.inference.posteriors import DirectPosterior, EnsemblePosterior
from sbi.neural_nets import net_builders as builders
from sbi.utils import BoxUniform
from torch_weights import randomise

import flowrt

LOW, HIGH = torch.tensor([-1.0, -0.5]), torch.tensor([1.0, 2.0])


def posterior(seed: int):
    torch.manual_seed(seed)
    estimator = builders.build_maf(torch.randn(100, 2), torch.randn(100, 3), hidden_features=8, num_transforms=2)
    randomise(estimator, 0.4)
    return DirectPosterior(estimator.eval(), BoxUniform(LOW, HIGH))


def test_the_box_of_the_prior_is_noted(tmp_path):
    flowrt.save(tmp_path / "p.flw", posterior(0))
    model = flowrt.Model(tmp_path / "p.flw")
    assert model.bounds == ([-1.0, -0.5], [1.0, 2.0])
    assert "not divided" in model.metadata["bounds"]["log_prob"]
    x = model.sample(500, np.zeros(3), seed=0, within=model.bounds)
    assert np.all((x >= LOW.numpy()) & (x <= HIGH.numpy()))


def test_the_acceptance_is_the_leakage_correction(tmp_path):
    own, condition, draws = posterior(1), torch.tensor([[0.3, -0.2, 0.5]]), 20_000
    flowrt.save(tmp_path / "p.flw", own)
    model = flowrt.Model(tmp_path / "p.flw")
    theirs = float(own.leakage_correction(condition, num_rejection_samples=draws))
    (ours,) = model.acceptance(condition.numpy(), within=model.bounds, draws=draws)
    assert 0.05 < ours < 0.95
    assert abs(ours - theirs) < 5 * math.sqrt(2 * ours * (1 - ours) / draws)
    theta = torch.rand(20, 2) * (HIGH - LOW) + LOW
    normalised = own.log_prob(theta, condition).numpy()
    found = model.log_prob(theta.numpy(), condition.numpy()) - math.log(ours)
    np.testing.assert_allclose(found, normalised, atol=6 / math.sqrt(ours * draws))


def test_an_ensemble_is_a_mixture(tmp_path):
    members, condition = [posterior(seed) for seed in (2, 3, 4)], torch.tensor([[0.3, -0.2, 0.5]])
    ensemble = EnsemblePosterior(members, weights=[1.0, 2.0, 1.0])
    flowrt.save_mixture(tmp_path / "e.flm", ensemble)
    mixture = flowrt.Mixture(tmp_path / "e.flm")
    np.testing.assert_allclose(mixture.weights, [0.25, 0.5, 0.25], rtol=1e-6)
    theta = torch.rand(20, 2) * (HIGH - LOW) + LOW
    found = mixture.log_prob(theta.numpy(), condition.numpy())
    unnormalised = [m.log_prob(theta, condition, norm_posterior=False).double() for m in members]
    expected = torch.logsumexp(torch.stack(unnormalised) + torch.tensor(mixture.weights).log()[:, None], dim=0)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)
    x = mixture.sample(200, condition.numpy(), seed=0, within=(LOW.numpy(), HIGH.numpy()))
    assert np.all((x >= LOW.numpy()) & (x <= HIGH.numpy()))
    with pytest.raises(flowrt.ExportError, match="EnsemblePosterior is not supported: .* flowrt.save_mixture"):
        flowrt.save(tmp_path / "e.flw", ensemble)


def test_what_is_no_flow_is_refused_with_the_way_on(tmp_path):
    data, condition = torch.randn(100, 3), torch.randn(100, 2)
    mixed = builders.build_mnle(torch.cat([data, torch.randint(0, 2, (100, 1)).float()], dim=1), condition)
    with pytest.raises(flowrt.ExportError, match="MixedDensityEstimator is not supported: .* continuous_net"):
        flowrt.save(tmp_path / "m.flw", mixed)
    ratio = builders.build_mlp_classifier(data, condition)
    with pytest.raises(flowrt.ExportError, match="RatioEstimator is not supported: it is a classifier"):
        flowrt.save(tmp_path / "r.flw", ratio)
