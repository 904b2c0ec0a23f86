"""Models of flowjax that cannot be exported: by what they have, by the layer whose name refuses them."""

from __future__ import annotations

import flowjax.bijections as fb
import jax
import jax.numpy as jnp
from features import EMBEDDINGS, MONOTONE_NETWORKS, OTHER_BASES, OTHER_FUNCTIONS
from flowjax.distributions import StandardNormal, StudentT, Transformed
from flowjax.flows import block_neural_autoregressive_flow, planar_flow

KEY = jax.random.key(0)
NORMAL = StandardNormal((4,))


REFUSED = {
    "flowjax": {
        MONOTONE_NETWORKS: {
            "Planar": lambda: planar_flow(KEY, base_dist=NORMAL),
            "NumericalInverse": lambda: block_neural_autoregressive_flow(KEY, base_dist=NORMAL),
        },
        OTHER_FUNCTIONS: {
            "LeakyTanh": lambda: Transformed(NORMAL, fb.LeakyTanh(3.0, (4,))),
            "SoftPlus": lambda: Transformed(NORMAL, fb.SoftPlus((4,))),
            "Power": lambda: Transformed(NORMAL, fb.Power(2.0, (4,))),
            "Concatenate": lambda: Transformed(NORMAL, fb.Concatenate([fb.Exp((2,)), fb.Identity((2,))])),
        },
        EMBEDDINGS: {
            "EmbedCondition": lambda: Transformed(NORMAL, fb.EmbedCondition(fb.Exp((4,)), lambda c: c, (3,))),
        },
        OTHER_BASES: {"StudentT": lambda: Transformed(StudentT(5 * jnp.ones(4)), fb.Exp((4,)))},
    },
}
