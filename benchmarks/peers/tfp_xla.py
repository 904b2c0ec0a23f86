"""TensorFlow Probability: its MaskedAutoregressiveFlow bijector, with tf.function(jit_compile=True)."""

import tensorflow as tf
import tensorflow_probability as tfp

from flows import EPSILON
from worker import Base

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def bijector(flow, s):
    """One step; its inverse, which is one pass, goes from data to noise: (x - shift) exp(-log_scale)."""
    w1, b1, w2, b2, w3, b3 = (tf.Variable(part.T if part.ndim == 2 else part) for part in flow.step(s))
    activation = getattr(tf.nn, flow.size.activation)

    def shift_and_log_scale(x):
        h = activation(tf.matmul(activation(tf.matmul(x, w1) + b1), w2) + b2)
        shift, raw = tf.split(tf.matmul(h, w3) + b3, 2, -1)
        scale = tf.nn.softplus(raw) + EPSILON
        return -shift / scale, -tf.math.log(scale)

    return tfp.bijectors.MaskedAutoregressiveFlow(shift_and_log_scale)


class Peer(Base):
    packages = ("tensorflow-cpu", "tensorflow-probability")

    def __init__(self, flow, folder, name):
        dim = flow.size.dim
        chain = tfp.bijectors.Chain([bijector(flow, s) for s in range(flow.size.steps)])
        base = tfp.distributions.MultivariateNormalDiag(loc=tf.zeros(dim))
        distribution = tfp.distributions.TransformedDistribution(base, chain)

        self.compiled = {
            "log_prob": tf.function(distribution.log_prob, jit_compile=True),
            "inverse": tf.function(lambda z: chain.forward(z), jit_compile=True),
            "sample": tf.function(lambda count: chain.forward(tf.random.normal([count, dim])), jit_compile=True),
        }

    def prepare(self, rows):
        return tf.constant(rows)

    def log_prob(self, x):
        return self.compiled["log_prob"](x).numpy()

    def inverse(self, z):
        return self.compiled["inverse"](z).numpy()

    def sample(self, count):
        return self.compiled["sample"](count).numpy()
