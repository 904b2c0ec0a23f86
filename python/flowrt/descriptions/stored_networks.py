"""Parts of nflows and its forks in state dicts: MADE and ResidualNet, as objects that `building` reads; LULinear."""

from __future__ import annotations

import numpy as np

from ..building.arrays import float64
from ..reference.functions import softplus
from .state_dicts import Node

_NETWORK_EPSILON = 1e-3  # added to the variance by each BatchNorm1d in these networks
_LU_EPSILON = 1e-3


class Stored:
    """An object of given attributes: what `building` reads of a live module."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class MaskedFeedforwardBlock(Stored):
    """By the name of its class, as the adapter knows it."""


class MaskedResidualBlock(Stored):
    """By the name of its class, as the adapter knows it."""


class ResidualBlock(Stored):
    """By the name of its class, as the adapter knows it."""


def stored_network(net: Node, activation) -> Stored:
    """A MADE or a ResidualNet: the latter has no masks."""
    blocks = [_block(block, activation) for block in net.blocks.numbered()] if "blocks" in net.children else []
    parts = {name: stored_linear(net.children[name]) for name in ("initial_layer", "context_layer", "final_layer")
             if name in net.children}  # fmt: skip
    residual = any(isinstance(block, MaskedResidualBlock) for block in blocks)
    if parts["initial_layer"].mask is None:
        parts["hidden_features"] = len(parts["initial_layer"].weight)  # a ResidualNet has it, a MADE has not
    return Stored(**parts, blocks=blocks, activation=activation, use_residual_blocks=residual)


def _block(block: Node, activation) -> Stored:
    if "linear" in block.children:
        norm = _norm(block.batch_norm) if "batch_norm" in block.children else None
        return MaskedFeedforwardBlock(linear=stored_linear(block.linear), batch_norm=norm, activation=activation)
    norms = block.batch_norm_layers.numbered() if "batch_norm_layers" in block.children else []
    context = {"context_layer": stored_linear(block.context_layer)} if "context_layer" in block.children else {}
    linears = [stored_linear(linear) for linear in block.linear_layers.numbered()]
    kind = ResidualBlock if linears[0].mask is None else MaskedResidualBlock
    return kind(
        linear_layers=linears,
        batch_norm_layers=[_norm(norm) for norm in norms],
        use_batch_norm=bool(norms),
        activation=activation,
        **context,
    )


def stored_linear(node: Node) -> Stored:
    """A linear module, masked or not."""
    return Stored(weight=node.weight, bias=node.children.get("bias"), mask=node.children.get("mask"))


def _norm(node: Node) -> Stored:
    parts = {name: node.children.get(name) for name in ("weight", "bias", "running_mean", "running_var")}
    return Stored(**parts, eps=_NETWORK_EPSILON)


def lu_matrix(node: Node) -> np.ndarray:
    """L U of an LULinear, with ones on the diagonal of L."""
    dim = len(node.bias)
    lower, upper = np.eye(dim), np.diag(softplus(float64(node.unconstrained_upper_diag)) + _LU_EPSILON)
    lower[np.tril_indices(dim, -1)] = float64(node.lower_entries)
    upper[np.triu_indices(dim, 1)] = float64(node.upper_entries)
    return lower @ upper
