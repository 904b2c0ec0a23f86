"""nflows: splines of linear, quadratic and cubic pieces, autoregressive, coupling and with free parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows.nn.nets import MLP
from nflows_models import coupling, flow, refused, residual_net
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import Reads, SplineForm
from flowrt.frameworks import choose

PIECES = ["Linear", "Quadratic", "Cubic"]
TAILS = [None, 1.0, 2.5]
pieces = pytest.mark.parametrize("pieces", PIECES)
tail_bounds = pytest.mark.parametrize("bound", TAILS)


def tails(bound):
    return {} if bound is None else {"tails": "linear", "tail_bound": bound}


def masked(pieces, features=3, bins=4, bound=None, minima=None, **options):
    kind = getattr(nt, f"MaskedPiecewise{pieces}AutoregressiveTransform")
    if pieces == "Quadratic":
        options = {**options, **(minima or {}), **tails(bound)}
    return kind(features=features, hidden_features=9, num_bins=bins, **options)


def spline_coupling(pieces, mask=(-1, 1, 1), network=None, bins=4, bound=None, minima=None, **options):
    kind = getattr(nt, f"Piecewise{pieces}CouplingTransform")
    options = {**options, **tails(bound), **({} if pieces == "Linear" else minima or {})}
    return coupling(mask, network, lambda mask, network, _: kind(mask, network, num_bins=bins, **options))


def cdf(pieces, features=3, bins=4, bound=None, minima=None):
    kind = getattr(nt, f"Piecewise{pieces}CDF")
    return kind([features], bins, **tails(bound), **({} if pieces == "Linear" else minima or {}))


def inverted_if(layer, inverse):
    return nt.InverseTransform(layer) if inverse else layer


def expected_form(pieces, bound):
    form = SplineForm[pieces.upper()]
    return form | SplineForm.FREE_ENDS if pieces == "Quadratic" and bound is None else form


def expected_p(pieces, bound, minima=None):
    low, high = (0, 1) if bound is None else (-bound, bound)
    least = [(minima or {}).get(f"min_bin_{name}", 1e-3) for name in ("width", "height")]
    return low, high, *([0, 0] if pieces == "Linear" else least), 1e-3 if pieces == "Quadratic" else 0, 0, 0, 0


MINIMA = st.fixed_dictionaries(
    {"min_bin_width": st.sampled_from([1e-3, 0.05]), "min_bin_height": st.sampled_from([1e-3, 0.02])}
)


@settings(max_examples=40)
@given(
    pieces=st.sampled_from(PIECES),
    features=st.sampled_from([1, 2, 3, 17]),
    context=st.sampled_from([None, 1, 4]),
    bins=st.sampled_from([2, 3, 8]),
    bound=st.sampled_from(TAILS),
    residual=st.booleans(),
    batch_norm=st.booleans(),
    inverse=st.booleans(),
    minima=MINIMA,
)
def test_autoregressive(pieces, features, context, bins, bound, residual, batch_norm, inverse, minima):
    torch.manual_seed(0)
    shape = {"context_features": context, "use_residual_blocks": residual, "use_batch_norm": batch_norm}
    layer = masked(pieces, features, bins, bound, minima, **shape)
    model = flow(inverted_if(layer, inverse), nt.RandomPermutation(features), features=features)
    randomise(model, 0.5)
    (step,) = agree(model, rows=5).steps
    agree_in_c(model)
    bound, minima = (bound, minima) if pieces == "Quadratic" else (None, None)  # others have no such options
    assert step.bins == bins and step.form == expected_form(pieces, bound) and step.bounded == (bound is None)
    assert step.p == pytest.approx(expected_p(pieces, bound, minima))
    assert step.reads == (Reads.NOISE if inverse else Reads.DATA)


@settings(max_examples=40)
@given(
    pieces=st.sampled_from(PIECES),
    mask=st.lists(st.sampled_from([-1, 1]), min_size=2, max_size=17).filter(lambda mask: len({*mask}) == 2),
    context=st.sampled_from([None, 1, 4]),
    bins=st.sampled_from([2, 6]),
    bound=st.sampled_from(TAILS),
    unconditional=st.booleans(),
    inverse=st.booleans(),
    minima=MINIMA,
)
def test_couplings(pieces, mask, context, bins, bound, unconditional, inverse, minima):
    torch.manual_seed(0)
    network = residual_net(9, context_features=context)
    options = {"apply_unconditional_transform": unconditional}
    layer = spline_coupling(pieces, mask, network, bins, bound, minima, **options)
    model = flow(inverted_if(layer, inverse), features=len(mask))
    randomise(model, 0.5)
    steps = agree(model, rows=5).steps
    agree_in_c(model)
    assert len(steps) == (2 if unconditional else 1)
    for step in steps:
        assert step.form == expected_form(pieces, bound)
        assert step.p == pytest.approx(expected_p(pieces, bound, minima))


@pieces
def test_what_is_divided_where_a_network_tells_its_width(pieces):
    """A ResidualNet does, a MADE and a perceptron do not. Masked quadratic layers would divide widths alone."""

    class Perceptron(MLP):
        def forward(self, inputs, context=None):
            return super().forward(inputs)

    for network in (residual_net(16), lambda i, o: Perceptron([i], [o], [16])):
        model = flow(spline_coupling(pieces, network=network, bound=2.0))
        randomise(model, 1.0)
        agree(model)
    made = masked(pieces)
    made.autoregressive_net.hidden_features = 25
    randomise(made, 1.0)
    agree(flow(made))


@pieces
@tail_bounds
@pytest.mark.parametrize("inverse", [False, True])
def test_free_parameters(pieces, bound, inverse):
    minima = {"min_bin_width": 0.03, "min_bin_height": 0.02}
    layers = [cdf(pieces, bound=bound), cdf(pieces, bins=3, bound=bound, minima=minima)]
    model = flow(*(inverted_if(layer, inverse) for layer in layers))
    randomise(model, 1.0)
    steps = agree(model).steps
    agree_in_c(model)
    assert [len(step.stage_end) for step in steps] == [1, 1]
    assert agree(cdf(pieces, 2, bound=bound)).dim == 2


@pieces
@pytest.mark.parametrize("make", [masked, spline_coupling, cdf])
def test_the_live_inverse_is_that_of_the_forward_function(pieces, make):
    """nflows's own inverse is wrong or has no number where pieces are straight. The copy's is not, and is its alone."""
    layer = make(pieces)
    for parameter in layer.parameters():
        parameter.data.zero_()
    layer = layer.double().eval()
    adapter = choose(flow(layer))
    z = np.random.default_rng(0).uniform(size=(50, 3))
    z[:, 0] = np.linspace(0.76, 0.99, 50)
    live = adapter.live(flow(layer), torch.float64)
    x, log_det = live.inverse(z)
    back, forward_log_det = live.forward(x)
    np.testing.assert_allclose(back, z, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(log_det, -forward_log_det)
    with torch.no_grad():
        own, _ = layer.inverse(torch.as_tensor(z))
        again, _ = layer(torch.nan_to_num(own))
    assert np.max(np.abs(again.numpy() - z)) > 1e-8


@pieces
def test_verified_files(tmp_path, pieces):
    layers = [masked(pieces), nt.ReversePermutation(3), spline_coupling(pieces), cdf(pieces)]
    model = flow(*layers)
    randomise(model, 0.5)
    flowrt.save(tmp_path / "flow.flw", model, verify=True)


@pieces
def test_an_overridden_spline_is_noticed(pieces):
    class Steeper(type(masked(pieces))):
        def _elementwise_forward(self, inputs, autoregressive_params):
            return super()._elementwise_forward(inputs, 2 * autoregressive_params)

    model = flow(Steeper(features=3, hidden_features=8, num_bins=4))
    randomise(model, 0.5)
    refused(model, "differs by .* from what the model computes")


@pieces
def test_networks_of_the_wrong_size_are_refused(pieces):
    layer = spline_coupling(pieces, network=lambda i, o: nn.Linear(i, o + 1))
    rows = 2 * {"Linear": 4, "Quadratic": 9, "Cubic": 10}[pieces]
    refused(flow(layer), f"the network has {rows + 1} outputs, not {rows}")


def test_other_tails_are_refused():
    layer = spline_coupling("Quadratic", bound=1.0)
    layer.tails = "circular"
    layer.transform_net = residual_net()(1, 18)
    refused(flow(layer), "tails 'circular' are not supported")
