"""Draws within a box, and the share of a flow's draws that lie there."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flowrt
from flowrt.file import encode
from flowrt.flow import flow as ir


def model(dim=2, shift_of_context=False):
    """A standard normal, or one around the context."""
    steps = []
    if shift_of_context:
        layer = ir.Layer(np.zeros(dim), context_weight=-np.eye(dim))
        steps = [ir.Autoregressive([layer], ir.Additive())]
    return flowrt.Model(encode(flowrt.compile(ir.Flow(dim, dim if shift_of_context else 0, steps))))


def test_draws_lie_in_the_box_and_follow_the_density():
    flow = model()
    x, log_prob = flow.sample(4000, seed=3, within=((-0.5, 0.0), (1.0, math.inf)), log_prob=True)
    assert np.all((x[:, 0] >= -0.5) & (x[:, 0] <= 1.0) & (x[:, 1] >= 0))
    np.testing.assert_array_equal(log_prob, flow.log_prob(x))
    density = (math.exp(-0.125) - math.exp(-0.5)) / math.sqrt(2 * math.pi)
    expected = density / (0.5 * (math.erf(1 / math.sqrt(2)) + math.erf(0.5 / math.sqrt(2))))
    assert abs(x[:, 0].mean() - expected) < 5 * 0.42 / math.sqrt(4000)


def test_rows_are_the_first_draws_in_the_box():
    """Of several rounds of draws, for few lie in it."""
    flow, n = model(), 5
    x = flow.sample(n, seed=3, stream=1, index=10, within=((2.5, -math.inf), (math.inf, math.inf)))
    draws = flow.sample(20_000, seed=3, stream=1, index=10)
    first = np.flatnonzero(draws[:, 0] >= 2.5)[:n]
    np.testing.assert_array_equal(x, draws[first])
    narrow = flow.sample(n, seed=3, within=((3.2, -math.inf), (math.inf, math.inf)), most_draws=10**6)
    draws = flow.sample(200_000, seed=3)
    first = np.flatnonzero(draws[:, 0] >= np.float32(3.2))[:n]
    assert first[-1] > 4096
    np.testing.assert_array_equal(narrow, draws[first])


def test_rows_with_contexts_of_their_own_stay_with_these():
    flow = model(shift_of_context=True)
    contexts = np.repeat([[0.0, 0.0], [3.0, 0.0]], 500, axis=0)
    x = flow.sample(1000, contexts, seed=0, within=(-1.0, 2.5))
    assert np.all((x >= -1) & (x <= 2.5))
    assert x[:500, 0].mean() < 0.8 < 1.5 < x[500:, 0].mean()


def test_the_acceptance_is_the_mass_of_the_box():
    mass = math.erf(1 / math.sqrt(2)) ** 2
    found = model().acceptance(within=(-1.0, 1.0), draws=20_000)
    assert found.shape == (1,) and abs(found[0] - mass) < 5 * math.sqrt(mass * (1 - mass) / 20_000)
    shifted = model(shift_of_context=True).acceptance([[0.0, 0.0], [5.0, 0.0]], within=(-1.0, 1.0))
    assert shifted[0] > 0.4 and shifted[1] < 1e-3


def test_a_box_that_is_missed_ends_with_the_share():
    with pytest.raises(flowrt.Error, match=r"of \d+ draws 0 lie within the box, 0 %: 3 of 3 rows .* larger most_draws"):
        model().sample(3, within=(50.0, 60.0), most_draws=100)


@pytest.mark.parametrize("within", [(1.0, 0.0), ((0, 0), (1, 0)), (0.0, math.nan), 3.0, ((0, 0, 0), (1, 1, 1))])
def test_what_is_no_box_is_refused(within):
    with pytest.raises(flowrt.Error, match="within"):
        model().sample(1, within=within)
    with pytest.raises(flowrt.Error, match="within"):
        model().acceptance(within=within)
