"""State dicts of normflows without their code: the same file as from the live model, and what is asked for."""

from __future__ import annotations

import itertools

import normflows as nf
import numpy as np
import pytest
import torch
from normflows.distributions.base import ConditionalDiagGaussian
from normflows.distributions.base import Uniform as UniformOfBox
from stored import same
from torch import nn

import flowrt

ASKED = {"layout": "normflows", "activation": "relu", "tail_bound": 3.0}


def flow(*layers, features=4, base=None, kind=nf.NormalizingFlow):
    return kind(base or nf.distributions.DiagGaussian(features), list(layers))


def kinds(model):
    return [type(layer).__name__ for layer in model.flows]


def coupling(features=4, split_mode="channel", outputs=None, leaky=0.0, **options):
    smaller, larger = features // 2, (features + 1) // 2
    given, changed = (smaller, larger) if split_mode == "channel_inv" else (larger, smaller)
    outputs = changed * (2 if options.get("scale", True) else 1)
    return nf.flows.AffineCouplingBlock(nf.nets.MLP([given, 9, 7, outputs], leaky), split_mode=split_mode, **options)


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_affine_autoregressive_layers(features, residual, batch_norm):
    options = {"use_residual_blocks": residual, "use_batch_norm": batch_norm, "activation": torch.tanh}
    layers = [nf.flows.MaskedAffineAutoregressive(features, 12, num_blocks=2, **options) for _ in range(2)]
    model = flow(layers[0], nf.flows.Permute(features), layers[1], features=features)
    same(model, {**ASKED, "activation": "tanh", "modules": kinds(model)})


@pytest.mark.parametrize("context", [None, 3])
@pytest.mark.parametrize("features", [1, 2, 5])
def test_splines(features, context):
    make = {"num_context_channels": context, "num_bins": 5, "tail_bound": 2.5}
    layers = [nf.flows.AutoregressiveRationalQuadraticSpline(features, 2, 10, permute_mask=True, **make)]
    layers.append(nf.flows.LULinearPermute(features))
    if features > 1:
        layers += [nf.flows.CoupledRationalQuadraticSpline(features, 1, 10, reverse_mask=r, **make) for r in (0, 1)]
    kind = nf.ConditionalNormalizingFlow if context else nf.NormalizingFlow
    model = flow(*layers, features=features, kind=kind)
    file = same(model, {**ASKED, "tail_bound": 2.5, "modules": kinds(model)})
    assert file.context_dim == (context or 0)


@pytest.mark.parametrize("scale_map", ["exp", "sigmoid", "sigmoid_inv"])
@pytest.mark.parametrize(
    "features, split_mode",
    [*itertools.product([2, 6], ["channel", "channel_inv", "checkerboard", "checkerboard_inv"]),
     (5, "channel"), (5, "channel_inv")],
)  # fmt: skip
def test_coupling_blocks(features, split_mode, scale_map):
    layers = [coupling(features, split_mode, leaky=0.1, scale_map=scale_map), nf.flows.Permute(features, "swap"),
              coupling(features, split_mode, leaky=0.1, scale=False), nf.flows.ActNorm(features)]  # fmt: skip
    layers[-1].data_dep_init_done.fill_(1)
    model = flow(*layers, nf.flows.Permute(features, mode="swap"), features=features)
    network = {"activation": nn.LeakyReLU(0.1)}
    same(model, {**ASKED, "modules": kinds(model), "param_map": network, "scale_map": scale_map,
                 "split_mode": [split_mode] * 2})  # fmt: skip


def test_masked_affine_flows_and_linear_layers():
    def net(output_fn=None):
        return nf.nets.MLP([4, 8, 4], leaky=0.2, output_fn=output_fn)

    mask = torch.tensor([1.0, 0, 1, 0])
    layers = [
        nf.flows.MaskedAffineFlow(mask, net(), net("tanh")),
        nf.flows.MaskedAffineFlow(1 - mask, net()),
        nf.flows.MaskedAffineFlow(mask, s=net("tanh")),
        nf.flows.InvertibleAffine(4),
        nf.flows.AffineConstFlow((4,)),
        nf.flows.InvertibleAffine(4, use_lu=False),
    ]
    model = flow(*layers)
    leaky = nn.LeakyReLU(0.2)
    networks = {"t": {"activation": leaky}, "s": {"activation": leaky, "last_activation": "tanh"}}
    same(model, {**ASKED, **networks, "modules": kinds(model)}, prefix="net.", std=0.3)


@pytest.mark.parametrize(
    "base",
    [
        nf.distributions.GaussianMixture(3, 4),
        nf.distributions.DiagGaussian(4, trainable=False),
        UniformOfBox(4, -2.0, 3.0),
    ],
)
def test_bases(base):
    model = flow(nf.flows.MaskedAffineAutoregressive(4, 8), base=base)
    box = {"dim": 4, "uniform": {"lower": -2, "upper": 3}} if isinstance(base, UniformOfBox) else {}
    same(model, {**ASKED, **box, "modules": kinds(model)})


def test_a_base_of_the_context():
    encoder = nf.nets.MLP([3, 7, 8], leaky=0.3)
    base = ConditionalDiagGaussian(4, encoder)
    layer = nf.flows.MaskedAffineAutoregressive(4, 8, context_features=3)
    model = flow(layer, base=base, kind=nf.ConditionalNormalizingFlow)
    asked = {**ASKED, "dim": 4, "context_encoder": {"activation": nn.LeakyReLU(0.3)}}
    assert same(model, {**asked, "modules": kinds(model)}).context_dim == 3


def test_what_save_writes(tmp_path):
    """The state dict on disk computes what the live model does, bit for bit."""
    model = flow(nf.flows.AutoregressiveRationalQuadraticSpline(4, 1, 8, init_identity=False))
    model.save(tmp_path / "model.pt")
    stored = torch.load(tmp_path / "model.pt", weights_only=True)
    x = np.random.default_rng(0).normal(size=(5, 4))
    expected = {"x": x, "log_prob": model.log_prob(torch.as_tensor(x, dtype=torch.float32)).detach().numpy()}
    description = {**ASKED, "state_dict": stored, "modules": kinds(model), "expected": expected}
    flowrt.save(tmp_path / "stored.flw", description)
    flowrt.save(tmp_path / "live.flw", model)
    read = [flowrt.Model(tmp_path / name).log_prob(x.astype(np.float32)) for name in ("stored.flw", "live.flw")]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"modules": None}, "'modules' is missing: .*0 MaskedAffineAutoregressive, 1 Permute, 2 MaskedAffineAuto"),
        ({"modules": ["MaskedAffineAutoregressive", "Permute"]}, "'modules' has 2 entries, .* has flows.2"),
        ({"modules": ["ActNorm", "Permute", "ActNorm"]}, "flows.0 is ActNorm in 'modules', which has data_dep_init"),
        ({"modules": ["Planar", "Permute", "ActNorm"]}, "'Planar' of 'modules' is not read from a state dict: load it"),
        ({"activation": None}, "'activation' is missing"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, change, message):
    layers = [nf.flows.MaskedAffineAutoregressive(4, 8) for _ in range(2)]
    model = flow(layers[0], nf.flows.Permute(4), layers[1])
    options = {**ASKED, "modules": kinds(model), "state_dict": model.state_dict(), **change}
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save(tmp_path / "x.flw", options)


@pytest.mark.parametrize("missing, what", [("split_mode", "how couplings split"), ("scale_map", "raw scale"),
                                           ("param_map", "activation")])  # fmt: skip
def test_what_a_coupling_needs_is_asked_for(tmp_path, missing, what):
    model = flow(coupling())
    options = {**ASKED, "modules": kinds(model), "split_mode": "channel", "scale_map": "exp",
               "param_map": {"activation": "relu"}, "state_dict": model.state_dict()}  # fmt: skip
    flowrt.save(tmp_path / "x.flw", options)
    with pytest.raises(flowrt.ExportError, match=f"'{missing}' is missing: .*{what}"):
        flowrt.save(tmp_path / "x.flw", {**options, missing: None})


def test_other_layers_and_bases_are_refused_by_name(tmp_path):
    circular = nf.flows.CircularAutoregressiveRationalQuadraticSpline(4, 1, 8, [0, 2])
    coupled = nf.flows.CircularCoupledRationalQuadraticSpline(4, 1, 8, [0, 2])
    for layer, name in ((circular, "AutoregressiveRationalQuadraticSpline"), (coupled, "CoupledRational")):
        name = type(layer).__name__.removeprefix("Circular")
        with pytest.raises(flowrt.ExportError, match="flows.0 with .* is not read from a state dict: load it into"):
            flowrt.save(tmp_path / "x.flw", {**ASKED, "modules": [name], "state_dict": flow(layer).state_dict()})
    model = flow(nf.flows.ActNorm(4))
    with pytest.raises(flowrt.ExportError, match="flows.0 has seen no data yet"):
        flowrt.save(tmp_path / "x.flw", {**ASKED, "modules": ["ActNorm"], "state_dict": model.state_dict()})
