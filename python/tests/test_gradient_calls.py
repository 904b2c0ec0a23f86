"""Model.log_prob_gradient takes what log_prob takes: shapes, tables, refusals, threads, progress and warnings."""

from __future__ import annotations

import numpy as np
import pytest
from arrow_like import Table
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model, parts
from flowrt.file import encode

DATA = encode(flowrt.compile(random_flow(10, 3, 2)))
MODEL = Model(DATA)
PLAIN = Model(encode(flowrt.compile(random_flow(4, 3, 0))))
X = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
CONTEXT = np.random.default_rng(2).normal(size=(200, 2)).astype(np.float32)

SHAPES = {  # x, context, and the shape of log p
    "a row each": (X, CONTEXT, (200,)),
    "one context": (X, CONTEXT[0], (200,)),
    "one row": (X[0], CONTEXT, (200,)),
    "one of each": (X[0], CONTEXT[0], (1,)),
    "all pairs": (X[None, :40], CONTEXT[:5, None], (5, 40)),
    "no rows": (X[:0], CONTEXT[0], (0,)),
}


@pytest.mark.parametrize("x, context, shape", SHAPES.values(), ids=SHAPES)
def test_each_result_is_that_of_its_row_and_context(x, context, shape):
    log_p, by_x, by_context = MODEL.log_prob_gradient(x, context)
    assert (log_p.shape, by_x.shape, by_context.shape) == (shape, (*shape, 3), (*shape, 2))
    rows = np.broadcast_to(x, (*shape, 3)).reshape(-1, 3)
    contexts = np.broadcast_to(context, (*shape, 2)).reshape(-1, 2)
    flat = MODEL.log_prob_gradient(rows, contexts)
    for found, expected in zip((log_p, by_x, by_context), flat):
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_without_a_context_there_is_no_gradient_by_it():
    log_p, by_x, by_context = PLAIN.log_prob_gradient(X)
    assert by_x.shape == X.shape and by_context is None
    np.testing.assert_array_equal(log_p, PLAIN.log_prob(X))


def test_columns_are_found_by_their_names(tmp_path):
    flowrt.save(tmp_path / "m.flw", random_flow(10, 3, 2), names=["a", "b", "c"], context_names=["u", "v"])
    columns = {"v": CONTEXT[:, 1], "c": X[:, 2], "a": X[:, 0], "other": X[:, 0], "u": CONTEXT[:, 0], "b": X[:, 1]}
    model, table = Model(tmp_path / "m.flw"), Table(**columns)
    for found, expected in zip(model.log_prob_gradient(table, table), model.log_prob_gradient(X, CONTEXT)):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(LibraryError, match="x has no column 'b'"):
        model.log_prob_gradient(Table(a=X[:, 0], c=X[:, 2]), CONTEXT)


@pytest.mark.parametrize(
    "model, given",
    [
        (MODEL, (X,)),
        (PLAIN, (X, CONTEXT)),
        (MODEL, (X[:, :2], CONTEXT)),
        (MODEL, (X, CONTEXT[:, :1])),
        (MODEL, (X, CONTEXT[:3])),
        (MODEL, (np.ma.masked_greater(X, 1), CONTEXT)),
        (MODEL, (X, CONTEXT * 1j)),
        (MODEL, ([["1", "2", "3"]], CONTEXT)),
    ],
    ids=[
        "no context",
        "a context too many",
        "width of x",
        "width of the context",
        "rows",
        "masks",
        "complex",
        "strings",
    ],
)
def test_refusals_are_those_of_log_prob(model, given):
    with pytest.raises(LibraryError) as of_log_prob:
        model.log_prob(*given)
    with pytest.raises(LibraryError) as found:
        model.log_prob_gradient(*given)
    assert str(found.value) == str(of_log_prob.value) and found.value.status == of_log_prob.value.status


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_parts_change_no_bit(threads, monkeypatch):
    expected = [MODEL.log_prob_gradient(*given) for *given, _ in SHAPES.values()]
    monkeypatch.setattr(parts, "_WORK", 0.0)
    assert len(parts.parts_of(200, parts.rows_in_part(200, 1.0, 1), 1)) > 1
    for (*given, _), whole in zip(SHAPES.values(), expected):
        for found, other in zip(MODEL.log_prob_gradient(*given, threads=threads), whole):
            np.testing.assert_array_equal(found, other)


def test_progress_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(parts, "_WORK", 0.0)
    MODEL.log_prob_gradient(X, CONTEXT, progress=True)
    assert "log prob gradient 200 of 200 rows, 100 %" in capsys.readouterr().err.splitlines()[-1]
    calls = []
    MODEL.log_prob_gradient(X, CONTEXT, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (200, 200) and len(calls) > 1


def test_a_row_that_is_not_finite_is_named_where_the_call_is():
    x = X.copy()
    x[[7, 9], 2] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning, match=r"2 of 200 rows, the first is 7: x is nan in column 2") as caught:
        log_p, by_x, by_context = MODEL.log_prob_gradient(x, CONTEXT)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert [int(np.isnan(part.reshape(200, -1)).all(axis=1).sum()) for part in (log_p, by_x, by_context)] == [2, 2, 2]


def test_minus_infinity_is_an_answer_beside_what_is_wrong():
    """Outside of a support log p is -inf and the gradient 0: the reason of the warning is the other row."""
    uniform = flowrt.ir.BoxUniform(np.zeros(1), np.ones(1))
    model = Model(encode(flowrt.compile(flowrt.ir.Flow(1, 0, [], uniform))))
    with pytest.warns(flowrt.NonfiniteWarning, match="1 of 3 rows, the first is 2: x is nan in column 0"):
        log_p, by_x, _ = model.log_prob_gradient([[0.5], [3.0], [np.nan]])
    np.testing.assert_array_equal(log_p, np.float32([0, -np.inf, np.nan]))
    np.testing.assert_array_equal(by_x, np.float32([[0], [0], [np.nan]]))


def test_a_model_without_gradients_says_so():
    model = Model(DATA, level=1)
    if model.cpu_level == 1 and "x86_64" in flowrt.library.load().flowrt_build_info().decode():
        with pytest.raises(LibraryError, match="gradient") as found:
            model.log_prob_gradient(X, CONTEXT)
        assert found.value.status == flowrt.errors.Status.GRADIENT
