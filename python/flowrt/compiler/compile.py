"""From a flow (`ir.Flow`) to a file (`format.File`), in float64 and without loss.

For each network the order is proved (`order`) and the units are sorted by it (`units`); permutations and diagonal steps
fold into their neighbours (`fold`). x and z keep the coordinate order of the framework.
"""

from __future__ import annotations

import json
from typing import get_args

import numpy as np

from .._version import __version__
from ..errors import ExportError
from ..file import (
    AutoregressiveMixtureBase,
    AutoregressiveStep,
    ConditionalNormalBase,
    ElementwiseStep,
    Encoder,
    File,
    LinearStep,
    PixelwiseLinearStep,
)
from ..file.codes import parameters_per_rank
from ..flow import flow as ir
from ..flow import shapes
from ..tables import Table
from . import planes
from .compositions import without_compositions
from .fold import FOLDED_SHIFT, FoldedSteps
from .order import dependencies, prove
from .units import arrange

_UNCORRECTED = "of the flow: not divided by the share of its draws within the bounds"


def compile(flow: ir.Flow) -> File:
    """The file of a flow, with float64 arrays. Raises `ExportError` for what docs/FORMAT.md cannot express."""
    shapes.check(flow)
    flow = without_compositions(flow)
    steps = FoldedSteps(flow.dim)
    for step in flow.steps:
        _STEPS[type(step)](steps, step)
    metadata = {"flowrt": __version__, "framework": flow.framework, "model": flow.model, "notes": flow.notes}
    for key in ("names", "context_names"):
        if getattr(flow, key) is not None:
            metadata[key] = list(getattr(flow, key))
    for key in ("shape", "context_shape"):
        if getattr(flow, key) is not None:
            metadata[key] = [int(size) for size in getattr(flow, key)]
    if flow.bounds is not None:
        metadata["bounds"] = {"low": list(flow.bounds[0]), "high": list(flow.bounds[1]), "log_prob": _UNCORRECTED}
    return File(
        flow.dim,
        flow.context_dim,
        steps.finished(),
        _BASES[type(flow.base)](flow.base, flow.dim),
        None if flow.encoder is None else Encoder(_context_network(flow.encoder)),
        json.dumps(metadata, ensure_ascii=False).encode(),
    )


# ---- steps ----


def _autoregressive(steps: FoldedSteps, step: ir.Autoregressive) -> None:
    dim = steps.dim
    transformed = np.arange(dim) if step.transformed is None else np.asarray(step.transformed)
    if ir.has_planes(step.layers):
        order = planes.order_of(step.layers, transformed, dim, step.name)
        layers = planes.arrange_coupling(step.layers, order, step.name)
        steps.append_in_order(_step(steps, step, order, layers, len(transformed)))
        return
    transformer = step.transformer
    count = parameters_per_rank(transformer.kind, transformer.form, transformer.bins)
    depends = dependencies(step.layers, dim, step.name)[-1]
    order = prove(depends.reshape(len(transformed), count, dim).any(axis=1), transformed, step.name)
    ranks = order.coordinates[dim - len(transformed) :]
    row_of_coordinate = np.full(dim, -1)
    row_of_coordinate[transformed] = np.arange(len(transformed))
    rows = (count * row_of_coordinate[ranks][:, None] + np.arange(count)).reshape(-1)
    degree = np.repeat(order.stage[transformed], count)
    layers = arrange(step.layers, degree, rows, order.stage, order.coordinates)
    steps.append_in_order(_step(steps, step, order, layers, len(transformed)))


def _step(steps: FoldedSteps, step: ir.Autoregressive, order, layers: list, count: int) -> AutoregressiveStep:
    """The step of a file with these layers; `count` coordinates are transformed."""
    transformer = step.transformer
    return AutoregressiveStep(
        data_index=steps.where[order.coordinates],
        noise_index=order.coordinates,
        stage_end=order.stage_end,
        layers=layers,
        reads=step.reads,
        passthrough=steps.dim - count,
        transformer=transformer.kind,
        form=transformer.form,
        scale=transformer.scale,
        bins=transformer.bins,
        p=ir.parameters(transformer.p),
        bounded=getattr(transformer, "bounded", False),
    )


def _diagonal(steps: FoldedSteps, step: ir.Diagonal) -> None:
    scale, shift, before = map(steps.placed, (step.scale, step.shift, step.before))
    if np.any(scale == 0) or not np.all(np.isfinite([scale, shift, before])):
        raise ExportError(f"{step.name}: a scale is zero or a parameter is not finite")
    steps.scale_and_shift(np.ones(steps.dim), before)
    steps.scale_and_shift(scale, shift)


def _permutation(steps: FoldedSteps, step: ir.Permutation) -> None:
    index = np.asarray(step.index)
    if not np.array_equal(np.sort(index), np.arange(steps.dim)):
        raise ExportError(f"{step.name}: {index.tolist()} is not a permutation of {steps.dim} coordinates")
    steps.permute(index)


def _linear(steps: FoldedSteps, step: ir.Linear) -> None:
    sign, log_det = np.linalg.slogdet(step.matrix)
    if sign == 0 or not np.isfinite(log_det):
        raise ExportError(f"{step.name}: the matrix is singular")
    if np.any(step.before != 0):
        _diagonal(steps, ir.Diagonal(np.ones(steps.dim), step.before, step.name))
    matrix, inverse = np.empty_like(step.matrix), np.empty_like(step.matrix)
    matrix[:, steps.where], inverse[steps.where] = step.matrix, np.linalg.inv(step.matrix)
    steps.append_in_order(LinearStep(matrix, inverse, np.asarray(step.shift), float(log_det)))


def _pixelwise(steps: FoldedSteps, step: ir.PixelwiseLinear) -> None:
    sign, log_det = np.linalg.slogdet(step.matrix)
    if sign == 0 or not np.isfinite(log_det):
        raise ExportError(f"{step.name}: the matrix is singular")
    coordinates = np.asarray(step.coordinates)
    folded = step.matrix @ step.before
    before = np.zeros_like(step.before) if np.all(np.abs(folded) <= FOLDED_SHIFT) else step.before
    if np.any(before != 0):
        of_pixels = np.zeros(steps.dim)
        of_pixels[coordinates] = before
        _diagonal(steps, ir.Diagonal(np.ones(steps.dim), of_pixels, step.name))
    shift = np.asarray(step.shift) + step.matrix @ (step.before - before)
    log_det = float(len(coordinates) * log_det)
    inverse = np.linalg.inv(step.matrix)
    steps.append(PixelwiseLinearStep(steps.where[coordinates], step.matrix, inverse, shift, log_det))


def _elementwise(steps: FoldedSteps, step: ir.Elementwise) -> None:
    function = steps.placed(step.function, np.int64)
    steps.append(ElementwiseStep(function, steps.placed(step.lower), steps.placed(step.upper), step.margin))


_STEPS = Table(
    "flowrt.compiler.compile._STEPS",
    get_args(ir.Step),
    {
        ir.Autoregressive: _autoregressive,
        ir.Diagonal: _diagonal,
        ir.Permutation: _permutation,
        ir.Linear: _linear,
        ir.Elementwise: _elementwise,
        ir.PixelwiseLinear: _pixelwise,
    },
)


# ---- base densities ----


def _as_it_is(base, dim: int):
    return base


def _conditional_normal(base: ir.ConditionalNormal, dim: int) -> ConditionalNormalBase:
    return ConditionalNormalBase(_context_network(base.layers))


def _autoregressive_mixture(base: ir.AutoregressiveMixture, dim: int) -> AutoregressiveMixtureBase:
    count = 3 * base.components
    depends = dependencies(base.layers, dim, "base density")[-1]
    order = prove(depends.reshape(dim, count, dim).any(axis=1), np.arange(dim), "base density")
    rows = (count * order.coordinates[:, None] + np.arange(count)).reshape(-1)
    layers = arrange(base.layers, np.repeat(order.stage, count), rows, order.stage, order.coordinates)
    return AutoregressiveMixtureBase(
        order.coordinates, order.stage_end, layers, base.components, base.scale, ir.parameters(base.p)
    )


_BASES = Table(
    "flowrt.compiler.compile._BASES",
    get_args(ir.Base),
    {
        ir.StandardNormal: _as_it_is,
        ir.DiagonalNormal: _as_it_is,
        ir.BoxUniform: _as_it_is,
        ir.NormalMixture: _as_it_is,
        ir.ConditionalNormal: _conditional_normal,
        ir.AutoregressiveMixture: _autoregressive_mixture,
    },
)


def _context_network(layers: list) -> list:
    """The layers of a network that sees the context alone."""
    if ir.has_planes(layers):
        return planes.arrange_encoder(layers)
    outputs = layers[-1].width
    return arrange(layers, np.zeros(outputs, dtype=np.int64), np.arange(outputs))
