"""Files are at most twice as far from float64 as their framework in float32, also where means are far from zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import CompositeTransform, MaskedAffineAutoregressiveTransform
from sbi.neural_nets.estimators import NFlowsFlow
from sbi.utils.sbiutils import Standardize
from torch import nn

import flowrt
from flowrt.file import encode
from flowrt.frameworks import choose, dtypes
from flowrt.verify.precision import TIMES, measure
from flowrt.verify.rows import own_rows


def require_precision(model, x, context):
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    errors = measure(flowrt.Model(encode(exact)), live32, live64, own_rows(exact, x, context))
    assert set(errors) == {"z", "log_det", "x", "log_prob"}
    for quantity, error in errors.items():
        assert error.times <= TIMES, f"{quantity}: {error.times:.2g} times"
    return exact


@pytest.mark.parametrize("count", [1, 4, 100, 600])
@pytest.mark.parametrize("ratio", [0, 3, 30, 60, 1000])
def test_contexts_far_from_zero(count, ratio):
    mean, std = torch.full((count,), float(ratio)), torch.ones(count)
    layers = [
        MaskedAffineAutoregressiveTransform(
            4, 50, context_features=count, num_blocks=2, use_residual_blocks=False, activation=torch.tanh
        )
        for _ in range(3)
    ]
    embedding = nn.Sequential(Standardize(mean, std), nn.Identity())
    net = Flow(CompositeTransform(layers), StandardNormal([4]), embedding_net=embedding).eval()
    model = NFlowsFlow(net, input_shape=torch.Size([4]), condition_shape=torch.Size([count]))
    exact = require_precision(model, torch.randn(256, 4), mean + std * torch.randn(256, count))
    if ratio == 0:
        assert exact.encoder is None  # it folds
    if ratio == 1000:
        assert exact.encoder is not None


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("vary", [1.0, 0.1, 0.01])
def test_batch_norm_in_networks(residual, vary):
    """Of units that vary little around a mean far from zero."""
    layers = [
        MaskedAffineAutoregressiveTransform(
            2, 50, context_features=1, num_blocks=2, use_residual_blocks=residual, activation=torch.tanh,
            use_batch_norm=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    flow = Flow(CompositeTransform(layers), StandardNormal([2]))
    with torch.no_grad():
        for layer in layers:
            made = layer.autoregressive_net
            made.context_layer.weight.mul_(vary)
            made.context_layer.bias.uniform_(-1.5, 1.5)
            made.initial_layer.weight.mul_(vary)
            made.initial_layer.bias.uniform_(-1.5, 1.5)
        for module in flow.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = None
        flow.train()
        for _ in range(30):
            flow.log_prob(torch.randn(500, 2), torch.randn(500, 1))
    require_precision(flow.eval(), torch.randn(256, 2), np.asarray(torch.randn(256, 1)))
