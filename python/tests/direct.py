"""A second evaluator for tests: `flowrt.ir` descriptions as they stand, without sorting, folding or files.

It is the inner check that `flowrt.compile` changes nothing, and shares no code with what it checks except the scalar
functions and the spline formula, which have their own tests.
"""

from __future__ import annotations

import numpy as np

from flowrt import ir
from flowrt.file.codes import Form, Reads
from flowrt.reference import functions
from flowrt.reference import spline as splines


def network(layers, read, context):
    values = []
    for layer in layers:
        v = np.tile(layer.bias, (len(context), 1))
        if layer.weight is not None:
            source = read if layer.source == ir.READ else values[layer.source]
            v += source @ (layer.weight * layer.mask).T
        if layer.context_weight is not None:
            v += (
                context if layer.context_source == ir.CONTEXT else values[layer.context_source]
            ) @ layer.context_weight.T
        for add in layer.add:
            v += values[add.layer] * (1.0 if add.scale is None else add.scale)
        v = functions.activation(layer.activation, v, layer.a)
        values.append(v if layer.gate is None else v * values[layer.gate])
    return values[-1]


def read_to_other(step, r, context):
    """The one-pass direction of an autoregressive step: q and log|det dq/dr|."""
    picked = np.arange(r.shape[1]) if step.transformed is None else step.transformed
    parameters = network(step.layers, r, context).reshape(len(r), len(picked), -1)
    q, rest = r.copy(), r[:, picked]
    t = parameters[..., 0]
    if isinstance(step.transformer, ir.Additive):
        q[:, picked] = rest + t
        return q, np.zeros(len(r))
    p = ir.parameters(step.transformer.p)
    if isinstance(step.transformer, ir.Spline):
        q[:, picked], slopes = splines.forward(rest, parameters, step.transformer.form, step.transformer.bins, p)
        return q, slopes.sum(axis=1)
    log_s = functions.log_scale(step.transformer.scale, parameters[..., 1], p)
    s = np.exp(log_s)
    q[:, picked] = {
        Form.SCALE_THEN_SHIFT: s * rest + t,
        Form.SHIFT_THEN_SCALE: s * (rest - t),
        Form.GATED: s * rest + (1 - s) * t,
    }[step.transformer.form]
    return q, log_s.sum(axis=1)


def check(flow, x, z, log_det, context, close):
    """Follows x through the steps and compares with z and log_det.

    An inverse autoregressive step cannot be evaluated in one pass from the data; such steps are solved by fixed-point
    iteration, which ends after as many passes as there are coordinates.
    """
    if flow.encoder is not None:
        context = network(flow.encoder, None, context)
    total = np.zeros(len(x))
    for step in flow.steps:
        if isinstance(step, ir.Permutation):
            x = x[:, step.index]
        elif isinstance(step, ir.Diagonal):
            x, total = x * step.scale + step.shift, total + np.log(np.abs(step.scale)).sum()
        elif isinstance(step, ir.Linear):
            x = (x + step.before) @ step.matrix.T + step.shift
            total = total + np.linalg.slogdet(step.matrix)[1]
        elif isinstance(step, ir.Elementwise):
            columns = [
                functions.elementwise(f, x[:, i], a, b)
                for i, (f, a, b) in enumerate(zip(step.function, step.lower, step.upper))
            ]
            x = np.stack([column[0] for column in columns], axis=1)
            total = total + sum(column[1] for column in columns)
        elif step.reads == Reads.DATA:
            x, slope = read_to_other(step, x, context)
            total = total + slope
        else:
            x, slope = solve(step, x, context)
            total = total - slope
    close(x, z)
    close(total, log_det)


def solve(step, q, context):
    """r with read_to_other(r) = q: inverts all coordinates again and again with the last guess's parameters."""
    picked = np.arange(q.shape[1]) if step.transformed is None else step.transformed
    r = np.where(np.isin(np.arange(q.shape[1]), picked), 0.0, q)
    for _ in range(q.shape[1]):
        parameters = network(step.layers, r, context).reshape(len(q), len(picked), -1)
        r[:, picked] = invert(step.transformer, q[:, picked], parameters)
    return r, read_to_other(step, r, context)[1]


def invert(transformer, q, parameters):
    t = parameters[..., 0]
    if isinstance(transformer, ir.Additive):
        return q - t
    p = ir.parameters(transformer.p)
    if isinstance(transformer, ir.Spline):
        return splines.inverse(q, parameters, transformer.form, transformer.bins, p)[0]
    s = np.exp(functions.log_scale(transformer.scale, parameters[..., 1], p))
    return {
        Form.SCALE_THEN_SHIFT: (q - t) / s,
        Form.SHIFT_THEN_SCALE: q / s + t,
        Form.GATED: (q - (1 - s) * t) / s,
    }[transformer.form]
