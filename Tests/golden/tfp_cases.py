"""Golden cases of TensorFlow Probability, which has an environment of its own."""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from tfp_image_cases import IMAGES

tfb, tfd = tfp.bijectors, tfp.distributions


class Networks:
    """Networks with random weights and biases, each with numbers of its own."""

    def __init__(self, seed: int, gain: float):
        self.generator = np.random.default_rng(seed)
        self.gain = gain

    def randomised(self, network):
        """The network, whose kernels keep the zeros of their masks."""
        for variable in network.variables:
            value = variable.numpy()
            if value.ndim == 2:
                seen = np.maximum(np.sum(value != 0, axis=0), 1)
                moved = self.generator.normal(size=value.shape) * self.gain / np.sqrt(seen)
                variable.assign(np.where(value != 0, moved, 0))
            else:
                variable.assign(self.generator.normal(scale=0.3, size=value.shape))
        return network

    def made(self, features=4, context=0, **options):
        if context:
            options.update(conditional=True, conditional_event_shape=[context])
        options = {"params": 2, "activation": "tanh", **options}
        network = tfb.AutoregressiveNetwork(event_shape=[features], hidden_units=[12], **options)
        network.build((None, features))
        return self.randomised(network)

    def maf(self, *arguments, **options):
        return tfb.MaskedAutoregressiveFlow(self.made(*arguments, **options))

    def additive(self):
        network = self.made(params=1)
        return tfb.MaskedAutoregressiveFlow(lambda y: (network(y)[..., 0], None))

    def masked_template(self, **options):
        """With the network of older code, which limits its log scales."""
        function = tfb.masked_autoregressive_default_template([12], activation=tf.nn.tanh, **options)
        layer = tfb.MaskedAutoregressiveFlow(function)
        layer.inverse(tf.zeros((1, 4)))
        self.randomised(function)
        return layer

    def coupling(self, masked):
        """With the default network."""
        function = tfb.real_nvp_default_template([12])
        layer = tfb.RealNVP(num_masked=masked, shift_and_log_scale_fn=function)
        layer.inverse(tf.zeros((1, 4)))
        self.randomised(function)
        return layer

    def coupling_of_keras(self):
        dense = tf_keras.layers.Dense
        network = self.randomised(tf_keras.Sequential([tf_keras.layers.Input((2,)), dense(12, "elu"), dense(4)]))
        return tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=lambda x, units: tf.split(network(x), 2, axis=-1))

    def batch_norm(self):
        layer = tfb.BatchNormalization()
        layer.batchnorm.build((None, 4))
        for variable, (low, high) in zip(layer.batchnorm.weights, [(0.5, 1.5), (-1, 1), (-1, 1), (0.5, 2)]):
            variable.assign(self.generator.uniform(low, high, size=4))  # gain, shift, mean, variance
        return layer


def flow(*bijectors, features=4, base=None):
    base = base or tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[features])
    return tfd.TransformedDistribution(base, tfb.Chain(list(bijectors)))


LOWER = np.float32([[1.5, 0, 0, 0], [0.5, 1, 0, 0], [1, 0.3, 0.7, 0], [0, -0.4, 0.2, 1]])


def linear():
    """A triangular matrix, its factors, and a matrix that is none."""
    operator = tf.linalg.LinearOperatorFullMatrix(LOWER + 0.3 * LOWER.T)
    return [
        tfb.ScaleMatvecTriL(LOWER),
        tfb.ScaleMatvecLU(LOWER.T, [1, 0, 3, 2]),
        tfb.ScaleMatvecLinearOperator(operator),
    ]


def full_mixture():
    components = tfd.MultivariateNormalTriL(
        loc=[[-1.0, 0, 1, 0], [2.0, 1, 0, 1]],
        scale_tril=[LOWER, np.linalg.cholesky(LOWER.T @ LOWER)],
    )
    return tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), components)


def mixture():
    means, stds = [[-1.0, 0, 1, 0], [2.0, 1, 0, 1]], [[1.5] * 4] * 2
    components = tfd.MultivariateNormalDiag(loc=means, scale_diag=stds)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), components)


def spline():
    return tfb.RationalQuadraticSpline([1.0, 2, 1], [2.0, 1, 1], [0.5, 2.0], range_min=-2.0)


permute = partial(tfb.Permute, [2, 0, 3, 1])
CASES = {
    "tfp_maf": lambda n: flow(n.maf(), permute(), n.maf(activation="relu")),
    "tfp_maf_context": lambda n: flow(n.maf(context=3), permute(), n.maf(context=3)),
    "tfp_maf_context_first_layer": lambda n: flow(n.maf(context=3, conditional_input_layers="first_layer")),
    "tfp_iaf": lambda n: flow(tfb.Invert(n.maf())),
    "tfp_additive": lambda n: flow(n.additive(), permute(), tfb.Invert(n.additive())),
    "tfp_order": lambda n: flow(n.maf(input_order="right-to-left")),
    "tfp_one_feature": lambda n: flow(n.maf(1, 2), features=1),
    "tfp_real_nvp": lambda n: flow(n.coupling(2), permute(), n.coupling(-2)),
    "tfp_real_nvp_keras": lambda n: flow(n.coupling_of_keras(), permute(), tfb.Invert(n.coupling_of_keras())),
    "tfp_template": lambda n: flow(n.masked_template(), permute(), tfb.Invert(n.masked_template())),
    "tfp_template_narrow": lambda n: flow(n.masked_template(log_scale_min_clip=-0.2, log_scale_max_clip=0.1)),
    "tfp_linear": lambda n: flow(*linear(), n.maf(), tfb.Invert(linear()[1])),
    "tfp_diagonal": lambda n: flow(tfb.Shift([1.0, 0, 2, 3]), tfb.ScaleMatvecDiag([0.5, 2.0, 1.0, 1.5]), n.maf()),
    "tfp_batch_norm": lambda n: flow(n.maf(), n.batch_norm(), n.maf(), tfb.Invert(n.batch_norm())),
    "tfp_exp": lambda n: flow(tfb.Exp(), n.maf()),
    "tfp_sigmoid": lambda n: flow(tfb.Shift(-1.0), tfb.Scale(3.0), tfb.Sigmoid(), n.maf()),
    "tfp_spline": lambda n: flow(n.maf(), spline()),
    "tfp_diagonal_normal": lambda n: flow(
        n.maf(), base=tfd.MultivariateNormalDiag(loc=[0.0, 1, 2, 3], scale_diag=[1.0, 2, 1, 2])
    ),
    "tfp_uniform": lambda n: flow(n.maf(), base=tfd.Sample(tfd.Uniform(-4.0, 4.0), sample_shape=[4])),
    "tfp_mixture": lambda n: flow(n.maf(), base=mixture()),
    "tfp_mixture_full": lambda n: flow(n.maf(), base=full_mixture()),
    "tfp_correlated_normal": lambda n: flow(
        n.maf(), base=tfd.MultivariateNormalTriL(loc=[0.0, 1, 2, 3], scale_tril=LOWER)
    ),
    **IMAGES,
}


def random_model(name: str, seed: int, gain: float):
    """The model of a case, whose networks have random weights."""
    return CASES[name](Networks(seed, gain))
