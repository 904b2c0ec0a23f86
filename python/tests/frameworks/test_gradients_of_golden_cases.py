"""Gradients of every golden case that has them: against automatic differentiation of the live model, and its slope.

The slope, by central differences of the live model's own log p in float64, is the second witness. Where a framework's
derivative is not that of its function, the slope counts.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import CASES
from torch_weights import randomise

import flowrt
from flowrt.errors import LibraryError, Status
from flowrt.file import encode
from flowrt.frameworks import choose, dtypes
from flowrt.verify.rows import random_rows

ROWS = 24
STEP = 1e-6
NONE = ("quadratic", "cubic", "pyro_linear_spline", "free_splines", "splines_on_a_box")  # cases of splines without
CLIPPED = "clamp_preserve_gradients: the gradient passes where a log scale is clipped, as if it were not"
PIECES = "automatic differentiation of the inverse of linear pieces is not the slope of log p"
NOT_THE_SLOPE = {  # cases in which the framework's gradient is not the slope of the framework's log p
    "pyro_clip": CLIPPED,
    "pyro_coupling_clip": CLIPPED,
    "pyro_mixture_full": CLIPPED,
    "pyro_correlated_normal": CLIPPED,
    "nflows_linear_spline_iaf": PIECES,
    "nflows_linear_spline_coupling": PIECES,
}


def automatic(live, x, context):
    """log p, and its gradients by x and by the context, if there is one."""
    given = [None if part is None else torch.tensor(part, dtype=live.dtype) for part in (x, context)]
    asked = [part.requires_grad_() for part in given if part is not None]

    def of_parts(x, context):
        z, log_det = live._forward(x, context)
        return live._base_log_prob(z, context) + log_det

    default = torch.get_default_dtype()
    torch.set_default_dtype(live.dtype)
    try:
        log_p = (live._density or of_parts)(*given)
        found = torch.autograd.grad(log_p.sum(), asked, allow_unused=True)
    finally:
        torch.set_default_dtype(default)
    return [np.zeros(part.shape) if g is None else g.double().numpy() for part, g in zip(asked, found)]


def slopes(live, x, context):
    """The same by differences."""
    given, results = [part.astype(np.float64) for part in (x, context) if part is not None], []
    for number, part in enumerate(given):
        columns = []
        for step in STEP * np.eye(part.shape[1]):
            high, low = ([p + s * step if i == number else p for i, p in enumerate(given)] for s in (1, -1))
            columns.append((live.log_prob(*high) - live.log_prob(*low)) / (2 * STEP))
        results.append(np.stack(columns, axis=1))
    return results


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_live_model(name):
    model = CASES[name]()
    randomise(model, 0.5)
    adapter = choose(model)
    file = flowrt.compile(adapter.describe(model))
    x, _, context = random_rows(file, ROWS, 0)[:3]
    x = x.astype(np.float32)
    context = None if context is None else np.broadcast_to(context, (ROWS, context.shape[-1])).astype(np.float32)
    try:
        found = flowrt.Model(encode(file)).log_prob_gradient(x, context)[1:]
    except LibraryError as error:
        assert error.status == Status.GRADIENT and any(word in name for word in NONE)
        return
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    single, exact, slope = automatic(live32, x, context), automatic(live64, x, context), slopes(live64, x, context)
    for ours, theirs, truth, steep in zip(found, single, exact, slope):
        size = 1 + np.abs(steep).max(axis=1, keepdims=True)
        other = np.abs(truth - steep) > 1e-5 * size
        assert not other.any() or name in NOT_THE_SLOPE
        error, allowed = (ours - np.where(other, steep, truth)) / size, ((theirs - truth) / size)[~other]
        assert np.max(np.abs(error)) < 2e-4
        assert rms(error) <= 2 * rms(allowed) + 5e-6


def rms(values):
    return np.sqrt(np.mean(values**2)) if values.size else 0.0
