"""nflows: rational-quadratic splines, autoregressive, coupling and with free parameters, with every option."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows.distributions.uniform import BoxUniform
from nflows.flows import Flow
from nflows.nn.nets import MLP
from nflows_models import coupling, flow, refused, residual_net
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt import reference
from flowrt.file.codes import BaseKind, Reads, SplineForm, Transformer

MINIMA = st.fixed_dictionaries(
    {"min_bin_width": st.sampled_from([1e-3, 0.05]), "min_bin_height": st.sampled_from([1e-3, 0.02])}
)


def spline(features=3, hidden=8, bins=4, tails="linear", tail_bound=3.0, **options):
    return nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        features, hidden, num_bins=bins, tails=tails, tail_bound=tail_bound, **options
    )


def spline_coupling(mask=(-1, 1, 1), network=None, bins=4, tails="linear", tail_bound=2.0, **options):
    def create(mask, network, unconditional):
        return nt.PiecewiseRationalQuadraticCouplingTransform(
            mask, network, num_bins=bins, tails=tails, tail_bound=tail_bound, **options
        )

    return coupling(mask, network, create)


def cdf(features=3, bins=5, tails="linear", tail_bound=2.0, **options):
    return nt.PiecewiseRationalQuadraticCDF([features], bins, tails, tail_bound, **options)


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([None, 1, 4]),
    bins=st.sampled_from([2, 3, 8]),
    bound=st.sampled_from([1.0, 3.0, 4.5]),
    residual=st.booleans(),
    batch_norm=st.booleans(),
    inverse=st.booleans(),
    minima=MINIMA,
    min_derivative=st.sampled_from([1e-3, 0.1]),
)
def test_autoregressive(features, context, bins, bound, residual, batch_norm, inverse, minima, min_derivative):
    torch.manual_seed(0)
    layer = spline(
        features,
        9,
        bins,
        tail_bound=bound,
        context_features=context,
        use_residual_blocks=residual,
        use_batch_norm=batch_norm,
        min_derivative=min_derivative,
        **minima,
    )
    layers = [nt.InverseTransform(layer) if inverse else layer, nt.RandomPermutation(features)]
    model = flow(*layers, features=features)
    randomise(model, 0.5)
    (step,) = agree(model, rows=5).steps
    agree_in_c(model)
    assert step.transformer == Transformer.SPLINE and step.bins == bins and step.form == 0
    assert step.reads == (Reads.NOISE if inverse else Reads.DATA)
    expected = (-bound, bound, minima["min_bin_width"], minima["min_bin_height"], min_derivative, 0, 1, 0)
    assert step.p == pytest.approx(expected)


@given(
    mask=st.lists(st.sampled_from([-1, 1]), min_size=2, max_size=17).filter(lambda mask: len({*mask}) == 2),
    context=st.sampled_from([None, 1, 4]),
    bins=st.sampled_from([2, 6]),
    unconditional=st.booleans(),
    inverse=st.booleans(),
    minima=MINIMA,
)
def test_couplings(mask, context, bins, unconditional, inverse, minima):
    torch.manual_seed(0)
    network = residual_net(9, context_features=context)
    layer = spline_coupling(mask, network, bins, apply_unconditional_transform=unconditional, **minima)
    model = flow(nt.InverseTransform(layer) if inverse else layer, features=len(mask))
    randomise(model, 0.5)
    agree_in_c(model)
    couplings = [step for step in agree(model, rows=5).steps if step.passthrough == mask.count(-1)]
    assert {step.transformer for step in couplings} == {Transformer.SPLINE}


def test_widths_are_divided_where_the_network_tells_its_width():
    """A ResidualNet does, a MADE and a perceptron do not."""

    class Perceptron(MLP):
        def forward(self, inputs, context=None):
            return super().forward(inputs)

    for network in (residual_net(16), lambda i, o: Perceptron([i], [o], [16])):
        layer = spline_coupling(network=network)
        model = flow(layer)
        randomise(model, 1.0)
        file = agree(model)
        divided = layer.transform_net.final_layer.bias if hasattr(layer.transform_net, "hidden_features") else None
        if divided is not None:
            np.testing.assert_allclose(file.steps[0].layers[-1].bias[:8], divided.detach()[:8] / 4, rtol=1e-6)
    made = spline()
    made.autoregressive_net.hidden_features = 25
    randomise(made, 1.0)
    agree(flow(made))


@pytest.mark.parametrize("inverse", [False, True])
def test_free_parameters(inverse):
    layers = [cdf(), cdf(tails="linear", tail_bound=1.0, identity_init=True)]
    model = flow(*(nt.InverseTransform(layer) if inverse else layer for layer in layers))
    randomise(model, 1.0)
    assert [len(step.stage_end) for step in agree(model).steps] == [1, 1]
    agree_in_c(model)
    assert agree(cdf(2)).dim == 2


def test_splines_of_the_unit_interval():
    """Without tails the derivatives at the ends are free, and nflows has no answer outside."""
    unit = nt.CompositeTransform([nt.Sigmoid(), spline(tails=None), cdf(tails=None), nt.Logit()])
    model = flow(unit, nt.InverseTransform(nt.CompositeCDFTransform(nt.Sigmoid(), spline(tails=None))))
    randomise(model, 0.5)
    file = agree(model, tolerance=1e-11)
    agree_in_c(model)
    assert [step.form for step in file.steps if hasattr(step, "form")] == 3 * [SplineForm.FREE_ENDS]


class Box(BoxUniform):
    """As flows of nflows call it."""

    def log_prob(self, value, context=None):
        return super().log_prob(value)


def test_a_flow_on_the_unit_box(tmp_path):
    model = Flow(
        nt.CompositeTransform([spline(tails=None), nt.ReversePermutation(3), spline(tails=None)]),
        Box(torch.zeros(3), torch.ones(3)),
    )
    randomise(model, 0.7)
    file = agree(model)
    agree_in_c(model)
    assert file.base.base == BaseKind.BOX_UNIFORM
    flowrt.save(tmp_path / "flow.flw", model, verify=True)
    outside = [[0.5, 0.5, 1.5], [-0.1, 0.5, 0.5], [0.5, 0.5, 0.5]]
    for log_prob in (partial(reference.log_prob, tmp_path / "flow.flw"), flowrt.Model(tmp_path / "flow.flw").log_prob):
        np.testing.assert_array_equal(np.isneginf(log_prob(outside)), [True, True, False])


def test_an_overridden_spline_is_noticed():
    class Steeper(type(spline())):
        def _elementwise_forward(self, inputs, autoregressive_params):
            return super()._elementwise_forward(inputs, 2 * autoregressive_params)

    model = flow(Steeper(3, 8, num_bins=4, tails="linear"))
    randomise(model, 0.5)
    refused(model, "differs by .* from what the model computes")


def test_networks_of_the_wrong_size_are_refused():
    layer = spline_coupling(network=lambda i, o: nn.Linear(i, o + 1))
    refused(flow(layer), "the network has 23 outputs, not 22")
