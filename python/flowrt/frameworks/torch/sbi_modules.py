"""Modules of sbi whose forward cannot be traced: sets of trials, and residual networks."""

from __future__ import annotations

import numpy as np

from ...building.modules import class_names
from ...errors import ExportError


def reader_of(module):
    """The function of a network, the module and a value that reads such a module; None for another."""
    if type(module).__module__.partition(".")[0] != "sbi":
        return None
    return next((reader for kind, reader in _READERS.items() if kind in class_names(module)), None)


def permutation_invariant(network, module, value):
    """sbi's network of a set: of as many trials as a condition has, none of them missing."""
    axis = module.aggregation_dim - 1
    if len(value.shape) != 2 or axis != 0:
        raise ExportError(
            f"{type(module).__name__} is supported for conditions of the shape (trials, numbers) with "
            f"aggregation_dim=1, not of {value.shape} with {module.aggregation_dim}"
        )
    trials = value.shape[0]
    found = network.module(module.trial_net, value)
    width = found.shape[-1]
    share = 1 / trials if module.aggregation_fn == "mean" else 1.0
    matrix = np.vstack([np.tile(share * np.eye(width), trials), np.zeros((1, trials * width))])
    counted = network.linear(found, matrix, np.append(np.zeros(width), float(trials)), (width + 1,))
    return network.module(module.fc_subnet, counted)


def residual_embedding(network, module, value):
    """sbi's residual networks, whose forward looks at the shape of what it is given."""
    if "ResNetEmbedding2D" in class_names(module) and len(value.shape) == 2:
        value = value.reordered(np.arange(value.width).reshape(1, *value.shape))
    if module.final is None:
        raise ExportError(
            f"{type(module).__name__} makes its last layers when it is first called: call it once, and train it"
        )
    for part in (module.initial, module.blocks, module.final):
        value = network.module(part, value)
    return value


def residual_block(network, module, value):
    if not hasattr(module.residual, "parameters"):
        raise ExportError("ResidualBLock that fills channels with zeros is not supported, only one of convolutions")
    other = network.module(module.downsampling, network.module(module.residual, value))
    return network.module(module.final_activation, network.sum([(network.module(module.f, value), 1.0), (other, 1.0)]))


_READERS = {
    "PermutationInvariantEmbedding": permutation_invariant,
    "ResNetEmbedding1D": residual_embedding,
    "ResNetEmbedding2D": residual_embedding,
    "ResidualBLock": residual_block,
}
