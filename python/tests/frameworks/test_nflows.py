"""nflows: options, dimensions, overridden formulas, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from generate import randomise
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows.distributions import ConditionalDiagonalNormal, DiagonalNormal, StandardNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP
from nflows.nn.nets import MLP, ResidualNet
from torch import nn

import flowrt
from flowrt.format.codes import BaseKind, Form, Reads, Scale, Transformer


def flow(*transforms, features=3, **options):
    return Flow(nt.CompositeTransform(list(transforms)), StandardNormal([features]), **options)


def affine(features=3, hidden=8, **options):
    return nt.MaskedAffineAutoregressiveTransform(features, hidden, **options)


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([None, 1, 4]),
    hidden=st.integers(1, 40),
    blocks=st.integers(0, 3),
    residual=st.booleans(),
    batch_norm=st.booleans(),
    inverse=st.booleans(),
    activation=st.sampled_from([torch.relu, torch.tanh, nn.ELU(), nn.functional.silu]),
)
def test_every_combination_of_options(features, context, hidden, blocks, residual, batch_norm, inverse, activation):
    torch.manual_seed(0)
    transform = affine(
        features,
        hidden,
        context_features=context,
        num_blocks=blocks,
        use_residual_blocks=residual,
        use_batch_norm=batch_norm,
        activation=activation,
    )
    model = flow(
        nt.InverseTransform(transform) if inverse else transform, nt.RandomPermutation(features), features=features
    )
    randomise(model, 0.2)
    agree(model, rows=3)


@given(features=st.integers(2, 20), hidden=st.integers(1, 30), blocks=st.integers(0, 3))
def test_random_masks(features, hidden, blocks):
    torch.manual_seed(features)
    model = MaskedAutoregressiveFlow(
        features, hidden, 2, blocks, use_residual_blocks=False, use_random_masks=True, use_random_permutations=True
    )
    randomise(model, 0.3)
    agree(model, rows=3)


def test_a_maf_reads_data_and_its_inverse_reads_noise():
    (maf,) = agree(flow(affine())).steps
    (iaf,) = agree(flow(nt.InverseTransform(affine()))).steps
    assert (maf.reads, iaf.reads) == (Reads.DATA, Reads.NOISE)
    assert maf.scale == Scale.SOFTPLUS and maf.form == Form.SCALE_THEN_SHIFT and maf.p[0] == 1e-3


def test_the_first_feature_ignores_the_context_as_in_nflows():
    file = agree(flow(affine(context_features=2)))
    x = np.zeros((2, 3))
    z, _ = flowrt.reference.forward(file, x, [[0.0, 0.0], [5.0, -5.0]])
    assert z[0, 0] == z[1, 0] and z[0, 1] != z[1, 1]


def test_permutations_cost_nothing():
    layers = []
    for _ in range(3):
        layers += [nt.RandomPermutation(5), affine(5, 12)]
    assert len(agree(flow(*layers, nt.ReversePermutation(5), features=5)).steps) == 3


def test_inverses_of_everything():
    torch.manual_seed(1)
    layers = [
        nt.Permutation(torch.tensor([1, 2, 3, 4, 0])),
        affine(5),
        nt.ActNorm(5),
        nt.PointwiseAffineTransform(1.0, 2.0),
        nt.BatchNorm(5),
    ]
    model = flow(nt.InverseTransform(nt.CompositeTransform(layers)), features=5)
    randomise(model, 0.3)
    agree(model, tolerance=1e-11)
    agree(flow(nt.InverseTransform(nt.InverseTransform(affine()))))


def test_diagonal_normal_base():
    base = DiagonalNormal([3])
    nn.init.normal_(base.mean_)
    nn.init.normal_(base.log_std_)
    file = agree(Flow(affine(), base))
    assert file.base.base == BaseKind.DIAGONAL_NORMAL


def test_scalar_pointwise_affine():
    file = agree(flow(nt.PointwiseAffineTransform(0.5, 2.0), affine()))
    np.testing.assert_array_equal(file.steps[0].scale, [2.0, 2.0, 2.0])


# ---- couplings ----

COUPLINGS = {"affine": nt.AffineCouplingTransform, "additive": nt.AdditiveCouplingTransform}


def residual_net(hidden=8, **options):
    return lambda inputs, outputs: ResidualNet(inputs, outputs, hidden, **options)


def coupling(mask=(-1, 1, 1), network=None, kind=nt.AffineCouplingTransform, unconditional=None):
    return kind(torch.tensor(mask), network or residual_net(), unconditional)


@given(
    mask=st.lists(st.sampled_from([-1, 1]), min_size=2, max_size=64).filter(lambda mask: len({*mask}) == 2),
    context=st.sampled_from([None, 1, 4]),
    hidden=st.integers(1, 40),
    blocks=st.integers(0, 3),
    batch_norm=st.booleans(),
    inverse=st.booleans(),
    kind=st.sampled_from(list(COUPLINGS.values())),
    activation=st.sampled_from([torch.relu, torch.tanh, nn.ELU(), nn.functional.silu]),
)
def test_every_combination_of_coupling_options(mask, context, hidden, blocks, batch_norm, inverse, kind, activation):
    torch.manual_seed(0)
    network = residual_net(
        hidden, context_features=context, num_blocks=blocks, use_batch_norm=batch_norm, activation=activation
    )
    layer = coupling(mask, network, kind)
    features = len(mask)
    model = flow(
        nt.RandomPermutation(features), nt.InverseTransform(layer) if inverse else layer, features=features
    )
    randomise(model, 0.2)
    file = agree(model, rows=3)
    agree_in_c(model)
    (step,) = file.steps
    assert step.passthrough == mask.count(-1)
    assert step.stage_end.tolist() == [mask.count(-1), features]


@given(features=st.sampled_from([2, 3, 8, 17, 64]), preserving=st.booleans(), norm=st.booleans())
def test_simple_real_nvp(features, preserving, norm):
    torch.manual_seed(0)
    model = SimpleRealNVP(features, 12, 3, 2, preserving, batch_norm_within_layers=norm, batch_norm_between_layers=norm)
    randomise(model, 0.3)
    kinds = {Transformer.ADDITIVE if preserving else Transformer.AFFINE}
    assert {step.transformer for step in agree(model).steps if hasattr(step, "transformer")} == kinds
    agree_in_c(model)


def test_a_mask_that_transforms_nothing_is_the_identity():
    assert len(agree(flow(coupling((-1, 0, -1)), affine())).steps) == 1


def test_the_scale_of_a_coupling_is_read_from_the_live_object():
    step = agree(flow(coupling())).steps[0]
    assert step.scale == Scale.SIGMOID and step.p[0] == 1e-3

    class Activated(nt.AffineCouplingTransform):
        """Newer releases and forks take the scale function as an option."""

        def _scale_and_shift(self, transform_params):
            shift, raw = transform_params.chunk(2, dim=1)
            return self.scale_activation(raw), shift

    for activation, expected in SCALES.values():
        layer = coupling(kind=Activated, network=Bare)
        layer.scale_activation = activation
        randomise(layer, 0.5)
        assert agree(flow(layer)).steps[0].scale == expected
    layer.scale_activation = lambda a: 1 + a * a
    refused(flow(layer), "Activated has a scale function that is not known")


class Bare(nn.Linear):
    """A network without hidden layers, which may see a context."""

    def forward(self, inputs, context=None):
        return super().forward(inputs if context is None else torch.cat([inputs, context], dim=1))


class Perceptron(MLP):
    def __init__(self, inputs, outputs, context=0, **options):
        super().__init__([inputs + context], [outputs], [7, 5], **options)

    def forward(self, inputs, context=None):
        return super().forward(inputs if context is None else torch.cat([inputs, context], dim=1))


class Wrapped(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = nn.Sequential(nn.Linear(inputs, 7), nn.ELU(), nn.Dropout())
        self.net = nn.Sequential(hidden, nn.Linear(7, 5, bias=False), nn.Tanh(), nn.Linear(5, outputs))

    def forward(self, inputs, context=None):
        return self.net(inputs)


NETWORKS = {
    "perceptron": Perceptron,
    "perceptron with context": lambda i, o: Perceptron(i, o, 2, activation=torch.tanh),
    "activated perceptron": lambda i, o: Perceptron(i, o, activate_output=True, activation=torch.tanh),
    "wrapped sequence": Wrapped,
    "one linear layer": Bare,
    "one linear layer with context": lambda i, o: Bare(i + 2, o),
}


@pytest.mark.parametrize("kind", COUPLINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_other_networks_of_couplings(name, kind):
    first, second = (coupling(mask, NETWORKS[name], COUPLINGS[kind]) for mask in ((-1, 1, 1, -1), (1, -1, -1, 1)))
    model = flow(first, nt.InverseTransform(second), features=4)
    randomise(model, 0.5)
    assert agree(model).context_dim == (2 if "context" in name else 0)
    agree_in_c(model)


def both_halves(features):
    maf = affine(features, 6, context_features=2)
    return nt.CompositeTransform([nt.ActNorm(features), maf, nt.LULinear(features), nt.ReversePermutation(features)])


@pytest.mark.parametrize("inverse", [False, True])
def test_unconditional_transforms_of_couplings(inverse):
    layer = coupling((-1, 1, -1, -1, 1), residual_net(context_features=2), unconditional=both_halves)
    model = flow(nt.InverseTransform(layer) if inverse else layer, nt.RandomPermutation(5), features=5)
    randomise(model, 0.4)
    agree(model)
    agree_in_c(model)
    refused(flow(coupling(unconditional=lambda features: nt.Tanh())), "Tanh is not supported")


# ---- linear layers ----

LINEAR = {
    "LULinear": nt.LULinear,
    "QRLinear": lambda features: nt.QRLinear(features, min(features, 3)),
    "SVDLinear": lambda features: nt.SVDLinear(features, 4 if features > 1 else 2),
    "NaiveLinear": nt.NaiveLinear,
    "HouseholderSequence": lambda features: nt.HouseholderSequence(features, min(features, 3)),
}


@pytest.mark.parametrize("features", [1, 2, 5, 17, 64])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers(name, inverse, features):
    layer = LINEAR[name](features)
    randomise(layer, 0.1)
    for parameter in (parameter for parameter in layer.parameters() if name != "NaiveLinear"):
        parameter.data *= 0.5
    layers = [nt.RandomPermutation(features), nt.InverseTransform(layer) if inverse else layer]
    model = flow(*layers, nt.RandomPermutation(features), features=features)
    (step,) = agree(model, tolerance=1e-11 if features == 64 else 1e-12).steps
    agree_in_c(model)
    np.testing.assert_allclose(step.matrix @ step.inverse, np.eye(features), atol=1e-10)
    assert agree(layer).dim == features


def test_a_linear_layer_that_was_just_used_can_be_saved(tmp_path):
    """nflows keeps the matrices it has computed, with their gradients, which cannot be copied."""
    model = flow(nt.LULinear(3, using_cache=True), nt.NaiveLinear(3, using_cache=True)).eval()
    model.log_prob(torch.randn(2, 3))
    randomise(model, 0.3)
    flowrt.save(tmp_path / "flow.flw", model)
    agree(model)


# ---- forks ----


class Forked(nt.MaskedAffineAutoregressiveTransform):
    """A fork with scale functions of its own."""

    scale_function = staticmethod(torch.exp)

    def _elementwise_forward(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = self.scale_function(raw)
        return scale * inputs + shift, torch.log(scale).sum(dim=1)

    def _elementwise_inverse(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = self.scale_function(raw)
        return (inputs - shift) / scale, -torch.log(scale).sum(dim=1)


SCALES = {
    "older nflows": (lambda a: torch.sigmoid(a + 2) + 1e-3, Scale.SIGMOID),
    "glasflow wide": (lambda a: torch.clamp(torch.nn.functional.softplus(a) + 1e-3, 0, 3), Scale.SOFTPLUS_CLAMPED),
    "glasflow log1": (lambda a: torch.exp(2 * (torch.sigmoid(a) - 0.5)), Scale.EXP_TANH),
    "glasflow log3": (lambda a: torch.exp(6 * (torch.sigmoid(a) - 0.5)), Scale.EXP_TANH),
    "exp": (torch.exp, Scale.EXP),
}


@pytest.mark.parametrize("name", SCALES)
def test_scale_functions_of_forks(name):
    transform = Forked(3, 8)
    transform.scale_function, expected = SCALES[name]
    assert agree(flow(transform)).steps[0].scale == expected


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_an_unknown_scale_function_is_refused():
    transform = Forked(3, 8)
    transform.scale_function = lambda a: 1 + a * a
    refused(flow(transform), "Forked has a scale function that is not known")


def test_a_formula_that_is_not_affine_is_refused():
    class Cubic(nt.MaskedAffineAutoregressiveTransform):
        def _elementwise_forward(self, inputs, autoregressive_params):
            return inputs**3, torch.zeros(len(inputs), dtype=inputs.dtype)

    refused(flow(Cubic(3, 8)), "Cubic does not compute scale")


def test_an_overridden_network_is_noticed():
    model = flow(affine())

    class Doubled(type(model._transform._transforms[0].autoregressive_net)):
        def forward(self, inputs, context=None):
            return 2 * super().forward(inputs, context)

    model._transform._transforms[0].autoregressive_net.__class__ = Doubled
    refused(model, "differs by .* a class overrides a formula")


def test_a_model_that_needs_float32_is_refused_in_one_line():
    model = flow(affine())

    class Single(type(model._transform._transforms[0].autoregressive_net)):
        def forward(self, inputs, context=None):
            return super().forward(inputs.float(), context)

    model._transform._transforms[0].autoregressive_net.__class__ = Single
    refused(model, "the live model cannot be evaluated in torch.float64: ")


def test_a_model_that_cannot_be_copied_is_refused_in_one_line():
    model = flow(affine())
    model.kept = torch.ones(2, requires_grad=True) * 2
    refused(model, "a copy of Flow cannot be made")


def test_masks_that_are_not_autoregressive_are_refused():
    model = flow(affine())
    model._transform._transforms[0].autoregressive_net.final_layer.mask.fill_(1)
    refused(model, "MaskedAffineAutoregressiveTransform is not autoregressive: coordinate")


UNSUPPORTED = {
    "MaskedPiecewiseRationalQuadraticAutoregressiveTransform": lambda: (
        nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(3, 8, tails="linear", num_bins=4)
    ),
    "PiecewiseRationalQuadraticCouplingTransform": lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
        torch.tensor([1, -1, 1]), residual_net(), tails="linear"
    ),
    "OneByOneConvolution": lambda: nt.OneByOneConvolution(3),
    "Tanh": lambda: nt.Tanh(),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_transforms_are_refused_by_name(name):
    refused(flow(affine(), UNSUPPORTED[name]()), f"{name} is not supported; supported are MaskedAffineAutoregressive")


def test_other_networks_of_couplings_are_refused_by_name():
    class Two(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.first, self.second = nn.Linear(inputs, 4), nn.Linear(4, outputs)

    refused(flow(coupling(network=Two)), "Two is not supported; supported are ResidualNet, MLP, Sequential")
    begins = Wrapped(1, 4)
    begins.net[0] = nn.Tanh()
    refused(flow(coupling(network=lambda i, o: begins)), "Tanh is not supported; supported are networks that begin")
    refused(flow(coupling(network=lambda i, o: Wrapped(i, 3))), "the network has 3 outputs, not 4")


def test_a_coupling_that_is_not_affine_is_refused():
    class Cubic(nt.AdditiveCouplingTransform):
        def _coupling_transform_forward(self, inputs, transform_params):
            return inputs**3 + transform_params, torch.zeros(len(inputs), dtype=inputs.dtype)

    refused(flow(coupling(kind=Cubic)), "Cubic does not compute scale")


def test_other_bases_are_refused_by_name():
    base = ConditionalDiagonalNormal([3], nn.Linear(2, 6))
    refused(Flow(affine(context_features=2), base), "ConditionalDiagonalNormal is not supported")


def test_an_embedding_net_is_refused_by_name():
    refused(flow(affine(context_features=2), embedding_net=nn.Linear(5, 2)), "Linear is not supported.*embedding")


def test_layers_must_agree_about_the_context():
    model = flow(affine(context_features=2), affine(context_features=3))
    refused(model, r"disagree about the length of the context: \[2, 3\]")
    with pytest.raises(flowrt.ExportError, match=r"\[2, 4\]"):
        flowrt.save("never-written.flw", flow(affine(context_features=2)), context_dim=4)


def test_batch_norm_without_statistics_is_refused():
    model = flow(affine(use_batch_norm=True))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean = module.running_var = None
    refused(model, "BatchNorm1d without running statistics")


def test_a_transform_that_tells_no_size_is_refused():
    refused(nt.PointwiseAffineTransform(), "number of features of PointwiseAffineTransform")
