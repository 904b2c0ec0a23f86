"""nflows: coupling layers with any network, and what stands inside of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows.flows import SimpleRealNVP
from nflows.nn.nets import MLP
from nflows_models import SCALES, affine, coupling, flow, refused, residual_net
from torch import nn
from torch_weights import randomise

from flowrt.file.codes import Scale, Transformer

COUPLINGS = {"affine": nt.AffineCouplingTransform, "additive": nt.AdditiveCouplingTransform}


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
    model = flow(nt.RandomPermutation(features), nt.InverseTransform(layer) if inverse else layer, features=features)
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
    refused(flow(layer), "Activated has an unknown scale function")


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
        hidden = nn.Sequential(nn.Linear(inputs, 7), nn.ELU(), nn.BatchNorm1d(7), nn.Dropout())
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
    refused(flow(coupling(unconditional=lambda features: nt.LogTanh())), "LogTanh is not supported")


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
