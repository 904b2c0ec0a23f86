"""margarine: random flows, its pickles, and clusters."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from live import agree
from margarine_models import random_clusters, random_flow

import flowrt


@pytest.mark.parametrize("seed", range(4))
def test_random_flows(seed):
    agree(random_flow(seed), rows=5, tolerance=1e-9)


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
