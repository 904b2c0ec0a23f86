"""Multi-layer perceptrons as frameworks hold them: linear modules, activations, norms, residual blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ExportError
from ..file.codes import Activation
from ..flow import flow as ir
from .arrays import float64
from .modules import activated, class_names, concatenated_linear, is_identity, masked_linear, refuse

_CANCELS = 1.0  # means in standard deviations, above which float32 suffers if they are multiplied out


def perceptron(modules, variables: slice, context: slice) -> list:
    """The layers of a sequence of live modules and functions.

    `variables` and `context` are the columns of its first linear module that take them.
    """
    layers: list[ir.Layer] = []
    for module in modules:
        append(layers, module, lambda linear: concatenated_linear(linear, variables, context))
    return layers


def alternating(linears, activation) -> list:
    """The modules of a perceptron that has one activation between its linear modules."""
    return [module for linear in linears for module in (activation, linear)][1:]


def linear_output(layers: list) -> list:
    """The network, with an identity matrix at its end if it does not end with a linear layer, which can be folded."""
    output = layers[-1]
    if not output.activation and not output.partners:
        return layers
    return [*layers, ir.Layer(np.zeros(output.width), np.eye(output.width), np.eye(output.width) > 0, len(layers) - 1)]


@dataclass
class BatchNorm:
    """scale * (v - mean) + shift: a BatchNorm1d in evaluation mode.

    What varies little around a mean far from zero must have the mean subtracted first, as the framework does: in
    `scale * v + (shift - scale * mean)`, and in weights and a bias that hold these, large numbers cancel in float32.
    """

    scale: np.ndarray
    mean: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, norm) -> BatchNorm:
        if norm.running_var is None:
            raise ExportError(
                "BatchNorm1d without running statistics depends on the batch; it is not a flow of single rows"
            )
        scale = 1 / np.sqrt(float64(norm.running_var) + norm.eps)
        if norm.weight is not None:
            scale = scale * float64(norm.weight)
        mean = float64(norm.running_mean)
        return cls(scale, mean, np.zeros_like(mean) if norm.bias is None else float64(norm.bias))

    def cancels(self, bias=0.0) -> bool:
        """Whether float32 suffers if the shift is multiplied out; `bias` is what the values already have of one."""
        return bool(np.max(np.abs(self.scale) * np.maximum(np.abs(self.mean), np.abs(self.mean - bias))) > _CANCELS)

    def append_to(self, layers: list) -> ir.Layer:
        """Adds layers that normalise the last layer's value; returns the last of them, which has no activation yet."""
        if not self.cancels():
            layers.append(ir.Layer(self.shift - self.scale * self.mean, add=[ir.Add(len(layers) - 1, self.scale)]))
            return layers[-1]
        layers.append(ir.Layer(-self.mean, add=[ir.Add(len(layers) - 1)]))
        layers.append(ir.Layer(self.shift, add=[ir.Add(len(layers) - 1, self.scale)]))
        return layers[-1]

    def append_before(self, linear: ir.Layer, layers: list) -> None:
        """Adds a linear layer, whose source is the last layer, of that layer's normalised value."""
        weight = linear.weight * linear.mask
        constant = self.shift
        if self.cancels():
            layers.append(ir.Layer(-self.mean, add=[ir.Add(len(layers) - 1)]))
            linear.source = len(layers) - 1
        else:
            constant = self.shift - self.scale * self.mean
        linear.bias, linear.weight = linear.bias + weight @ constant, linear.weight * self.scale
        layers.append(linear)

    def append_after(self, linear: ir.Layer, layers: list) -> ir.Layer:
        """Adds a linear layer and normalises its value; returns the last layer, which has no activation yet."""
        if self.cancels(linear.bias):
            linear.bias = linear.bias - self.mean
            layers.append(linear)
            layers.append(ir.Layer(self.shift, add=[ir.Add(len(layers) - 1, self.scale)]))
            return layers[-1]
        linear.bias = self.scale * (linear.bias - self.mean) + self.shift
        linear.weight = self.scale[:, None] * linear.weight
        if linear.context_weight is not None:
            linear.context_weight = self.scale[:, None] * linear.context_weight
        layers.append(linear)
        return linear


def append(layers: list, module, first) -> None:
    """Adds what a module does to the last layer's value. `first` makes the layer that takes the network's input."""
    kinds = class_names(module)
    if "Residual" in kinds:
        if not layers:
            refuse(module, "networks that begin with a linear module")
        start = len(layers) - 1
        for inner in module:
            append(layers, inner, first)
        if layers[-1].add:
            layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(len(layers) - 1)]))
        layers[-1].add.append(ir.Add(start))
    elif "Sequential" in kinds:
        for inner in module:
            append(layers, inner, first)
    elif getattr(module, "weight", None) is not None and module.weight.dim() == 2:
        layers.append(masked_linear(module, len(layers) - 1) if layers else first(module))
    elif "BatchNorm1d" in kinds and layers:
        BatchNorm.of(module).append_to(layers)
    elif "LayerNorm" in kinds and layers:
        _append_layer_norm(layers, module)
    elif "ConstScaleLayer" in kinds and layers:
        width = layers[-1].width
        layers.append(ir.Layer(np.zeros(width), add=[ir.Add(len(layers) - 1, np.full(width, float64(module.scale)))]))
    elif not is_identity(module):
        if not layers:
            refuse(module, "networks that begin with a linear module")
        if layers[-1].activation or layers[-1].add:
            layers.append(ir.Layer(np.zeros(layers[-1].width), add=[ir.Add(len(layers) - 1)]))
        activated(layers[-1], module)


def _append_layer_norm(layers: list, norm) -> None:
    """Normalises the value of the last layer, then scales and shifts each unit; torch's module, or zuko's.

    zuko divides by the unbiased variance, n / (n - 1) times the biased one, and has no weights.
    """
    name, width = type(norm).__name__, layers[-1].width
    if any(layer.source == ir.READ for layer in layers):
        raise ExportError(f"{name} in a network that reads variables is not supported, only in networks of the context")
    epsilon, gain, shift = float(norm.eps), np.ones(width), np.zeros(width)
    if not hasattr(norm, "normalized_shape"):
        ratio = (width - 1) / width
        epsilon, gain = epsilon * ratio, gain * np.sqrt(ratio)
    elif tuple(norm.normalized_shape) != (width,):
        raise ExportError(f"{name} of shape {tuple(norm.normalized_shape)} follows a layer of {width} units")
    elif norm.weight is not None:
        gain, shift = float64(norm.weight), shift if norm.bias is None else float64(norm.bias)
    last = len(layers) - 1
    layers.append(ir.Layer(np.zeros(width), add=[ir.Add(last)], activation=Activation.LAYER_NORM, a=epsilon))
    if np.any(gain != 1) or np.any(shift != 0):
        layers.append(ir.Layer(shift, add=[ir.Add(last + 1, gain)]))
