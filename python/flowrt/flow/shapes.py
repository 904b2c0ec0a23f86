"""Do the arrays of a description fit together? Checked before anything is computed from them."""

from __future__ import annotations

import numpy as np

from ..errors import ExportError
from ..file.codes import parameters_per_rank
from . import flow as ir


def check(flow: ir.Flow) -> None:
    """Raises `ExportError` that names the step, the layer and the two shapes that do not fit."""
    context_dim = flow.context_dim
    if flow.encoder is not None:
        _check_layers(flow.encoder, 0, context_dim, "context encoder")
        context_dim = flow.encoder[-1].width
    for number, step in enumerate(flow.steps):
        name = f"step {number} ({step.name})"
        if isinstance(step, ir.Autoregressive):
            _check_layers(step.layers, flow.dim, context_dim, name)
            if step.transformed is not None and not are_coordinates(step.transformed, flow.dim):
                listed = np.asarray(step.transformed).tolist()
                raise ExportError(f"{name}: transformed is {listed}, not different coordinates of {flow.dim}")
            coordinates = flow.dim if step.transformed is None else len(step.transformed)
            each = parameters_per_rank(step.transformer.kind, step.transformer.form, step.transformer.bins)
            _require(step.layers[-1].width, each * coordinates, f"{name}: outputs of the network")
        elif isinstance(step, ir.Diagonal):
            _check_vectors(step, ("scale", "shift", "before"), flow.dim, name)
        elif isinstance(step, ir.Linear):
            _require(np.shape(step.matrix), (flow.dim, flow.dim), f"{name}: matrix")
            _check_vectors(step, ("shift", "before"), flow.dim, name)
        elif isinstance(step, ir.Elementwise):
            _check_vectors(step, ("function", "lower", "upper"), flow.dim, name)
        else:
            _check_vectors(step, ("index",), flow.dim, name)
    _check_base(flow.base, flow.dim, context_dim)


def are_coordinates(indices, dim: int) -> bool:
    """Whether these are some of 0 .. dim - 1, each at most once."""
    indices = np.asarray(indices)
    different = indices.ndim == 1 and 0 < len(indices) == len(np.unique(indices))
    return different and bool(np.all((indices >= 0) & (indices < dim)))


def _check_base(base: ir.Base, dim: int, context_dim: int) -> None:
    name = f"base density ({type(base).__name__})"
    if isinstance(base, ir.ConditionalNormal):
        _check_layers(base.layers, 0, context_dim, name)
        _require(base.layers[-1].width, 2 * dim, f"{name}: outputs of the network")
    elif isinstance(base, ir.AutoregressiveMixture):
        _check_layers(base.layers, dim, context_dim, name)
        _require(base.layers[-1].width, 3 * base.components * dim, f"{name}: outputs of the network")
    elif isinstance(base, ir.DiagonalNormal):
        _check_vectors(base, ("mean", "std"), dim, name)
    elif isinstance(base, ir.BoxUniform):
        _check_vectors(base, ("lower", "upper"), dim, name)
    elif isinstance(base, ir.NormalMixture):
        _require(np.shape(base.mean), (len(base.log_weight), dim), f"{name}: mean")
        _require(np.shape(base.std), (len(base.log_weight), dim), f"{name}: std")


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
