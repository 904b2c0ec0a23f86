"""Gradients of exported flows against automatic differentiation of the live models, in float64 and in float32."""

from __future__ import annotations

import copy

import nflows.distributions
import nflows.flows
import nflows.transforms
import numpy as np
import pytest
import torch
import zuko
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file import encode
from flowrt.frameworks import choose


def nflows_maf(context=None):
    steps = []
    for _ in range(3):
        steps.append(
            nflows.transforms.MaskedAffineAutoregressiveTransform(5, 32, context_features=context, num_blocks=2)
        )
        steps.append(nflows.transforms.ReversePermutation(5))
    return nflows.flows.Flow(nflows.transforms.CompositeTransform(steps), nflows.distributions.StandardNormal([5]))


def nflows_spline():
    step = nflows.transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        5, 32, num_bins=6, tails="linear", tail_bound=3.0, num_blocks=1
    )
    linear = nflows.transforms.LULinear(5)
    return nflows.flows.Flow(
        nflows.transforms.CompositeTransform([linear, step]), nflows.distributions.StandardNormal([5])
    )


MODELS = {  # and the floats of context
    "zuko MAF": (lambda: zuko.flows.MAF(6, 0, transforms=3, hidden_features=(40, 40), activation=nn.Tanh), 0),
    "zuko MAF with context": (lambda: zuko.flows.MAF(4, 3, transforms=2, hidden_features=(33,), activation=nn.ELU), 3),
    "zuko NSF": (lambda: zuko.flows.NSF(4, 2, transforms=2, bins=5, hidden_features=(32,)), 2),
    "zuko NICE": (lambda: zuko.flows.NICE(6, 0, transforms=3, hidden_features=(32,)), 0),
    "nflows MAF": (nflows_maf, 0),
    "nflows MAF with context": (lambda: nflows_maf(2), 2),
    "nflows splines": (nflows_spline, 0),
}


def autograd(model, x, context):
    x = x.clone().requires_grad_()
    context = None if context is None else context.clone().requires_grad_()
    if isinstance(model, nflows.flows.Flow):
        log_p = model.log_prob(x, context=context)
    else:
        log_p = (model(context) if context is not None else model()).log_prob(x)
    given = [x] if context is None else [x, context]
    return [log_p.detach(), *torch.autograd.grad(log_p.sum(), given)]


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_automatic_differentiation(name):
    make, context_dim = MODELS[name]
    torch.manual_seed(0)
    model = make()
    randomise(model, 0.5)
    model.eval()
    file = encode(flowrt.compile(choose(model).describe(model)))
    x = torch.randn(300, flowrt.Model(file).dim)
    context = torch.randn(300, context_dim) if context_dim else None
    exact = autograd(copy.deepcopy(model).double(), x.double(), None if context is None else context.double())
    single = autograd(model, x, context)
    found = flowrt.Model(file).log_prob_gradient(x.numpy(), None if context is None else context.numpy())
    for ours, theirs, truth in zip(found, single, exact):
        truth = truth.numpy()
        size = np.abs(truth).reshape(len(truth), -1).max(axis=1)
        ours, theirs = (np.abs(np.asarray(v) - truth).reshape(len(truth), -1).max(axis=1) for v in (ours, theirs))
        # float32 may put a row on the other side of a kink, in either; such rows have another slope.
        same = (ours < 1e-3 * (1 + size)) & (theirs < 1e-3 * (1 + size))
        assert np.mean(same) > 0.98
        error, allowed = (np.sqrt(np.mean((v / (1 + size))[same] ** 2)) for v in (ours, theirs))
        assert error <= 2 * allowed + 1e-7
