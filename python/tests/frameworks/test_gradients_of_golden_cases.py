"""Gradients of every golden case of PyTorch: against automatic differentiation of the live model, and its slope."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import CASES
from gradient_case import require_gradients
from torch_weights import randomise

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


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_live_model(name):
    model = CASES[name]()
    randomise(model, 0.5)
    has_none = any(word in name for word in NONE)
    require_gradients(model, automatic, has_none=has_none, differs=name in NOT_THE_SLOPE)
