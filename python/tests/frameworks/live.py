"""Comparing an export with the live model in float64."""

from __future__ import annotations

import numpy as np

import flowrt
from flowrt import reference
from flowrt.file import encode
from flowrt.frameworks import choose, dtypes
from flowrt.verify.rows import defined, encoded, random_rows
from flowrt.verify.verify import compare, evaluate


def agree(model, rows=7, seed=0, tolerance=1e-12):
    """z, log_det, x and log p of the unrounded file and of the live float64 model, to 1e-12 of their size.

    Returns the file.
    """
    adapter = choose(model)
    file = flowrt.compile(adapter.describe(model))
    live = adapter.live(model, dtypes(adapter)[1])
    x, z, context = random_rows(file, rows, seed)[:3]
    wide = np.random.default_rng(seed).normal(scale=1.5, size=x.shape)
    odd = np.arange(rows) % 2 == 1  # every other row is not one of the flow itself, where the framework knows it,
    odd |= np.any(np.abs(x) > 1e6, axis=1)  # nor is one that untrained weights make so large that float64 loses digits
    x = np.where((odd & defined(file, wide, encoded(file, context, rows)))[:, None], wide, x)
    pairs = [
        *zip(reference.forward(file, x, context), live.forward(x, context)),
        *zip(reference.inverse(file, z, context), live.inverse(z, context)),
        (reference.log_prob(file, x, context), live.log_prob(x, context)),
    ]
    for ours, theirs in pairs:
        size = np.max(np.abs(theirs), where=np.isfinite(theirs), initial=1.0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * size)
    flowrt.format.read(encode(file))
    return file


def agree_in_c(model):
    """What libflowrt computes in float32, against the live float64 model, with the limits of `save(verify=True)`."""
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    comparison = compare(encode(exact), exact, live32, live64)
    assert "libflowrt was not compared" not in comparison.table and comparison.problem is None, comparison


def as_exact_in_c(model):
    """The error of libflowrt is at most twice that of the framework in float32, and two roundings of the values."""
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    rows = random_rows(exact, 64)
    truth, own, ours = (evaluate(flow, rows) for flow in (live64, live32, flowrt.Model(encode(exact))))
    for quantity, values in truth.items():
        error, allowed = (np.max(np.abs(found[quantity] - values)) for found in (ours, own))
        rounding = np.finfo(np.float32).eps * np.max(np.abs(values))
        assert error <= 2 * allowed + 2 * rounding, f"{quantity} is off by {error:.2g}, the framework by {allowed:.2g}"
