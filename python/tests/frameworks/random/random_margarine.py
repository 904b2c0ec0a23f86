"""Random flows of margarine."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from margarine.maf import MAF


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model, and rows of x; margarine has no contexts."""
    shape.context = 0
    shape.features = max(shape.features, 2)
    tf.keras.utils.set_random_seed(shape.seed)
    x, _ = shape.data()
    kind = shape.pick("own bounds", "bounds of the data")
    bounds = {}
    if kind == "own bounds":
        margin = 0.5 * (x.max(axis=0) - x.min(axis=0))
        bounds = {"theta_min": x.min(axis=0) - margin, "theta_max": x.max(axis=0) + margin}
    flow = MAF(
        x,
        number_networks=min(shape.layers, 6),
        hidden_layers=[shape.hidden] * shape.pick(1, 2),
        activation_func=shape.pick("tanh", "relu"),
        **bounds,
    )
    if shape.weights == "trained":
        flow.train(5, early_stop=False)
    if shape.weights == "random":
        _move(flow, shape)
    return kind, flow, (x, None)


def _move(flow, shape) -> None:
    """Every trained number moved by a random one."""
    gain = float(shape.rng.uniform(0.02, 0.2))
    for network in flow.mades:
        network(np.zeros((1, shape.features), np.float32))
        weights = network.get_weights()
        network.set_weights([
            value + shape.rng.normal(scale=gain, size=value.shape) * (value != 0 if value.ndim == 2 else 1)
            for value in weights
        ])  # fmt: skip
