"""Rows, contexts and tables as users have them: what is taken, how it broadcasts, and what is refused by name."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest
from arrow_like import Table
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model
from flowrt.errors import Status
from flowrt.file import encode
from flowrt.file.metadata import names_of
from flowrt.info import describe

NAMES = ("mass", "age", "metal [Fe/H]")


@pytest.fixture(scope="module")
def model():
    return Model(encode(flowrt.compile(random_flow(10, 3, 2))))


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    path = tmp_path_factory.mktemp("named") / "m.flw"
    flowrt.save(path, random_flow(10, 3, 2), names=NAMES, context_names=["u", "v"])
    return Model(path)


def rows(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


# ---- shapes ----


def test_one_row_with_many_contexts_and_many_rows_with_one(model):
    x, contexts = rows(7, 3), rows(7, 2)
    each = model.log_prob(x, contexts)
    np.testing.assert_array_equal(
        model.log_prob(x[2], contexts), [model.log_prob(x[2], context)[0] for context in contexts]
    )
    np.testing.assert_array_equal(model.log_prob(x, contexts[4]), [model.log_prob(row, contexts[4])[0] for row in x])
    assert model.log_prob(x[2], contexts)[2] == each[2] == model.log_prob(x, contexts[2])[2]
    z, log_det = model.forward(x[2], contexts)
    assert z.shape == (7, 3) and log_det.shape == (7,)


@pytest.mark.parametrize("n", [1, 5, 40, 130])
def test_all_rows_with_all_contexts(model, n):
    """In groups that are smaller than a tile, and larger ones."""
    x, contexts = rows(n, 3), rows(4, 2)
    found = model.log_prob(x[None], contexts[:, None])
    assert found.shape == (4, n)
    np.testing.assert_array_equal(found, [model.log_prob(x, context) for context in contexts])
    z, log_det = model.forward(x[None], contexts[:, None])
    assert z.shape == (4, n, 3) and log_det.shape == (4, n)
    np.testing.assert_array_equal(z[3], model.forward(x, contexts[3])[0])
    other = model.log_prob(x[:, None], contexts)
    np.testing.assert_array_equal(other, found.T)


@pytest.mark.parametrize("n", [1, 3, 100])
def test_draws_for_many_contexts(model, n):
    """m contexts x n draws; draw j of context i is number index + i n + j."""
    contexts = rows(4, 2)
    x, log_prob = model.sample(n, contexts[:, None], seed=9, stream=2, index=5, log_prob=True)
    assert x.shape == (4, n, 3) and log_prob.shape == (4, n)
    for i, context in enumerate(contexts):
        own = model.sample(n, context, seed=9, stream=2, index=5 + i * n, log_prob=True)
        np.testing.assert_array_equal(x[i], own[0])
        np.testing.assert_array_equal(log_prob[i], own[1])
    flat = model.sample(4 * n, np.repeat(contexts, n, axis=0), seed=9, stream=2, index=5)
    np.testing.assert_array_equal(x.reshape(-1, 3), flat)
    boxed = model.sample(n, contexts[:, None], seed=9, within=(-3, 3), most_draws=10**6)
    assert boxed.shape == (4, n, 3) and np.all(np.abs(boxed) <= 3)


def test_shapes_that_do_not_broadcast_are_told_with_the_way_on(model):
    with pytest.raises(LibraryError, match=r"context has 3 rows, not 1 or 2; .* give context\[:, None\]$"):
        model.sample(2, rows(3, 2))
    with pytest.raises(LibraryError, match=r"give context\[:, None\] and z\[None\]"):
        model.inverse(rows(2, 3), rows(3, 2))
    with pytest.raises(LibraryError, match=r"\(\*\(3, 1\), C\) does not broadcast against rows of \(2, 4\)"):
        model.log_prob(rows(2, 4, 3), rows(3, 1, 2))


def test_no_rows_and_no_contexts(model):
    assert model.sample(0, rows(4, 1, 2), seed=1).shape == (4, 0, 3)
    assert model.sample(5, rows(0, 1, 2), seed=1).shape == (0, 5, 3)
    assert model.log_prob(rows(0, 3), rows(0, 2)).shape == (0,)


@pytest.mark.parametrize(
    "given, text",
    [
        (np.zeros(5), r"x must be \(n, 3\), not \(5,\)$"),
        (np.zeros((2, 3, 4)), r"x must be \(n, 3\), not \(2, 3, 4\)$"),
    ],
)
def test_a_wrong_shape_is_told_as_it_was_given(model, given, text):
    with pytest.raises(ValueError, match=text):
        model.log_prob(given, [0, 0])


def test_a_column_of_numbers_is_told_how_it_becomes_rows():
    narrow = Model(encode(flowrt.compile(random_flow(5, 1, 0))))
    with pytest.raises(ValueError, match=r"not \(7,\): for n rows of one number give numpy.reshape\(x, \(-1, 1\)\)"):
        narrow.log_prob(np.zeros(7))
    assert narrow.log_prob(0.5).shape == (1,)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.log_prob(np.zeros((2, 4)), [0, 0]),
        lambda model: model.log_prob(np.zeros((2, 3))),
        lambda model: model.log_prob(np.zeros((2, 3)), np.zeros((3, 2))),
        lambda model: model.sample(-1, [0, 0]),
        lambda model: model.sample(1, [0, 0], threads=-1),
        lambda model: model.sample(1, [0, 0], within=3),
        lambda model: model.sample(1, [0, 0], within=(0, np.zeros(4))),
        lambda model: model.acceptance([0, 0], within=(1, 0)),
        lambda model: model.acceptance([0, 0], within=(0, 1), draws=0),
        lambda model: flowrt.reference.log_prob(model.to_bytes(), np.zeros((2, 4)), [0, 0]),
        lambda model: flowrt.plot.plot(model, np.zeros((2, 3)), np.zeros((3, 2))),
    ],
)
def test_a_wrong_argument_is_a_value_error(model, call):
    with pytest.raises(flowrt.ArgumentError) as caught:
        call(model)
    assert isinstance(caught.value, (ValueError, LibraryError)) and caught.value.status < 0


def test_a_count_that_is_no_whole_number_is_named(model):
    with pytest.raises(TypeError, match=r"^n must be a whole number, not 1000.0 of float$"):
        model.sample(1e3, [0, 0])
    with pytest.raises(TypeError, match=r"^threads must be a whole number, not '2' of str$"):
        model.sample(1, [0, 0], threads="2")


# ---- what is no number ----


@pytest.mark.parametrize(
    "values, text",
    [
        (np.ma.masked_invalid([[1.0, np.nan, 3.0]]), "1 masked values: drop their rows"),
        (np.zeros((1, 3), complex), "complex numbers: give real numbers"),
        (np.zeros((1, 3), "M8[s]"), "dates"),
        (np.zeros((1, 3), "m8[s]"), "durations"),
        ([["1", "2", "3"]], "strings"),
        (np.array([[b"1", b"2", b"3"]]), "bytes"),
        (np.array([[1.0, "2", 3.0]], object), "'2' of str"),
        (np.array([[1.0, None, 3.0]], object), "None of NoneType"),
        (np.array([[1.0, np.str_("2"), 3.0]], object), "of str_"),
        (np.array([[1.0, np.complex64(2), 3.0]], object), "of complex64"),
        (np.array([[1.0, np.datetime64("2020"), 3.0]], object), "of datetime64"),
        (np.array([[1.0, datetime.date(2020, 1, 1), 3.0]], object), "datetime.date.* of date"),
        (np.array([[1.0, 2j, 3.0]], object), "2j of complex"),
        ([[1, 2, 3], [1, 2]], "no array of numbers"),
        ([{"a": 1}], "of dict"),
        (None, "None of NoneType"),
    ],
)
def test_what_is_no_real_number_is_refused_by_the_name_of_the_argument(model, values, text):
    with pytest.raises(LibraryError, match=f"^x (has|is) .*{text}") as caught:
        model.log_prob(values, [0, 0])
    assert caught.value.status == Status.ARGUMENT
    with pytest.raises(LibraryError, match=f"^z (has|is) .*{text}"):
        model.inverse(values, [0, 0])
    if values is not None:
        with pytest.raises(LibraryError, match=f"^context (has|is) .*{text}"):
            model.log_prob([0, 0, 0], values)


def test_numbers_of_any_kind_are_taken(model):
    expected = model.log_prob([[1, 2, 3]], [0, 1])
    for values in (
        np.array([[1, 2, 3]], np.int8),
        np.array([[1, 2, 3]], np.longdouble),
        np.array([[decimal.Decimal(1), 2.0, np.float16(3)]], object),
        np.ma.array([[1.0, 2.0, 3.0]], mask=False),
        [1, 2, 3],
        memoryview(np.array([[1.0, 2.0, 3.0]])),
    ):
        np.testing.assert_array_equal(model.log_prob(values, [False, True]), expected)


def test_a_dictionary_of_columns_is_named_shortly_with_the_way_on(model, named):
    columns = {name: np.zeros(100_000) for name in NAMES}
    with pytest.raises(LibraryError) as caught:
        named.log_prob(columns, [0, 0])
    assert str(caught.value) == (
        "x is a dict of 'mass', 'age', 'metal [Fe/H]', not rows: give a table, pandas.DataFrame(x), or an array, "
        "numpy.column_stack([x[column] for column in ['mass', 'age', 'metal [Fe/H]']])"
    )
    for wrong in ({str(i): np.zeros(9) for i in range(100)}, [{"a": list(range(1000))}], [["long" * 1000]]):
        for call in (lambda: model.log_prob(wrong, [0, 0]), lambda: model.sample(1, wrong)):  # noqa: B023
            with pytest.raises(LibraryError) as caught:
                call()
            assert len(str(caught.value)) < 300


def test_beyond_float32_is_infinite(model):
    with pytest.warns(flowrt.NonfiniteWarning):
        assert not np.isfinite(model.log_prob([[1e300, 0, 0]], [0, 0])[0])


# ---- names ----


def table(x, names=NAMES):
    return Table(**{name: x[:, i] for i, name in enumerate(names)})


def test_columns_are_found_by_their_names(named):
    x, context = rows(6, 3), rows(6, 2)
    expected = named.log_prob(x, context)
    both = Table(v=context[:, 1], extra=x[:, 0] * np.nan, **{n: x[:, i] for i, n in reversed(list(enumerate(NAMES)))})
    both.column_names.append("u")
    both._columns.append(context[:, 0])
    np.testing.assert_array_equal(named.log_prob(both, both), expected)
    assert named.sample(6, both, seed=1).shape == (6, 3)


def test_a_table_has_no_axis_to_add(named, model):
    """So the model makes an array of it, whose columns are in its order."""
    x, contexts = rows(6, 3), rows(4, 2)
    swapped = Table(v=contexts[:, 1], u=contexts[:, 0])
    np.testing.assert_array_equal(named.as_contexts(swapped), contexts)
    np.testing.assert_array_equal(named.as_rows(table(x[:, ::-1], NAMES[::-1])), x)
    drawn = named.sample(9, named.as_contexts(swapped)[:, None], seed=1)
    np.testing.assert_array_equal(drawn, named.sample(9, contexts[:, None], seed=1))
    with pytest.raises(LibraryError, match=r"4 contexts give model.as_contexts\(context\)\[:, None\]$"):
        named.sample(9, swapped)
    with pytest.raises(LibraryError, match=r"give context\[:, None\] and model.as_rows\(x\)\[None\]$"):
        named.log_prob(table(x), contexts)
    with pytest.raises(LibraryError, match=r"takes no context, but one of shape \(1, 2\)"):
        Model(encode(flowrt.compile(random_flow(5, 3, 0)))).as_contexts([[0, 0]])


def test_a_column_that_is_not_finite_is_named_as_the_user_names_it(named, model):
    x, contexts = rows(4, 3), rows(4, 2)
    x[2, 1] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning, match="the first is 2: x is nan in column 'age'$"):
        named.log_prob(table(x[:, ::-1], NAMES[::-1]), contexts)
    with pytest.warns(flowrt.NonfiniteWarning, match="the first is 2: x is nan in column 'age'$"):
        named.log_prob(x, contexts)
    with pytest.warns(flowrt.NonfiniteWarning, match="the first is 2: x is nan in column 'b'$"):
        model.log_prob(table(x, "abc"), contexts)
    with pytest.warns(flowrt.NonfiniteWarning, match="the first is 2: x is nan in column 1$"):
        model.log_prob(x, contexts)
    with pytest.warns(flowrt.NonfiniteWarning, match="the first is 2: z is nan in column 1$"):
        named.inverse(x, contexts)
    contexts[3, 0] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning, match=r"first is \(3, 0\): its context is nan in column 'u'$"):
        named.sample(5, contexts[:, None])


def test_a_missing_column_is_named(named):
    text = r"^x has no column 'age': the model takes 'mass', 'age', .*, the table has 'mass', 'years'"
    with pytest.raises(LibraryError, match=text):
        named.log_prob(table(rows(2, 3), ("mass", "years", NAMES[2])), [0, 0])
    with pytest.raises(LibraryError, match="^context has no column 'u', 'v'"):
        named.log_prob(rows(2, 3), table(rows(2, 2), ("a", "b")))
    twice = table(rows(2, 3))
    twice.column_names.append("age")
    with pytest.raises(LibraryError, match="more than one column 'age'"):
        named.log_prob(twice, [0, 0])


def test_a_column_of_strings_is_named(named):
    x = table(rows(2, 3))
    x._columns[1] = np.array(["a", "b"])
    with pytest.raises(LibraryError, match="^column 'age' of x has strings"):
        named.log_prob(x, [0, 0])


def test_without_names_the_order_counts(model):
    x = rows(4, 3)
    np.testing.assert_array_equal(model.log_prob(table(x, "abc"), [0, 0]), model.log_prob(x, [0, 0]))
    with pytest.raises(LibraryError, match="x must have 3 columns, not the 4 of this table .*does not say which"):
        model.log_prob(table(rows(4, 4), "abcd"), [0, 0])


def test_names_are_kept_in_the_file(named, model, tmp_path):
    assert named.names == NAMES and named.context_names == ("u", "v")
    assert model.names is None and model.context_names is None
    path = tmp_path / "m.flw"
    flowrt.save(path, {"dim": 1, "steps": []}, names=["größe"])
    assert Model(path).names == ("größe",)
    shown = describe(flowrt.format.read(named.to_bytes())).splitlines()
    assert "names: mass, age, metal [Fe/H]" in shown and "context_names: u, v" in shown


@pytest.mark.parametrize(
    "names, text",
    [
        (["a", "b"], "number of names is 2, not 3"),
        (["a", "b", "a"], "more than once there is 'a'"),
        ("abc", "must be a list of names"),
        (["a", "b", 3], "must be a list of names"),
        (["a", "b", ""], "must be a list of names"),
    ],
)
def test_names_that_are_none_are_refused(names, text, tmp_path):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save(tmp_path / "m.flw", random_flow(10, 3, 2), names=names)


@pytest.mark.parametrize("found", [None, 3, "abc", ["a"], ["a", "a", "b"], [1, 2, 3], ["a", None, "b"]])
def test_metadata_of_others_harm_nobody(found):
    assert names_of({"names": found}, "names", 3) is None
