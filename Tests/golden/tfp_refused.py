"""Models of TensorFlow Probability that cannot be exported: by what they have, by the layer whose name refuses them."""

from __future__ import annotations

import tensorflow_probability as tfp
from features import CONTINUOUS, OTHER_BASES, OTHER_FUNCTIONS

tfb, tfd = tfp.bijectors, tfp.distributions


def flow(bijector, base=None):
    return tfd.TransformedDistribution(base or tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[4]), bijector)


REFUSED = {
    "tfp": {
        CONTINUOUS: {"FFJORD": lambda: flow(tfb.FFJORD(lambda time, state: -state))},
        OTHER_FUNCTIONS: {
            "Softplus": lambda: flow(tfb.Softplus()),
            "Power": lambda: flow(tfb.Power(2.0)),
            "Blockwise": lambda: flow(tfb.Blockwise([tfb.Exp(), tfb.Identity()], [2, 2])),
        },
        OTHER_BASES: {
            "StudentT": lambda: flow(tfb.Exp(), tfd.Sample(tfd.StudentT(5.0, 0.0, 1.0), sample_shape=[4])),
        },
    },
}
