"""Dictionaries as `torch.load` gives them, and old posteriors: read as they are, or told what to give instead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import zuko
from cases import nflows_maf
from nflows import transforms as nt
from nflows.distributions import ConditionalDiagonalNormal, StandardNormal
from nflows.flows import Flow
from normflows import NormalizingFlow
from normflows.distributions import DiagGaussian
from normflows.flows import AffineCouplingBlock
from normflows.nets import MLP
from pyro.distributions.transforms import affine_autoregressive
from sbi.inference.posteriors import DirectPosterior
from sbi.neural_nets.embedding_nets import FCEmbedding
from sbi.neural_nets.net_builders import build_maf, build_nsf, build_zuko_maf
from sbi.utils import BoxUniform
from test_state_dicts import NFLOWS, SPLINE, ZUKO, same, spline_coupling
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch_weights import randomise

import flowrt
from flowrt import descriptions, reference
from flowrt.descriptions.checkpoints import LAYOUTS
from flowrt.descriptions.flow import _FROM_STATE_DICT
from flowrt.frameworks import choose

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def maf():
    model = nflows_maf()
    randomise(model, 0.4)
    return model


def prefixed(model, prefix="model.flow."):
    return {prefix + name: value for name, value in model.state_dict().items()}


CHECKPOINTS = {
    "Lightning": lambda m: {"epoch": 3, "state_dict": prefixed(m), "optimizer_states": [{"state": {0: torch.ones(2)}}]},
    "a training loop": lambda m: {"model_state_dict": prefixed(m, ""), "loss": torch.tensor(1.0), "optimizer": {}},
    "two levels": lambda m: {"trainer": {"epoch": 1, "net": prefixed(m)}},
    "an average": lambda m: AveragedModel(m).state_dict(),
    "compiled": lambda m: torch.compile(m).state_dict(),
    "compiled inside": lambda m: prefixed(m, "net._orig_mod."),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_the_state_dict_in_a_checkpoint_is_the_flow(kind):
    model = maf()
    checkpoint = CHECKPOINTS[kind](model)
    found = flowrt.compile(descriptions.read({**NFLOWS, "state_dict": checkpoint})[0])
    expected = flowrt.compile(choose(model).describe(model))
    x = np.random.default_rng(0).normal(size=(5, expected.dim))
    np.testing.assert_allclose(reference.log_prob(found, x), reference.log_prob(expected, x), rtol=1e-12)


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_checkpoint_without_a_layout_is_told_what_to_give(kind):
    with pytest.raises(flowrt.ExportError, match="state dict of a flow in the layout of nflows.*'layout': 'nflows'"):
        flowrt.save("never-written.flw", CHECKPOINTS[kind](maf()))


OTHERS = {
    "normflows": lambda: NormalizingFlow(DiagGaussian(4), [AffineCouplingBlock(MLP([2, 8, 4]))]),
    "pyro": lambda: nn.ModuleList([affine_autoregressive(3, [8])]),
}


@pytest.mark.parametrize("layout", OTHERS)
def test_layouts_of_other_frameworks_are_told_apart(layout):
    with pytest.raises(flowrt.ExportError, match=f"layout of {layout}, .*'layout': '{layout}', .*'modules'"):
        flowrt.save("never-written.flw", {"state_dict": OTHERS[layout]().state_dict()})


def test_every_layout_that_is_recognised_has_a_reader():
    assert set(LAYOUTS) == set(_FROM_STATE_DICT)


def test_one_of_several_flows_is_chosen_by_its_prefix():
    models = {"theta.": maf(), "x.": maf()}
    both = {prefix + name: value for prefix, m in models.items() for name, value in m.state_dict().items()}
    both["x_mean"] = torch.zeros(3)
    with pytest.raises(flowrt.ExportError, match="several flows, below 'theta.', 'x.': say which by 'prefix'"):
        descriptions.read({**NFLOWS, "state_dict": both})
    for prefix, model in models.items():
        found = flowrt.compile(descriptions.read({**NFLOWS, "state_dict": both, "prefix": prefix})[0])
        expected = flowrt.compile(choose(model).describe(model))
        x = np.ones((1, expected.dim))
        np.testing.assert_allclose(reference.log_prob(found, x), reference.log_prob(expected, x), rtol=1e-12)
    with pytest.raises(flowrt.ExportError, match="no array has a name that begins with the 'prefix' 'y.'"):
        descriptions.read({**NFLOWS, "state_dict": both, "prefix": "y."})
    with pytest.raises(flowrt.ExportError, match="x_mean in the state dict belongs to no layer .*'prefix'"):
        descriptions.read({**NFLOWS, "state_dict": {"x_mean": torch.zeros(3), **prefixed(maf(), "x.")}})


def test_two_state_dicts_in_a_checkpoint_are_not_guessed():
    checkpoint = {"model": prefixed(maf()), "ema": prefixed(maf())}
    with pytest.raises(flowrt.ExportError, match=r"has several in it: give that of \['ema'\] or of \['model'\]"):
        descriptions.read({**NFLOWS, "state_dict": checkpoint})


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("kind", [zuko.flows.MAF, zuko.flows.NSF])
def test_one_feature_of_zuko(kind, context):
    assert same(kind(1, context, transforms=3), ZUKO).context_dim == context


@pytest.mark.parametrize("deep", [False, True])
def test_normal_of_the_context_as_base(deep):
    encoder = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4)) if deep else nn.Linear(2, 4)
    layers = [nt.ReversePermutation(2), nt.MaskedAffineAutoregressiveTransform(2, 6, context_features=2)]
    model = Flow(nt.CompositeTransform(layers), ConditionalDiagonalNormal([2], context_encoder=encoder))
    if deep:
        with pytest.raises(flowrt.ExportError, match="'context_encoder' is missing: a dictionary with 'activation'"):
            descriptions.read({**NFLOWS, "state_dict": model.state_dict()})
    same(model, {**NFLOWS, "context_encoder": {"activation": "tanh"}} if deep else NFLOWS)


@pytest.mark.parametrize("build, options", [(build_maf, {**NFLOWS, "activation": "tanh"}), (build_zuko_maf, ZUKO)])
@pytest.mark.parametrize("z_score_y", ["none", "independent", "structured"])
def test_embedding_nets_of_sbi(build, options, z_score_y):
    embedding = FCEmbedding(4, 3, num_layers=3, num_hiddens=5)
    x, y = torch.randn(50, 2), 3 + torch.randn(50, 4)
    model = build(x, y, hidden_features=8, num_transforms=2, embedding_net=embedding, z_score_y=z_score_y)
    relu = {"embedding": {"activation": "relu", "last_activation": "relu"}}
    if options is ZUKO:
        options = {**options, "activation": nn.ReLU()}
    file = same(model.eval(), {**options, **relu})
    assert file.context_dim == 4 and file.encoder.layers[-1].width == 3


def test_embedding_nets_of_other_modules_are_refused_by_name():
    state = {**prefixed(maf(), ""), "_embedding_net.1.conv.weight": torch.ones(2, 2, 3)}
    with pytest.raises(flowrt.ExportError, match="_embedding_net.1.conv.weight .* belongs to no linear module"):
        descriptions.read({**NFLOWS, "state_dict": state})


def test_couplings_whose_other_half_has_splines():
    layer = spline_coupling(apply_unconditional_transform=True)
    options = {"layout": "nflows", "activation": "relu", "spline": SPLINE}
    for transform in (layer, nt.InverseTransform(layer)):
        same(Flow(nt.CompositeTransform([transform, nt.ReversePermutation(4)]), StandardNormal([4])), options)


# ---- sbi before 0.23 ----


def old_posterior(build, attribute="posterior_estimator", **options):
    """What a pickle of an older sbi becomes: a posterior whose estimator is the flow itself."""
    x, y = torch.randn(60, 2), 5 + 2 * torch.randn(60, 4)
    flow = build(x, y, hidden_features=8, num_transforms=2, **options).net
    randomise(flow, 0.3)
    posterior = DirectPosterior.__new__(DirectPosterior)
    posterior.__dict__.update({attribute: flow.eval(), "prior": BoxUniform(-torch.ones(2), torch.ones(2))})
    return posterior, flow


@pytest.mark.parametrize("build", [build_maf, build_nsf])
@pytest.mark.parametrize("z_score_y", ["none", "independent", "structured"])
@pytest.mark.parametrize("embedding", [None, FCEmbedding(4, 3)])
def test_posteriors_pickled_by_an_older_sbi(build, z_score_y, embedding, tmp_path):
    options = {} if embedding is None else {"embedding_net": embedding}
    posterior, flow = old_posterior(build, z_score_y=z_score_y, **options)
    x, y = torch.randn(20, 2), 5 + 2 * torch.randn(20, 4)
    for given in (posterior, flow):
        flowrt.save(tmp_path / "old.flw", given)
        model = flowrt.Model(tmp_path / "old.flw")
        with torch.no_grad():
            expected = flow.double().log_prob(x.double(), y.double()).numpy()
        flow.float()
        np.testing.assert_allclose(model.log_prob(x, y), expected, rtol=1e-4, atol=1e-4)


def test_the_oldest_posteriors_hold_the_flow_as_net(tmp_path):
    flowrt.save(tmp_path / "old.flw", old_posterior(build_maf, "net")[0])
    assert flowrt.Model(tmp_path / "old.flw").metadata["framework"].startswith("sbi")
