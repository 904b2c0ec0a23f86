"""sbi: estimators with every standardisation and embedding, a trained posterior, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from sbi.inference import NLE, NPE, NRE
from sbi.neural_nets.embedding_nets import FCEmbedding
from sbi.neural_nets.net_builders import (
    build_made,
    build_maf,
    build_maf_rqs,
    build_mdn,
    build_nsf,
    build_zuko_gf,
    build_zuko_maf,
    build_zuko_nice,
    build_zuko_nsf,
)
from sbi.neural_nets.net_builders.flow import build_zuko_unconditional_flow
from sbi.utils import BoxUniform, RestrictedPrior
from torch import nn
from torch.distributions import Exponential, Independent, MultivariateNormal
from torch_weights import randomise

import flowrt
from flowrt.file.codes import BaseKind, Function, Transformer
from flowrt.frameworks import choose

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

Z_SCORES = st.sampled_from(["none", "independent", "structured"])


def batches(features=3, shape=(4,)):
    """Parameters and conditions that are far from standard."""
    x = torch.randn(50, features) * torch.linspace(0.2, 3, features) + 1.5
    y = torch.randn(50, *shape) * 2.5 - 4
    return x, y


def estimator(build, features=3, shape=(4,), **options):
    """An estimator with random weights."""
    model = build(*batches(features, shape), hidden_features=12, num_transforms=2, **options)
    randomise(model, 0.3)
    return model.eval()


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    conditions=st.sampled_from([1, 4]),
    z_score_x=Z_SCORES,
    z_score_y=Z_SCORES,
    blocks=st.integers(1, 3),
    batch_norm=st.booleans(),
)
def test_maf(features, conditions, z_score_x, z_score_y, blocks, batch_norm):
    torch.manual_seed(0)
    options = {"num_blocks": blocks, "use_batch_norm": batch_norm, "dropout_probability": 0.1}
    if conditions == 1 and z_score_y == "structured":
        z_score_y = "independent"  # the standard deviation within a condition of one number is not defined
    if features == 1 and z_score_x == "structured":
        z_score_x = "independent"
    model = estimator(build_maf, features, (conditions,), z_score_x=z_score_x, z_score_y=z_score_y, **options)
    file = agree(model, rows=3)
    agree_in_c(model)
    assert file.context_dim == conditions  # standardised in the layers or before them: save measures which is better
    assert sum(type(step).__name__ == "AutoregressiveStep" for step in file.steps) == len(file.steps) - (
        z_score_x != "none"
    )


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    conditions=st.sampled_from([2, 4]),
    z_score_x=st.sampled_from(["none", "independent"]),
    z_score_y=Z_SCORES,
    build=st.sampled_from([build_zuko_maf, build_zuko_nice]),
)
def test_zuko(features, conditions, z_score_x, z_score_y, build):
    torch.manual_seed(0)
    features = max(features, 2) if build is build_zuko_nice else features
    model = estimator(build, features, (conditions,), z_score_x=z_score_x, z_score_y=z_score_y)
    assert agree(model, rows=3).context_dim == conditions
    agree_in_c(model)


@given(
    features=st.sampled_from([1, 2, 3, 8, 17]),
    conditions=st.sampled_from([1, 4]),
    z_score_x=st.sampled_from(["none", "independent"]),
    z_score_y=st.sampled_from(["none", "independent"]),
    build=st.sampled_from([build_maf_rqs, build_nsf, build_zuko_nsf, build_made]),
    bins=st.sampled_from([2, 10]),
)
def test_splines_and_mixtures(features, conditions, z_score_x, z_score_y, build, bins):
    """nsf of one parameter is a spline of the observation alone; made has a network of one feature more."""
    torch.manual_seed(0)
    options = {"num_bins": bins, "tail_bound": 2.0, "num_mixture_components": 3}
    if build is build_zuko_nsf:
        options = {"bins": bins}
    model = estimator(build, features, (conditions,), z_score_x=z_score_x, z_score_y=z_score_y, **options)
    file = agree(model, rows=5, tolerance=1e-11)
    agree_in_c(model)
    assert file.context_dim == conditions  # standardised in the layers or before them: save measures which is better
    kinds = {step.transformer for step in file.steps if hasattr(step, "transformer")}
    assert kinds == (set() if build is build_made else {Transformer.SPLINE})
    assert file.base.base == (BaseKind.AUTOREGRESSIVE_MIXTURE if build is build_made else BaseKind.STANDARD_NORMAL)


@pytest.mark.parametrize("build", [build_maf_rqs, build_nsf, build_made])
def test_embedding_nets_of_splines_and_mixtures(build):
    model = estimator(build, embedding_net=FCEmbedding(4, 6, num_hiddens=9), z_score_y="independent")
    assert agree(model).encoder.layers[-1].width == 6


PRIORS = {
    "box": (BoxUniform(torch.tensor([-9.0, -8.0, 0.0]), 9 * torch.ones(3), device="cpu"), Function.LOGIT),
    "positive": (Independent(Exponential(torch.ones(3)), 1), Function.LOG_ABOVE),
    "unbounded": (MultivariateNormal(torch.ones(3), 4 * torch.eye(3)), None),
}


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("build", [build_zuko_maf, build_zuko_nsf])
def test_bounds_of_the_prior(build, name, tmp_path):
    """They are in the file: outside of them the density is zero."""
    prior, function = PRIORS[name]
    x, y = prior.sample((50,)), batches()[1]
    options = {"hidden_features": 12, "num_transforms": 2}
    model = build(x, y, z_score_x="transform_to_unconstrained", x_dist=prior, **options)
    randomise(model, 0.3)
    file = agree(model.eval())
    assert getattr(file.steps[0], "function", [None])[0] == function
    flowrt.save(tmp_path / "flow.flw", model, verify=True)
    outside = flowrt.reference.log_prob(tmp_path / "flow.flw", -10 * np.ones((1, 3)), y[:1])
    assert np.isneginf(outside[0]) == (function is not None)


def test_unconditional_flow():
    model = build_zuko_unconditional_flow("MAF", batches()[0], "independent", hidden_features=8, num_transforms=2)
    randomise(model, 0.3)
    assert agree(model).context_dim == 0
    agree_in_c(model)


EMBEDDINGS = {
    "FCEmbedding": lambda: FCEmbedding(4, 6, num_hiddens=9),
    "FCEmbedding with layer norm": lambda: FCEmbedding(4, 6, num_layers=4, num_hiddens=9, enable_layer_norm=True),
    "layer norm without parameters": lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6, elementwise_affine=False)),
    "perceptron": lambda: nn.Sequential(nn.Linear(4, 7), nn.Dropout(), nn.Tanh(), nn.Linear(7, 6, bias=False)),
    "linear": lambda: nn.Linear(4, 6),
}


@pytest.mark.parametrize("name", EMBEDDINGS)
@pytest.mark.parametrize("build", [build_maf, build_zuko_maf])
@pytest.mark.parametrize("z_score_y", ["none", "independent"])
def test_embedding_nets(name, build, z_score_y):
    model = estimator(build, embedding_net=EMBEDDINGS[name](), z_score_y=z_score_y)
    file = agree(model)
    agree_in_c(model)
    assert file.context_dim == 4 and file.encoder.layers[-1].width == 6


@pytest.mark.parametrize("embedding", [nn.Flatten(), nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU())])
@pytest.mark.parametrize("z_score_y", ["none", "independent"])
def test_conditions_of_several_dimensions_are_flattened(embedding, z_score_y):
    model = estimator(build_maf, shape=(2, 3), embedding_net=embedding, z_score_y=z_score_y)
    assert agree(model).context_dim == 6
    agree_in_c(model)


@pytest.mark.parametrize("embedding", [nn.Identity(), FCEmbedding(4, 6, enable_layer_norm=True)])
def test_a_condition_whose_mean_is_large_beside_its_deviation(embedding):
    """Folded into weights, the standardisation would cancel: no more than the error of sbi itself in float32."""
    x, y = batches()
    y = y / 2.5 + 10_000
    model = build_maf(x, y, embedding_net=embedding, hidden_features=12, num_transforms=2)
    randomise(model, 0.3)
    model.eval()
    file = agree(model)
    data = flowrt.format.encode(file)
    with torch.no_grad():
        single = model.log_prob(x[None], y)[0].numpy()
        exact = choose(model).live(model, torch.float64).log_prob(x, y)
    found = flowrt.Model(data).log_prob(x, y)
    assert np.abs(found - exact).max() <= 4 * np.abs(single - exact).max()


@pytest.mark.parametrize("build", [build_maf, build_zuko_maf])
def test_log_prob_and_samples_of_the_estimator_itself(build, tmp_path):
    """sbi's own `log_prob`; its samples, whose noise `inverse_transform` finds and `flowrt` must return to them."""
    model = estimator(build, embedding_net=FCEmbedding(4, 6), z_score_y="independent")
    flowrt.save(tmp_path / "flow.flw", model, verify=True)
    found = flowrt.Model(tmp_path / "flow.flw")
    assert found.metadata["framework"].startswith("sbi 0.27")
    conditions = batches()[1][:5]
    with torch.no_grad():
        samples = model.sample((1,), conditions)[0]
        log_prob = model.log_prob(samples[None], conditions)[0]
        noise = model.net._transform(samples, model.embedding_net(conditions))[0] if build is build_maf else None
    np.testing.assert_allclose(found.log_prob(samples, conditions), log_prob, rtol=1e-4, atol=1e-4)
    z, _ = found.forward(samples, conditions)
    if noise is not None:
        np.testing.assert_allclose(z, noise, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.inverse(z, conditions)[0], samples, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def trained():
    """A posterior for a box prior, its prior, and the simulations."""
    torch.manual_seed(1)
    prior = BoxUniform(-2 * torch.ones(2), 2 * torch.ones(2), device="cpu")
    theta = prior.sample((300,))
    x = torch.cat([theta, theta[:, :1] * theta[:, 1:]], dim=1) * 10 + torch.randn(300, 3) + 50
    return prior, theta, x


@pytest.mark.parametrize("kind", ["maf", "maf_rqs", "nsf", "made", "zuko_maf", "zuko_nsf"])
def test_a_trained_posterior(kind, trained, tmp_path):
    """In the support, posterior.log_prob is the log_prob of the estimator and so of the file, plus a constant."""
    prior, theta, x = trained
    inference = NPE(prior=prior, density_estimator=kind, show_progress_bars=False)
    inference.append_simulations(theta, x).train(max_num_epochs=3)
    posterior = inference.build_posterior()
    agree(posterior)
    flowrt.save(tmp_path / "flow.flw", posterior, verify=True)
    found = flowrt.Model(tmp_path / "flow.flw")
    assert (found.dim, found.context_dim) == (2, 3)
    inside, observation = theta[:20], x[0]
    ours = found.log_prob(inside, observation)
    raw = posterior.log_prob(inside, x=observation, norm_posterior=False)
    np.testing.assert_allclose(ours, raw, rtol=1e-4, atol=1e-4)
    corrected = posterior.log_prob(inside, x=observation).numpy() - ours
    assert corrected.min() >= 0 and np.ptp(corrected) < 1e-3
    outside = torch.full((1, 2), 3.0)
    assert posterior.log_prob(outside, x=observation) == -np.inf and np.isfinite(found.log_prob(outside, observation))


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_other_estimators_are_refused_by_name():
    refused(build_mdn(*batches()), "MixtureDensityEstimator is not supported: it is a mixture of normals")
    refused(build_zuko_gf(*batches()), "GaussianizationTransform is not supported")


def test_other_posteriors_are_refused_by_name(trained):
    prior, theta, x = trained
    inference = NLE(prior=prior, show_progress_bars=False)
    likelihood = inference.append_simulations(theta, x).train(max_num_epochs=1)
    assert agree(likelihood).context_dim == 2
    refused(inference.build_posterior(), "MCMCPosterior .*: it draws by Markov chains; save the density estimator")


def test_what_a_posterior_draws_from_is_named_as_it_is(trained):
    """By Markov chains one draws of a likelihood, of a flow of the posterior, or of a classifier."""
    prior, theta, x = trained
    inference = NPE(prior=prior, show_progress_bars=False)
    inference.append_simulations(theta, x).train(max_num_epochs=1)
    for kind, name in (("mcmc", "MCMC"), ("vi", "VI"), ("rejection", "Rejection")):
        message = f"{name}Posterior .*; save the flow that it draws from .potential_fn.posterior_estimator.$"
        refused(inference.build_posterior(sample_with=kind), message)
    ratios = NRE(prior=prior, show_progress_bars=False)
    ratios.append_simulations(theta, x).train(max_num_epochs=1)
    refused(ratios.build_posterior(), "MCMCPosterior .*; what it draws from is a classifier .potential_fn.ratio_est")
    refused(ratios, r"NRE\w* is not a flow .*; its ._neural_net: RatioEstimator is not supported: it is a classifier")
    refused(inference, r"NPE\w* is not a flow .*, but its ._neural_net \(NFlowsFlow\) is one: give that")
    accepted = RestrictedPrior(prior, lambda theta: theta[:, 0] > 0, sample_with="rejection")
    refused(accepted, "RestrictedPrior is not supported: it is a prior with a classifier; save the posterior that")


def test_other_embedding_nets_are_refused_by_name():
    refused(
        estimator(build_maf, embedding_net=nn.Sequential(nn.Linear(4, 6), nn.Softmax(dim=-1))), "activation Softmax"
    )
    upsampling = nn.Sequential(nn.Upsample(scale_factor=2), nn.Flatten(), nn.Linear(36, 5))
    refused(
        estimator(build_maf, shape=(3, 6), embedding_net=upsampling), "Upsample.*embedded=True"
    )

    class Squared(FCEmbedding):
        def forward(self, x):
            return super().forward(x) ** 2

    refused(
        estimator(build_maf, embedding_net=Squared(4, 6)), "activation pow is not supported"
    )


def test_the_length_of_the_condition_must_be_right():
    with pytest.raises(flowrt.ExportError, match="the condition of NFlowsFlow has 4 numbers; context_dim is 5"):
        flowrt.save("never-written.flw", estimator(build_maf), context_dim=5)
    rows = nn.Sequential(nn.Linear(3, 4), nn.Flatten())
    assert agree(estimator(build_maf, shape=(2, 3), embedding_net=rows)).context_dim == 6  # each row by itself


def test_limits_of_conditions_are_noticed_in_their_own_units():
    """No condition that is near zero, or that sbi standardises to one far from it, would reach them."""

    class Limited(FCEmbedding):
        def forward(self, x):
            return super().forward(x.clamp(-1.5, 1.5))

    limited = estimator(build_maf, embedding_net=Limited(4, 6))  # a clamp in its `forward` is part of the file
    file = flowrt.compile(choose(limited).describe(limited))
    x, context = torch.randn(20, file.dim).double(), 20 * torch.randn(20, file.context_dim).double()
    with torch.no_grad():
        expected = limited.double().log_prob(x[None], context)[0].numpy()
    np.testing.assert_allclose(flowrt.reference.log_prob(file, x.numpy(), context.numpy()), expected, rtol=1e-6)
    model = estimator(build_zuko_maf)
    model._embedding_net.register_forward_hook(lambda module, given, result: result.clamp(-1.5, 1.5))
    refused(model, "were all recognised, but its .* differs by .* from what the model computes")


def test_a_posterior_that_samples_in_its_own_way_is_refused(trained):
    prior, theta, x = trained
    inference = NPE(prior=prior, show_progress_bars=False)
    inference.append_simulations(theta, x).train(max_num_epochs=1)
    posterior = inference.build_posterior()
    posterior.sample = lambda *arguments, **options: None
    refused(posterior, "DirectPosterior overrides sample")
