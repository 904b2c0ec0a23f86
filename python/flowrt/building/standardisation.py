"""A context that is standardised before a flow sees it.

The standardisation folds into the layers that take the context, unless float32 would suffer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ExportError
from ..flow import flow as ir
from .arrays import float64
from .modules import class_names
from .pairs import moved_by

_CANCELS = 64.0  # mean / std of a context, from where on `scale * c + shift` loses too much of float32


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
    if np.max(np.abs(shift)) > _CANCELS:
        return replace(flow, encoder=[*_standardising(scale, shift), *_of_layer_1(flow.encoder or [])])
    parts = [*flow.steps, flow.base]
    _fold(scale, shift, flow.encoder or [layer for part in parts for layer in getattr(part, "layers", [])])
    return flow


def _fold(scale: np.ndarray, shift: np.ndarray, layers: list) -> None:
    """Makes layers of the context `scale * c + shift` layers of c, in place."""
    for layer in layers:
        if layer.context_weight is not None and layer.context_source == ir.CONTEXT:
            layer.bias = layer.bias + layer.context_weight @ shift
            layer.context_weight = layer.context_weight * scale


def _standardising(scale: np.ndarray, shift: np.ndarray) -> list:
    """Two layers, c - mean and that times 1 / std: as in sbi, the difference of near numbers is exact in float32."""
    width = len(scale)
    centred = ir.Layer(shift / scale, context_weight=np.eye(width))
    return [centred, ir.Layer(np.zeros(width), add=[ir.Add(0, scale)])]


def _of_layer_1(layers: list) -> list:
    """The layers of an encoder, behind two others, as functions of the second one."""
    moved = []
    for layer in moved_by(2, layers):
        if layer.context_weight is not None:
            layer = replace(layer, source=1, weight=layer.context_weight, mask=None, context_weight=None)
        moved.append(layer)
    return moved
