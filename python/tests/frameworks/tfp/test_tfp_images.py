"""Glow of TensorFlow Probability: what it reads, in which order, and what it refuses by name."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from tfp_cases import Networks
from tfp_image_cases import glow, on_normal

import flowrt
from flowrt.file.codes import Kind

tfb, tfd, layers = tfp.bijectors, tfp.distributions, tf_keras.layers


def small(n=None, **options):
    return glow(n or Networks(0, 0.5), (2, 2, 1), 1, **options)


def of(*inner):
    """A network from the shape of what it is given."""
    return lambda shape: tf_keras.Sequential([layers.Input(shape), *inner, layers.Conv2D(4, 3, padding="same")])


def test_x_is_channels_first_and_z_is_that_of_the_framework(tmp_path):
    model = on_normal(glow(Networks(0, 0.5), (2, 4, 3), 1), size=24)
    flowrt.save(tmp_path / "glow.flw", model)
    read = flowrt.Model(tmp_path / "glow.flw")
    images = np.random.default_rng(0).normal(size=(5, 2, 4, 3)).astype(np.float32)
    x = images.transpose(0, 3, 1, 2)
    assert read.shape == (3, 2, 4)
    np.testing.assert_allclose(read.log_prob(x), model.log_prob(images), rtol=1e-5, atol=1e-4)
    z = model.bijector.inverse(images).numpy()
    np.testing.assert_allclose(read.forward(x)[0].reshape(5, -1), z, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.reshape(read.inverse(z)[0], x.shape), x, rtol=1e-4, atol=1e-4)


def test_actnorm_and_1x1_convolution_are_one_step():
    file = flowrt.compile(flowrt.frameworks.choose(small()).describe(small()))
    assert [step.kind for step in file.steps] == [Kind.PIXELWISE_LINEAR, Kind.AUTOREGRESSIVE]


def test_actnorm_without_data_is_refused():
    model = tfb.Glow((2, 2, 1), 1, 1, lambda shape: tfb.GlowDefaultNetwork(shape, num_hidden=3), None)
    refused(model, "ActivationNormalization has seen no data yet")


class Own(tf_keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    "network, text",
    [
        (of(layers.LayerNormalization()), "LayerNormalization as first layer of a coupling"),
        (of(layers.Conv2D(4, 1), layers.LayerNormalization()), "LayerNormalization is not supported; supported are"),
        (of(layers.Conv2D(4, 1), layers.PReLU()), "PReLU is not supported"),
        (of(layers.Conv2D(4, 1, groups=2)), "Conv2D with groups=2 is not supported"),
        (of(layers.ZeroPadding2D(), layers.ReLU(), layers.Conv2D(4, 3)), "ReLU behind ZeroPadding2D of a coupling"),
        (of(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)), "depth_multiplier=2 is not supported"),
        (lambda shape: Own([layers.Input(shape), layers.Conv2D(4, 1)]), "Own is not supported; supported are Seq"),
        (lambda shape: layers.Conv2D(4, 1), "Conv2D is not supported; supported are Sequential"),
    ],
)
def test_other_networks_are_refused_by_name(network, text):
    refused(small(network=network), text)


def test_networks_that_branch_are_refused():
    def branching(shape):
        given = layers.Input(shape)
        hidden = layers.Conv2D(4, 1)(given)
        return tf_keras.Model(given, layers.Add()([hidden, layers.Conv2D(4, 1)(given)]))

    refused(small(network=branching), "Conv2D is not supported; supported are .* each on what the layer before it")


def test_couplings_of_other_widths_are_refused():
    """Three channels of four go on: half a network's output is no scale of the other one."""

    def exits(shape, output_chan):
        return tf_keras.Sequential([layers.Input(shape), layers.Conv2D(3, 1)])

    model = tfb.Glow((2, 2, 1), 1, 1, tfb.GlowDefaultNetwork, exits, (0.25,), use_actnorm=False)
    refused(model, "Sequential gives 3 channels from 3 for 1: Glow shifts with")


def test_other_bijectors_of_images_are_refused_by_name():
    model = small()
    refused(on_normal(tfb.Permute([0]), model, size=4), "Permute is not supported; supported are .* Glow and images")
    refused(on_normal(tfb.Shift(np.zeros(5, "f")), model, size=4), r"of the shape \(5,\) does not fit images")
    refused(tfb.Invert(model), "the inverse of Glow in a flow is not supported")


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_the_float64_copy_leaves_the_model_alone():
    model = on_normal(small(), size=4)
    before = [variable.numpy() for variable in model.bijector.variables]
    flowrt.frameworks.choose(model).live(model, np.float64)
    for one, other in zip(before, model.bijector.variables):
        np.testing.assert_array_equal(one, other.numpy())
    assert all(variable.dtype in (tf.float32, tf.int32, tf.bool) for variable in model.bijector.variables)
