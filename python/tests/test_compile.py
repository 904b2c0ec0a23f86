"""Sorting, pruning and folding change nothing: files compute what the descriptions say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from direct import check
from hypothesis import example, given
from hypothesis import strategies as st
from random_flows import flow as random_flow

import flowrt
from flowrt import ir, reference
from flowrt.building.modules import inverted_if
from flowrt.file import AutoregressiveStep, DiagonalStep, PermutationStep, encode, read
from flowrt.file.codes import Activation, Scale

FLOWS = given(seed=st.integers(0, 2**32), dim=st.integers(1, 9), context_dim=st.integers(0, 3))


def rows(seed, dim, context_dim, count=5):
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(count, context_dim))
    return rng.normal(size=(count, dim)), context, context if context_dim else None


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@FLOWS
def test_file_computes_what_the_description_says(seed, dim, context_dim):
    description = random_flow(seed, dim, context_dim)
    x, context, given_context = rows(seed, dim, context_dim)
    file = flowrt.compile(description)
    z, log_det = reference.forward(file, x, given_context)
    check(description, x, z, log_det, context, close)
    back, back_log_det = reference.inverse(file, z, given_context)
    np.testing.assert_allclose(back, x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(back_log_det, -log_det, rtol=1e-6, atol=1e-6)


@FLOWS
def test_rounding_to_float32_changes_results_by_float32_roundings(seed, dim, context_dim):
    description = random_flow(seed, dim, context_dim)
    x, _, context = rows(seed, dim, context_dim)
    file = flowrt.compile(description)
    for exact, rounded in zip(reference.forward(file, x, context), reference.forward(encode(file), x, context)):
        np.testing.assert_allclose(rounded, exact, rtol=1e-4, atol=1e-4)


@FLOWS
@example(seed=1, dim=1, context_dim=0)
def test_bytes_survive_reading_and_writing(seed, dim, context_dim):
    data = encode(flowrt.compile(random_flow(seed, dim, context_dim)))
    assert encode(read(data)) == data


def test_units_that_reach_nothing_are_dropped():
    first = ir.Layer(np.zeros(3), np.ones((3, 2)), np.array([[1, 0], [0, 1], [1, 1]]) == 1, ir.READ)
    output = ir.Layer(np.zeros(4), np.ones((4, 3)), np.array([[0, 0, 0]] * 2 + [[1, 0, 0]] * 2) == 1, 0)
    (step,) = flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([first, output], ir.Affine(Scale.EXP))])).steps
    assert step.layers[0].width == 1
    np.testing.assert_array_equal(step.layers[0].weight, [[1, 0]])


def test_layers_that_reach_nothing_are_dropped():
    hidden = ir.Layer(np.zeros(3), np.ones((3, 2)), None, ir.READ)
    output = ir.Layer(np.arange(4.0), np.ones((4, 3)), np.zeros((4, 3), dtype=bool), 0)
    (step,) = flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([hidden, output], ir.Affine(Scale.EXP))])).steps
    assert [layer.width for layer in step.layers] == [4] and step.layers[0].source == 0
    assert list(step.stage_end) == [2]


def test_added_layers_share_one_order():
    rng = np.random.default_rng(0)
    level = rng.integers(1, 6, size=20)
    h = ir.Layer(rng.normal(size=20), rng.normal(size=(20, 6)), np.arange(6) < level[:, None], ir.READ)
    inner = ir.Layer(
        rng.normal(size=20), rng.normal(size=(20, 20)), level <= level[:, None], 0, activation=Activation.TANH
    )
    outer = ir.Layer(rng.normal(size=20), rng.normal(size=(20, 20)), level <= level[:, None], 1, add=[ir.Add(0)])
    rank = np.repeat(np.arange(6), 2)
    output = ir.Layer(np.zeros(12), rng.normal(size=(12, 20)), level <= rank[:, None], 2)
    step = ir.Autoregressive([h, inner, outer, output], ir.Affine(Scale.EXP))
    file = flowrt.compile(ir.Flow(6, 0, [step]))
    assert [layer.width for layer in file.steps[0].layers] == [20, 20, 20, 12]  # nothing had to be carried
    x = rng.normal(size=(4, 6))
    check(ir.Flow(6, 0, [step]), x, *reference.forward(file, x), np.zeros((4, 0)), close)


def test_a_unit_that_only_keeps_others_company_is_emptied():
    """Unit 0 of `sum` reaches nothing and may see the last coordinate; unit 0 of `h`, which it adds, is needed."""
    h = ir.Layer(np.ones(2), np.ones((2, 2)), np.array([[1, 0], [1, 0]]) == 1, ir.READ)
    sum_ = ir.Layer(np.ones(2), np.ones((2, 2)), np.array([[0, 1], [1, 0]]) == 1, ir.READ, add=[ir.Add(0)])
    skip = ir.Layer(np.zeros(2), np.ones((2, 2)), np.array([[0, 0], [1, 0]]) == 1, 0)
    output = ir.Layer(np.zeros(2), np.ones((2, 2)), np.array([[0, 0], [0, 1]]) == 1, 1, add=[ir.Add(2)])
    description = ir.Flow(2, 0, [ir.Autoregressive([h, sum_, skip, output], ir.Additive())])
    file = flowrt.compile(description)
    assert len(file.steps[0].layers) == 4 and not file.steps[0].layers[1].weight[0].any()
    x = np.random.default_rng(0).normal(size=(4, 2))
    check(description, x, *reference.forward(file, x), np.zeros((4, 0)), close)


def test_orders_in_conflict_are_resolved_by_carrying():
    # Unit 0 of h is early and unit 1 late; the layer that adds h has it the other way round, and h is needed early.
    h = ir.Layer(np.zeros(2), np.ones((2, 3)), np.array([[1, 0, 0], [1, 1, 0]]) == 1, ir.READ)
    late = ir.Layer(np.zeros(2), np.ones((2, 3)), np.array([[1, 1, 0], [0, 0, 0]]) == 1, ir.READ, add=[ir.Add(0)])
    early = ir.Layer(np.zeros(1), np.ones((1, 2)), np.array([[1, 0]]) == 1, 0)
    output = ir.Layer(np.zeros(3), np.ones((3, 2)), np.array([[0, 0], [0, 0], [1, 1]]) == 1, 1)
    skip = ir.Layer(np.zeros(3), np.ones((3, 1)), np.array([[0], [1], [1]]) == 1, 2)
    output.add.append(ir.Add(3))
    layers = [h, late, early, skip, output]
    description = ir.Flow(3, 0, [ir.Autoregressive(layers, ir.Additive())])
    file = flowrt.compile(description)
    x = np.random.default_rng(0).normal(size=(4, 3))
    check(description, x, *reference.forward(file, x), np.zeros((4, 0)), close)
    assert len(file.steps[0].layers) > len(layers)
    assert encode(read(encode(file))) == encode(file)


def made(dim, reverse=False):
    """A MADE without hidden layers, in ascending or descending order."""
    rank = np.arange(dim)[::-1] if reverse else np.arange(dim)
    rng = np.random.default_rng(dim)
    output = ir.Layer(rng.normal(size=dim), rng.normal(size=(dim, dim)), rank < rank[:, None], ir.READ)
    return ir.Autoregressive([output], ir.Additive())


def test_permutations_fold_into_their_neighbours():
    rng = np.random.default_rng(0)
    steps = [made(5), ir.Permutation(rng.permutation(5)), made(5), ir.Permutation(rng.permutation(5))]
    file = flowrt.compile(ir.Flow(5, 0, [ir.Permutation(rng.permutation(5)), *steps]))
    assert [type(step) for step in file.steps] == [AutoregressiveStep] * 2


def test_a_permutation_without_neighbours_stays():
    file = flowrt.compile(
        ir.Flow(3, 0, [ir.Permutation(np.array([2, 0, 1])), ir.Diagonal(np.ones(3) * 2, np.zeros(3))])
    )
    assert [type(step) for step in file.steps] == [DiagonalStep, PermutationStep]
    z, _ = reference.forward(file, [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(z, [[6.0, 2.0, 4.0]])


def test_runs_of_diagonal_layers_become_one():
    rng = np.random.default_rng(0)
    diagonals = [ir.Diagonal(rng.uniform(0.5, 2, 4), rng.normal(size=4)) for _ in range(3)]
    steps = [diagonals[0], ir.Permutation(np.array([1, 2, 3, 0])), *diagonals[1:], made(4)]
    file = flowrt.compile(ir.Flow(4, 0, steps))
    assert [type(step) for step in file.steps] == [DiagonalStep, AutoregressiveStep]


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_what_undoes_a_linear_layer_takes_its_shift_away_first(far):
    """Near a shift of 1000 the result is small: multiplied out, two numbers of 1000 would leave their roundings."""
    rng = np.random.default_rng(0)
    matrix, shift = np.tril(rng.normal(size=(8, 8)), -1) / 3 + np.eye(8), np.round(far * rng.normal(size=8))
    step = inverted_if(ir.Linear(matrix, shift), True)
    z = rng.normal(size=(20, 8))
    x = (z @ matrix.T + shift).astype(np.float32)
    data = encode(flowrt.compile(ir.Flow(8, 0, [step])))
    exact = np.linalg.solve(matrix, (x - shift).T).T
    for found in (reference.forward(data, x)[0], flowrt.Model(data).forward(x)[0]):
        np.testing.assert_allclose(found, exact, rtol=0, atol=3e-6)
    again = inverted_if(step, True)
    np.testing.assert_array_equal([again.shift, again.before], [shift, np.zeros(8)])


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("far", [0.0, 1e3])
def test_what_undoes_a_diagonal_layer_takes_its_shift_away_first(far, inverted):
    """With the exactness of (w - shift) / scale in float32; a step more is written only where that needs it."""
    rng = np.random.default_rng(0)
    scale, shift = (values.astype(np.float32) for values in (rng.uniform(0.1, 5, 8), far * rng.normal(size=8)))
    layer = ir.Diagonal(scale.astype(np.float64), shift.astype(np.float64))
    v = rng.normal(size=(50, 8)).astype(np.float32)
    w = v * scale + shift
    file = flowrt.compile(ir.Flow(8, 0, [layer if inverted else inverted_if(layer, True)]))
    assert len(file.steps) == (2 if far and not inverted else 1)
    model = flowrt.Model(encode(file))
    to_v, to_w = (model.inverse, model.forward) if inverted else (model.forward, model.inverse)
    (found_v, log_det_v), (found_w, log_det_w) = to_v(w), to_w(v)
    exact_v, exact_w = (w.astype(np.float64) - shift) / scale, v.astype(np.float64) * scale + shift
    assert np.max(np.abs(found_v - exact_v)) <= 2 * np.max(np.abs((w - shift) / scale - exact_v)) + 1e-7
    assert np.max(np.abs(found_w - exact_w)) <= 2 * np.max(np.abs(w - exact_w)) + 1e-7
    for log_det, sign in ((log_det_v, -1), (log_det_w, 1)):
        np.testing.assert_allclose(log_det, sign * np.sum(np.log(layer.scale)), rtol=1e-6)


def test_a_shift_and_a_later_scale_stay_apart_where_they_cost_digits():
    """Standardisation in two layers; a shift that is small; numbers that float32 has."""
    ones, zeros = np.ones(2), np.zeros(2)
    exact = ir.Diagonal(-ones / 4, zeros)
    shift, scale = ir.Diagonal(ones, np.array([-1000.0, 0.0])), ir.Diagonal(ones / 100, zeros)
    near = ir.Diagonal(ones, np.array([-3.0, 0.0]))
    for steps, count in (
        ([shift, scale], 2),
        ([scale, shift], 1),
        ([near, scale], 1),
        ([shift, near, scale], 2),
        ([shift, exact], 1),
    ):
        file = flowrt.compile(ir.Flow(2, 0, steps))
        assert len(file.steps) == count, steps
    x = np.array([[1003.0, 1.0]])
    z, log_det = reference.forward(flowrt.compile(ir.Flow(2, 0, [shift, near, scale])), x)
    close(z, [[0.0, 0.01]])
    close(log_det, [2 * np.log(0.01)])


def test_an_identity_layer_disappears():
    assert flowrt.compile(ir.Flow(2, 0, [ir.Diagonal(np.ones(2), np.zeros(2))])).steps == []


@pytest.mark.parametrize(
    "step", [ir.Diagonal(np.array([1.0, 0.0]), np.zeros(2)), ir.Linear(np.ones((2, 2)), np.zeros(2))]
)
def test_maps_that_are_not_bijections_are_refused(step):
    step.name = "Squash"
    with pytest.raises(flowrt.ExportError, match="Squash"):
        flowrt.compile(ir.Flow(2, 0, [step]))


def test_an_index_that_is_no_permutation_is_refused():
    with pytest.raises(flowrt.ExportError, match=r"\[0, 0\] is not a permutation"):
        flowrt.compile(ir.Flow(2, 0, [ir.Permutation(np.array([0, 0]))]))


def step_with(**fields):
    """A step of two coordinates whose first layer has some fields replaced."""
    rows = np.array([[0, 0], [1, 0]]) == 1
    first = dataclasses.replace(ir.Layer(np.zeros(2), np.ones((2, 2)), rows, ir.READ), **fields)
    return ir.Autoregressive([first, ir.Layer(np.zeros(2), add=[ir.Add(0)])], ir.Additive(), name="Mine")


MISFITS = [
    (ir.Autoregressive([ir.Layer(np.zeros(3))], ir.Affine(Scale.EXP)), "outputs of the network is 3, not 4"),
    (ir.Autoregressive([], ir.Additive()), "no layers"),
    (
        ir.Autoregressive([ir.Layer(np.zeros(2))], ir.Additive(), transformed=np.array([0, 0])),
        r"transformed is \[0, 0\]",
    ),
    (ir.Autoregressive([ir.Layer(np.zeros(1))], ir.Additive(), transformed=np.array([2])), r"not different coord"),
    (ir.Autoregressive([ir.Layer(np.zeros(0))], ir.Additive(), transformed=np.array([])), r"transformed is \[\]"),
    (step_with(bias=np.float64(0)), r"step 0 \(Mine\), layer 0: number of axes of the bias is 0, not 1"),
    (step_with(bias=np.zeros((2, 2))), "number of axes of the bias is 2, not 1"),
    (step_with(bias=np.zeros(3)), r"step 0 \(Mine\), layer 0: weight is \(2, 2\), not \(3, 2\)"),
    (step_with(mask=np.ones((2, 1))), r"layer 0: mask is \(2, 1\), not \(2, 2\)"),
    (step_with(source=1), "layer 1 is not an earlier layer"),
    (step_with(source=None), "a source and a weight belong together"),
    (step_with(context_weight=np.ones((2, 3))), r"context weight is \(2, 3\), not \(2, 0\)"),
    (step_with(add=[ir.Add(0)]), "layer 0 is not an earlier layer"),
    (ir.Diagonal(np.ones(3), np.zeros(2)), r"scale is \(3,\), not \(2,\)"),
    (ir.Linear(np.eye(3), np.zeros(2)), r"matrix is \(3, 3\), not \(2, 2\)"),
    (ir.Permutation(np.arange(3)), r"index is \(3,\), not \(2,\)"),
    (ir.Elementwise(np.zeros(2), np.zeros(1), np.zeros(2)), r"lower is \(1,\), not \(2,\)"),
]


@pytest.mark.parametrize("step, text", MISFITS)
def test_arrays_that_do_not_fit_are_refused(step, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.compile(ir.Flow(2, 0, [step]))


BASES = [
    (ir.DiagonalNormal(np.zeros(3), np.ones(2)), r"DiagonalNormal\): mean is \(3,\)"),
    (ir.BoxUniform(np.zeros(2), np.ones(1)), r"upper is \(1,\)"),
    (ir.NormalMixture(np.zeros(3), np.zeros((2, 2)), np.ones((3, 2))), r"mean is \(2, 2\), not \(3, 2\)"),
    (ir.ConditionalNormal([ir.Layer(np.zeros(3))]), "outputs of the network is 3, not 4"),
    (ir.AutoregressiveMixture([ir.Layer(np.zeros(3))], 2, Scale.EXP), "outputs of the network is 3, not 12"),
]


@pytest.mark.parametrize("base, text", BASES)
def test_bases_that_do_not_fit_are_refused(base, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.compile(ir.Flow(2, 0, [], base))


def test_a_description_can_be_saved(tmp_path, capsys):
    path = tmp_path / "flow.flw"
    flowrt.save(path, ir.Flow(5, 0, [made(5)], framework="mine"), verify=True, notes="by hand")
    assert "libflowrt" in capsys.readouterr().out
    assert flowrt.Model(path).metadata == {
        "flowrt": flowrt.__version__,
        "framework": "mine",
        "model": "",
        "notes": "by hand",
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_parameters_that_float32_cannot_hold_are_refused(value):
    file = flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([ir.Layer(np.array([0.0, value]))], ir.Additive())]))
    with pytest.raises(flowrt.ExportError, match="float32"):
        encode(file)
