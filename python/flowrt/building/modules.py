"""What the adapters of PyTorch frameworks share: reading modules by class name and attributes, never by import path."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from ..errors import ExportError
from ..file.codes import Activation, Function, Reads
from ..flow.flow import (
    CONTEXT,
    READ,
    Autoregressive,
    Diagonal,
    Elementwise,
    Layer,
    Linear,
    Permutation,
    PixelwiseLinear,
    Step,
)
from ..reference.functions import INVERSES
from ..tables import Table
from .activations import recognise
from .arrays import float64


def class_names(thing) -> set:
    """Names of the classes of an object. Subclasses and forks keep the names of what they copy."""
    return {cls.__name__ for cls in type(thing).__mro__}


def refuse(thing, supported: str):
    """Raises the error that names a layer."""
    raise ExportError(f"{type(thing).__name__} is not supported; supported are {supported}")


def context_size(steps: list, given: int | None, base=None) -> int:
    """The length of the context that steps and base take (0 for none), and the `given` one if there is one."""
    require_length(given)
    layers = [layer for part in [*steps, base] for layer in getattr(part, "layers", [])]
    weights = [layer.context_weight for layer in layers if layer.context_source == CONTEXT]
    found = {weight.shape[1] for weight in weights if weight is not None}
    found |= {layer.window.inputs for layer in layers if layer.source == CONTEXT and layer.window is not None}
    if given and not found and any(layer.source == READ for layer in layers):
        raise ExportError(f"context_dim is {given}, but no layer takes a context")
    found |= set() if given is None else {given}
    if len(found) > 1:
        raise ExportError(f"layers and context_dim disagree about the length of the context: {sorted(found)}")
    return found.pop() if found else 0


def require_length(context_dim) -> None:
    """Raises `ExportError` for a length of the context that is none."""
    if context_dim is not None and (not isinstance(context_dim, (int, np.integer)) or context_dim < 0):
        raise ExportError(f"context_dim is a whole number and not negative, but {context_dim!r} was given")


def affine_map(function, dim: int) -> tuple:
    """Matrix (dim, dim) and shift (dim,) of a live map of rows that is affine, evaluated in float64."""
    import torch

    with torch.no_grad():
        shift = float64(function(torch.zeros(1, dim, dtype=torch.float64)))[0]
        columns = float64(function(torch.eye(dim, dtype=torch.float64))) - shift
    return columns.T, shift


def diagonal(dim: int, name: str, scale=1.0, shift=0.0, before=0.0) -> Diagonal:
    """w = scale * (v + before) + shift, of numbers or vectors."""
    scale, shift, before = (np.broadcast_to(values, (dim,)) for values in (scale, shift, before))
    return Diagonal(scale, shift, name, before)


def inverted_if(step, inverted: bool):
    """A step, or the one that undoes it."""
    return _INVERTED[type(step)](step) if inverted else step


def _affine_inverse(step, **factor):
    """v = factor (w - shift) - before, of a step that is w = factor (v + before) + shift."""
    return replace(step, **factor, shift=0 - step.before, before=0 - step.shift)


_INVERTED = Table(
    "flowrt.building.modules._INVERTED",
    get_args(Step),
    {
        Autoregressive: lambda step: replace(step, reads=Reads(1 - step.reads)),
        Diagonal: lambda step: _affine_inverse(step, scale=1 / step.scale),
        Permutation: lambda step: replace(step, index=np.argsort(step.index)),
        Linear: lambda step: _affine_inverse(step, matrix=np.linalg.inv(step.matrix)),
        PixelwiseLinear: lambda step: _affine_inverse(step, matrix=np.linalg.inv(step.matrix)),
        Elementwise: lambda step: replace(step, function=np.array([INVERSES[Function(f)] for f in step.function])),
    },
)


def bias_of(linear) -> np.ndarray:
    return np.zeros(len(linear.weight)) if linear.bias is None else float64(linear.bias)


def mask_of(linear) -> np.ndarray:
    """Where a weight may act: the module's mask, or everywhere for a plain linear layer."""
    mask = getattr(linear, "mask", None)
    return np.ones(linear.weight.shape, dtype=bool) if mask is None else float64(mask) != 0


def masked_linear(linear, source, **fields) -> Layer:
    """A layer with the weights, mask and bias of a (masked) linear module that takes one input."""
    return Layer(bias_of(linear), float64(linear.weight), mask_of(linear), source, **fields)


def concatenated_linear(linear, variables: slice, context: slice, **fields) -> Layer:
    """A layer of a (masked) linear module whose input is the variables and the context, side by side."""
    weight, mask = float64(linear.weight), mask_of(linear)
    if weight[:, context].shape[1]:
        fields.update(context_weight=(weight * mask)[:, context], context_source=CONTEXT)
    if weight[:, variables].shape[1]:
        fields.update(weight=weight[:, variables], mask=mask[:, variables], source=READ)
    return Layer(bias_of(linear), **fields)


def concatenated(weight: np.ndarray, bias: np.ndarray, variables: int) -> Layer:
    """A layer of a dense matrix whose input is `variables` coordinates, then the context."""
    fields: dict = {}
    if variables < weight.shape[1]:
        fields.update(context_weight=weight[:, variables:], context_source=CONTEXT)
    if variables:
        fields.update(weight=weight[:, :variables], source=READ)
    return Layer(bias, **fields)


def activated(layer: Layer, function) -> Layer:
    """The layer with the activation of a live callable."""
    layer.activation, layer.a = recognise(function)
    return layer


def is_identity(module) -> bool:
    """Whether a module does nothing in evaluation mode (dropout, for one)."""
    return recognise(module)[0] == Activation.IDENTITY
