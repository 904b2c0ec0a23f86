"""Bijectors of TensorFlow Probability that multiply by a matrix."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names
from ...flow import flow as ir
from .networks import cast

CLASSES = {"ScaleMatvecLU", "ScaleMatvecTriL", "ScaleMatvecLinearOperator"}


def step(layer, dim: int) -> ir.Linear:
    """data = matrix noise, with the matrix in float64."""
    import tensorflow as tf

    matrix = float64(copied(layer, np.float64).forward(tf.eye(dim, dtype=tf.float64))).T
    return ir.Linear(matrix, np.zeros(dim), type(layer).__name__)


def affine(layer):
    """Scale and shift of a bijector from noise to data that has nothing else; None for another one."""
    kinds = class_names(layer)
    if "Shift" in kinds:
        return np.ones(()), float64(layer.shift)
    if "Scale" in kinds and layer.scale is not None:
        return float64(layer.scale), np.zeros(())
    if "Scale" in kinds:
        return np.exp(float64(layer.log_scale)), np.zeros(())
    if "ScaleMatvecDiag" in kinds:
        return float64(layer.scale.diag_part()), np.zeros(())
    return None


def copied(layer, dtype):
    """The bijector with a matrix of another floating-point type."""
    kinds, remake = class_names(layer), type(layer)
    if "ScaleMatvecLU" in kinds:
        return remake(cast(layer.lower_upper, dtype), layer.permutation)
    matrix = cast(layer.scale.to_dense(), dtype)
    if "ScaleMatvecTriL" in kinds:
        return remake(matrix, adjoint=layer.adjoint)
    return remake(_operator(matrix), adjoint=layer.adjoint)


def _operator(matrix):
    import tensorflow as tf

    return tf.linalg.LinearOperatorFullMatrix(matrix, is_non_singular=True)
