"""Golden cases with splines of linear, quadratic and cubic pieces, of nflows and glasflow."""

from __future__ import annotations

from functools import partial

import torch
from glasflow import flows as gf
from glasflow.distributions import MultivariateUniform
from nflows import transforms as nt
from nflows.nn.nets import ResidualNet
from spline_cases import Box, flow

PIECES = ("Linear", "Quadratic", "Cubic")


def masked(pieces, **options):
    """On [0, 1], but for quadratic ones with tails."""
    kind = getattr(nt, f"MaskedPiecewise{pieces}AutoregressiveTransform")
    return kind(features=4, hidden_features=12, num_blocks=1, **{"num_bins": 5, **options})


def coupling(pieces, mask=(1, -1, 1, -1), context=None, tails="linear", tail_bound=2.0, **options):
    def network(inputs, outputs):
        return ResidualNet(inputs, outputs, 12, context_features=context, num_blocks=1)

    kind = getattr(nt, f"Piecewise{pieces}CouplingTransform")
    return kind(torch.tensor(mask), network, num_bins=4, tails=tails, tail_bound=tail_bound, **options)


def free(pieces, bins, *tails):
    return getattr(nt, f"Piecewise{pieces}CDF")([4], bins, *tails)


def on_a_box(*layers):
    return flow(*layers, base=Box(torch.zeros(4), torch.ones(4)))


NFLOWS = {
    "nflows_linear_spline": lambda: on_a_box(masked("Linear"), nt.ReversePermutation(4), masked("Linear", num_bins=8)),
    "nflows_linear_spline_iaf": lambda: on_a_box(nt.InverseTransform(masked("Linear", context_features=3))),
    "nflows_linear_spline_coupling": lambda: flow(
        coupling("Linear", context=3, apply_unconditional_transform=True),
        nt.InverseTransform(coupling("Linear", (-1, 1, -1, 1), tail_bound=3.0, context=3)),
    ),
    "nflows_quadratic_spline": lambda: flow(
        masked("Quadratic", tails="linear", tail_bound=3.0, min_bin_width=0.02, min_bin_height=0.05),
        nt.ReversePermutation(4),
        masked("Quadratic", tails="linear", tail_bound=2.0),
    ),
    "nflows_quadratic_spline_iaf": lambda: flow(
        nt.InverseTransform(masked("Quadratic", tails="linear", tail_bound=3.0, context_features=3))
    ),
    "nflows_quadratic_spline_on_a_box": lambda: on_a_box(
        masked("Quadratic"), nt.ReversePermutation(4), masked("Quadratic")
    ),
    "nflows_quadratic_spline_coupling": lambda: flow(
        coupling("Quadratic", context=3, apply_unconditional_transform=True),
        nt.InverseTransform(coupling("Quadratic", (-1, 1, -1, 1), context=3)),
    ),
    "nflows_cubic_spline": lambda: on_a_box(masked("Cubic"), nt.ReversePermutation(4), masked("Cubic", num_bins=3)),
    "nflows_cubic_spline_iaf": lambda: on_a_box(nt.InverseTransform(masked("Cubic", num_bins=3, context_features=3))),
    "nflows_cubic_spline_coupling": lambda: flow(
        coupling("Cubic", context=3, apply_unconditional_transform=True, min_bin_width=0.02, min_bin_height=0.01),
        nt.InverseTransform(coupling("Cubic", (-1, 1, -1, 1), tail_bound=3.0, context=3)),
    ),
    "nflows_coupling_splines_on_a_box": lambda: on_a_box(*(coupling(pieces, tails=None) for pieces in PIECES)),
    "nflows_free_splines": lambda: flow(
        *(free(pieces, 5, "linear", 2.0) for pieces in PIECES),
        *(nt.InverseTransform(free(pieces, 3, "linear", 3.0)) for pieces in PIECES),
    ),
    "nflows_free_splines_on_a_box": lambda: on_a_box(*(free(pieces, 5) for pieces in PIECES)),
}


def glasflow_on_a_box(kind, context=None):
    base = MultivariateUniform(low=torch.zeros(4), high=torch.ones(4))
    return kind(4, 2, context, n_neurons=12, n_blocks_per_transform=1, num_bins=5, distribution=base)


GLASFLOW = {
    "glasflow_maf_linear_spline": partial(glasflow_on_a_box, gf.MaskedPiecewiseLinearAutoregressiveFlow),
    "glasflow_maf_quadratic_spline": partial(glasflow_on_a_box, gf.MaskedPiecewiseQuadraticAutoregressiveFlow, 3),
    "glasflow_maf_cubic_spline": partial(glasflow_on_a_box, gf.MaskedPiecewiseCubicAutoregressiveAutoregressiveFlow),
}

POLYNOMIAL_SPLINES = {**NFLOWS, **GLASFLOW}
