"""Weights that torch computes at each call: they are what the model uses in evaluation mode, and the model stays."""

from __future__ import annotations

import pytest
import torch
import zuko
from live import agree
from nflows_models import affine, flow
from normflows import NormalizingFlow
from normflows.distributions import DiagGaussian
from normflows.flows import AffineCouplingBlock
from normflows.nets import MLP
from pyro.distributions import transforms as pt
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import flowrt

WAYS = {
    "parametrized weight_norm": parametrizations.weight_norm,
    "parametrized spectral_norm": parametrizations.spectral_norm,
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
    "prune": lambda linear: prune.l1_unstructured(linear, "weight", 0.3),
}
MODELS = {
    "nflows": lambda: flow(affine(use_batch_norm=True), affine(), features=3),
    "zuko": lambda: zuko.flows.MAF(3, transforms=2, hidden_features=[8]),
    "pyro": lambda: nn.ModuleList([pt.affine_autoregressive(3, [8]), pt.affine_coupling(3, [8])]),
    "normflows": lambda: NormalizingFlow(DiagGaussian(4), [AffineCouplingBlock(MLP([2, 8, 4]))]),
}


def computing(model, way):
    """The model with computed weights of other numbers than the ones it was made with."""
    for linear in [module for module in model.modules() if isinstance(module, nn.Linear)]:
        way(linear)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("framework", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_computed_weights(way, framework, tmp_path):
    model = computing(MODELS[framework](), WAYS[way])
    modules, before = list(model.modules()), {name: value.clone() for name, value in model.state_dict().items()}
    classes = list(map(type, modules))
    agree(model, tolerance=1e-9)
    flowrt.save(tmp_path / "flow.flw", model)
    assert model.training and classes == list(map(type, modules))
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("way", ["parametrized weight_norm", "parametrized spectral_norm", "spectral_norm", "prune"])
def test_the_density_of_the_model_itself(way, tmp_path):
    model = computing(MODELS["nflows"](), WAYS[way])
    flowrt.save(tmp_path / "flow.flw", model)
    x = torch.randn(40, 3)
    with torch.no_grad():
        theirs = model.eval().log_prob(x)
    ours = flowrt.reference.log_prob(tmp_path / "flow.flw", x.numpy())
    torch.testing.assert_close(torch.tensor(ours), theirs.double(), rtol=1e-5, atol=1e-5)


def test_a_result_that_a_module_keeps():
    """Such a tensor has a history, with which torch copies nothing."""
    model = flow(affine())
    model.kept = model.log_prob(torch.randn(5, 3))
    agree(model)
    assert model.kept.requires_grad


def test_a_python_module_among_the_attributes_is_not_searched():
    model = MODELS["nflows"]()
    model.functional = torch.nn.functional
    with pytest.raises(flowrt.ExportError, match="cannot pickle 'module' object"):
        flowrt.save("never-written.flw", model)
