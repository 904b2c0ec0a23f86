"""The base densities of a description."""

from __future__ import annotations

import numpy as np

from ..building.networks import linear_output
from ..flow import flow as ir
from .fields import Fields
from .networks import read_context_layers, read_layers
from .transformers import read_mean_and_std, read_mixture


def read_base(fields: Fields, dim: int) -> ir.Base:
    base = _reader(fields)(fields, dim)
    fields.close()
    return base


def _reader(fields: Fields):
    kind = fields.optional("kind")
    if isinstance(kind, str) and kind in _SHORT:
        return _SHORT[kind]
    return fields.choice("kind", "the density of the noise", _BASES)


def _normal(fields: Fields, dim: int) -> ir.DiagonalNormal:
    return ir.DiagonalNormal(*(fields.array(name, f"its {name}", (dim,)) for name in ("mean", "std")))


def _uniform(fields: Fields, dim: int) -> ir.BoxUniform:
    return ir.BoxUniform(*(fields.array(name, f"the {name} corner of the box", (dim,)) for name in ("lower", "upper")))


def _mixture(fields: Fields, dim: int) -> ir.NormalMixture:
    logits = fields.array("logits", "logarithms of the weights of the components, up to a constant")
    if logits.ndim != 1 or not len(logits):
        fields.refuse(f"'logits' has the shape {logits.shape}, not (components,)")
    log_weight = logits - np.logaddexp.reduce(logits)
    return ir.NormalMixture(
        log_weight, *(fields.array(name, f"{name} of each component", (len(logits), dim)) for name in ("mean", "std"))
    )


def _conditional_normal(fields: Fields, dim: int) -> ir.ConditionalNormal:
    layers = linear_output(read_context_layers(fields, "layers", "layers that see the context alone"))
    read_mean_and_std(fields, layers[-1], dim)
    return ir.ConditionalNormal(layers)


def _autoregressive_mixture(fields: Fields, dim: int) -> ir.AutoregressiveMixture:
    layers = linear_output(read_layers(fields, "layers", "the layers of the network, the output layer last"))
    return ir.AutoregressiveMixture(layers, *read_mixture(fields, layers[-1], dim))


_SHORT = {"normal": _normal, "uniform": _uniform, "mixture": _mixture}  # former names, which are read as well
_BASES = {
    "standard_normal": lambda fields, dim: ir.StandardNormal(),
    "diagonal_normal": _normal,
    "box_uniform": _uniform,
    "normal_mixture": _mixture,
    "conditional_normal": _conditional_normal,
    "autoregressive_mixture": _autoregressive_mixture,
}
