"""Random rows stay where a framework has an answer, which is not everywhere where a file has one."""

from __future__ import annotations

import numpy as np

import flowrt
from flowrt import ir
from flowrt.format.codes import Function, SplineForm
from flowrt.rows import defined, random_rows


def test_rows_stay_out_of_the_margins_of_an_interval():
    logit = ir.Elementwise(np.full(2, Function.LOGIT), np.zeros(2), np.ones(2), margin=0.01)
    steep = ir.Diagonal(np.full(2, 0.2), np.zeros(2))  # noise of 1 is a logit of 5, so nearly 1
    file = flowrt.compile(ir.Flow(2, 0, [logit, steep]))
    x = random_rows(file, 50).x
    assert np.all((x >= 0.01) & (x <= 0.99))
    none = np.zeros((3, 0))
    np.testing.assert_array_equal(defined(file, np.array([[0.5, 0.5], [0.5, 0.995], [0.5, 1.5]]), none), [1, 0, 0])


def test_rows_stay_inside_of_a_bounded_spline():
    rows = ir.Layer(np.linspace(-1, 1, 20))
    spline = ir.Spline(3, SplineForm.FREE_ENDS, (0.0, 1.0, 0.01, 0.01, 0.01), bounded=True)
    file = flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([rows], spline)]))
    found = random_rows(file, 50)
    for side in (found.x, found.z):
        assert np.all((side >= 0) & (side <= 1)) and np.ptp(side) > 0.5


def test_a_given_context_is_kept():
    network = [ir.Layer(np.zeros(4), context_weight=np.ones((4, 3)))]
    step = ir.Autoregressive(network, ir.Affine(flowrt.format.codes.Scale.EXP))
    file = flowrt.compile(ir.Flow(2, 3, [step]))
    given = np.arange(15.0).reshape(5, 3) / 10
    assert random_rows(file, 5, given=given).context is given
    assert random_rows(file, 5).context.shape == (5, 3)
