"""Inverses for nflows's splines of linear, quadratic and cubic pieces, in the copies that files are compared with.

Its own are not those of its forward functions: the last bin of a linear spline is too high by 1e-6, a cubic piece that
is nearly quadratic is taken for one, and the root of a nearly linear quadratic piece cancels. A copy solves the forward
function by bisection instead.
"""

from __future__ import annotations

from ...building.modules import class_names
from ...building.splines import AUTOREGRESSIVE, COUPLINGS, UNCONDITIONAL, form_of_pieces
from ...file.codes import SplineForm

_HALVINGS = 60


def solve_inverse(module) -> None:
    """Gives a live spline transform of these pieces such an inverse, in place; does nothing to other modules."""
    kinds = class_names(module)
    if not kinds & (AUTOREGRESSIVE | COUPLINGS | UNCONDITIONAL) or form_of_pieces(module) == SplineForm(0):
        return
    high = 1.0 if getattr(module, "tails", None) is None else float(module.tail_bound)
    low = 0.0 if getattr(module, "tails", None) is None else -high

    def of_parameters(forward):
        def inverse(inputs, transform_params):
            own = transform_params.clone  # nflows divides them in place
            return _solved(lambda x: forward(x, own()), inputs, low, high)

        return inverse

    if kinds & AUTOREGRESSIVE:
        module._elementwise_inverse = of_parameters(module._elementwise_forward)
    elif kinds & COUPLINGS:
        module._coupling_transform_inverse = of_parameters(module._coupling_transform_forward)
    else:
        module.inverse = lambda values, context=None: _solved(module.forward, values, low, high)


def _solved(forward, values, low: float, high: float) -> tuple:
    """x with forward(x) = values, and log|det dx/dvalues|; `forward` is increasing from [low, high] onto itself.

    Values outside are their own x, where `forward` has an answer.
    """
    import torch

    outside = (values < low) | (values > high)
    low, high = (torch.where(outside, values, bound) for bound in (low, high))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = forward(middle)[0] < values
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    x = (low + high) / 2
    return x, -forward(x)[1]
