"""The posterior of models/source_maf.flw by an integral over values of the float64 evaluator: no chain, no gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import flowrt

MODELS = Path(__file__).resolve().parents[2] / "models"
FILE = MODELS / "source_maf.flw"
READINGS = np.loadtxt(MODELS / "source_readings.csv", delimiter=",").astype(np.float32)
AXES = np.linspace(0.2, 1.1, 46), np.linspace(-0.9, 0.0, 46)  # which hold the posterior of all readings


def moments(readings=READINGS, axes=AXES):
    """Mean (2,), standard deviations (2,) and correlation of theta, whose prior is N(0, 1)."""
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    rows, contexts = np.tile(readings, (len(theta), 1)), np.repeat(theta, len(readings), axis=0)
    log_p = flowrt.reference.log_prob(str(FILE), rows, contexts).reshape(len(theta), -1).sum(1)
    log_p -= (theta**2).sum(1) / 2
    weights = np.exp(log_p - log_p.max())
    square = weights.reshape([len(axis) for axis in axes])
    assert max(np.max(edge) for edge in (square[0], square[-1], square[:, 0], square[:, -1])) < 1e-4
    weights /= weights.sum()
    mean = weights @ theta
    covariance = (weights[:, None] * (theta - mean)).T @ (theta - mean)
    sd = np.sqrt(np.diag(covariance))
    return mean, sd, covariance[0, 1] / sd[0] / sd[1]
