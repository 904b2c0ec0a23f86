"""The networks of flowjax: multi-layer perceptrons of equinox, their weights wrapped with masks by paramax."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np

from ...building.activations import recognise
from ...building.arrays import float64
from ...building.modules import class_names, concatenated_linear, masked_linear, refuse
from ...errors import ExportError
from ...file.codes import Activation


def is_array(leaf) -> bool:
    """Whether a leaf of a tree is an array, of JAX or NumPy."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")


def network_of(layer):
    """The network that yields the parameters of a layer."""
    return layer.conditioner if "Coupling" in class_names(layer) else layer.masked_autoregressive_mlp


def parameter_count(layer) -> int:
    """Parameters of each transformed coordinate."""
    transformed = layer.shape[0] - getattr(layer, "untransformed_dim", 0)
    return network_of(layer).out_size // transformed


def network(mlp, variables: int, dim: int) -> list:
    """A multi-layer perceptron of equinox over the first `variables` coordinates and the context."""
    if "MLP" not in class_names(mlp) or getattr(mlp, "scan", False):
        return refuse(mlp, "equinox MLPs without scan")
    modules = [_linear(module) for module in mlp.layers]
    layers = [concatenated_linear(modules[0], slice(0, variables), slice(variables, None))]
    first = layers[0]
    if first.weight is not None:
        first.weight, first.mask = (
            np.pad(values, ((0, 0), (0, dim - variables))) for values in (first.weight, first.mask)
        )
    layers += [masked_linear(module, i) for i, module in enumerate(modules[1:])]
    for layer in layers[:-1]:
        layer.activation, layer.a = recognise(mlp.activation, _values)
    if recognise(mlp.final_activation, _values)[0] != Activation.IDENTITY:
        raise ExportError(f"{type(mlp).__name__} with a final activation is not supported")
    return layers


class _Linear(NamedTuple):
    """Weights of a linear layer, their mask and its bias, as NumPy arrays."""

    weight: np.ndarray
    mask: np.ndarray
    bias: Optional[np.ndarray]


def _linear(module) -> _Linear:
    """With its masks applied; a mask is where a wrapped weight of ones, or one whose wrappers are gone, is not zero."""
    import jax
    import jax.numpy as jnp
    import paramax

    ones = jax.tree_util.tree_map(
        lambda leaf: jnp.ones_like(leaf) if is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        module.weight,
    )
    bias = None if module.bias is None else float64(paramax.unwrap(module.bias))
    weight, mask = float64(paramax.unwrap(module.weight)), float64(paramax.unwrap(ones)) != 0
    if is_array(module.weight):  # its wrappers may be gone, which put 0 where they masked, and never -0
        mask &= (weight != 0) | np.signbit(weight)
    return _Linear(weight, mask, bias)


def _values(function, grid: np.ndarray) -> np.ndarray:
    """An equinox MLP applies its activation to one number at a time."""
    import jax

    if any(is_array(leaf) for leaf in jax.tree_util.tree_leaves(function)):
        raise ValueError("the activation has parameters of its own")
    return np.asarray(jax.vmap(jax.vmap(function))(grid))
