"""State dicts of nflows and its forks: masked affine layers and what stands between them.

    _transform._transforms.{i}.autoregressive_net.{initial_layer, context_layer, blocks.{b}, final_layer}...
    ..._permutation;  ..._shift, ..._scale;  ...unconstrained_weight, ...running_mean, ...;  ...log_scale, ...shift
    _transform._transforms.{i}._transform...           an InverseTransform

The class of a layer follows from the names in it, residual or feed-forward blocks too. Not in a state dict: activation,
scale function and its epsilon.
"""

from __future__ import annotations

import numpy as np

from .. import ir
from ..adapters.modules import array, context_size, inverted_if
from ..adapters.nflows_networks import made
from ..format.codes import Reads, Scale
from ..reference.functions import softplus
from .fields import Fields
from .networks import scale_rows
from .state_dicts import Node, activation_of, grouped, state_dict_of

_LAYERS = "autoregressive_net|_permutation|_shift|_scale|unconstrained_weight|running_mean|running_var|bias|log_scale"
_LAYERS += "|shift|initialized|lower_entries|upper_entries|unconstrained_upper_diag"
_SCALES = {"softplus": (Scale.SOFTPLUS, 0.0), "sigmoid": (Scale.SIGMOID, 2.0)}
_BATCH_NORM_EPSILON = (
    1e-5  # of nflows' BatchNorm, added to the variance and to the gain; no argument of Flow changes it
)
_LU_EPSILON = 1e-3
_NETWORK_EPSILON = 1e-3  # of the BatchNorm1d in its networks


def read_nflows(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, and what masked affine layers need."""
    arrays = state_dict_of(fields)
    base = {name: arrays.pop(name) for name in list(arrays) if "_distribution." in name}
    modules = grouped(arrays, _LAYERS, fields)
    activation = scale = None
    if any("autoregressive_net" in node.children for _, node in modules):
        activation = activation_of(fields)
        scale = fields.choice("scale", "the function of the raw scale a: softplus(a), or sigmoid(a + 2)", _SCALES)
        epsilon = fields.number("epsilon", "what is added to the scale, 1e-3 unless _epsilon was changed")
        scale = (*scale, epsilon)
    steps = [_step(path, node, activation, scale, fields) for path, node in modules]
    dim = _dim(modules, fields)
    return ir.Flow(dim, context_size(steps, None), steps, _base(base, fields))


def _inverted(path: str) -> bool:
    """Whether an InverseTransform holds the layer: a Flow has one `_transform` itself, at its root."""
    return path.split("._transforms.")[-1].count("_transform") % 2 == 1 and "_transforms" in path


def _dim(modules: list, fields: Fields) -> int:
    for _, node in modules:
        if "autoregressive_net" in node.children:
            return node.autoregressive_net.initial_layer.weight.shape[1]
        for name in ("_permutation", "running_mean", "log_scale", "bias"):
            if name in node.children:
                return len(node.children[name])
    return fields.whole("dim", "how many coordinates a row has")


def _step(path: str, node: Node, activation, scale, fields: Fields):
    held, inverted = set(node.children), _inverted(path)
    if "autoregressive_net" in held:
        return _masked_affine(path, node.autoregressive_net, activation, scale, inverted, fields)
    if "_permutation" in held:
        index = array(node._permutation).astype(np.int64)
        return ir.Permutation(np.argsort(index) if inverted else index, path)
    if "lower_entries" in held:
        return inverted_if(_lu(path, node), inverted)
    if "_scale" in held:
        scale, shift = array(node._scale), array(node._shift)
    elif "unconstrained_weight" in held:
        gain = softplus(array(node.unconstrained_weight)) + _BATCH_NORM_EPSILON
        scale = gain / np.sqrt(array(node.running_var) + _BATCH_NORM_EPSILON)
        shift = array(node.bias) - array(node.running_mean) * scale
    elif "log_scale" in held:
        scale, shift = np.exp(array(node.log_scale)), array(node.shift)
    else:
        return fields.refuse(f"{path} in the state dict, with {', '.join(sorted(held))}, is not supported")
    size = max(scale.size, shift.size)
    return inverted_if(ir.Diagonal(np.broadcast_to(scale, size), np.broadcast_to(shift, size), path), inverted)


def _lu(path: str, node: Node) -> ir.Linear:
    """z = L (U x) + bias, with ones on the diagonal of L."""
    dim = len(node.bias)
    lower, upper = np.eye(dim), np.diag(softplus(array(node.unconstrained_upper_diag)) + _LU_EPSILON)
    lower[np.tril_indices(dim, -1)] = array(node.lower_entries)
    upper[np.triu_indices(dim, 1)] = array(node.upper_entries)
    return ir.Linear(lower @ upper, array(node.bias), path)


def _masked_affine(path: str, net: Node, activation, scale, inverted: bool, fields: Fields) -> ir.Autoregressive:
    dim = net.initial_layer.weight.shape[1]
    outputs = net.final_layer.weight.shape[0]
    if outputs != 2 * dim:
        fields.refuse(f"{path} in the state dict has {outputs / dim:g} parameters for each feature; it is not affine")
    layers = made(_network(net, activation))
    kind, offset, epsilon = scale
    rows = np.arange(outputs).reshape(dim, 2)[:, ::-1].reshape(-1)  # raw scale, shift becomes shift, raw scale
    output = layers[-1]
    output.bias, output.weight, output.mask = output.bias[rows], output.weight[rows], output.mask[rows]
    scale_rows(output, slice(1, None, 2), 1.0, offset)
    return ir.Autoregressive(layers, ir.Affine(kind, (epsilon,)), Reads.NOISE if inverted else Reads.DATA, name=path)


class _Network:
    """What the adapter of nflows reads of a live MADE."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class MaskedFeedforwardBlock(_Network):
    """By the name of its class, as the adapter knows it."""


class MaskedResidualBlock(_Network):
    """By the name of its class, as the adapter knows it."""


def _network(net: Node, activation) -> _Network:
    blocks = [_block(block, activation) for block in net.blocks.numbered()] if "blocks" in net.children else []
    parts = {name: _linear(net.children[name]) for name in ("initial_layer", "context_layer", "final_layer")
             if name in net.children}  # fmt: skip
    residual = any(isinstance(block, MaskedResidualBlock) for block in blocks)
    return _Network(**parts, blocks=blocks, activation=activation, use_residual_blocks=residual)


def _block(block: Node, activation) -> _Network:
    if "linear" in block.children:
        norm = _norm(block.batch_norm) if "batch_norm" in block.children else None
        return MaskedFeedforwardBlock(linear=_linear(block.linear), batch_norm=norm, activation=activation)
    norms = block.batch_norm_layers.numbered() if "batch_norm_layers" in block.children else []
    context = {"context_layer": _linear(block.context_layer)} if "context_layer" in block.children else {}
    linears = [_linear(linear) for linear in block.linear_layers.numbered()]
    return MaskedResidualBlock(
        linear_layers=linears,
        batch_norm_layers=[_norm(norm) for norm in norms],
        use_batch_norm=bool(norms),
        activation=activation,
        **context,
    )


def _linear(node: Node) -> _Network:
    return _Network(weight=node.weight, bias=node.bias, mask=node.children.get("mask"))


def _norm(node: Node) -> _Network:
    parts = {name: node.children.get(name) for name in ("weight", "bias", "running_mean", "running_var")}
    return _Network(**parts, eps=_NETWORK_EPSILON)


def _base(arrays: dict, fields: Fields) -> ir.Base:
    """Standard normal, whose state dict is empty or the logarithm of a constant, or diagonal normal."""
    held = {name.rsplit(".", 1)[-1]: array(value) for name, value in arrays.items()}
    held.pop("_log_z", None)
    if set(held) == {"mean_", "log_std_"}:
        return ir.DiagonalNormal(held["mean_"].reshape(-1), np.exp(held["log_std_"].reshape(-1)))
    if held:
        fields.refuse(f"the base distribution with {', '.join(sorted(held))} is not supported in a state dict")
    return ir.StandardNormal()
