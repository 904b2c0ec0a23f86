"""A context that is standardised before a flow sees it.

The standardisation folds into the layers that take the context, or becomes two layers of an encoder: whichever errors
in float32 say. Folded, terms of the size of mean / std cancel: how much is lost depends on that size, on the number of
terms, and on the weights. Two layers subtract first, as the framework does; they cost C * C products a context.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ExportError
from ..flow import flow as ir
from .arrays import float64
from .modules import class_names
from .pairs import moved_by

_HARMLESS = 1.0  # mean / std of a context, up to where nothing cancels
_WORSE = 1.5  # errors of the folded form, in those of the other one, up to where it is taken
_ROWS = 32


def take_standardisation(modules: list) -> tuple:
    """(scale, shift, the modules behind) of the standardisation that the modules of an embedding net begin with.

    Scale and shift are of any shape, that of what sbi stored; None if nothing is standardised.
    """
    modules = list(modules)
    scale = shift = None
    while modules and "Standardize" in class_names(modules[0]):
        module = modules.pop(0)
        mean, std = float64(module._mean), float64(module._std)
        scale, shift = (1.0, 0.0) if scale is None else (scale, shift)
        scale, shift = scale / std, (shift - mean) / std
    return scale, shift, modules


def for_each_number(scale, shift, size: int) -> tuple:
    """Scale and shift of `size` numbers each, of a standardisation that may have one for all."""
    if scale is None:
        return np.ones(size), np.zeros(size)
    if scale.size not in (1, size):
        raise ExportError(f"a standardisation of {scale.size} numbers stands before a context of {size}")
    return tuple(np.broadcast_to(values.reshape(-1), (size,)).copy() for values in (scale, shift))


def of_standardised_context(flow: ir.Flow, scale: np.ndarray, shift: np.ndarray) -> ir.Flow:
    """The flow whose context is `scale * c + shift`, as a flow of c. The layers of the one given are changed."""
    if flow.encoder and ir.has_planes(flow.encoder):
        if np.all(scale == 1) and not np.any(shift):
            return flow
        return replace(flow, encoder=_before_planes(scale, shift, flow.encoder))
    parts = [*flow.steps, flow.base]
    layers = flow.encoder or [layer for part in parts for layer in getattr(part, "layers", [])]
    taking = [layer for layer in layers if layer.context_weight is not None and layer.context_source == ir.CONTEXT]
    if np.max(np.abs(shift)) > _HARMLESS and _loses_digits(scale, shift, taking):
        return replace(flow, encoder=[*_standardising(scale, shift), *_of_layer_1(flow.encoder or [])])
    _fold(scale, shift, taking)
    return flow


def _loses_digits(scale: np.ndarray, shift: np.ndarray, layers: list) -> bool:
    """Whether what the layers take of the context is less exact in float32 if the standardisation is folded."""
    noise = np.random.default_rng(0).normal(size=(_ROWS, len(scale)))
    context = _float32((noise - shift) / scale)
    centred = _float32(context + _float32(shift / scale))
    standardised = _float32(centred * _float32(scale))
    folded, apart = 0.0, 0.0
    for layer in layers:
        weight, bias = layer.context_weight, layer.bias
        exact = (scale * (context + shift / scale)) @ weight.T
        folded += _squares(_sums(bias + weight @ shift, weight * scale, context) - bias - exact)
        apart += _squares(_sums(bias, weight, standardised) - bias - exact)
    return not folded <= _WORSE**2 * apart


def _sums(bias: np.ndarray, weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    """bias + weight values in the order and the precision of a kernel: one fused multiply-add for each term."""
    sums, weight = _float32(np.broadcast_to(bias, (len(values), len(bias)))), _float32(weight)
    for column, value in zip(weight.T, values.T):
        sums = _float32(sums + np.outer(value, column))
    return sums


def _float32(values) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def _squares(errors: np.ndarray) -> float:
    return float(np.sum(np.square(errors)))


def _fold(scale: np.ndarray, shift: np.ndarray, layers: list) -> None:
    """Makes layers of the context `scale * c + shift` layers of c, in place."""
    for layer in layers:
        layer.bias = layer.bias + layer.context_weight @ shift
        layer.context_weight = layer.context_weight * scale


def _standardising(scale: np.ndarray, shift: np.ndarray) -> list:
    """Two layers, c - mean and that times 1 / std: as in sbi, the difference of near numbers is exact in float32."""
    width = len(scale)
    centred = ir.Layer(shift / scale, context_weight=np.eye(width))
    return [centred, ir.Layer(np.zeros(width), add=[ir.Add(0, scale)])]


def _before_planes(scale: np.ndarray, shift: np.ndarray, layers: list) -> list:
    """The layers of an encoder behind the same two, without a matrix."""
    width = len(scale)
    first = [
        ir.Gather(np.arange(width), ir.CONTEXT),
        ir.Layer(shift / scale, add=[ir.Add(0)]),
        ir.Layer(np.zeros(width), add=[ir.Add(1, scale)]),
    ]
    moved = [ir.rewired(layer, lambda reference: reference + len(first)) for layer in layers]
    return [*first, *(_taking(2, layer) for layer in moved)]


def _taking(place: int, layer: ir.AnyLayer) -> ir.AnyLayer:
    """A layer that takes an earlier one where it took the context."""
    if layer.source == ir.CONTEXT:
        layer = replace(layer, source=place)
    if layer.context_weight is None or layer.context_source != ir.CONTEXT:
        return layer
    if isinstance(layer, ir.Layer) and layer.source is None:
        return replace(layer, source=place, weight=layer.context_weight, mask=None, context_weight=None)
    return replace(layer, context_source=place)


def _of_layer_1(layers: list) -> list:
    """The layers of an encoder that come behind the two of `_standardising`.

    Where they took the context, they take the second of the two, layer 1, as any layer takes an earlier one.
    """
    moved = []
    for layer in moved_by(2, layers):
        if layer.context_weight is not None:
            layer = replace(layer, source=1, weight=layer.context_weight, mask=None, context_weight=None)
        moved.append(layer)
    return moved
