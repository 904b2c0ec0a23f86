"""The golden cases of margarine."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from margarine.maf import MAF

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "tests" / "frameworks" / "margarine"))
from margarine_models import randomised  # noqa: E402


def flow(**options):
    data = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32) * [1, 2, 5] + [0, 3, -1]
    return MAF(data, **options)


CASES = {
    "margarine_maf": lambda: flow(number_networks=2, hidden_layers=[12, 8]),
    "margarine_relu_network": lambda: flow(number_networks=1, hidden_layers=[12], activation_func="relu"),
}


def random_model(name: str, seed: int, gain: float):
    """The model of a case with random weights."""
    tf.keras.utils.set_random_seed(seed)
    return randomised(CASES[name](), np.random.default_rng(seed), gain)
