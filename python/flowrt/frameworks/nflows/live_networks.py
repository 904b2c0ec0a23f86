"""The networks of live nflows modules: their layers, and a check that their `forward` adds nothing to the layers."""

from __future__ import annotations

from ...building import conditioners
from ..torch.overrides import chain_ends, require_plain


def made(net) -> list:
    """`building.conditioners.made` of a live network."""
    return _checked_made(net, conditioners.made(net))


def linear_made(net, context: str | None) -> list:
    """`building.conditioners.linear_made` of a live network."""
    return _checked_made(net, conditioners.linear_made(net, context))


def coupling_net(net, variables: int, with_context: bool = False) -> list:
    """`building.conditioners.coupling_net` of a live network.

    It is called `with_context` as another argument, None if there is none, or with one argument.
    """
    layers = conditioners.coupling_net(net, variables)
    contexts = [layer.context_weight for layer in layers if not isinstance(layer.context_source, int)]
    inputs = variables + max((weight.shape[1] for weight in contexts if weight is not None), default=0)

    def call(net, rows):
        if not with_context:
            return net(rows)
        return net(rows[:, :variables], rows[:, variables:] if inputs > variables else None)

    require_plain(net, _ends, inputs, layers[-1].width, call)
    return layers


def _checked_made(net, layers: list) -> list:
    outputs, inputs = net.final_layer.weight.shape[0], net.initial_layer.weight.shape[1]

    def call(net, rows):
        if not hasattr(net, "context_layer"):
            return net(rows)
        return net(rows, rows.new_zeros(len(rows), net.context_layer.weight.shape[1]))

    require_plain(net, _ends, inputs, outputs, call)
    return layers


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
