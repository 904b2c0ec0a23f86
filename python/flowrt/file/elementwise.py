"""Elementwise steps (docs/FORMAT.md, section 2.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..tables import Table
from .codes import Function, Kind
from .cursor import WORD, Reader, Writer
from .fields import RECORD, Problem, is_interval, is_set, unknown


@dataclass
class ElementwiseStep:
    """w[i] = function[i](v[i]) with two parameters each; all (D,)."""

    function: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    margin: float = 0.0  # share of an interval, at both ends, where the framework clamps; not in the file
    kind = Kind.ELEMENTWISE


_INTERVAL, _POSITIVE, _FREE, _NONE = "lower < upper", "lower > 0", "any lower", "no parameters"
_PARAMETERS = Table(
    "flowrt.file.elementwise._PARAMETERS",
    Function,
    {
        Function.IDENTITY: _NONE,
        Function.LOGIT: _INTERVAL,
        Function.LOG_ABOVE: _FREE,
        Function.LOG_BELOW: _FREE,
        Function.SIGMOID: _INTERVAL,
        Function.EXP_ABOVE: _FREE,
        Function.ATANH: _NONE,
        Function.TANH: _NONE,
        Function.LEAKY: _POSITIVE,
        Function.LEAKY_INVERSE: _POSITIVE,
        Function.SOFTSIGN: _POSITIVE,
        Function.SOFTSIGN_INVERSE: _POSITIVE,
        Function.PROBIT: _INTERVAL,
        Function.NORMAL_CDF: _INTERVAL,
    },
)


def _check(function: int, lower: float, upper: float) -> Optional[Problem]:
    """The function of one coordinate and its two parameters. The field is the name of the block."""
    if function not in set(Function):
        return unknown("function", "function", function)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return Problem("lower", f"a parameter of function {function} is not finite")
    parameters = _PARAMETERS[function]
    if parameters == _INTERVAL:
        if is_interval(lower, upper):
            return None
        return Problem("lower", f"the interval ({lower}, {upper}) is empty or too wide for float32")
    if is_set(upper) or (parameters == _NONE and is_set(lower)):
        return Problem("lower", f"unused parameters of function {function} are not zero")
    if parameters == _POSITIVE and not lower > 0:
        return Problem("lower", f"parameter {lower} of function {function} is not positive")
    return None


def read_elementwise(reader: Reader) -> ElementwiseStep:
    reader.next(RECORD, Kind.ELEMENTWISE)
    starts = {"function": reader.block_start}
    function = reader.integers(reader.dim)
    starts["lower"] = reader.block_start
    step = ElementwiseStep(function, reader.floats(reader.dim), reader.floats(reader.dim))
    for i, (code, lower, upper) in enumerate(zip(step.function, step.lower, step.upper)):
        problem = _check(code, lower, upper)
        if problem is not None:
            reader.refuse(f"coordinate {i}: {problem.message}", starts[problem.field] + WORD * i, problem.status)
    return step


def write_elementwise(writer: Writer, step: ElementwiseStep) -> None:
    writer.record(RECORD, kind=Kind.ELEMENTWISE)
    writer.integers(step.function)
    writer.floats(step.lower)
    writer.floats(step.upper)
