"""bayesflow: random flows and approximators, and what is refused."""

from __future__ import annotations

import bayesflow as bf
import numpy as np
import pytest
from bayesflow_models import random_approximator, random_flow, standardised
from live import agree

import flowrt
from flowrt.frameworks import choose


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_random_flows(seed):
    agree(random_flow(seed), rows=5, tolerance=1e-9)


@pytest.mark.parametrize(
    "seed, options",
    [
        (0, {}),
        (1, {"bins": 4}),
        (2, {"bins": 5, "default_domain": (-2.0, 4.0, -5.0, 1.0)}),
        (3, {"bins": 6, "min_width": 2.0, "min_height": 0.5, "min_bin_height": 0.01}),
        (4, {"bins": 3, "min_bin_width": 0.0}),
        (5, {"bins": 4, "min_bin_height": 0.0}),
        (6, {"bins": 2, "min_width": 6.0, "min_height": 6.0}),  # the length of the interval is constant
        (7, {"bins": 1}),
    ],
)
def test_splines_whose_interval_comes_from_a_network(seed, options):
    agree(random_flow(seed, 3, seed % 3, transform="spline", **{"bins": 16, **options}), rows=5, tolerance=1e-9)


def test_splines_as_they_are_trained(tmp_path):
    """Large outputs of the networks: long intervals, narrow bins, derivatives near zero."""
    model = random_flow(1, 2, 1, 2.0, "spline", bins=8)
    file = agree(model, rows=5, tolerance=1e-7)
    assert len(file.steps) > 4
    flowrt.save(tmp_path / "f.flw", model)


def test_a_class_that_overrides_the_constraints_of_a_spline_is_refused(tmp_path):
    model = random_flow(0, 2, 0, transform="spline", bins=4)
    coupling = next(layer for layer in model.invertible_layers if hasattr(layer, "coupling1")).coupling1

    class Other(type(coupling.transform)):
        def constrain_parameters(self, parameters):
            return super().constrain_parameters(parameters)

    coupling.transform.__class__ = Other
    with pytest.raises(flowrt.ExportError, match="Other.*constrain_parameters"):
        flowrt.save(tmp_path / "f.flw", model)


@pytest.mark.parametrize("seed", [0, 1])
def test_standardised_variables_and_conditions(seed):
    agree(random_approximator(seed), rows=5, tolerance=1e-9)


def test_contexts_are_compared_in_the_units_that_the_model_standardises():
    generator = np.random.default_rng(0)
    approximator = standardised(random_flow(0, 2, 3), 2, 3, generator, "all")
    layer = approximator.standardizer.standardize_layers["inference_conditions"]
    layer.moving_mean[0].assign([1e6, 2.0, -3.0])
    layer.moving_m2[0].assign([1e4, 1e-14, 1e20])
    units = choose(approximator).live(approximator, np.float64).units
    np.testing.assert_allclose(units, [[1e6, 2.0, -3.0], [10.0, 1e-8, 1e9]], rtol=1e-6)
    assert choose(approximator).live(random_flow(0, 2, 3), np.float64).units is None


def test_the_density_is_that_of_the_approximator(tmp_path):
    approximator = random_approximator(3)
    flowrt.save(tmp_path / "f.flw", approximator)
    model = flowrt.Model(tmp_path / "f.flw")
    generator = np.random.default_rng(0)
    x, context = (generator.normal(size=(6, size)).astype(np.float32) for size in (model.dim, model.context_dim))
    data = {"inference_variables": x} | ({"inference_conditions": context} if model.context_dim else {})
    theirs = approximator.log_prob(data)
    np.testing.assert_allclose(model.log_prob(x, context if model.context_dim else None), theirs, rtol=1e-4, atol=1e-4)


def test_a_network_without_weights_is_refused(tmp_path):
    with pytest.raises(flowrt.ExportError, match="CouplingFlow has no weights yet"):
        flowrt.save(tmp_path / "f.flw", bf.networks.CouplingFlow())


def test_a_summary_network_is_refused_with_the_way_on(tmp_path):
    network = random_flow(0, 3, 4)
    approximator = bf.ContinuousApproximator(inference_network=network, summary_network=bf.networks.DeepSet())
    with pytest.raises(flowrt.ExportError, match="summary network DeepSet.*save its inference_network"):
        flowrt.save(tmp_path / "f.flw", approximator)


def test_layer_norm_in_a_coupling_is_refused(tmp_path):
    network = bf.networks.CouplingFlow(depth=1, subnet_kwargs={"widths": (8,), "norm": "layer"})
    network.build((None, 4))
    with pytest.raises(flowrt.ExportError, match="LayerNormalization in a network that reads variables"):
        flowrt.save(tmp_path / "f.flw", network)
