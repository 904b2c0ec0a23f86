"""Tables of pandas, Polars and Arrow as rows; Arrow in and out."""

from __future__ import annotations

import pickle

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model, ir
from flowrt.file import encode
from flowrt.file.codes import Function

NAMES = ("mass", "age", "metal [Fe/H]")
X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
COLUMNS = {"id": list("abcdef"), "age": X[:, 1], NAMES[2]: X[:, 2], "mass": X[:, 0]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("named") / "m.flw"
    flowrt.save(path, random_flow(10, 3, 2), names=NAMES, context_names=["u", "v"])
    return Model(path)


def test_pandas(model):
    frame = pandas.DataFrame(COLUMNS)
    expected = model.log_prob(X, [0, 0])
    np.testing.assert_array_equal(model.log_prob(frame, [0, 0]), expected)
    np.testing.assert_array_equal(model.log_prob(frame.astype({"age": "Float64"}), [0, 0]), expected)
    np.testing.assert_array_equal(model.log_prob(frame.iloc[2:3], pandas.Series([0, 0])), expected[2:3])
    both = frame.assign(v=1.0, u=0.5)
    np.testing.assert_array_equal(model.log_prob(both, both), model.log_prob(X, [0.5, 1.0]))
    for column in (list("abcdef"), pandas.date_range("2020-01-01", periods=6), pandas.array([1, 2, None, 4, 5, 6])):
        with pytest.raises(LibraryError, match="column 'mass' of x"):
            model.log_prob(frame.assign(mass=column), [0, 0])


def test_a_row_of_pandas_is_found_by_its_labels(model):
    row, expected = pandas.DataFrame(COLUMNS).iloc[2], model.log_prob(X[2:3], [0.5, 1.0])
    for order in (row.index, row.index[::-1]):
        found = model.log_prob(row[order], pandas.Series({"v": 1.0, "u": 0.5}))
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(LibraryError, match="no column 'mass'"):
        model.log_prob(row.drop("mass"), [0.5, 1.0])


def test_rows_of_pandas_are_named_by_their_labels(model):
    frame = pandas.DataFrame(COLUMNS, index=list("pqrstu"))
    contexts = pandas.DataFrame({"v": np.zeros(6), "u": np.zeros(6)}, index=[10, 20, 30, 40, 50, 60])
    with pytest.warns(flowrt.NonfiniteWarning, match=r"the first is 4 \(label 't'\): x is nan in column 'age'$"):
        model.log_prob(frame.assign(age=[1, 2, 3, 4, np.nan, 6]), [0, 0])
    with pytest.warns(flowrt.NonfiniteWarning, match=r"first is 1 .*: its context \(label 20\) is nan in column 'u'$"):
        model.log_prob(frame, contexts.assign(u=[1, np.nan, 3, 4, 5, 6]))
    with pytest.warns(flowrt.NonfiniteWarning, match=r"first is 3: x is nan"):  # labels that are the places
        model.log_prob(frame.reset_index().assign(age=[1, 2, 3, np.nan, 5, 6]), [0, 0])


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_tables_as_contexts(model, make):
    u, v = np.float32([0, 1, 2, 3]), np.float32([4, 5, 6, 7])
    contexts, table = np.stack([u, v], axis=1), make({"v": v, "u": u, "w": u})
    np.testing.assert_array_equal(model.log_prob(X[:4], table), model.log_prob(X[:4], contexts))
    np.testing.assert_array_equal(model.sample(4, table, seed=1), model.sample(4, contexts, seed=1))
    expected = model.sample(9, contexts[:, None], seed=1)
    np.testing.assert_array_equal(model.sample(9, model.as_contexts(table)[:, None], seed=1), expected)
    np.testing.assert_array_equal(model.acceptance(table, within=(-1, 1)), model.acceptance(contexts, within=(-1, 1)))
    np.testing.assert_array_equal(model.forward(X[0], table)[0], model.forward(X[0], contexts)[0])
    with pytest.raises(LibraryError, match=r"give model.as_contexts\(context\)\[:, None\]$"):
        model.sample(9, table)


def test_bounds_with_labels_are_found_by_them(model):
    frame = pandas.DataFrame({name: x for name, x in zip(NAMES, X.T)})
    low, high = frame.min() - [0, 5, 5], frame.max() + [5, 5, 5]  # the mass has the narrow bound
    order = list(NAMES[::-1])
    expected = model.sample(50, [0, 0], seed=1, within=(low.to_numpy(), high.to_numpy()))
    np.testing.assert_array_equal(model.sample(50, [0, 0], seed=1, within=(low[order], high[order])), expected)
    with pytest.raises(ValueError, match="low of within has no column 'mass'"):
        model.sample(1, [0, 0], within=(low.drop("mass"), high))
    with pytest.raises(ValueError, match="within is empty in 'age'"):
        model.sample(1, [0, 0], within=(low, low - [-1, 1, -1]))


def test_rows_and_contexts_that_are_saved_with_are_found_by_their_labels(tmp_path, capsys):
    """In `save`, a row of a table as the context of all rows, in whatever order."""
    path, flow = tmp_path / "m.flw", random_flow(10, 3, 2)
    row = pandas.Series({"v": 7.0, "u": 0.5})
    flowrt.save(path, flow, names=NAMES, context_names=["u", "v"], rows=pandas.DataFrame(COLUMNS), contexts=row)
    swapped = capsys.readouterr().out
    flowrt.save(path, flow, names=NAMES, context_names=["u", "v"], rows=X, contexts=[0.5, 7.0])
    assert swapped == capsys.readouterr().out


@pytest.mark.parametrize("make", [polars.DataFrame, pyarrow.table, pyarrow.RecordBatch.from_pydict])
def test_polars_and_arrow(model, make):
    np.testing.assert_array_equal(model.log_prob(make(COLUMNS), [0, 0]), model.log_prob(X, [0, 0]))
    nulls = {**COLUMNS, "mass": [*map(float, X[:5, 0]), None]}
    with pytest.raises(LibraryError, match="column 'mass' of x has 1 nulls"):
        model.log_prob(make(nulls), [0, 0])
    with pytest.raises(LibraryError, match="column 'mass' of x has strings|column 'mass' of x has 'a' of str"):
        model.log_prob(make({**COLUMNS, "mass": list("abcdef")}), [0, 0])


@pytest.mark.parametrize("make", [pyarrow.table, pyarrow.RecordBatch.from_pydict])
def test_arrow_out(model, make):
    arrow, expected = model.arrow(), model.log_prob(X, [0, 0])
    found = arrow.log_prob(make(COLUMNS), [0, 0])
    assert found.type == pyarrow.float32()
    np.testing.assert_array_equal(found, expected)
    more = arrow.with_log_prob(make(COLUMNS), [0, 0], column="score")
    assert more.schema.names == [*COLUMNS, "score"] and isinstance(more, type(make(COLUMNS)))
    np.testing.assert_array_equal(more.column(4), expected)


def test_the_bridge_to_arrow_is_pickled(model):
    again = pickle.loads(pickle.dumps(model.arrow()))
    np.testing.assert_array_equal(again.log_prob(pyarrow.table(COLUMNS), [0, 0]), model.log_prob(X, [0, 0]))


def test_arrow_arrays_of_lists(model):
    arrow, expected = model.arrow(), model.log_prob(X, [0, 0])
    fixed = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(X.ravel()), 3)
    for array in (fixed, fixed.cast(pyarrow.list_(pyarrow.float64())), pyarrow.chunked_array([fixed[:2], fixed[2:]])):
        np.testing.assert_array_equal(arrow.log_prob(array, [0, 0]), expected)
    np.testing.assert_array_equal(arrow.log_prob(fixed[2:4], [0, 0]), expected[2:4])  # a slice begins elsewhere
    for wrong, text in [
        (pyarrow.array([[1, 2, 3], [1, 2]]), "lists of one length"),
        (pyarrow.array([1.0]), "lists"),
        (pyarrow.array([[1, None, 3]]), "1 nulls"),
        (pyarrow.array([[1, 2, 3], None]), "lists|nulls"),
    ]:
        with pytest.raises(flowrt.Error, match=f"x .*{text}"):
            arrow.log_prob(wrong, [0, 0])


def test_draws_as_an_arrow_table(model):
    table = model.arrow().sample(5, [0, 1], seed=3, log_prob=True)
    assert table.schema.names == [*NAMES, "log_prob"]
    x, log_prob = model.sample(5, [0, 1], seed=3, log_prob=True)
    np.testing.assert_array_equal(np.stack([table[name] for name in NAMES], axis=1), x)
    np.testing.assert_array_equal(table["log_prob"], log_prob)
    plain = Model(encode(flowrt.compile(random_flow(5, 3, 0)))).arrow().sample(2)
    assert plain.schema.names == ["x0", "x1", "x2"] and plain.num_rows == 2


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_rows_that_a_file_is_compared_on_are_found_by_their_names(make, tmp_path, capsys):
    """Log of the first coordinate: the others are below zero, where it has no answer."""
    flow = ir.Flow(2, 0, [ir.Elementwise([Function.LOG_ABOVE, 0], [0, 0], [0, 0])])
    table = make({"other": [-1.0, -2.0], "positive": [1.0, 2.0]})
    flowrt.save(tmp_path / "m.flw", flow, names=["positive", "other"], rows=table)
    assert "2 of 2 rows were compared" in capsys.readouterr().out
    with pytest.raises(flowrt.Error, match="no answer for any of the rows"):
        flowrt.save(tmp_path / "m.flw", flow, rows=table)
