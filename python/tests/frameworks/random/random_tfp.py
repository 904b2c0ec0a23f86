"""Random models of TensorFlow Probability. They take minutes each, so they are run by hand, not in `.ci/run`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

tfb, tfd = tfp.bijectors, tfp.distributions


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model, and rows of x and of the context."""
    shape.context_unit, shape.constant, shape.context = 1.0, False, 0
    shape.layers = min(shape.layers, 8)
    tf.random.set_seed(shape.seed)
    np.random.seed(shape.seed)  # random hidden degrees are drawn from it
    kind = shape.pick("affine", "additive", "inverse") if shape.features == 1 else shape.pick(
        "affine", "inverse", "coupling", "batch norm"
    )  # fmt: skip
    x, _ = shape.data()
    networks = []

    def layer():
        if kind == "coupling":
            half, rest = shape.features // 2, shape.features - shape.features // 2
            dense = tf_keras.layers.Dense
            network = tf_keras.Sequential(
                [tf_keras.layers.Input((half,)), dense(shape.hidden, "tanh"), dense(2 * rest)]
            )
            networks.append(network)
            return tfb.RealNVP(half, shift_and_log_scale_fn=lambda x, units: tf.split(network(x), 2, axis=-1))
        params = 1 if kind == "additive" else 2
        network = tfb.AutoregressiveNetwork(
            params, event_shape=[shape.features], hidden_units=[shape.hidden], activation=shape.pick("tanh", "relu")
        )
        network.build((None, shape.features))
        networks.append(network)
        if kind == "additive":
            return tfb.MaskedAutoregressiveFlow(lambda y: (network(y)[..., 0], None))
        step = tfb.MaskedAutoregressiveFlow(network)
        return tfb.Invert(step) if kind == "inverse" else step

    parts = [tfb.Shift(x.mean(axis=0)), tfb.Scale(x.std(axis=0))]
    for _ in range(shape.layers):
        parts += [layer(), tfb.Permute(shape.rng.permutation(shape.features).astype(np.int32))]
        if kind == "batch norm":
            norm = tfb.BatchNormalization()
            norm.batchnorm.build((None, shape.features))
            for variable, (low, high) in zip(norm.batchnorm.weights, [(0.5, 1.5), (-1, 1), (-1, 1), (0.5, 2)]):
                variable.assign(shape.rng.uniform(low, high, size=shape.features))
            parts.append(norm)
    if shape.weights == "random":
        _move(networks, shape)
    base = tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[shape.features])
    flow = tfd.TransformedDistribution(base, tfb.Chain(parts))
    if shape.weights == "trained" and kind != "batch norm":
        _train(flow, networks, x)
    return kind, flow, (x, None)


def _move(networks, shape) -> None:
    for variable in [variable for network in networks for variable in network.variables]:
        value = variable.numpy()
        moved = value + shape.rng.normal(scale=0.1, size=value.shape) * (value != 0 if value.ndim == 2 else 1)
        variable.assign(moved)


def _train(flow, networks, x) -> None:
    optimiser = tf_keras.optimizers.legacy.Adam(2e-3)
    variables = [variable for network in networks for variable in network.trainable_variables]
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        gradients = tape.gradient(loss, variables)
        if not np.isfinite(loss.numpy()):
            return
        optimiser.apply_gradients(zip([tf.clip_by_norm(gradient, 5.0) for gradient in gradients], variables))
