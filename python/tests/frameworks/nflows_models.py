"""Small nflows models for the tests, and the scale functions of forks."""

from __future__ import annotations

import pytest
import torch
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ResidualNet

import flowrt
from flowrt.file.codes import Scale


def flow(*transforms, features=3, **options):
    return Flow(nt.CompositeTransform(list(transforms)), StandardNormal([features]), **options)


def affine(features=3, hidden=8, **options):
    return nt.MaskedAffineAutoregressiveTransform(features, hidden, **options)


def residual_net(hidden=8, **options):
    return lambda inputs, outputs: ResidualNet(inputs, outputs, hidden, **options)


def coupling(mask=(-1, 1, 1), network=None, kind=nt.AffineCouplingTransform, unconditional=None):
    return kind(torch.tensor(mask), network or residual_net(), unconditional)


SCALES = {
    "older nflows": (lambda a: torch.sigmoid(a + 2) + 1e-3, Scale.SIGMOID),
    "glasflow wide": (lambda a: torch.clamp(torch.nn.functional.softplus(a) + 1e-3, 0, 3), Scale.SOFTPLUS_CLAMPED),
    "glasflow log1": (lambda a: torch.exp(2 * (torch.sigmoid(a) - 0.5)), Scale.EXP_TANH),
    "glasflow log3": (lambda a: torch.exp(6 * (torch.sigmoid(a) - 0.5)), Scale.EXP_TANH),
    "exp": (torch.exp, Scale.EXP),
}


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)
