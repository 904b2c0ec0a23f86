"""normflows: options, dimensions, directions, refusals."""

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
from flowrt.file.codes import BaseKind, Form, Reads, Scale, Transformer

FEATURES = st.sampled_from([1, 2, 3, 8, 17, 64])
SEVERAL_FEATURES = st.sampled_from([2, 3, 8, 17, 64])


def flow(*layers, features=3, **options):
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(features, **options), list(layers))


def conditional(*layers, features=3):
    return nf.ConditionalNormalizingFlow(nf.distributions.DiagGaussian(features, trainable=False), list(layers))


def affine(features=3, hidden=8, **options):
    return nf.flows.MaskedAffineAutoregressive(features, hidden, **options)


def coupling(features=3, split_mode="channel", **options):
    smaller, larger = features // 2, (features + 1) // 2
    given, changed = (smaller, larger) if split_mode == "channel_inv" else (larger, smaller)
    outputs = changed * (2 if options.get("scale", True) else 1)
    return nf.flows.AffineCouplingBlock(nf.nets.MLP([given, 9, 7, outputs]), split_mode=split_mode, **options)


@given(
    features=FEATURES,
    context=st.sampled_from([None, 1, 4]),
    hidden=st.integers(1, 40),
    blocks=st.integers(0, 3),
    batch_norm=st.booleans(),
    activation=st.sampled_from([torch.relu, torch.tanh, nn.ELU(), nn.functional.silu]),
)
def test_every_combination_of_options(features, context, hidden, blocks, batch_norm, activation):
    torch.manual_seed(0)
    options = {"num_blocks": blocks, "use_batch_norm": batch_norm, "activation": activation}
    layers = [
        affine(features, hidden, context_features=context, **options),
        nf.flows.Permute(features),
        affine(features, hidden, context_features=context, **options),
    ]
    model = conditional(*layers, features=features) if context else flow(*layers, features=features)
    randomise(model, 0.2)
    agree(model, rows=3)
    agree_in_c(model)


@given(
    features=FEATURES,
    hidden=st.integers(1, 30),
    blocks=st.integers(0, 3),
    random_mask=st.booleans(),
    batch_norm=st.booleans(),
)
def test_feedforward_blocks(features, hidden, blocks, random_mask, batch_norm):
    torch.manual_seed(features)
    options = {"use_residual_blocks": False, "random_mask": random_mask, "use_batch_norm": batch_norm}
    layers = [affine(features, hidden, num_blocks=blocks, **options) for _ in range(2)]
    model = flow(layers[0], nf.flows.Reverse(layers[1]), features=features)
    randomise(model, 0.3)
    agree(model, rows=3)
    agree_in_c(model)


def test_a_layer_reads_noise_and_its_reverse_reads_data():
    (iaf,) = agree(flow(affine())).steps
    (maf,) = agree(flow(nf.flows.Reverse(affine()))).steps
    (again,) = agree(flow(nf.flows.Reverse(nf.flows.Reverse(affine())))).steps
    assert (iaf.reads, maf.reads, again.reads) == (Reads.NOISE, Reads.DATA, Reads.NOISE)
    assert iaf.scale == Scale.SIGMOID and iaf.form == Form.SCALE_THEN_SHIFT and iaf.p[0] == 1e-3


def test_a_flow_that_is_not_conditional_ignores_the_context_layers():
    model = flow(affine(context_features=2))
    randomise(model, 0.5)
    assert agree(model).context_dim == 0


def test_the_context_gates_the_residual_blocks():
    model = conditional(affine(context_features=2))
    randomise(model, 0.5)
    file = agree(model)
    assert file.context_dim == 2 and sum(layer.gate > 0 for layer in file.steps[0].layers) == 2


def test_a_permuted_order():
    layer = affine(5, 12)
    layer.autoregressive_net = nf.nets.MADE(5, 12, output_multiplier=2, permute_mask=True)
    model = flow(layer, features=5)
    randomise(model, 0.5)
    order = agree(model).steps[0].data_index
    np.testing.assert_array_equal(np.argsort(order) + 1, layer.autoregressive_net.final_layer.degrees[::2])


@given(
    features=SEVERAL_FEATURES,
    scale_map=st.sampled_from(["exp", "sigmoid", "sigmoid_inv", None]),
    split_mode=st.sampled_from(["channel", "channel_inv"]),
    reverse=st.booleans(),
)
def test_couplings(features, scale_map, split_mode, reverse):
    torch.manual_seed(0)
    options = {"scale_map": scale_map} if scale_map else {"scale": False}
    layer = coupling(features, split_mode, **options)
    model = flow(nf.flows.Reverse(layer) if reverse else layer, nf.flows.Permute(features), features=features)
    randomise(model, 0.5)
    step = agree(model).steps[0]
    agree_in_c(model)
    assert len(step.stage_end) == 2
    assert step.passthrough == (features // 2 if split_mode == "channel_inv" else (features + 1) // 2)
    assert step.transformer == (Transformer.AFFINE if scale_map else Transformer.ADDITIVE)


@pytest.mark.parametrize("mode", ["checkerboard", "checkerboard_inv"])
def test_checkerboard_couplings(mode):
    model = flow(nf.flows.AffineCouplingBlock(nf.nets.MLP([3, 8, 6]), split_mode=mode), features=6)
    randomise(model, 0.5)
    step = agree(model).steps[0]
    assert step.data_index[:3].tolist() == ([1, 3, 5] if mode == "checkerboard" else [0, 2, 4])


def test_couplings_between_split_and_merge():
    layers = [nf.flows.AffineCoupling(nf.nets.MLP([2, 8, 4]), scale_map=name) for name in ("exp", "sigmoid")]
    model = flow(nf.flows.Split(), *layers, nf.flows.Merge(), features=4)
    randomise(model, 0.5)
    assert len(agree(model).steps) == 2


@pytest.mark.parametrize(
    "network",
    [
        lambda: nf.nets.MLP([2, 9, 2], leaky=0.1),
        lambda: nf.nets.MLP([2, 2]),
        lambda: nf.nets.MLP([2, 9, 2], output_fn="tanh", dropout=0.5),
        lambda: nf.nets.MLP([2, 9, 2], output_fn="sigmoid", score_scale=0.5, output_scale=2.0),
        lambda: nf.nets.ResidualNet(2, 2, 7, num_blocks=2, use_batch_norm=True),
        lambda: nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 5), nn.ELU(), nn.Linear(5, 2)),
        lambda: nn.Linear(2, 2),
    ],
)
@pytest.mark.parametrize("scale_map", ["exp", "sigmoid"])
def test_networks_of_couplings(network, scale_map):
    model = flow(nf.flows.AffineCouplingBlock(network(), scale_map=scale_map))
    randomise(model, 0.5)
    agree(model)
    agree_in_c(model)


def mlp(features, **options):
    return nf.nets.MLP([features, 9, 7, features], **options)


@given(
    features=FEATURES,
    shift=st.booleans(),
    scale=st.sampled_from([None, "linear", "tanh"]),
    reverse=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_masked_affine_layers(features, shift, scale, reverse, seed):
    torch.manual_seed(seed)
    mask = (torch.rand(features) < 0.5).float()
    t = mlp(features) if shift else None
    s = {None: None, "linear": mlp(features), "tanh": mlp(features, output_fn="tanh")}[scale]
    layer = nf.flows.MaskedAffineFlow(mask, t, s)
    model = flow(nf.flows.Reverse(layer) if reverse else layer, nf.flows.ActNorm(features), features=features)
    model.flows[1].data_dep_init_done.fill_(1)
    randomise(model, 0.5)
    agree(model, rows=3)
    agree_in_c(model)


def test_real_nvp_as_its_example_has_it():
    layers = []
    for i in range(4):
        mask = torch.tensor([1.0, 0.0] if i % 2 == 0 else [0.0, 1.0])
        layers += [nf.flows.MaskedAffineFlow(mask, mlp(2), mlp(2)), nf.flows.ActNorm(2)]
    model = flow(*layers, features=2)
    model.log_prob(torch.randn(50, 2))  # gives ActNorm its scale
    agree(model)
    assert len(agree(model).steps) == 8


@given(features=FEATURES, use_lu=st.booleans(), reverse=st.booleans(), seed=st.integers(0, 1000))
def test_linear_layers(features, use_lu, reverse, seed):
    torch.manual_seed(seed)
    layers = [
        nf.flows.InvertibleAffine(features, use_lu=use_lu),
        affine(features),
        nf.flows.LULinearPermute(features, identity_init=False),
        nf.flows.AffineConstFlow((features,)),
    ]
    if reverse:
        layers = [nf.flows.Reverse(layer) for layer in layers]
    model = flow(*layers, features=features)
    for layer in model.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            if name in ("s", "t", "bias", "lower_entries", "upper_entries"):
                nn.init.normal_(parameter, std=0.1)
    agree(model, rows=3, tolerance=1e-11)
    agree_in_c(model)


@pytest.mark.parametrize("options", [{"scale": False}, {"shift": False}, {}])
def test_constant_affine_layers(options):
    layer = nf.flows.AffineConstFlow((3,), **options)
    nn.init.normal_(layer.s)
    nn.init.normal_(layer.t)
    scale = np.prod([step.scale for step in agree(flow(layer)).steps], axis=0)
    np.testing.assert_allclose(scale, (-layer.s[0]).detach().double().exp(), rtol=1e-12)


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("mode", ["shuffle", "swap"])
@pytest.mark.parametrize("reverse", [False, True])
def test_permutations_cost_nothing(features, mode, reverse):
    permute = nf.flows.Permute(features, mode)
    model = flow(
        affine(features), nf.flows.Reverse(permute) if reverse else permute, affine(features), features=features
    )
    randomise(model, 0.3)
    assert len(agree(model).steps) == 2


def test_composite():
    inner = nf.flows.base.Composite([affine(), nf.flows.Permute(3), coupling()])
    model = flow(nf.flows.Reverse(inner), inner, affine())
    randomise(model, 0.5)
    agree(model)


def test_the_base():
    model = flow(affine())
    assert agree(model).base.base == BaseKind.STANDARD_NORMAL
    nn.init.normal_(model.q0.loc)
    nn.init.normal_(model.q0.log_scale)
    assert agree(model).base.base == BaseKind.DIAGONAL_NORMAL
    agree_in_c(model)
    model.q0.temperature = 0.7
    np.testing.assert_allclose(agree(model).base.std, 0.7 * model.q0.log_scale[0].detach().double().exp())


def test_log_prob_and_samples_of_a_saved_file(tmp_path):
    """normflows' `log_prob(x)`, and its `forward(z)`, the map that it samples with."""
    model = conditional(affine(context_features=2), nf.flows.Permute(3), affine(context_features=2))
    randomise(model, 0.5)
    model.eval()
    flowrt.save(tmp_path / "flow.flw", model, verify=True)
    found = flowrt.Model(tmp_path / "flow.flw")
    x, z, context = torch.randn(20, 3), torch.randn(20, 3), torch.randn(20, 2)
    with torch.no_grad():
        np.testing.assert_allclose(found.log_prob(x, context), model.log_prob(x, context), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.inverse(z, context)[0], model(z, context), rtol=1e-4, atol=1e-4)


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


UNSUPPORTED = {
    "PeriodicWrap": lambda: nf.flows.PeriodicWrap([0]),
    "Planar": lambda: nf.flows.Planar((3,)),
    "Invertible1x1Conv": lambda: nf.flows.Invertible1x1Conv(3),
    "GlowBlock": lambda: nf.flows.GlowBlock(3, 8),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_layers_are_refused_by_name(name):
    refused(flow(affine(), UNSUPPORTED[name]()), f"{name} is not supported; supported are MaskedAffineAutoregressive")


def test_batch_norm_is_refused_by_name():
    refused(flow(affine(), nf.flows.BatchNorm()), "BatchNorm is not supported: it normalises by the batch")


def test_an_act_norm_without_data_is_refused():
    refused(flow(affine(), nf.flows.ActNorm(3)), "ActNorm has seen no data yet")


def test_other_bases_are_refused_by_name():
    model = flow(affine())
    model.q0 = nf.distributions.ClassCondDiagGaussian(3, 2)
    refused(model, "ClassCondDiagGaussian is not supported")
    refused(flow(affine(), features=(3, 2)), "DiagGaussian is not supported")
    refused(flow(affine(), features=(3, 2, 2)), "MaskedAffineAutoregressive is not supported; supported are GlowBlock")


def test_other_models_are_refused_by_name():
    vectors = nf.MultiscaleFlow([nf.distributions.DiagGaussian(3)], [[affine()]], [])
    refused(vectors, "DiagGaussian is not supported; supported are GlowBlock")
    variational = nf.NormalizingFlowVAE(nf.distributions.DiagGaussian(3), nf.distributions.Dirac(), [affine()])
    refused(variational, "NormalizingFlowVAE is not")


def test_other_networks_are_refused_by_name():
    refused(flow(nf.flows.AffineCouplingBlock(nf.nets.MLP([2, 9, 2], output_fn="clampexp"))), "activation ClampExp is")
    layer = affine()
    layer.autoregressive_net = nf.nets.MADE(3, 8, output_multiplier=2, preprocessing=nn.Tanh())
    refused(flow(layer), "Tanh is not supported; supported are networks without preprocessing")
    layer.autoregressive_net = nn.Linear(3, 6)
    refused(flow(layer), "Linear is not supported; supported are networks with the layers of nflows' MADE")


def test_a_network_of_the_wrong_width_is_refused():
    refused(
        flow(nf.flows.AffineCouplingBlock(nf.nets.MLP([2, 9, 3]))), "AffineCoupling: the network has 3 outputs, not 2"
    )
    mask = torch.tensor([1.0, 0.0, 1.0])
    refused(flow(nf.flows.MaskedAffineFlow(mask, nf.nets.MLP([3, 2]))), "MaskedAffineFlow: the network has 2 outputs")
    refused(flow(nf.flows.MaskedAffineFlow(mask / 2)), "MaskedAffineFlow: the mask must be 3 zeros and ones")


def test_an_unknown_scale_map_is_refused_by_name():
    refused(flow(coupling(scale_map="softplus")), "scale map 'softplus' is not supported; supported are exp")


def test_splits_and_merges_must_match():
    inner = nf.flows.AffineCoupling(nf.nets.MLP([2, 8, 2]))
    halves = nf.flows.AffineCoupling(nf.nets.MLP([2, 8, 4]))
    mixed = [nf.flows.Split(), halves, nf.flows.Merge("channel_inv")]
    refused(flow(*mixed, features=4), "Split does not undo the split before it")
    refused(flow(nf.flows.Split()), "Split does not undo the split before it")
    refused(flow(inner, nf.flows.Merge("channel")), "a Split is not followed by its Merge")
    refused(
        flow(nf.flows.Split(), affine(), nf.flows.Merge()), "MaskedAffineAutoregressive is not supported; .* between"
    )
    refused(flow(inner), "AffineCoupling is not supported")
    uneven = nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 9, 4]), split_mode="checkerboard")
    refused(flow(uneven), "the live model cannot be evaluated")
    refused(flow(coupling(2), features=1), "Merge of mode 'channel' does not split 1 features")


def test_masks_that_are_not_autoregressive_are_refused():
    layer = affine()
    layer.autoregressive_net.final_layer.mask.fill_(1)
    refused(flow(layer), "MaskedAffineAutoregressive is not autoregressive: coordinate")


def test_what_normflows_cannot_evaluate_is_refused():
    """Its conditional flows hand the context to every layer, and `Reverse` takes none."""
    refused(conditional(nf.flows.Reverse(affine(context_features=2))), "the live model cannot be evaluated")


def test_a_class_that_overrides_the_density_is_refused():
    class Moved(nf.NormalizingFlow):
        def log_prob(self, x):
            return super().log_prob(x - 1)

    base = nf.distributions.DiagGaussian(3, trainable=False)
    refused(Moved(base, [affine()]), "its log_prob differs by .* from what the model computes")
    base = nf.distributions.base.Uniform(3, -1.0, 1.0)
    refused(Moved(base, [affine()]), "Moved overrides log_prob")


def test_a_network_that_limits_its_output_is_refused():
    class Limited(nf.nets.MLP):
        def forward(self, x):
            return super().forward(x).clamp(-2, 2)

    mask = torch.tensor([1.0, 0.0, 1.0])
    layer = nf.flows.MaskedAffineFlow(mask, nf.nets.MLP([3, 8, 3]), Limited([3, 8, 3]))
    refused(flow(layer), "the forward of Limited changes the output of its layers")
