"""Do the arrays of a flow fit together? Checked before anything is computed from them."""

from __future__ import annotations

from typing import get_args

import numpy as np

from ..errors import ExportError
from ..file.codes import parameters_per_rank
from ..tables import Table
from . import flow as ir


def check(flow: ir.Flow) -> None:
    """Raises `ExportError` that names the step, the layer and the two shapes that do not fit."""
    _check_names(flow.names, flow.dim, "names")
    _check_names(flow.context_names, flow.context_dim, "context_names")
    context_dim = flow.context_dim
    if flow.encoder is not None:
        _check_layers(flow.encoder, 0, context_dim, "context encoder")
        context_dim = flow.encoder[-1].width
    for number, step in enumerate(flow.steps):
        _STEPS[type(step)](step, flow.dim, context_dim, f"step {number} ({step.name})")
    _BASES[type(flow.base)](flow.base, flow.dim, context_dim, f"base density ({type(flow.base).__name__})")


def _check_names(names, count: int, what: str) -> None:
    if names is None:
        return
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ExportError(f"{what} must be a list of names, not {names!r}")
    _require(len(names), count, f"number of {what}")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ExportError(f"{what} must differ; more than once there is {', '.join(map(repr, twice))}")


def are_coordinates(indices, dim: int) -> bool:
    """Whether these are some of 0 .. dim - 1, each at most once."""
    indices = np.asarray(indices)
    different = indices.ndim == 1 and 0 < len(indices) == len(np.unique(indices))
    return different and bool(np.all((indices >= 0) & (indices < dim)))


def _autoregressive(step: ir.Autoregressive, dim: int, context_dim: int, name: str) -> None:
    _check_layers(step.layers, dim, context_dim, name)
    if step.transformed is not None and not are_coordinates(step.transformed, dim):
        listed = np.asarray(step.transformed).tolist()
        raise ExportError(f"{name}: transformed is {listed}, not different coordinates of {dim}")
    coordinates = dim if step.transformed is None else len(step.transformed)
    each = parameters_per_rank(step.transformer.kind, step.transformer.form, step.transformer.bins)
    _require(step.layers[-1].width, each * coordinates, f"{name}: outputs of the network")


def _linear(step: ir.Linear, dim: int, context_dim: int, name: str) -> None:
    _require(np.shape(step.matrix), (dim, dim), f"{name}: matrix")
    _check_vectors(step, ("shift", "before"), dim, name)


def _conditional_normal(base: ir.ConditionalNormal, dim: int, context_dim: int, name: str) -> None:
    _check_layers(base.layers, 0, context_dim, name)
    _require(base.layers[-1].width, 2 * dim, f"{name}: outputs of the network")


def _autoregressive_mixture(base: ir.AutoregressiveMixture, dim: int, context_dim: int, name: str) -> None:
    _check_layers(base.layers, dim, context_dim, name)
    _require(base.layers[-1].width, 3 * base.components * dim, f"{name}: outputs of the network")


def _normal_mixture(base: ir.NormalMixture, dim: int, context_dim: int, name: str) -> None:
    for field in ("mean", "std"):
        _require(np.shape(getattr(base, field)), (len(base.log_weight), dim), f"{name}: {field}")


def _vectors(*fields: str):
    """The check of what has vectors of `dim` numbers and nothing else."""
    return lambda thing, dim, context_dim, name: _check_vectors(thing, fields, dim, name)


def _check_layers(layers: list, dim: int, context_dim: int, step: str) -> None:
    if not layers:
        raise ExportError(f"{step}: the network has no layers")
    for i, layer in enumerate(layers):
        name = f"{step}, layer {i}"
        _require(np.ndim(layer.bias), 1, f"{name}: number of axes of the bias")
        for reference in [layer.source, layer.context_source, *layer.partners]:
            if isinstance(reference, int) and not 0 <= reference < i:
                raise ExportError(f"{name}: layer {reference} is not an earlier layer")
        if (layer.source is None) != (layer.weight is None):
            raise ExportError(f"{name}: a source and a weight belong together")
        if layer.weight is not None:
            columns = dim if layer.source == ir.READ else layers[layer.source].width
            _require(np.shape(layer.weight), (layer.width, columns), f"{name}: weight")
            _require(np.shape(layer.mask), (layer.width, columns), f"{name}: mask")
        if layer.context_weight is not None:
            from_layer = isinstance(layer.context_source, int)
            columns = layers[layer.context_source].width if from_layer else context_dim
            _require(np.shape(layer.context_weight), (layer.width, columns), f"{name}: context weight")
        for add in layer.add:
            if add.scale is not None:
                _require(np.shape(add.scale), (layer.width,), f"{name}: scale of an added layer")
        for partner in layer.partners:
            _require(layers[partner].width, layer.width, f"{name}: width of layer {partner}, added or gating")


def _check_vectors(thing, fields: tuple, dim: int, name: str) -> None:
    for field in fields:
        _require(np.shape(getattr(thing, field)), (dim,), f"{name}: {field}")


def _require(found, expected, what: str) -> None:
    if found != expected:
        raise ExportError(f"{what} is {found}, not {expected}")


_STEPS = Table(
    "flowrt.flow.shapes._STEPS",
    get_args(ir.Step),
    {
        ir.Autoregressive: _autoregressive,
        ir.Diagonal: _vectors("scale", "shift", "before"),
        ir.Permutation: _vectors("index"),
        ir.Linear: _linear,
        ir.Elementwise: _vectors("function", "lower", "upper"),
    },
)
_BASES = Table(
    "flowrt.flow.shapes._BASES",
    get_args(ir.Base),
    {
        ir.StandardNormal: _vectors(),
        ir.DiagonalNormal: _vectors("mean", "std"),
        ir.BoxUniform: _vectors("lower", "upper"),
        ir.NormalMixture: _normal_mixture,
        ir.ConditionalNormal: _conditional_normal,
        ir.AutoregressiveMixture: _autoregressive_mixture,
    },
)
