"""Comparing an export with the live model in float64."""

from __future__ import annotations

import numpy as np
import torch

import flowrt
from flowrt import reference
from flowrt.adapters import choose
from flowrt.format import encode


def agree(model, rows=7, seed=0, tolerance=1e-12):
    """z, log_det, x and log p of the unrounded file and of the live float64 model, to 1e-12 of their size.

    Returns the file.
    """
    adapter = choose(model)
    file = flowrt.compile(adapter.describe(model))
    live = adapter.live(model, torch.float64)
    generator = np.random.default_rng(seed)
    context = generator.normal(size=(rows, file.context_dim)) if file.context_dim else None
    x, z = generator.normal(size=(2, rows, file.dim))
    pairs = [
        *zip(reference.forward(file, x, context), live.forward(x, context)),
        *zip(reference.inverse(file, z, context), live.inverse(z, context)),
        (reference.log_prob(file, x, context), live.log_prob(x, context)),
    ]
    for ours, theirs in pairs:
        size = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * size)
    flowrt.format.read(encode(file))
    return file
