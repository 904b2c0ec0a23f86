"""Mixtures of normals: one whose covariances are full, as a MADE of mixtures, and what nflows has of the latter.

Given the coordinates before it, a coordinate of a mixture of K normals N(mean_k, L_k L_k^T) is a mixture of K normals
itself. With r_k = L_k^-1 (z - mean_k), lower triangular in z, coordinate i has

    logit_k = log weight_k - sum_{j<i} (log L_k[j, j] + r_k[j]^2 / 2)
    mean_k  = mean_k[i] + sum_{j<i} L_k[i, j] r_k[j]
    std_k   = L_k[i, i]

The squares are a layer gated by itself. The softmax over the logits divides out what the coordinates before have in
common, so the product over i is the density of the whole.
"""

from __future__ import annotations

import numpy as np

from ..errors import ExportError
from ..file.codes import Scale
from ..flow import flow as ir
from .output_rows import reordered


def full_normal(mean: np.ndarray, scale_tril: np.ndarray) -> ir.AutoregressiveMixture:
    """N(mean, L L^T) with mean (D,) and lower triangular L (D, D)."""
    return full_mixture(np.zeros(1), mean[None], scale_tril[None])


def full_mixture(logits: np.ndarray, mean: np.ndarray, scale_tril: np.ndarray) -> ir.AutoregressiveMixture:
    """A mixture with logits (K,), means (K, D) and lower triangular L (K, D, D) with positive diagonals."""
    count, dim = mean.shape
    inverse = np.linalg.inv(scale_tril)
    log_diagonal = np.log(np.diagonal(scale_tril, axis1=1, axis2=2))
    bias = np.zeros((dim, 3, count))
    bias[:, 0] = logits - np.logaddexp.reduce(logits) - (np.cumsum(log_diagonal, axis=1) - log_diagonal).T
    bias[:, 1] = mean.T
    bias[:, 2] = log_diagonal.T

    of_squares, of_residuals = np.zeros((2, dim, 3, count, count, dim))
    earlier = np.tri(dim, k=-1)
    for k in range(count):
        of_squares[:, 0, k, k] = -earlier / 2
        of_residuals[:, 1, k, k] = earlier * scale_tril[k]

    weight = inverse.reshape(count * dim, dim)
    mask = np.tile(np.tri(dim, dtype=bool), (count, 1))
    shift = -np.einsum("kij,kj->ki", inverse, mean).reshape(-1)
    rows, columns = 3 * count * dim, count * dim
    of_squares, of_residuals = of_squares.reshape(rows, columns), of_residuals.reshape(rows, columns)
    seen = np.broadcast_to(earlier[:, None, None, None] > 0, (dim, 3, count, count, dim)).reshape(rows, columns)
    layers = [
        ir.Layer(shift, weight, mask, ir.READ),
        ir.Layer(shift, weight, mask, ir.READ, gate=0),
        ir.Layer(np.zeros(rows), of_residuals, seen, 0),
        ir.Layer(bias.reshape(-1), of_squares, seen, 1, add=[ir.Add(2)]),
    ]
    return ir.AutoregressiveMixture(layers, count, Scale.EXP)


def made_mixture(made, layers: list, dim: int) -> ir.AutoregressiveMixture:
    """The density of nflows' MixtureOfGaussiansMADE, live or not, with the layers of its network.

    Rows of a coordinate are logit, mean, raw std of one component after the other; std = softplus + epsilon. sbi's
    network may have one feature more, in front, which is always 0 and whose own mixture is not used.
    """
    components = made.num_mixture_components
    read, output = layers[0], layers[-1]
    extra = read.weight.shape[1] - dim
    if extra not in (0, 1):
        raise ExportError(f"{type(made).__name__} has {read.weight.shape[1]} features, the flow {dim}")
    read.weight, read.mask = read.weight[:, extra:], read.mask[:, extra:]
    rows = np.arange(extra * 3 * components, output.width).reshape(dim, components, 3)
    reordered(output, rows.transpose(0, 2, 1).reshape(-1))
    return ir.AutoregressiveMixture(layers, components, Scale.SOFTPLUS, (float(made.epsilon),))
