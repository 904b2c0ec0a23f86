"""Copies of a Keras 3 model that compute in another floating-point type, on whatever backend."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from ...errors import ExportError
from ..arrays.keras import retyped


@contextmanager
def floatx(dtype):
    """Keras' default floating-point type, and that of its layers, is another one for a while.

    On PyTorch, Keras computes results of float64 in float32; its table that says so says otherwise for that while.
    """
    import keras

    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    table = _narrowing_table()
    narrowed = table.get("float64")
    keras.config.set_floatx(np.dtype(dtype).name)
    keras.config.set_dtype_policy(np.dtype(dtype).name)
    table["float64"] = "float64"
    try:
        yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)
        table["float64"] = narrowed


def _narrowing_table() -> dict:
    try:
        from keras.src.backend.common import dtypes

        return dtypes.BIT64_TO_BIT32_DTYPE
    except (ImportError, AttributeError):  # another version of Keras; the comparison tells whether it narrows
        return {}


def copied(network, context_dim: int, dtype):
    """A coupling flow of the same configuration in `dtype`, with the weights of the one given."""
    dim = int(network.base_distribution.dim)
    with floatx(dtype):
        copy = type(network).from_config(retyped(network.get_config(), np.dtype(dtype).name))
        copy.build((None, dim), (None, context_dim) if context_dim else None)
        weights = network.get_weights()
        if [np.shape(value) for value in copy.get_weights()] != [np.shape(value) for value in weights]:
            raise ExportError(f"a copy of {type(network).__name__} made of its configuration has other weights")
        copy.set_weights(weights)
    return copy
