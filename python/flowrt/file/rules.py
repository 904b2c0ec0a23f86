"""What the fields of a record may say: each check returns the first `Problem` it finds, or None."""

from __future__ import annotations

import math
from typing import NamedTuple, Optional, Sequence

import numpy as np

from ..errors import Status
from .codes import MAX_BINS, Activation, Form, Function, Limit, Pieces, Scale, Transformer, pieces_of, spline_parameters
from .layout import LAYER_REFERENCES
from .records import Conditioner


class Problem(NamedTuple):
    field: int  # byte offset in the record
    message: str
    status: Status = Status.MALFORMED


def is_set(*values: float) -> bool:
    """Whether an unused field holds anything but zero bytes. A negative zero is something."""
    return any(value != 0 or math.copysign(1, value) < 0 for value in values)


def unknown(field: int, name: str, code: int) -> Problem:
    """A code that this version does not define: it may come from a later minor version, so it is not called damage."""
    return Problem(field, f"unknown {name} {code}", Status.FEATURE)


def beyond(limit: Limit, field: int, count: int) -> Optional[Problem]:
    """A number that the field could hold, but no file may."""
    return Problem(field, limit.message(count), Status.LIMIT) if count > limit.most else None


def is_interval(lower, upper):
    """Whether lower < upper and upper - lower is finite, in float32: of two numbers, or of each pair of two arrays."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (lower < upper) & np.isfinite(np.subtract(upper, lower, dtype=np.float32))


# ---- transformers (section 5) ----


def check_transformer(transformer: int, form: int, scale: int, bins: int, p: Sequence[float]) -> Optional[Problem]:
    """Fields of an autoregressive step that describe its transformer."""
    if transformer not in set(Transformer):
        return unknown(14, "transformer", transformer)
    if transformer == Transformer.SPLINE:
        return _check_spline(form, scale, bins, p)
    if transformer == Transformer.ADDITIVE:
        if form or scale or bins or is_set(*p):
            return Problem(16, "unused fields of an additive transformer are not zero")
        return None
    if form not in set(Form):
        return unknown(16, "form", form)
    problem = check_scale(scale, p)
    if problem:
        return problem
    if form == Form.GATED and not (scale == Scale.SIGMOID and p[0] == 0):
        return Problem(16, "the gated form needs the sigmoid scale with p0 = 0")
    return Problem(20, f"{bins} bins in an affine transformer") if bins else None


def check_scale(scale: int, p: Sequence[float]) -> Optional[Problem]:
    """A scale function and its parameters."""
    if scale not in set(Scale):
        return unknown(18, "scale function", scale)
    used, valid = {
        Scale.EXP: (0, True),
        Scale.EXP_CLAMPED: (2, p[0] <= p[1]),
        Scale.SOFTPLUS: (1, p[0] >= 0),
        Scale.SOFTPLUS_CLAMPED: (3, p[0] >= 0 and 0 < p[1] <= p[2]),
        Scale.SIGMOID: (1, p[0] >= 0),
        Scale.EXP_SOFT_CLIPPED: (1, p[0] > 0),
        Scale.EXP_TANH: (1, p[0] > 0),
        Scale.EXP_ATAN: (1, p[0] > 0),
    }[Scale(scale)]
    if not valid or not all(math.isfinite(value) for value in p):
        return Problem(24, f"parameters {tuple(p[:used])} are not allowed for scale function {scale}")
    if is_set(*p[used:]):
        return Problem(24 + 4 * used, f"unused parameters of scale function {scale} are not zero")
    return None


def _check_spline(form: int, scale: int, bins: int, p: Sequence[float]) -> Optional[Problem]:
    pieces, widths, derivatives, ends = pieces_of(form), form & 3, form >> 2 & 3, form >> 4 & 3
    lower, upper, min_width, min_height, min_derivative, soft_clip, end_derivative, min_share = p
    if pieces not in set(Pieces) or widths > 1 or derivatives > 1 or ends > 2:
        return unknown(16, "spline form", form)
    quadratic = pieces == Pieces.QUADRATIC
    if (quadratic and (derivatives or ends > 1)) or (pieces in (Pieces.LINEAR, Pieces.CUBIC) and form >> 2 & 15):
        return unknown(16, "spline form", form)
    if scale:
        return Problem(18, "unused fields of a spline are not zero")
    if bins < 2:
        return Problem(20, f"a spline of {bins} bins")
    problem = beyond(MAX_BINS, 20, bins)
    if problem:
        return problem
    if not all(math.isfinite(value) for value in p):
        return Problem(24, "a parameter of the spline is not finite")
    if not is_interval(lower, upper):
        return Problem(24, f"the interval [{lower}, {upper}] is empty or too wide for float32")
    has_widths, has_heights, has_derivatives, has_shares = (count > 0 for count in spline_parameters(form, bins))
    has_derivatives &= pieces != Pieces.CUBIC
    if not (_leaves_room(min_width, bins) if widths == 0 and has_widths else not is_set(min_width)):
        return Problem(32, f"minimal width {min_width} is not allowed for {bins} bins")
    shares = 1 if quadratic else bins  # it is a derivative, or a height
    if not (_leaves_room(min_height, shares) if quadratic or (widths == 0 and has_heights) else not is_set(min_height)):
        return Problem(36, f"minimal height {min_height} is not allowed for {bins} bins")
    if not (min_derivative >= 0 if derivatives == 0 and has_derivatives else not is_set(min_derivative)):
        return Problem(40, f"minimal derivative {min_derivative} is not allowed")
    if not (soft_clip > 0 if widths == 1 or derivatives == 1 else not is_set(soft_clip)):
        return Problem(44, f"soft clip {soft_clip} is not allowed")
    fixed = ends == 0 and has_derivatives and not quadratic
    if not (end_derivative > 0 if fixed else not is_set(end_derivative)):
        return Problem(48, f"end derivative {end_derivative} is not allowed")
    if not (0 < min_share < 0.5 if has_shares else not is_set(min_share)):
        return Problem(52, f"minimal share {min_share} is not allowed")
    return None


def _leaves_room(minimum: float, count: int) -> bool:
    """Whether `count` minima are less than the whole, in float32."""
    return 0 <= minimum < 1 and np.float32(minimum) * np.float32(count) < 1


# ---- elementwise steps (section 2.4) ----


def check_elementwise(function: int, lower: float, upper: float) -> Optional[Problem]:
    """The function of one coordinate and its two parameters. The field is the number of the block."""
    if function not in set(Function):
        return unknown(0, "function", function)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return Problem(1, f"a parameter of function {function} is not finite")
    interval = {Function.LOGIT, Function.SIGMOID, Function.PROBIT, Function.NORMAL_CDF}
    positive = {Function.LEAKY, Function.LEAKY_INVERSE, Function.SOFTSIGN, Function.SOFTSIGN_INVERSE}
    free = {Function.LOG_ABOVE, Function.LOG_BELOW, Function.EXP_ABOVE}
    if function in interval:
        if is_interval(lower, upper):
            return None
        return Problem(1, f"the interval ({lower}, {upper}) is empty or too wide for float32")
    if is_set(upper) or (function not in positive | free and is_set(lower)):
        return Problem(1, f"unused parameters of function {function} are not zero")
    if function in positive and not lower > 0:
        return Problem(1, f"parameter {lower} of function {function} is not positive")
    return None


# ---- layers (section 4) ----


def check_layer(
    conditioner: Conditioner, context_dim: int, activation: int, a: float, width: int, references: dict, scaled: int
) -> Optional[Problem]:
    """A layer record that follows the conditioner's layers. `references` holds source, context, gate and the adds."""
    field = LAYER_REFERENCES
    earlier = conditioner.layers
    source, context, gate, add = (references[name] for name in ("source", "context", "gate", "add"))
    if activation not in set(Activation):
        return unknown(2, "activation", activation)
    problem = _check_activation_parameter(activation, a)
    if problem:
        return problem
    for name, reference in [("source", source), ("context", context), ("gate", gate), *(("add", r) for r in add)]:
        if reference >= 2 + len(earlier):
            return Problem(field[name], f"{name} {reference} is not an earlier layer")
    if source == 1 and conditioner.stage_end is None:
        return Problem(field["source"], "there is no read side here")
    if context == 1 and context_dim == 0:
        return Problem(field["context"], "the flow has no context")
    if context >= 2 and not conditioner.depends_on_context_alone(context - 2):
        return Problem(field["context"], f"layer {context - 2} does not depend on the context alone")
    for name, reference in [("gate", gate), *(("add", r) for r in add)]:
        if reference == 1:
            return Problem(field[name], f"{name} must be a layer")
        if reference and earlier[reference - 2].width != width:
            return Problem(field[name], f"layer {reference - 2} has {earlier[reference - 2].width} units, not {width}")
    if scaled >> 3 or any(scaled >> j & 1 and not reference for j, reference in enumerate(add)):
        return Problem(field["scaled"], f"scaled {scaled:#x} names a layer that is not added")
    return None


def _check_activation_parameter(activation: int, a: float) -> Optional[Problem]:
    if not math.isfinite(a):
        return Problem(24, "the parameter of the activation is not finite")
    if activation == Activation.LAYER_NORM and not a > 0:
        return Problem(24, "layer norm needs a > 0")
    if is_set(a) and activation not in (Activation.ELU, Activation.LEAKY_RELU, Activation.LAYER_NORM):
        return Problem(24, f"the unused parameter of activation {activation} is not zero")
    return None
