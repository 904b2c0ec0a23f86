"""The networks of nflows and its forks, live or from a state dict: MADE, and the networks of couplings."""

from __future__ import annotations

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir
from .arrays import float64
from .modules import activated, bias_of, class_names, concatenated_linear, masked_linear, refuse
from .networks import BatchNorm, alternating, perceptron
from .periodic import after_preprocessing


def made(net) -> list:
    """Section 4.2 of Germain et al. 2015 with the residual blocks and the context of nflows."""
    _require_made(net)
    layers: list[ir.Layer] = []
    initial = masked_linear(net.initial_layer, ir.READ)
    if hasattr(net, "context_layer"):
        context = net.context_layer
        layers.append(
            activated(ir.Layer(float64(context.bias), context_weight=float64(context.weight)), net.activation)
        )
        initial.add.append(ir.Add(0))
    layers.append(initial if net.use_residual_blocks else activated(initial, net.activation))
    _append_blocks(layers, net.blocks, "added")
    layers.append(masked_linear(net.final_layer, len(layers) - 1))
    return layers


def linear_made(net, context: str | None) -> list:
    """MADE whose first layer has no activation: the one of nflows' densities, and that of normflows.

    The context is added to the first layer as it is, and to the residual blocks as `residual_block` says.
    """
    _require_made(net)
    initial = masked_linear(net.initial_layer, ir.READ)
    if context is not None and hasattr(net, "context_layer"):
        initial.context_weight = float64(net.context_layer.weight)
        initial.bias = initial.bias + float64(net.context_layer.bias)
    layers = after_preprocessing(getattr(net, "preprocessing", None), initial)
    _append_blocks(layers, net.blocks, context)
    layers.append(masked_linear(net.final_layer, len(layers) - 1))
    return layers


def _require_made(net) -> None:
    for attribute in ("initial_layer", "blocks", "final_layer"):
        if not hasattr(net, attribute):
            refuse(net, "networks with the layers of nflows' MADE")


def _append_blocks(layers: list, blocks, context: str | None) -> None:
    for block in blocks:
        if "MaskedResidualBlock" in class_names(block):
            residual_block(layers, block, context)
        elif "MaskedFeedforwardBlock" in class_names(block):
            feedforward_block(layers, block)
        else:
            refuse(block, "MaskedFeedforwardBlock and MaskedResidualBlock")


def coupling_net(net, variables: int) -> list:
    """The network of a coupling, which takes `variables` coordinates and then the context.

    `ResidualNet`, `MLP`, a sequence of linear modules and activations, or a module with one of these as its only part.
    """
    first = slice(0, variables), slice(variables, None)
    if hasattr(net, "initial_layer") and hasattr(net, "blocks") and hasattr(net, "final_layer"):
        initial = concatenated_linear(net.initial_layer, *first)
        layers = after_preprocessing(getattr(net, "preprocessing", None), initial)
        for block in net.blocks:
            if "ResidualBlock" not in class_names(block):
                refuse(block, "ResidualBlock")
            residual_block(layers, block, "gate")
        return [*layers, masked_linear(net.final_layer, len(layers) - 1)]
    if hasattr(net, "_input_layer") and hasattr(net, "_hidden_layers") and hasattr(net, "_output_layer"):
        modules = alternating([net._input_layer, *net._hidden_layers, net._output_layer], net._activation)
        return perceptron([*modules, net._activation] if net._activate_output else modules, *first)
    if "Sequential" in class_names(net) or getattr(net, "weight", None) is not None:
        return perceptron([net], *first)
    parts = list(net.children())
    if len(parts) != 1:
        return refuse(net, "ResidualNet, MLP, Sequential, and modules with one of these as their only part")
    return coupling_net(parts[0], variables)


def feedforward_block(layers: list, block) -> None:
    """activation(W batch_norm(h) + b)."""
    layer = activated(masked_linear(block.linear, len(layers) - 1), block.activation)
    if block.batch_norm is None:
        layers.append(layer)
    else:
        BatchNorm.of(block.batch_norm).append_before(layer, layers)


def residual_block(layers: list, block, context: str | None) -> None:
    """h + W2 activation(norm1(W1 activation(norm0(h)) + context)), if the `context` is "added".

    A context that is a "gate" acts on what is added to h, `h + sigmoid(context) * W2 activation(...)`; one that is None
    is never passed to the network.
    """
    h = len(layers) - 1
    width = layers[h].width
    norms = [BatchNorm.of(norm) for norm in block.batch_norm_layers] if block.use_batch_norm else None
    if norms:
        activated(norms[0].append_to(layers), block.activation)
    else:
        layers.append(activated(ir.Layer(np.zeros(width), add=[ir.Add(h)]), block.activation))
    inner = masked_linear(block.linear_layers[0], len(layers) - 1)
    if context == "added" and hasattr(block, "context_layer"):
        inner.bias = inner.bias + float64(block.context_layer.bias)
        inner.context_weight = float64(block.context_layer.weight)
    if norms:
        activated(norms[1].append_after(inner, layers), block.activation)
    else:
        layers.append(activated(inner, block.activation))
    outer = masked_linear(block.linear_layers[1], len(layers) - 1)
    if context == "gate" and hasattr(block, "context_layer"):
        linear = block.context_layer
        gate = ir.Layer(bias_of(linear), context_weight=float64(linear.weight), activation=Activation.SIGMOID)
        outer.gate = len(layers)
        layers += [gate, outer]
        layers.append(ir.Layer(np.zeros(width), add=[ir.Add(h), ir.Add(len(layers) - 1)]))
    else:
        outer.add.append(ir.Add(h))
        layers.append(outer)
