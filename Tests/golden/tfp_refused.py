"""Models of TensorFlow Probability that cannot be exported: by what they have, by the layer whose name refuses them."""

from __future__ import annotations

import tensorflow_probability as tfp
import tf_keras
from features import CONTINUOUS, IMAGES, OTHER_BASES, OTHER_FUNCTIONS

tfb, tfd = tfp.bijectors, tfp.distributions


def flow(bijector, base=None):
    return tfd.TransformedDistribution(base or tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[4]), bijector)


def glow(*inner):
    """Glow whose networks have layers between two convolutions."""
    layers = tf_keras.layers

    def network(shape):
        return tf_keras.Sequential([layers.Input(shape), layers.Conv2D(3, 1), *inner, layers.Conv2D(4, 1)])

    return flow(tfb.Glow((2, 2, 1), 1, 1, network, None, use_actnorm=False))


REFUSED = {
    "tfp": {
        CONTINUOUS: {"FFJORD": lambda: flow(tfb.FFJORD(lambda time, state: -state))},
        OTHER_FUNCTIONS: {
            "Softplus": lambda: flow(tfb.Softplus()),
            "Power": lambda: flow(tfb.Power(2.0)),
            "Blockwise": lambda: flow(tfb.Blockwise([tfb.Exp(), tfb.Identity()], [2, 2])),
        },
        IMAGES: {
            "LayerNormalization": lambda: glow(tf_keras.layers.LayerNormalization()),
        },
        OTHER_BASES: {
            "StudentT": lambda: flow(tfb.Exp(), tfd.Sample(tfd.StudentT(5.0, 0.0, 1.0), sample_shape=[4])),
        },
    },
}
