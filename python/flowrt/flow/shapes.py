"""Do the arrays of a flow fit together? Checked before anything is computed from them."""

from __future__ import annotations

from typing import get_args

import numpy as np

from ..errors import ExportError
from ..file.codes import LayerOperation, parameters_per_rank
from ..file.plane import check_window
from ..tables import Table
from . import flow as ir
from .planes import PLANES


def check(flow: ir.Flow) -> None:
    """Raises `ExportError` that names the step, the layer and the two shapes that do not fit."""
    _check_names(flow.names, flow.dim, "names")
    _check_names(flow.context_names, flow.context_dim, "context_names")
    context_dim = flow.context_dim
    for shape, count, what in ((flow.shape, flow.dim, "shape"), (flow.context_shape, context_dim, "context_shape")):
        if shape is not None:
            _require(int(np.prod(shape)), count, f"the numbers of {what} {tuple(shape)}")
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


def listed(indices) -> str:
    """The first of some indices, for a message."""
    return ", ".join(str(i) for i in indices[:8]) + (", ..." if len(indices) > 8 else "")


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


def _pixelwise(step: ir.PixelwiseLinear, dim: int, context_dim: int, name: str) -> None:
    coordinates = np.asarray(step.coordinates)
    _require(coordinates.ndim, 2, f"{name}: number of axes of the coordinates")
    channels = coordinates.shape[1]
    _require(np.shape(step.matrix), (channels, channels), f"{name}: matrix")
    _check_vectors(step, ("shift", "before"), channels, name)
    if not are_coordinates(coordinates.reshape(-1), dim):
        raise ExportError(f"{name}: coordinates are not different ones of {dim}")


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
        for reference in [layer.source, layer.context_source, *layer.partners]:
            if isinstance(reference, int) and not 0 <= reference < i:
                raise ExportError(f"{name}: layer {reference} is not an earlier layer")
        if isinstance(layer, PLANES):
            _check_plane(layer, layers, dim, context_dim, name)
        else:
            _check_dense(layer, layers, dim, name)
        if layer.context_weight is not None:
            from_layer = isinstance(layer.context_source, int)
            columns = layers[layer.context_source].width if from_layer else context_dim
            _require(np.shape(layer.context_weight), (len(layer.bias), columns), f"{name}: context weight")
        for partner in layer.partners:
            _require(layers[partner].width, layer.width, f"{name}: width of layer {partner}, added or gating")


def _check_dense(layer: ir.Layer, layers: list, dim: int, name: str) -> None:
    _require(np.ndim(layer.bias), 1, f"{name}: number of axes of the bias")
    if (layer.source is None) != (layer.weight is None):
        raise ExportError(f"{name}: a source and a weight belong together")
    if layer.weight is not None:
        columns = dim if layer.source == ir.READ else layers[layer.source].width
        _require(np.shape(layer.weight), (layer.width, columns), f"{name}: weight")
        _require(np.shape(layer.mask), (layer.width, columns), f"{name}: mask")
    for add in layer.add:
        if add.scale is not None:
            _require(np.shape(add.scale), (layer.width,), f"{name}: scale of an added layer")


def _check_plane(layer, layers: list, dim: int, context_dim: int, name: str) -> None:
    """Section 4.3 of docs/FORMAT.md."""
    if any(add.scale is not None for add in layer.add):
        raise ExportError(f"{name}: a layer of a plane adds others as they are, without a scale")
    units = _units(layer.source, layers, dim, context_dim)
    if isinstance(layer, ir.Gather):
        index = np.asarray(layer.index)
        if index.ndim != 1 or not len(index) or np.any((index < -1) | (index >= units)):
            raise ExportError(f"{name}: index is not one of units 0 .. {units - 1} each, or -1")
        return
    if isinstance(layer, ir.Convolution):
        _require(np.ndim(layer.weight), 4, f"{name}: number of axes of the weight")
        _require(np.shape(layer.bias), (len(layer.weight),), f"{name}: bias")
        if layer.depthwise:
            _require(layer.weight.shape[1], 1, f"{name}: inputs of a channel of a depthwise convolution")
    window = layer.window
    operation = LayerOperation.MAX_POOLING if isinstance(layer, ir.MaxPool) else LayerOperation.CONVOLUTION
    problem = check_window(window, None, operation)
    if problem is not None:
        raise ExportError(f"{name}: {problem.message}")
    if layer.source == ir.READ:
        _require(layer.coordinates is not None, True, f"{name}: that there are coordinates of its input plane")
        units = len(layer.coordinates)
        if not are_coordinates(layer.coordinates, dim):
            raise ExportError(f"{name}: coordinates are not different ones of {dim}")
    _require(window.inputs, units, f"{name}: units of the input plane")


def _units(source, layers: list, dim: int, context_dim: int) -> int:
    """How many units a source of a plane has."""
    if isinstance(source, (int, np.integer)):
        return int(layers[source].width)
    return dim if source == ir.READ else context_dim


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
        ir.PixelwiseLinear: _pixelwise,
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
