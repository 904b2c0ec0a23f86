"""The networks that TensorFlow Probability makes as templates: functions that own the variables of dense layers.

`real_nvp_default_template` gives all shifts, then all log scales. The older `masked_autoregressive_default_template`
gives shift and log scale of one feature after the other, and limits the log scales. Its kernels are zero where they
are masked.
"""

from __future__ import annotations

import inspect
import re

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names
from ...errors import ExportError

SUPPORTED = "real_nvp_default_template, masked_autoregressive_default_template"
_OPTIONS = {"hidden_layers", "activation", "shift_only"}  # options that both templates have
_LIMITS = ("log_scale_min_clip", "log_scale_max_clip")  # options that only the masked template has


def is_template(function) -> bool:
    return "Template" in class_names(function) and hasattr(function, "_func")


def kernels(template) -> list:
    """(kernel, bias or None) of each dense layer as arrays, in the order in which they act."""
    return [tuple(None if part is None else float64(part) for part in pair) for pair in _variables(template)]


def activation(template):
    """The function after each layer but the last."""
    function = _options(template)["activation"]
    return function if function is not None else lambda value: value


def columns(template, count: int) -> tuple:
    """Which columns of the last layer are the shifts and the log scales (or None) of `count` features."""
    options = _options(template)
    if options["shift_only"]:
        return np.arange(count), None
    if _LIMITS[0] in options:
        return 2 * np.arange(count), 2 * np.arange(count) + 1
    return np.arange(count), np.arange(count, 2 * count)


def clip(template) -> tuple | None:
    """The least and the largest log scale, if they are limited."""
    options = _options(template)
    return tuple(float(options[name]) for name in _LIMITS) if _LIMITS[0] in options else None


def copied(template, inputs: int, extra: tuple, dtype):
    """The template with variables of another floating-point type."""
    import tensorflow as tf

    copy = type(template)("copy", template._func)
    copy(tf.zeros((1, inputs), dtype=dtype), *extra)
    for ours, theirs in zip(_variables(copy), _variables(template)):
        for mine, other in zip(ours, theirs):
            if mine is not None:
                mine.assign(tf.cast(other, dtype))
    return copy


def _options(template) -> dict:
    options = inspect.getclosurevars(template._func).nonlocals
    if not _OPTIONS <= set(options):
        raise ExportError(f"template {template._func.__name__} is not supported; supported are {SUPPORTED}")
    return options


def _variables(template) -> list:
    """[kernel, bias or None] of each dense layer, in the order in which they act."""
    found: dict[int, dict] = {}
    for variable in template.variables:
        number, kind = re.search(r"dense(?:_(\d+))?/(kernel|bias):0$", variable.name).groups()
        found.setdefault(int(number or 0), {})[kind] = variable
    return [[found[number]["kernel"], found[number].get("bias")] for number in sorted(found)]
