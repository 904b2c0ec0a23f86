"""pzflow: its default latent density, its pickles, and orders that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from live import agree
from pzflow import bijectors, distributions
from pzflow_cases import NETWORK, bounds, flow

import flowrt


def test_the_default_latent_density_to_seven_digits(tmp_path):
    model = flow(bounds(), bijectors.RollingSplineCoupling(1, **NETWORK), latent=distributions.CentBeta13(4, 4.0))
    agree(model, rows=8, tolerance=1e-6)
    flowrt.save(tmp_path / "f.flw", model)
    x, log_prob = flowrt.Model(tmp_path / "f.flw").sample(100, seed=0, log_prob=True)
    theirs = np.asarray(model._log_prob(model._params, x, np.zeros((100, 1))))
    np.testing.assert_allclose(log_prob, theirs, rtol=1e-4, atol=1e-4)


def test_a_pickled_dictionary_is_the_flow(tmp_path):
    model = flow(bounds(), bijectors.NeuralSplineCoupling(**NETWORK))
    for name, given in (("live", model), ("stored", model.__getstate__())):
        flowrt.save(tmp_path / name, given)
    assert flowrt.Model(tmp_path / "live").log_prob([[0, 0.5, 9, -6]]) == flowrt.Model(tmp_path / "stored").log_prob(
        [[0, 0.5, 9, -6]]
    )


def test_the_order_of_a_shuffle_is_that_of_the_live_flow(tmp_path):
    model = flow(bijectors.Shuffle(), bijectors.Reverse())
    agree(model)
    with pytest.raises(flowrt.ExportError, match="Shuffle of a pickled dictionary is not supported"):
        flowrt.save(tmp_path / "f.flw", model.__getstate__())
