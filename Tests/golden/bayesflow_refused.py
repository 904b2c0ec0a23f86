"""Models of bayesflow that cannot be exported."""

from __future__ import annotations

import bayesflow_cases  # noqa: F401 - chooses the backend

import bayesflow as bf  # isort: skip
from features import CONTINUOUS, OTHER_BASES


def flow(**options):
    network = bf.networks.CouplingFlow(depth=1, subnet_kwargs={"widths": (8,)}, **options)
    network.build((None, 4))
    return network


REFUSED = {
    "bayesflow": {
        CONTINUOUS: {"FlowMatching": bf.networks.FlowMatching},
        OTHER_BASES: {"DiagonalStudentT": lambda: flow(base_distribution="student_t")},
    }
}
