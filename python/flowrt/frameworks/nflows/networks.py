"""The networks of nflows and its forks: MADE, and the networks of couplings."""

from __future__ import annotations

import numpy as np

from ...building.modules import activated, array, bias_of, concatenated_linear, masked_linear, names, refuse
from ...building.networks import BatchNorm, alternating, perceptron
from ...building.periodic import after_preprocessing
from ...file.codes import Activation
from ...flow import flow as ir
from ..torch.overrides import chain_ends, require_plain


def made(net) -> list:
    """Section 4.2 of Germain et al. 2015 with the residual blocks and the context of nflows."""
    _require_made(net)
    layers: list[ir.Layer] = []
    initial = masked_linear(net.initial_layer, ir.READ)
    if hasattr(net, "context_layer"):
        context = net.context_layer
        layers.append(activated(ir.Layer(array(context.bias), context_weight=array(context.weight)), net.activation))
        initial.add.append(ir.Add(0))
    layers.append(initial if net.use_residual_blocks else activated(initial, net.activation))
    _append_blocks(layers, net.blocks, "added")
    layers.append(masked_linear(net.final_layer, len(layers) - 1))
    _require_plain_made(net)
    return layers


def linear_made(net, context: str | None) -> list:
    """MADE whose first layer has no activation: the one of nflows' densities, and that of normflows.

    The context is added to the first layer as it is, and to the residual blocks as `residual_block` says.
    """
    _require_made(net)
    initial = masked_linear(net.initial_layer, ir.READ)
    if context is not None and hasattr(net, "context_layer"):
        initial.context_weight = array(net.context_layer.weight)
        initial.bias = initial.bias + array(net.context_layer.bias)
    layers = after_preprocessing(getattr(net, "preprocessing", None), initial)
    _append_blocks(layers, net.blocks, context)
    layers.append(masked_linear(net.final_layer, len(layers) - 1))
    _require_plain_made(net)
    return layers


def _require_plain_made(net) -> None:
    outputs, inputs = net.final_layer.weight.shape[0], net.initial_layer.weight.shape[1]

    def call(net, rows):
        if not hasattr(net, "context_layer"):
            return net(rows)
        return net(rows, rows.new_zeros(len(rows), net.context_layer.weight.shape[1]))

    require_plain(net, _ends, inputs, outputs, call)


def _ends(net) -> tuple:
    """The modules that a network is to give its input as it is, and to take its output from; None for unknown ones."""
    if hasattr(net, "initial_layer"):
        plain = type(getattr(net, "preprocessing", None)).__name__ in ("NoneType", "Identity")
        return net.initial_layer if plain else None, net.final_layer
    if hasattr(net, "_input_layer"):
        return net._input_layer, None if net._activate_output else net._output_layer
    parts = list(net.children())
    known = len(parts) == 1 and (hasattr(parts[0], "initial_layer") or hasattr(parts[0], "_input_layer"))
    return _ends(parts[0]) if known else chain_ends(net)


def _require_made(net) -> None:
    for attribute in ("initial_layer", "blocks", "final_layer"):
        if not hasattr(net, attribute):
            refuse(net, "networks with the layers of nflows' MADE")


def _append_blocks(layers: list, blocks, context: str | None) -> None:
    for block in blocks:
        if "MaskedResidualBlock" in names(block):
            residual_block(layers, block, context)
        elif "MaskedFeedforwardBlock" in names(block):
            feedforward_block(layers, block)
        else:
            refuse(block, "MaskedFeedforwardBlock and MaskedResidualBlock")


def coupling_net(net, variables: int, with_context: bool = False) -> list:
    """The network of a coupling, which takes `variables` coordinates and then the context.

    `ResidualNet`, `MLP`, a sequence of linear modules and activations, or a module with one of these as its only part.
    It is called `with_context` as another argument, None if there is none, or with one argument.
    """
    layers = _layers_of(net, variables)
    contexts = [layer.context_weight for layer in layers if not isinstance(layer.context_source, int)]
    inputs = variables + max((weight.shape[1] for weight in contexts if weight is not None), default=0)

    def call(net, rows):
        if not with_context:
            return net(rows)
        return net(rows[:, :variables], rows[:, variables:] if inputs > variables else None)

    require_plain(net, _ends, inputs, layers[-1].width, call)
    return layers


def _layers_of(net, variables: int) -> list:
    first = slice(0, variables), slice(variables, None)
    if hasattr(net, "initial_layer") and hasattr(net, "blocks") and hasattr(net, "final_layer"):
        initial = concatenated_linear(net.initial_layer, *first)
        layers = after_preprocessing(getattr(net, "preprocessing", None), initial)
        for block in net.blocks:
            if "ResidualBlock" not in names(block):
                refuse(block, "ResidualBlock")
            residual_block(layers, block, "gate")
        return [*layers, masked_linear(net.final_layer, len(layers) - 1)]
    if hasattr(net, "_input_layer") and hasattr(net, "_hidden_layers") and hasattr(net, "_output_layer"):
        modules = alternating([net._input_layer, *net._hidden_layers, net._output_layer], net._activation)
        return perceptron([*modules, net._activation] if net._activate_output else modules, *first)
    if "Sequential" in names(net) or getattr(net, "weight", None) is not None:
        return perceptron([net], *first)
    parts = list(net.children())
    if len(parts) != 1:
        return refuse(net, "ResidualNet, MLP, Sequential, and modules with one of these as their only part")
    return _layers_of(parts[0], variables)


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
        inner.bias = inner.bias + array(block.context_layer.bias)
        inner.context_weight = array(block.context_layer.weight)
    if norms:
        activated(norms[1].append_after(inner, layers), block.activation)
    else:
        layers.append(activated(inner, block.activation))
    outer = masked_linear(block.linear_layers[1], len(layers) - 1)
    if context == "gate" and hasattr(block, "context_layer"):
        linear = block.context_layer
        gate = ir.Layer(bias_of(linear), context_weight=array(linear.weight), activation=Activation.SIGMOID)
        outer.gate = len(layers)
        layers += [gate, outer]
        layers.append(ir.Layer(np.zeros(width), add=[ir.Add(h), ir.Add(len(layers) - 1)]))
    else:
        outer.add.append(ir.Add(h))
        layers.append(outer)
