"""Models of pzflow that cannot be exported."""

from __future__ import annotations

from features import NOISE, OTHER_BASES, OTHER_FUNCTIONS
from pzflow import bijectors, distributions
from pzflow_cases import flow

REFUSED = {
    "pzflow": {
        OTHER_FUNCTIONS: {"InvSoftplus": lambda: flow(bijectors.InvSoftplus(0))},
        NOISE: {
            "UniformDequantizer": lambda: flow(bijectors.UniformDequantizer([0])),
            "Beta13Dequantizer": lambda: flow(bijectors.Beta13Dequantizer([0])),
        },
        OTHER_BASES: {
            "Tdist": lambda: flow(bijectors.Reverse(), latent=distributions.Tdist(4)),
            "CentBeta": lambda: flow(bijectors.Reverse(), latent=distributions.CentBeta(4)),
        },
    }
}
