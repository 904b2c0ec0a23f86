"""Networks of dense parts in any wiring, their activations, sets of trials, and flows without their embedding nets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from live import agree, agree_in_c
from nflows_models import affine, flow
from sbi.neural_nets.embedding_nets import FCEmbedding, PermutationInvariantEmbedding, SpectralConvEmbedding
from sbi.neural_nets.net_builders import build_maf, build_zuko_maf
from torch import nn
from torch.nn import functional as F
from torch_weights import randomise

import flowrt
from flowrt.building.activations import recognise
from flowrt.building.compositions import evaluate
from flowrt.flow.flow import Composition

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
C, E = 6, 4


def swish_with_a_factor(v):
    return v * torch.sigmoid(1.702 * v)


ACTIVATIONS = [
    nn.SELU(), nn.CELU(0.3), nn.CELU(2.5), nn.ReLU6(), nn.Hardtanh(), nn.Hardtanh(-2, 3.3), nn.Hardsigmoid(),
    nn.Hardswish(), nn.Mish(), nn.LogSigmoid(), nn.Softplus(2.0), nn.Softplus(0.5), nn.Tanhshrink(), nn.Softshrink(0.4),
    nn.Threshold(0.1, 0.1), swish_with_a_factor,
]  # fmt: skip


@pytest.mark.parametrize("function", ACTIVATIONS, ids=lambda f: getattr(f, "__name__", None) or repr(f))
def test_compositions_are_the_functions(function):
    composition, a = recognise(function)
    assert isinstance(composition, Composition) and a == 0
    v = torch.linspace(-40, 40, 4001, dtype=torch.float64)
    np.testing.assert_allclose(evaluate(composition, v.numpy()), function(v).numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    "function", [nn.Hardshrink(), torch.exp, lambda v: v.clamp(-5, 1e5)], ids=["hard", "exp", "far"]
)
def test_what_is_no_composition_is_refused_by_name_or_exact(function):
    """A limit at 1e5 is on the grid that an activation is compared on: it is not overlooked."""
    try:
        composition, _ = recognise(function)
    except flowrt.ExportError as error:
        assert "is not supported; supported are identity, relu" in str(error)
    else:
        v = np.array([-1e6, -6.0, 0.0, 99999.0, 1e6])
        np.testing.assert_allclose(evaluate(composition, v), function(torch.tensor(v)).numpy())


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(
    "function", [nn.SELU(), nn.Mish(), nn.Hardswish(), nn.CELU(0.5), nn.ReLU6(), nn.PReLU(8)], ids=repr
)
def test_activations_of_the_networks_of_a_flow(function, residual):
    options = {"activation": function, "context_features": 2, "use_residual_blocks": residual}
    model = flow(affine(**options), affine(**options))
    randomise(model, 0.5)
    agree(model)
    agree_in_c(model)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner, self.outer, self.norm = nn.Linear(width, width), nn.Linear(width, width), nn.BatchNorm1d(width)

    def forward(self, x):
        return x + self.outer(F.relu(self.norm(self.inner(x))))


class ResidualNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(C, 7), nn.Linear(7, E)
        self.blocks = nn.ModuleList([Residual(7), Residual(7)])

    def forward(self, x):
        h = self.first(x)
        for block in self.blocks:
            h = torch.tanh(block(h))
        return 0.5 * self.last(h) - 1


class Branches(nn.Module):
    """Two parts of the condition have networks of their own, one of which gates the other."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.last = nn.Linear(4, 5), nn.Linear(2, 5), nn.Linear(10, E)

    def forward(self, x):
        left, right = F.silu(self.left(x[:, :4])), torch.sigmoid(self.right(x[:, 4:]))
        return self.last(torch.cat([left * right, left - 2 * right], dim=-1))


class DeepSet(nn.Module):
    def __init__(self):
        super().__init__()
        self.each = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 5))
        self.all = nn.Linear(5, E)

    def forward(self, x):
        return self.all(F.mish(self.each(x.view(x.shape[0], 3, 2)).mean(dim=1)))


NETWORKS = {
    "batch norm": lambda: nn.Sequential(nn.Linear(C, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, E)),
    "batch norm first": lambda: nn.Sequential(nn.BatchNorm1d(C), nn.Linear(C, 8), nn.ReLU(), nn.Linear(8, E)),
    "layer norm first": lambda: nn.Sequential(nn.LayerNorm(C), nn.Linear(C, E), nn.Mish()),
    "activation first": lambda: nn.Sequential(nn.Tanh(), nn.Linear(C, E)),
    "slopes": lambda: nn.Sequential(nn.Linear(C, 8), nn.PReLU(8), nn.Linear(8, 8), nn.PReLU(), nn.Linear(8, E)),
    "selu at the end": lambda: nn.Sequential(nn.Linear(C, 8), nn.SELU(), nn.Linear(8, E), nn.SELU()),
    "residual": ResidualNetwork,
    "residual in sequence": lambda: nn.Sequential(nn.Linear(C, 5), Residual(5), nn.ELU(), Residual(5), nn.Linear(5, E)),
    "branches": Branches,
    "deep set": DeepSet,
    **{f"FCEmbedding of {n}": lambda n=n: FCEmbedding(C, E, num_layers=n, activation=nn.Mish) for n in (2, 3, 5)},
    "FCEmbedding with norms": lambda: FCEmbedding(C, E, num_layers=3, enable_layer_norm=True),
}


def statistics(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("build", [build_maf, build_zuko_maf])
def test_dense_embedding_nets(name, build):
    x, y = torch.randn(50, 3), 4 + 2 * torch.randn(50, C)
    model = build(x, y, hidden_features=8, num_transforms=2, embedding_net=NETWORKS[name]().eval()).eval()
    randomise(model, 0.3)
    statistics(model)
    file = agree(model, tolerance=1e-11)
    agree_in_c(model)
    assert file.context_dim == C and file.encoder.layers[-1].width == E


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
@pytest.mark.parametrize("build", [build_maf, build_zuko_maf])
def test_sets_of_a_fixed_number_of_trials(build, aggregation):
    trials = PermutationInvariantEmbedding(FCEmbedding(3, 5), 5, aggregation_fn=aggregation, output_dim=E)
    x, y = torch.randn(50, 2), 4 + 2 * torch.randn(50, 7, 3)
    model = build(x, y, hidden_features=8, num_transforms=2, embedding_net=trials, z_score_y="structured").eval()
    randomise(model, 0.2)
    assert agree(model, tolerance=1e-11).context_dim == 21
    agree_in_c(model)


class Limited(nn.Sequential):
    def forward(self, x):
        return super().forward(x).clamp(-1, 1)


def test_a_forward_that_limits_is_read_too():
    model = flow(affine(context_features=E), embedding_net=Limited(nn.Linear(C, E))).eval()
    randomise(model, 3.0)
    agree(model)


REFUSED = {
    "SpectralConvEmbedding": (lambda: SpectralConvEmbedding(2, modes=E // 2), (2, 9)),
    "PermutationInvariantEmbedding of 2000 trials": (
        lambda: PermutationInvariantEmbedding(FCEmbedding(3, 5), 5, output_dim=E), (2000, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("build", [build_maf, build_zuko_maf])
def test_other_embedding_nets_are_run_elsewhere(name, build, tmp_path):
    """Refused by name with the way on; `embedded=True` saves the flow behind them."""
    make, shape = REFUSED[name]
    x, y = torch.randn(20, 3), 4 + 2 * torch.randn(20, *shape)
    model = build(x, y, hidden_features=8, num_transforms=2, embedding_net=make()).eval()
    with pytest.raises(flowrt.ExportError, match="or give embedded=True to save the flow behind the embedding net"):
        flowrt.save(tmp_path / "flow.flw", model)
    flowrt.save(tmp_path / "flow.flw", model, embedded=True, notes="by night")
    found = flowrt.Model(tmp_path / "flow.flw")
    assert found.context_dim == E
    assert found.metadata["notes"] == "by night; the context is what the embedding net gives"
    with torch.no_grad():
        codes, expected = model.embedding_net(y), model.log_prob(x[None], y)[0]
    np.testing.assert_allclose(found.log_prob(x, codes), expected, rtol=1e-5, atol=1e-5)


def test_embedded_flows_of_nflows(tmp_path):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(2, E, batch_first=True)

        def forward(self, x):
            return self.gru(x.reshape(-1, 3, 2))[0][:, -1]

    model = flow(affine(context_features=E), embedding_net=Last()).eval()
    with pytest.raises(flowrt.ExportError, match="GRU is not supported.*embedded=True"):
        flowrt.save(tmp_path / "flow.flw", model, context_dim=C)
    flowrt.save(tmp_path / "flow.flw", model, embedded=True)
    x, c = torch.randn(9, 3), torch.randn(9, C)
    with torch.no_grad():
        codes, expected = model._embedding_net(c), model.log_prob(x, c)
    np.testing.assert_allclose(flowrt.Model(tmp_path / "flow.flw").log_prob(x, codes), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", [flow(affine()), {"dim": 1, "steps": []}], ids=["no embedding net", "description"])
def test_embedded_is_for_flows_with_an_embedding_net(tmp_path, model):
    with pytest.raises(flowrt.ExportError, match="embedded=True is for a flow with an embedding net|'embedded' is for"):
        flowrt.save(tmp_path / "never-written.flw", model, embedded=True)
