"""The autoregressive order is proved from the masks, and what is not autoregressive is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowrt
from flowrt import ir
from flowrt.compiler.order import prove
from flowrt.file.codes import Activation, Scale


def graph(dim, edges):
    depends = np.zeros((dim, dim), dtype=bool)
    for i, j in edges:
        depends[i, j] = True
    return depends


def everything(dim):
    return np.arange(dim)


def test_a_chain_has_one_stage_for_each_coordinate():
    order = prove(graph(3, [(0, 2), (1, 0), (1, 2)]), everything(3), "layer")
    assert order.coordinates.tolist() == [2, 0, 1]
    assert order.stage_end.tolist() == [1, 2, 3]


def test_coordinates_that_need_the_same_are_one_stage():
    order = prove(graph(4, [(1, 0), (3, 0), (2, 1), (2, 3)]), everything(4), "layer")
    assert order.coordinates.tolist() == [0, 1, 3, 2]
    assert order.stage_end.tolist() == [1, 3, 4]


def test_untouched_coordinates_come_first():
    order = prove(graph(3, [(0, 1)])[[0, 2]], np.array([0, 2]), "layer")
    assert order.coordinates.tolist() == [1, 0, 2]
    assert order.stage_end.tolist() == [1, 3]


def test_dependence_on_itself_is_refused():
    with pytest.raises(flowrt.ExportError, match="Layer is not autoregressive: coordinate 1 is parametrised by itself"):
        prove(graph(3, [(1, 1), (2, 0)]), everything(3), "Layer")


def test_a_circle_is_refused_with_its_members():
    edges = [(0, 1), (1, 2), (2, 0), (3, 0), (4, 3)]
    with pytest.raises(flowrt.ExportError, match="coordinates 0, 1, 2 are parametrised in a circle"):
        prove(graph(5, edges), everything(5), "layer")


def specification(depends, transformed):
    """Stages, one after the other: what needs nothing that is in none yet. None if that ends before all have one."""
    dim = depends.shape[1]
    needs = {i: set() for i in range(dim)}
    needs.update((i, set(np.flatnonzero(row))) for i, row in zip(transformed.tolist(), depends))
    stages = [sorted(set(range(dim)) - set(transformed.tolist()))] if len(transformed) < dim else []
    while len(placed := {i for stage in stages for i in stage}) < dim:
        stages.append([i for i in range(dim) if i not in placed and needs[i] <= placed])
        if not stages[-1]:
            return None
    return stages


@given(seed=st.integers(0, 2**32), dim=st.integers(1, 12), edges=st.floats(0, 0.4), circles=st.floats(0, 0.1))
def test_stages_of_random_masks(seed, dim, edges, circles):
    rng = np.random.default_rng(seed)
    depends = np.tril(rng.random((dim, dim)) < edges, -1) | (rng.random((dim, dim)) < circles)
    np.fill_diagonal(depends, False)
    shuffle = rng.permutation(dim)
    transformed = rng.permutation(dim)[: rng.integers(1, dim + 1)]
    depends = depends[np.ix_(shuffle, shuffle)][transformed]
    stages = specification(depends, transformed)
    if stages is None:
        with pytest.raises(flowrt.ExportError, match="layer is not autoregressive: .* parametrised in a circle"):
            prove(depends, transformed, "layer")
        return
    order = prove(depends, transformed, "layer")
    assert order.coordinates.tolist() == [i for stage in stages for i in stage]
    assert order.stage_end.tolist() == np.cumsum([len(stage) for stage in stages]).tolist()
    assert all((order.stage[stage] == number).all() for number, stage in enumerate(stages))


def test_a_long_chain_of_stages():
    """Takes a minute where every stage looks at the whole mask once more."""
    dim = 3000
    order = prove(np.tril(np.ones((dim, dim), dtype=bool), -1), everything(dim), "layer")
    np.testing.assert_array_equal(order.stage, np.arange(dim))


def test_masks_are_composed_over_layers():
    """Two masks that look triangular but compose to a full one: the output mask of e-hulten's MADE is not strict."""
    triangular = np.tril(np.ones((3, 3), dtype=bool))
    layers = [
        ir.Layer(np.zeros(3), np.ones((3, 3)), triangular, ir.READ),
        ir.Layer(np.zeros(3), np.ones((3, 3)), triangular, 0),
    ]
    with pytest.raises(flowrt.ExportError, match="coordinates 0, 1, 2 are parametrised by themselves"):
        flowrt.compile(ir.Flow(3, 0, [ir.Autoregressive(layers, ir.Additive(), name="MADE")]))


def test_added_and_gating_layers_count():
    full = ir.Layer(np.zeros(2), np.ones((2, 2)), None, ir.READ)
    for output in (ir.Layer(np.zeros(2), add=[ir.Add(0)]), ir.Layer(np.zeros(2), gate=0)):
        with pytest.raises(flowrt.ExportError, match="not autoregressive"):
            flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([full, output], ir.Additive())]))


def test_a_weight_of_zero_still_counts_as_a_connection():
    """Only masks say what is connected; a trained weight that happens to be zero is no mask."""
    layer = ir.Layer(np.zeros(2), np.zeros((2, 2)), None, ir.READ)
    with pytest.raises(flowrt.ExportError, match="not autoregressive"):
        flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([layer], ir.Additive())]))


def test_context_networks_must_not_see_the_variables():
    reader = ir.Layer(np.zeros(2), np.ones((2, 2)), np.array([[0, 0], [1, 0]]) == 1, ir.READ)
    output = ir.Layer(np.zeros(2), context_weight=np.ones((2, 2)), context_source=0)
    with pytest.raises(flowrt.ExportError, match="context network"):
        flowrt.compile(ir.Flow(2, 1, [ir.Autoregressive([reader, output], ir.Additive())]))


def test_layer_norm_of_the_variables_is_refused():
    mask = np.array([[0, 0], [1, 0]]) == 1
    norm = ir.Layer(np.zeros(2), np.ones((2, 2)), mask, ir.READ, activation=Activation.LAYER_NORM, a=1e-5)
    output = ir.Layer(np.zeros(4), np.ones((4, 2)), np.zeros((4, 2), dtype=bool), 0)
    with pytest.raises(flowrt.ExportError, match="layer norm"):
        flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([norm, output], ir.Affine(Scale.EXP))]))
