"""What an adapter may get wrong, one thing at a time, in the models of all golden cases: `save` refuses each.

A description is broken between the adapter and the compiler. Whether that changes anything is asked of the evaluator on
many rows; what changes nothing (a clamp that the weights never reach) is no mistake. Some of it shows far away alone.

By default each kind of mistake is tried in a few models of each framework; all of them, in half an hour, with
FLOWRT_ALL_MISTAKES=1. They take long, so `.ci/run` tries every twelfth (FLOWRT_EVERY_MISTAKE=12). The tests are
`test_broken_descriptions.py`, and `test_NAME_broken_descriptions.py` in the folders of the other frameworks.
"""

from __future__ import annotations

import copy
import functools
import os
from dataclasses import replace

import numpy as np
import pytest

import flowrt
from flowrt.errors import ExportError
from flowrt.file.codes import Activation, Form, Reads, Scale
from flowrt.flow import flow as ir
from flowrt.frameworks import choose, dtypes
from flowrt.verify.formulas import same_formulas
from flowrt.verify.rows import defined, encoded, random_rows
from flowrt.verify.sensitivity import Evaluator

_ALL = bool(os.environ.get("FLOWRT_ALL_MISTAKES"))
_SHOWS = 1e-5  # of the size of results: smaller changes are no mistake


# ---- mistakes: each changes a description in place, or says that it has nothing of that kind ----


def steps(flow, kind, transformer=None) -> list:
    found = [step for step in flow.steps if isinstance(step, kind)]
    return [step for step in found if transformer is None or isinstance(step.transformer, transformer)]


def layers(flow) -> list:
    parts = [*flow.steps, flow.base]
    return [layer for part in parts for layer in getattr(part, "layers", [])] + list(flow.encoder or [])


def first(things):
    if not things:
        raise LookupError
    return things[0]


def affine(flow, *scales) -> ir.Affine:
    found = [step.transformer for step in steps(flow, ir.Autoregressive, ir.Affine)]
    return first([one for one in found if not scales or one.scale in scales])


def changed(values, index: int, change) -> tuple:
    values = list(values)
    if index >= len(values):
        raise LookupError
    values[index] = change(values[index])
    return tuple(values)


def epsilon(flow):
    one = affine(flow, Scale.SOFTPLUS, Scale.SIGMOID, Scale.SOFTPLUS_CLAMPED)
    one.p = changed(one.p or (0.0,), 0, lambda value: value + 1e-3 if value < 1e-4 else value / 10)


def slope_of_soft_clip(flow):
    one = affine(flow, Scale.EXP_SOFT_CLIPPED, Scale.EXP_TANH, Scale.EXP_ATAN)
    one.p = changed(one.p, 0, lambda value: value * 1.01)


def missing_clamp(flow):
    one = affine(flow, Scale.EXP_CLAMPED, Scale.SOFTPLUS_CLAMPED)
    one.scale, one.p = (Scale.EXP, ()) if one.scale == Scale.EXP_CLAMPED else (Scale.SOFTPLUS, one.p[:1])


def clamp_of_another_size(flow):
    one = affine(flow, Scale.EXP_CLAMPED)
    one.p = changed(one.p, 1, lambda value: 0.9 * value)


def other_scale(flow):
    one = affine(flow, Scale.EXP, Scale.SOFTPLUS)
    one.scale, one.p = (Scale.SOFTPLUS, (0.0,)) if one.scale == Scale.EXP else (Scale.EXP, ())


def shift_before_scale(flow):
    one = first([t for t in (step.transformer for step in steps(flow, ir.Autoregressive, ir.Affine)) if t.form < 2])
    one.form = Form(1 - one.form)


def _exchange(flow, transformer):
    step = first(steps(flow, ir.Autoregressive, transformer))
    last = step.layers[-1]
    rows = np.arange(last.width).reshape(-1, 2)[:, ::-1].reshape(-1)
    last.bias = last.bias[rows]
    if last.weight is not None:
        last.weight, last.mask = last.weight[rows], last.mask[rows]
    if last.context_weight is not None:
        last.context_weight = last.context_weight[rows]


def scale_and_shift_exchanged(flow):
    _exchange(flow, ir.Affine)


def reads_the_other_side(flow):
    step = first(steps(flow, ir.Autoregressive))
    step.reads = Reads(1 - step.reads)


def spline_bound(flow):
    one = first(steps(flow, ir.Autoregressive, ir.Spline)).transformer
    one.p = changed(one.p, 1, lambda value: value * 1.001)


def spline_minimum(flow):
    one = first(steps(flow, ir.Autoregressive, ir.Spline)).transformer
    one.p = changed(one.p, 2, lambda value: value + 1e-3 if value < 1e-4 else value / 10)


def spline_minimum_slope(flow):
    one = first(steps(flow, ir.Autoregressive, ir.Spline)).transformer
    one.p = changed(one.p, 4, lambda value: value + 1e-3 if value < 1e-4 else value / 10)


def spline_slope_at_the_end(flow):
    one = first(steps(flow, ir.Autoregressive, ir.Spline)).transformer
    one.p = changed(one.p, 6, lambda value: value * 1.001)


def spline_soft_clip(flow):
    one = first([step.transformer for step in steps(flow, ir.Autoregressive, ir.Spline)])
    one.p = changed(one.p, 5, lambda value: value * 1.01)


def activation(flow):
    others = {Activation.RELU: Activation.ELU, Activation.TANH: Activation.SIGMOID, Activation.ELU: Activation.RELU}
    layer = first([layer for layer in layers(flow) if layer.activation])
    other = Activation.TANH if isinstance(layer.activation, ir.Composition) else others.get(layer.activation)
    layer.activation, layer.a = other or Activation.TANH, 0.0
    if layer.activation == Activation.ELU:
        layer.a = 1.0


def parameter_of_an_activation(flow):
    layer = first([one for one in layers(flow) if one.a and one.activation != Activation.LAYER_NORM])
    layer.a *= 1.01


def epsilon_of_a_layer_norm(flow):
    first([one for one in layers(flow) if one.activation == Activation.LAYER_NORM]).a *= 10


def missing_bias(flow):
    first([layer for layer in layers(flow) if np.any(layer.bias != 0)]).bias *= 0


def missing_residual(flow):
    layer = first([layer for layer in layers(flow) if layer.add and layer.source is not None])
    layer.add = []


def missing_gate(flow):
    first([layer for layer in layers(flow) if layer.gate is not None]).gate = None


def missing_norm(flow):
    layer = first([layer for layer in layers(flow) if any(add.scale is not None for add in layer.add)])
    layer.add = [ir.Add(add.layer) for add in layer.add]


def missing_context(flow):
    layer = first([layer for layer in layers(flow) if layer.context_weight is not None])
    layer.context_weight = layer.context_weight * np.where(np.arange(layer.context_weight.shape[1]) == 0, 0, 1)


def transposed_weight(flow):
    found = [layer for layer in layers(flow) if isinstance(layer, ir.Layer)]
    found = [layer for layer in found if layer.weight is not None and np.all(layer.mask)]
    layer = first([layer for layer in found if layer.width == layer.weight.shape[1] > 1])
    layer.weight = layer.weight.T


def negated_weight(flow):
    layer = first([layer for layer in layers(flow) if layer.weight is not None])
    layer.weight = -layer.weight


def diagonal_scale_inverted(flow):
    step = first(steps(flow, ir.Diagonal))
    step.scale = 1 / np.asarray(step.scale)


def diagonal_shift_after_scale(flow):
    step = first(steps(flow, ir.Diagonal))
    step.shift, step.before = step.shift + step.before, np.zeros_like(step.shift)


def variance_epsilon(flow):
    step = first(steps(flow, ir.Diagonal))
    step.scale = 1 / np.sqrt(1 / np.square(step.scale) + 1e-3) * np.sign(step.scale)


def transposed_matrix(flow):
    step = first(steps(flow, ir.Linear))
    step.matrix = step.matrix.T


def inverted_permutation(flow):
    step = first(steps(flow, ir.Permutation))
    step.index = np.argsort(step.index)


def missing_permutation(flow):
    flow.steps.remove(first(steps(flow, ir.Permutation)))


def order_of_steps(flow):
    if len(flow.steps) < 2:
        raise LookupError
    flow.steps.reverse()


def bounds_of_an_interval(flow):
    step = first(steps(flow, ir.Elementwise))
    step.upper = np.where(np.asarray(step.upper) != 0, 1.01 * np.asarray(step.upper), step.upper)


def base_std(flow):
    if not hasattr(flow.base, "std"):
        raise LookupError
    flow.base = replace(flow.base, std=flow.base.std * 1.01)


def base_mean(flow):
    if not hasattr(flow.base, "mean"):
        raise LookupError
    flow.base = replace(flow.base, mean=flow.base.mean + 0.01)


def weights_of_a_mixture(flow):
    if not hasattr(flow.base, "log_weight"):
        raise LookupError
    flow.base = replace(flow.base, log_weight=flow.base.log_weight[::-1] * 1.1)


def other_base(flow):
    if type(flow.base).__name__ == "StandardNormal":
        flow.base = ir.DiagonalNormal(np.zeros(flow.dim), np.full(flow.dim, 1.001))
    else:
        flow.base = ir.StandardNormal()


MISTAKES = [
    epsilon, slope_of_soft_clip, missing_clamp, clamp_of_another_size, other_scale, shift_before_scale,
    scale_and_shift_exchanged, reads_the_other_side, spline_bound, spline_minimum, spline_minimum_slope,
    spline_slope_at_the_end, spline_soft_clip, activation, parameter_of_an_activation, epsilon_of_a_layer_norm,
    missing_bias, missing_residual, missing_gate, missing_norm, missing_context, transposed_weight, negated_weight,
    diagonal_scale_inverted, diagonal_shift_after_scale, variance_epsilon, transposed_matrix, inverted_permutation,
    missing_permutation, order_of_steps, bounds_of_an_interval, base_std, base_mean, weights_of_a_mixture, other_base,
]
SAMPLE = MISTAKES[:: int(os.environ.get("FLOWRT_EVERY_MISTAKE", "1"))]  # fmt: skip


# ---- are they refused? ----


def largest_change(file, broken) -> float:
    """What a mistake changes on the rows of the flow, relative to the size of a row's results."""
    rows, worst = random_rows(file, 200, seed=9), 0.0
    usable = defined(file, rows.x, encoded(file, rows.context, 200))
    usable &= defined(broken, rows.x, encoded(broken, rows.context, 200))
    rows = rows.some(usable)
    for one, other in zip(*(results(flow, rows) for flow in (file, broken))):
        one, other = one.reshape(len(one), -1), other.reshape(len(one), -1)
        change = np.abs(one - other).max(axis=1) / np.maximum(np.abs(one).max(axis=1), 1)
        worst = max(worst, float(np.quantile(change[np.isfinite(change)], 0.8, method="lower")) if len(change) else 0.0)
    return worst


def results(file, rows):
    flow = Evaluator(file)
    return [*flow.forward(rows.x, rows.context), flow.log_prob(rows.x, rows.context)]


@functools.cache
def built(random_model, name: str) -> tuple:
    """The model of a case, and its own evaluation in float64."""
    model = random_model(name, 0, 0.5)
    adapter = choose(model)
    return model, adapter.live(model, dtypes(adapter)[1])


def broken_models(names, random_model, mistake, most: int):
    """Names of cases, their own evaluation and broken files."""
    count = 0
    for name in names:
        if count == most and not _ALL:
            return
        model, live = built(random_model, name)
        description = choose(model).describe(model)
        file = flowrt.compile(copy.deepcopy(description))
        try:
            mistake(description)
        except LookupError:
            continue
        try:
            broken = flowrt.compile(description)
        except ExportError:
            continue  # refused already: there is no order
        if largest_change(file, broken) > _SHOWS:
            count += 1
            yield name, live, broken


def require_refused(names, random_model, mistake, most: int = 2) -> None:
    """`save` would refuse the first `most` models of these cases, or all, if the adapter made this mistake."""
    for name, live, broken in broken_models(names, random_model, mistake, most):
        with pytest.raises(ExportError, match="differs by"):
            same_formulas(broken, live, name)
            pytest.fail(f"{name}: {mistake.__name__} was not noticed")
