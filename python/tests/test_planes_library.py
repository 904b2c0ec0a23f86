"""libflowrt on flows with planes, against the float64 evaluator."""

from __future__ import annotations

import numpy as np
import pytest
from random_planes import convolution, flow, pooling

import flowrt
from flowrt import ir
from flowrt.file import encode


def close(ours, exact):
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-4 * max(1, np.abs(exact).max()))


@pytest.mark.parametrize("seed", range(200))
def test_random_flows_of_convolutions(seed):
    """Couplings, pixelwise steps, permutations, encoders; both directions, a few rows."""
    made = flow(seed)
    data, rng = encode(flowrt.compile(made)), np.random.default_rng(seed)
    rows = int(rng.integers(1, 6))
    x = rng.normal(size=(rows, made.dim)).astype(np.float32)
    context = rng.normal(size=(rows, made.context_dim)).astype(np.float32) if made.context_dim else None
    model = flowrt.Model(data)
    z, log_det = flowrt.reference.forward(data, x, context)
    for ours, exact in zip(model.forward(x, context), (z, log_det)):
        close(ours, exact)
    z = z.astype(np.float32)
    for ours, exact in zip(model.inverse(z, context), flowrt.reference.inverse(data, z, context)):
        close(ours, exact)
    close(model.log_prob(x, context), flowrt.reference.log_prob(data, x, context))


@pytest.mark.parametrize("seed", range(120))
def test_single_layers(seed):
    """Any convolution or pooling of a context, whose numbers are the means of a normal."""
    rng = np.random.default_rng(seed)
    layer = (pooling if seed % 4 == 0 else convolution)(rng, ir.CONTEXT)
    few = min(layer.width, 50)
    picked = ir.Gather(rng.integers(0, layer.width, few), 0)
    rows = np.zeros((2 * few, few))
    rows[::2] = np.eye(few)
    base = ir.ConditionalNormal([ir.Layer(np.zeros(2 * few), context_weight=rows)])
    made = ir.Flow(few, layer.window.inputs, [], base, encoder=[layer, picked])
    data = encode(flowrt.compile(made))
    x = rng.normal(size=(3, few)).astype(np.float32)
    context = rng.normal(size=(3, layer.window.inputs)).astype(np.float32)
    close(flowrt.Model(data).log_prob(x, context), flowrt.reference.log_prob(data, x, context))
