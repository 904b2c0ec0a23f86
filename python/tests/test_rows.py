"""Random rows stay where a framework has an answer, which is not everywhere where a file has one. A user's rows are
compared as they are."""

from __future__ import annotations

import numpy as np
import pytest

import flowrt
from flowrt import ir
from flowrt.file.codes import Function, SplineForm
from flowrt.verify.rows import defined, own_rows, random_rows


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


def test_rows_are_found_inside_of_a_bounded_spline_between_other_steps():
    """Whose interval neither normals nor the unit box meet."""
    rows = ir.Layer(np.linspace(-1, 1, 80))
    spline = ir.Spline(3, SplineForm.FREE_ENDS, (0.0, 1.0, 0.01, 0.01, 0.01), bounded=True)
    before, after = ir.Diagonal(np.full(8, 0.01), np.full(8, -10.0)), ir.Diagonal(np.full(8, 50.0), np.full(8, 7.0))
    file = flowrt.compile(ir.Flow(8, 0, [before, ir.Autoregressive([rows], spline), after]))
    found = random_rows(file, 20)
    none = np.zeros((20, 0))
    assert np.all(defined(file, found.x, none)) and np.all((found.x > 1000) & (found.x < 1100))
    assert np.all((found.z > 7) & (found.z < 57)) and np.ptp(found.z) > 20


def test_a_given_context_is_kept():
    network = [ir.Layer(np.zeros(4), context_weight=np.ones((4, 3)))]
    step = ir.Autoregressive(network, ir.Affine(flowrt.format.codes.Scale.EXP))
    file = flowrt.compile(ir.Flow(2, 3, [step]))
    given = np.arange(15.0).reshape(5, 3) / 10
    assert random_rows(file, 5, context=given).context is given
    assert random_rows(file, 5).context.shape == (5, 3)


# ---- rows of a user's own ----


def with_context(contexts: int):
    context = {"context_weight": np.ones((4, contexts))} if contexts else {}
    step = ir.Autoregressive([ir.Layer(np.zeros(4), **context)], ir.Affine(flowrt.format.codes.Scale.EXP))
    return flowrt.compile(ir.Flow(2, contexts, [step]))


def test_own_rows_come_with_their_noise():
    file = with_context(0)
    x = np.array([[1, 2], [3, 0.1]])
    rows = own_rows(file, x)
    np.testing.assert_array_equal(rows.x, x.astype(np.float32))  # as libflowrt will have them
    np.testing.assert_allclose(rows.z, flowrt.reference.forward(file, rows.x)[0], rtol=1e-7)
    assert rows.context is None
    assert rows.note == "2 of 2 rows were compared"
    np.testing.assert_array_equal(own_rows(file, [4, 5]).x, [[4, 5]])


@pytest.mark.parametrize("context", [np.full((3, 5), 2.0), np.full(5, 2.0)])
def test_own_contexts_are_for_each_row_or_for_all(context):
    rows = own_rows(with_context(5), np.ones((3, 2)), context)
    np.testing.assert_array_equal(rows.context, np.full((3, 5), 2.0))
    np.testing.assert_allclose(rows.z, flowrt.reference.forward(with_context(5), rows.x, rows.context)[0], rtol=1e-7)


def test_many_own_rows_are_thinned_evenly():
    x = np.stack([np.arange(5000), np.arange(5000)], axis=1)
    rows = own_rows(with_context(1), x, x[:, :1] / 5000)
    assert len(rows.x) == 256 and rows.x[0, 0] == 0 and rows.x[-1, 0] == 4999
    assert np.ptp(np.diff(rows.x[:, 0])) <= 1
    np.testing.assert_allclose(rows.context, rows.x[:, :1] / 5000, rtol=1e-7)
    np.testing.assert_array_equal(rows.numbers, rows.x[:, 0])
    assert rows.note == "256 of 5000 rows were compared"


def test_own_rows_without_an_answer_are_left_out():
    file = flowrt.compile(ir.Flow(1, 0, [ir.Elementwise([Function.LOG_ABOVE], [1], [0])]))
    rows = own_rows(file, [[5], [0], [3], [np.nan], [np.inf], [1e300], [2]])
    np.testing.assert_array_equal(rows.x, [[5], [3], [2]])
    np.testing.assert_array_equal(rows.numbers, [0, 2, 6])
    assert rows.note == (
        "3 of 7 rows were compared; 2 rows (3, 4) left out, for there is a NaN or an infinity, first in column 0 of x: "
        "drop or fill them; the file has no answer for 2 rows (1, 5), left out"
    )
    with pytest.raises(flowrt.Error, match="the file has no answer for any of the rows"):
        own_rows(file, [[0.5], [np.nan]])


def test_rows_with_a_nan_are_named_with_the_way_on():
    file, x, context = with_context(2), np.ones((400, 2)), np.ones((400, 2))
    x[7, 1] = np.nan
    assert own_rows(file, x, context).note == (
        "256 of 400 rows were compared; row 7 left out, for there is a NaN or an infinity, first in column 1 of x: "
        "drop or fill them"
    )
    x[7, 1], context[20:30, 0] = 1, np.inf
    rows = own_rows(file, x, context)
    assert len(rows.x) == 256 and not set(rows.numbers) & set(range(20, 30))  # those that are taken are good ones
    assert "10 rows (20, 21, 22, 23, 24, ...) left out" in rows.note and "column 0 of the context: drop" in rows.note
    with pytest.raises(ValueError, match="^all 3 rows have a NaN or an infinity, first in column 0 of x: drop or fill"):
        own_rows(file, np.full((3, 2), np.nan), np.ones(2))


def test_own_rows_whose_noise_rounds_to_the_end_of_an_interval_are_left_out():
    file = flowrt.compile(ir.Flow(1, 0, [ir.Elementwise([Function.SIGMOID], [0], [1])]))
    rows = own_rows(file, [[1], [20], [2]])  # sigmoid(20) is less than 1 by 2e-9
    np.testing.assert_array_equal(rows.x, [[1], [2]])


def test_digits_that_float32_cannot_hold_are_told():
    file = flowrt.compile(ir.Flow(1, 0, [ir.Diagonal(np.full(1, 1.0), np.full(1, -1.6e9))]))
    note = own_rows(file, 1.6e9 + np.array([[0.25], [1.5]])).note
    assert note.startswith("2 of 2 rows were compared; that libflowrt takes x as float32 changes log p by up to ")
    assert own_rows(file, 1.6e9 + np.array([[0.0], [128.0]])).note == "2 of 2 rows were compared"


@pytest.mark.parametrize(
    ("contexts", "given", "text"),
    [
        (0, np.ones((3, 4)), r"rows must be \(n, 2\), not \(3, 4\)"),
        (0, np.ones((0, 2)), r"rows must be \(n, 2\), not \(0, 2\)"),
        (0, np.ones((2, 2, 2)), r"rows must be \(n, 2\), not \(2, 2, 2\)"),
        (0, [["a", "b"]], "rows must be numbers"),
        (0, [[10**400, 1]], "rows must be numbers"),
        (0, np.ones(500), r"rows must be \(n, 2\), not \(500,\)"),
        (5, np.ones((3, 2)), "the rows need contexts of 5 floats each"),
    ],
)
def test_what_are_no_rows_of_the_flow_is_refused(contexts, given, text):
    with pytest.raises(flowrt.Error, match=text):
        own_rows(with_context(contexts), given)


@pytest.mark.parametrize(
    ("contexts", "given", "text"),
    [
        (0, np.ones((3, 1)), "there are contexts, but the flow takes none"),
        (5, np.ones((3, 4)), r"contexts must be \(n, 5\), not \(3, 4\)"),
        (5, np.ones((2, 5)), "there are 2 contexts, not 1 or 3"),
    ],
)
def test_what_are_no_contexts_of_the_rows_is_refused(contexts, given, text):
    with pytest.raises(flowrt.Error, match=text):
        own_rows(with_context(contexts), np.ones((3, 2)), given)
