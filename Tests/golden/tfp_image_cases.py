"""Golden cases of TensorFlow Probability on images: Glow with its own networks and with a user's."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

tfb, tfd, layers = tfp.bijectors, tfp.distributions, tf_keras.layers


def glow(n, shape=(4, 4, 1), blocks=2, steps=1, network=None, exit_network=None, **options):
    """With random weights, after its first batch, from which actnorm takes its scales."""
    flow = tfb.Glow(
        output_shape=shape,
        num_glow_blocks=blocks,
        num_steps_per_block=steps,
        coupling_bijector_fn=network or (lambda given: tfb.GlowDefaultNetwork(given, num_hidden=5)),
        exit_bijector_fn=exit_network or tfb.GlowDefaultExitNetwork,
        **options,
    )
    for part in flow.submodules:
        if "OneByOneConv" in type(part).__name__:
            _randomise_matrix(n, part._bijector)
        elif isinstance(part, (layers.Conv2D, layers.DepthwiseConv2D, layers.BatchNormalization)):
            _randomise(n, part)
    for part in flow.submodules:
        if isinstance(part, tfb.GlowDefaultExitNetwork):
            part.layers[-1].bias.assign_sub(1.5 * tf.ones_like(part.layers[-1].bias))  # exp(a + 2) is large
    flow.inverse(tf.constant(n.generator.normal(size=(64, *shape)), dtype=tf.float32))
    return flow


def _randomise_matrix(n, bijector) -> None:
    """Near an orthogonal one."""
    size = int(bijector.permutation.shape[0])
    matrix = np.linalg.qr(n.generator.normal(size=(size, size)))[0]
    lower_upper, permutation = tf.linalg.lu(matrix + 0.1 * n.generator.normal(size=(size, size)))
    bijector.lower_upper.assign(tf.cast(lower_upper, tf.float32))
    bijector.permutation.assign(permutation)


def _randomise(n, layer) -> None:
    for variable in layer.variables:
        shape = variable.shape
        if len(shape) == 4:
            size = shape[0] * shape[1] * (shape[2] if isinstance(layer, layers.Conv2D) else 1)
            variable.assign(n.generator.normal(scale=n.gain / np.sqrt(size), size=shape))
        elif isinstance(layer, layers.BatchNormalization):
            variable.assign(n.generator.uniform(0.5, 1.5, size=shape))
        else:
            mean = -0.5 if isinstance(layer, layers.Conv2D) else 0.0
            variable.assign(n.generator.normal(mean, 0.3, size=shape))


def on_normal(*bijectors, size=16):
    base = tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[size])
    return tfd.TransformedDistribution(base, tfb.Chain(list(bijectors)))


def additive(shape):
    """A functional model that gives shifts alone."""
    given = layers.Input(shape)
    hidden = layers.Activation("tanh")(layers.Conv2D(4, 3, padding="same")(given))
    return tf_keras.Model(given, layers.Conv2D(shape[-1], (1, 3), padding="same")(hidden))


def quarter(shape, output_chan):
    """Shifts of the channels that leave."""
    return tf_keras.Sequential([layers.Input(shape), layers.Conv2D(output_chan, 3, padding="same")])


def normalised(shape):
    """Padding and activations as layers, a depthwise convolution, batch norm, and an activation behind it."""
    return tf_keras.Sequential([
        layers.Input(shape),
        layers.ZeroPadding2D(((0, 2), (1, 1))),
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.2),
        layers.Dropout(0.5),
        layers.DepthwiseConv2D(3, padding="same", activation="elu"),
        layers.BatchNormalization(scale=False),
        layers.Activation("tanh"),
        layers.Conv2D(2 * shape[-1], 2, padding="same", dilation_rate=2),
    ])  # fmt: skip


IMAGES = {
    "tfp_images_glow": lambda n: on_normal(glow(n)),
    "tfp_images_glow_additive": lambda n: on_normal(
        tfb.Sigmoid(), tfb.Shift(-0.5), tfb.Scale([1.5, 2.0]),
        glow(n, (4, 2, 2), 1, network=additive, grab_after_block=(0.5,), use_actnorm=False),
    ),
    "tfp_images_glow_keras": lambda n: on_normal(
        tfb.Invert(tfb.Scale(0.5)), glow(n, network=normalised), tfb.Permute(np.arange(16)[::-1].astype(np.int32)),
        tfb.Shift(np.linspace(-1, 1, 16).astype(np.float32)),
    ),
    "tfp_images_glow_one_exit": lambda n: on_normal(
        glow(n, (2, 4, 3), 1, exit_network=quarter,
             grab_after_block=(0.25,)), size=24
    ),
}  # fmt: skip
