"""Activations are recognised by what they compute; objects that are no flows are refused."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import zuko
from torch import nn
from torch.nn import functional as F

import flowrt
from flowrt.building.activations import recognise
from flowrt.file.codes import Activation
from flowrt.frameworks import choose

KNOWN = [
    (F.relu, Activation.RELU, 0),
    (torch.relu, Activation.RELU, 0),
    (nn.ReLU(inplace=True), Activation.RELU, 0),
    (lambda h: h.clamp(min=0), Activation.RELU, 0),
    (torch.tanh, Activation.TANH, 0),
    (nn.Tanh(), Activation.TANH, 0),
    (F.elu, Activation.ELU, 1.0),
    (partial(F.elu, alpha=0.3), Activation.ELU, 0.3),
    (nn.CELU(1.0), Activation.ELU, 1.0),
    (F.leaky_relu, Activation.LEAKY_RELU, 0.01),
    (nn.LeakyReLU(0.2), Activation.LEAKY_RELU, 0.2),
    (nn.PReLU(init=0.125), Activation.LEAKY_RELU, 0.125),
    (F.silu, Activation.SILU, 0),
    (lambda h: h * torch.sigmoid(h), Activation.SILU, 0),
    (F.gelu, Activation.GELU, 0),
    (nn.GELU(approximate="tanh"), Activation.GELU_TANH, 0),
    (torch.sigmoid, Activation.SIGMOID, 0),
    (F.softplus, Activation.SOFTPLUS, 0),
    (nn.Softsign(), Activation.SOFTSIGN, 0),
    (nn.Identity(), Activation.IDENTITY, 0),
    (nn.Dropout(0.5), Activation.IDENTITY, 0),
    (nn.Sequential(nn.Tanh(), nn.Dropout()), Activation.TANH, 0),
    (torch.abs, Activation.LEAKY_RELU, -1.0),
    (torch.exp, None, 0),
    (nn.Softmax(dim=-1), None, 0),
    (lambda h: h if h.shape[-1] > 1 else 0 * h, None, 0),
    (nn.LayerNorm(3), None, 0),
    (nn.Hardshrink(), None, 0),
    (torch.square, None, 0),
    (torch.sign, None, 0),
    (None, None, 0),
]


@pytest.mark.parametrize("function, kind, a", KNOWN, ids=lambda value: None)
def test_activations(function, kind, a):
    if kind is None:
        with pytest.raises(flowrt.ExportError, match="activation"):
            recognise(function)
        return
    found, parameter = recognise(function)
    assert found == kind and parameter == pytest.approx(a, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("thing", [object(), 3, "model.pt", {}, [], nn.Linear(2, 2), [nn.Linear(2, 2)], None])
def test_what_is_no_flow_is_refused(thing):
    with pytest.raises(flowrt.ExportError, match="not a flow of a supported framework .nflows, zuko, pyro."):
        choose(thing)


def test_a_framework_can_be_named():
    assert choose(zuko.flows.MAF(2), "zuko").framework == "zuko"
    with pytest.raises(flowrt.ExportError, match="MAF is not a flow of nflows"):
        choose(zuko.flows.MAF(2), "nflows")
    with pytest.raises(flowrt.ExportError, match="'keras' is not supported; supported are nflows, zuko, pyro"):
        choose(object(), "keras")
