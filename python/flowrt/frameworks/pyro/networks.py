"""The networks of Pyro: AutoRegressiveNN, DenseNN and their conditional forms."""

from __future__ import annotations

import numpy as np

from ...building.modules import concatenated_linear, refuse
from ...building.networks import alternating, perceptron
from ...building.output_rows import reordered
from ...errors import ExportError
from ...flow import flow as ir
from ..torch.overrides import require_plain


def require(network, parameters: int, supported: str) -> None:
    """Refuses a network that is none of Pyro's, or has another number of kinds of parameters."""
    if not hasattr(network, "layers") or not hasattr(network, "f"):
        refuse(network, supported)
    if network.count_params != parameters:
        raise ExportError(
            f"{type(network).__name__} with {network.count_params} kinds of parameters is not supported; supported are "
            f"{supported}"
        )


def context_features(network) -> int:
    return getattr(network, "context_dim", 0)


def layers_of(network, rows: np.ndarray, context_alone: bool = False) -> list:
    """A perceptron, and optionally a linear map from its input to its output; `rows` sorts the rows of the output.

    The input is the context, then the variables; or the context alone.
    """
    split = network.input_dim + network.context_dim if context_alone else network.context_dim
    contexts, variables = slice(0, split), slice(split, None)
    layers = perceptron(alternating(network.layers, network.f), variables, contexts)
    require_plain(network, _ends, len(network.layers[0].weight[0]), layers[-1].width, _call)
    reordered(layers[-1], rows)
    if getattr(network, "skip_layer", None) is not None:
        skip = concatenated_linear(network.skip_layer, variables, contexts)
        reordered(skip, rows)
        layers.insert(-1, skip)
        layers[-1].add.append(ir.Add(len(layers) - 2))
    return layers


def _ends(network) -> tuple:
    """The first and the last module of a copy of a network, from which its skip connection is taken."""
    network.skip_layer = None
    return network.layers[0], network.layers[-1]


def _call(network, rows):
    contexts = context_features(network)
    return network(rows[:, contexts:], rows[:, :contexts]) if contexts else network(rows)
