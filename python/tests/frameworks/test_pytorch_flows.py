"""State dicts in the layout of pytorch-flows, against modules of the same layout written here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import flowrt
from flowrt import descriptions, reference

RELU, TANH, SIGMOID = "relu", "tanh", "sigmoid"
FUNCTIONS = {RELU: nn.ReLU, TANH: nn.Tanh, SIGMOID: nn.Sigmoid}


class Masked(nn.Module):
    """A linear map with a mask, and one of the context beside it."""

    def __init__(self, mask, context):
        super().__init__()
        self.register_buffer("mask", mask.double())
        self.linear = nn.Linear(mask.shape[1], mask.shape[0])
        if context:
            self.cond_linear = nn.Linear(context, mask.shape[0], bias=False)

    def forward(self, values, context=None):
        result = nn.functional.linear(values, self.linear.weight * self.mask, self.linear.bias)
        return result if context is None else result + self.cond_linear(context)


class MADE(nn.Module):
    """u = (x - m) exp(-a), the m of all coordinates before the a of all."""

    def __init__(self, dim, hidden, context=0, activation=RELU, tanh=False, outputs=2):
        super().__init__()
        rank = torch.arange(dim)
        degree = torch.arange(hidden) % max(1, dim - 1)
        last = rank.repeat(outputs)[:, None] > degree if dim > 1 else torch.zeros(outputs, hidden)
        self.joiner = Masked(degree[:, None] >= rank if dim > 1 else torch.zeros(hidden, 1), context)
        self.trunk = nn.Sequential(
            FUNCTIONS[activation](),
            Masked(degree[:, None] >= degree, 0),
            FUNCTIONS[activation](),
            Masked(last, 0),
        )
        self.tanh = tanh

    def forward(self, x, context=None):
        m, a = self.trunk(self.joiner(x, context)).chunk(2, dim=1)
        a = torch.tanh(a) if self.tanh else a
        return (x - m) * torch.exp(-a), -a.sum(dim=1)


class BatchNormFlow(nn.Module):
    """The variance holds what keeps it from zero."""

    def __init__(self, dim):
        super().__init__()
        self.log_gamma, self.beta = nn.Parameter(0.3 * torch.randn(dim)), nn.Parameter(torch.randn(dim))
        self.register_buffer("running_mean", torch.randn(dim))
        self.register_buffer("running_var", torch.empty(dim).uniform_(0.5, 2))

    def forward(self, x, context=None):
        log_scale = self.log_gamma - 0.5 * self.running_var.log()
        return (x - self.running_mean) * log_scale.exp() + self.beta, log_scale.sum()


class ActNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight, self.bias = nn.Parameter(0.3 * torch.randn(dim)), nn.Parameter(torch.randn(dim))

    def forward(self, x, context=None):
        return (x - self.bias) * self.weight.exp(), self.weight.sum()


class InvertibleMM(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W = nn.Parameter(torch.eye(dim) + 0.3 / dim**0.5 * torch.randn(dim, dim))

    def forward(self, x, context=None):
        return x @ self.W, torch.linalg.slogdet(self.W)[1]


class LUInvertibleMM(nn.Module):
    """L and U hold whole matrices, of which a triangle counts; P and the signs are no buffers."""

    def __init__(self, dim):
        super().__init__()
        self.L, self.U = (nn.Parameter(0.5 / dim**0.5 * torch.randn(dim, dim)) for _ in range(2))
        self.log_S = nn.Parameter(0.3 * torch.randn(dim))
        self.P = torch.eye(dim)[torch.randperm(dim)].double()
        self.sign_S = torch.where(torch.rand(dim) < 0.5, -1.0, 1.0).double()

    def forward(self, x, context=None):
        lower = torch.tril(self.L, -1) + torch.eye(len(self.L))
        upper = torch.triu(self.U, 1) + torch.diag(self.sign_S * self.log_S.exp())
        return x @ (self.P @ lower @ upper), self.log_S.sum()


class MADESplit(nn.Module):
    """Two networks: `s` gives the m of MADE, `t` its a."""

    def __init__(self, dim, hidden, context=0, activations=(TANH, RELU), tanh=False):
        super().__init__()
        for name, activation in zip("st", activations):
            network = MADE(dim, hidden, context, activation, outputs=1)
            setattr(self, f"{name}_joiner", network.joiner)
            setattr(self, f"{name}_trunk", network.trunk)
        self.tanh = tanh

    def forward(self, x, context=None):
        m, a = self.s_trunk(self.s_joiner(x, context)), self.t_trunk(self.t_joiner(x, context))
        a = torch.tanh(a) if self.tanh else a
        return (x - m) * torch.exp(-a), -a.sum(dim=1)


class CouplingLayer(nn.Module):
    """The mask is no buffer; the context stands behind the masked coordinates."""

    def __init__(self, mask, hidden, context=0, activations=(TANH, RELU)):
        super().__init__()
        self.mask = torch.tensor(mask).double()
        dim = len(mask)

        def network(activation):
            function = FUNCTIONS[activation]
            linears = nn.Linear(dim + context, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, dim)
            return nn.Sequential(linears[0], function(), linears[1], function(), linears[2])

        self.scale_net, self.translate_net = map(network, activations)

    def forward(self, x, context=None):
        given = x * self.mask if context is None else torch.cat([x * self.mask, context], dim=1)
        s, t = (net(given) * (1 - self.mask) for net in (self.scale_net, self.translate_net))
        return x * s.exp() + t, s.sum(dim=1)


class Reverse(nn.Module):
    def forward(self, x, context=None):
        return x.flip(1), 0.0


class Shuffle(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.perm = np.random.default_rng(3).permutation(dim)

    def forward(self, x, context=None):
        return x[:, self.perm], 0.0


def sequence(*modules):
    return nn.Sequential(*modules).double().eval()


def forward(flow, x, context):
    log_det = 0.0
    with torch.no_grad():
        x, context = torch.tensor(x), None if context is None else torch.tensor(context)
        for module in flow:
            x, slope = module(x, context)
            log_det = log_det + slope
    return x.numpy(), log_det.numpy()


def described(flow, activation=RELU, prefix="", **more):
    return {
        "layout": "pytorch-flows",
        "state_dict": {prefix + name: value for name, value in flow.state_dict().items()},
        "modules": [type(module).__name__ for module in flow],
        "activation": activation,
        **more,
    }


def agree(flow, dim, context_dim=0, **more):
    """z and log_det of the file, in float64, and x again from z."""
    description = described(flow, **more)
    file = flowrt.compile(descriptions.read(description)[0])
    generator = np.random.default_rng(0)
    x = generator.normal(size=(6, dim))
    context = generator.normal(size=(6, context_dim)) if context_dim else None
    z, log_det = forward(flow, x, context)
    ours, our_log_det = reference.forward(file, x, context)
    np.testing.assert_allclose(ours, z, rtol=0, atol=1e-12 * max(1, np.abs(z).max()))
    np.testing.assert_allclose(
        our_log_det, np.broadcast_to(log_det, 6), rtol=0, atol=1e-12 * max(1, np.abs(log_det).max())
    )
    back, _ = reference.inverse(file, z, context)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-8)
    return file


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("context", [0, 1, 4])
@pytest.mark.parametrize("dim", [1, 2, 5, 64])
def test_mafs(dim, context, activation, tanh):
    modules = []
    for _ in range(2):
        modules += [MADE(dim, max(16, dim), context, activation, tanh), BatchNormFlow(dim), Reverse()]
    file = agree(sequence(*modules), dim, context, activation=activation, pre_exp_tanh=tanh)
    assert file.context_dim == context and [hasattr(step, "reads") for step in file.steps].count(True) == 2


def test_the_other_modules():
    flow = sequence(ActNorm(4), InvertibleMM(4), MADE(4, 16), Shuffle(4), Reverse(), BatchNormFlow(4))
    agree(flow, 4, permutations=[flow[3].perm.tolist()])


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("activations", [(TANH, RELU), (SIGMOID, TANH)])
@pytest.mark.parametrize("mask", [[1, 0], [0, 1, 0, 1, 1], [0] * 4, [1, 0] * 32])
def test_couplings(mask, activations, context):
    dim, other = len(mask), [1 - m for m in mask]
    layers = [CouplingLayer(m, 12, context, activations) for m in (mask, other if 0 in other else mask)]
    flow = sequence(layers[0], BatchNormFlow(dim), layers[1], Reverse())
    options = dict(zip(("s_activation", "t_activation"), activations))
    masks = [layer.mask.tolist() for layer in layers]
    file = agree(flow, dim, context, activation=None, masks=masks, **options)
    assert file.context_dim == context and file.steps[0].passthrough == sum(mask)


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("dim", [1, 2, 5, 64])
def test_mafs_of_two_networks(dim, context, tanh):
    layers = [MADESplit(dim, max(16, dim), context, (SIGMOID, RELU), tanh) for _ in range(2)]
    options = {"s_activation": SIGMOID, "t_activation": RELU, "pre_exp_tanh": tanh}
    agree(sequence(layers[0], Reverse(), layers[1]), dim, context, activation=None, **options)


@pytest.mark.parametrize("dim", [1, 2, 5, 64])
def test_matrices_of_factors(dim):
    flow = sequence(LUInvertibleMM(dim), LUInvertibleMM(dim))
    agree(flow, dim, activation=None, factors=[{"P": part.P, "sign_S": part.sign_S} for part in flow])


@pytest.mark.parametrize("prefix", ["module.", "flow.net.", "0.", "base_model.1."])
def test_prefixes(prefix):
    agree(sequence(MADE(3, 8), BatchNormFlow(3)), 3, prefix=prefix)


def test_save_and_compare_in_c(tmp_path, capsys):
    """Export of a state dict in float32, with results of the model as what is expected."""
    flow = sequence(MADE(3, 16, 2), BatchNormFlow(3), Reverse(), MADE(3, 16, 2))
    x, context = np.random.default_rng(1).normal(size=(2, 20, 3))
    context = context[:, :2]
    z, log_det = forward(flow, x, context)
    expected = {"x": x, "context": context, "z": z, "log_det": log_det}
    flowrt.save(tmp_path / "maf.flw", described(flow.float(), expected=expected), verify=True)
    assert "libflowrt" in capsys.readouterr().out
    np.testing.assert_allclose(flowrt.Model(tmp_path / "maf.flw").forward(x, context)[0], z, rtol=1e-4, atol=1e-4)
    with pytest.raises(flowrt.ExportError, match="its z differs by"):  # a reversal too few
        wrong = sequence(MADE(3, 16, 2), BatchNormFlow(3), nn.Identity(), MADE(3, 16, 2))
        wrong.load_state_dict(flow.state_dict())
        description = described(wrong, expected=expected)
        description["modules"] = ["MADE", "BatchNormFlow", "Shuffle", "MADE"]
        flowrt.save(tmp_path / "wrong.flw", {**description, "permutations": [[0, 1, 2]]})


REFUSED = [
    ("modules", None, "'modules' is missing: the class of each module in order"),
    ("activation", None, "'activation' is missing: of all MADE modules, one of relu, tanh, sigmoid"),
    ("state_dict", None, "'state_dict' is missing"),
    ("activation", "gelu", "'activation' is 'gelu', not one of relu"),
    ("modules", ["MADE"], r"'modules' has 1 entries, but the state dict has 1\.beta"),
    ("modules", ["MADE", "Reverse"], r"module 1 \(Reverse\) has no arrays, but the state dict has \['beta'"),
    ("modules", ["MADE", "ActNorm"], r"module 1 \(ActNorm\) has no weight in the state dict"),
    ("modules", ["MADE", "BatchNormFlow", "Shuffle"], r"module 2 \(Shuffle\) is not in a state dict: give its `perm`"),
    ("modules", ["MADEMoG", "BatchNormFlow"], r"module 0 \(MADEMoG\) is not supported; supported are MADE, MADESplit"),
    ("state_dict", {"weight": torch.zeros(2)}, r"not that of one sequence of modules: \['weight'\]"),
    ("bias", 0, "the description has no 'bias'"),
]


@pytest.mark.parametrize("name, value, message", REFUSED, ids=lambda value: None)
def test_refusals(name, value, message):
    description = described(sequence(MADE(3, 8), BatchNormFlow(3)))
    description[name] = value
    with pytest.raises(flowrt.ExportError, match=message):
        descriptions.read(description)


COUPLING = {"modules": ["CouplingLayer"], "activation": None, "s_activation": TANH, "t_activation": RELU}
REFUSED_WITHOUT = [
    (
        COUPLING | {"s_activation": None},
        "'s_activation' is missing: of s_trunk of MADESplit, scale_net of CouplingLayer",
    ),
    (
        COUPLING,
        r"module 0 \(CouplingLayer\) is not in a state dict: give its `mask`, one for each CouplingLayer, in 'masks'",
    ),
    (COUPLING | {"masks": [[1, 0]]}, "has a mask that is not 3 zeros and ones"),
    (COUPLING | {"masks": [[1, 1, 1]]}, "has a mask that is not 3 zeros and ones, with a zero among them"),
]


@pytest.mark.parametrize("entries, message", REFUSED_WITHOUT, ids=lambda value: None)
def test_what_couplings_do_not_store_is_asked_for(entries, message):
    with pytest.raises(flowrt.ExportError, match=message):
        descriptions.read(described(sequence(CouplingLayer([1, 0, 1], 8))) | entries)


def test_what_factors_do_not_store_is_asked_for():
    flow = sequence(LUInvertibleMM(3))
    for entries, message in (
        ({}, r"LUInvertibleMM\) is not in a state dict: give its `P` and `sign_S`, a dictionary for each"),
        ({"factors": [flow[0].P]}, "has an entry of 'factors' that is not a dictionary with `P` and `sign_S`"),
        ({"factors": [{"P": flow[0].P[:2], "sign_S": flow[0].sign_S}]}, r"`P` of the shape \(2, 3\)"),
    ):
        with pytest.raises(flowrt.ExportError, match=message):
            descriptions.read(described(flow, activation=None, **entries))


def test_masks_that_are_not_autoregressive_are_refused():
    flow = sequence(MADE(3, 8))
    flow[0].trunk[3].mask.fill_(1.0)
    with pytest.raises(flowrt.ExportError, match=r"module 0 \(MADE\) is not autoregressive"):
        flowrt.save("never-written.flw", described(flow))


def test_the_general_form_says_the_same():
    """As in docs/DESCRIPTIONS.md."""
    flow = sequence(MADE(6, 64, 2), BatchNormFlow(6), Reverse())
    arrays = flow.state_dict()
    names = ("0.joiner", "0.trunk.1", "0.trunk.3")
    layers = [{"weight": f"{n}.linear.weight", "mask": f"{n}.mask", "bias": f"{n}.linear.bias"} for n in names]
    layers[0] |= {"context_weight": "0.joiner.cond_linear.weight", "activation": "relu"}
    layers[1] |= {"activation": "relu"}
    transformer = {"kind": "affine", "form": "shift_then_scale", "scale": "exp", "gain": -1,
                   "rows": ["parameter", "coordinate"], "parameters": ["shift", "scale"]}  # fmt: skip
    steps = [
        {"kind": "autoregressive", "reads": "data", "layers": layers, "transformer": transformer},
        {"kind": "batch_norm", "mean": "1.running_mean", "variance": "1.running_var", "epsilon": 0,
         "gain": arrays["1.log_gamma"].exp(), "shift": "1.beta"},
        {"kind": "reverse"},
    ]  # fmt: skip
    general = {"dim": 6, "context_dim": 2, "arrays": arrays, "steps": steps}
    files = [flowrt.compile(descriptions.read(description)[0]) for description in (general, described(flow))]
    assert flowrt.format.encode(files[0]) == flowrt.format.encode(files[1])
