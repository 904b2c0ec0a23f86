"""Random flows of margarine."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from margarine.clustered import clusterMAF
from margarine.maf import MAF


def random_flow(seed: int, gain: float = 0.4):
    """A MAF of random data whose networks have random weights."""
    generator = np.random.default_rng(seed)
    tf.keras.utils.set_random_seed(seed)
    dim = int(generator.integers(2, 6))
    hidden = [int(n) for n in generator.integers(4, 24, size=generator.integers(1, 4))]
    data = generator.normal(size=(64, dim)).astype(np.float32) * generator.uniform(0.5, 10, size=dim)
    activation = str(generator.choice(["tanh", "relu", "elu", "sigmoid"]))
    flow = MAF(data, number_networks=int(generator.integers(1, 5)), hidden_layers=hidden, activation_func=activation)
    randomised(flow, generator, gain)
    return flow


def randomised(flow, generator, gain: float):
    """Random weights where the masks are, as training leaves them."""
    dim = len(flow.theta_min)
    for made in flow.mades:
        made(np.zeros((1, dim), np.float32))
        weights = [
            np.where(value != 0, generator.normal(size=value.shape) * gain, 0) if value.ndim == 2
            else generator.normal(size=value.shape) * gain
            for value in made.get_weights()
        ]  # fmt: skip
        made.set_weights(weights)
    return flow


def random_clusters(seed: int, gain: float = 0.4):
    """A clusterMAF of two clusters."""
    generator = np.random.default_rng(seed)
    labels = np.arange(240) % 3 // 2
    data = generator.normal(size=(240, 2)) + 4 * labels[:, None]
    clusters = clusterMAF(data, cluster_labels=labels, cluster_number=2, number_networks=1, hidden_layers=[6])
    for flow in clusters.flow:
        randomised(flow, generator, gain)
    return clusters
