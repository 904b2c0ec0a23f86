"""margarine: random flows, its pickles, and clusters."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from live import agree
from margarine.maf import MAF
from margarine_models import random_clusters, random_flow

import flowrt
from flowrt.frameworks import choose, dtypes


@pytest.mark.parametrize("seed", range(4))
def test_random_flows(seed):
    agree(random_flow(seed), rows=5, tolerance=1e-9)


def test_a_flow_that_nothing_has_evaluated_yet(tmp_path):
    """Its networks have no weights before."""
    data = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    model = MAF(data, number_networks=2, hidden_layers=[6])
    flowrt.save(tmp_path / "new.flw", model)
    found = flowrt.Model(tmp_path / "new.flw").log_prob(data)
    np.testing.assert_allclose(found, model.log_prob(data).numpy(), rtol=1e-4, atol=1e-4)


def test_its_own_precision_is_what_a_file_is_measured_by():
    """margarine goes through the bounds in float32, too."""
    model = random_flow(3)
    live32, live64 = (choose(model).live(model, dtype) for dtype in dtypes(choose(model)))
    data = np.asarray(model.theta)
    parts = [live32.forward(data)[0], *live32.forward(data), live32.inverse(data)[0]]
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    assert {part.dtype for part in live64.forward(data)} == {np.dtype(np.float64)}


def test_a_pickle_is_the_flow_whose_orders_the_zeros_tell(tmp_path):
    model = random_flow(1)  # of tanh
    assert model.activation_func == "tanh"
    model.save(tmp_path / "m.pkl")
    flowrt.save(tmp_path / "stored.flw", pickle.loads((tmp_path / "m.pkl").read_bytes()))
    x = np.array(model.theta)[:9]
    found = flowrt.Model(tmp_path / "stored.flw").log_prob(x)
    np.testing.assert_allclose(found, model.log_prob(model.theta)[:9].numpy(), rtol=1e-4, atol=1e-4)


def test_clusters_are_a_mixture(tmp_path):
    clusters = random_clusters(0)
    flowrt.save_mixture(tmp_path / "c.flm", clusters)
    mixture = flowrt.Mixture(tmp_path / "c.flm")
    x = np.asarray(clusters.theta[:20], dtype=np.float32)
    np.testing.assert_allclose(mixture.log_prob(x), clusters.log_prob(x), rtol=1e-3, atol=1e-3)
