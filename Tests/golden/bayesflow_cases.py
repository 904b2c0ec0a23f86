"""The golden cases of bayesflow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
import bayesflow as bf  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "tests" / "frameworks" / "bayesflow"))
from bayesflow_models import randomise, standardised  # noqa: E402


def flow(features=4, context=0, clamp=True, widths=(12, 8), **options):
    names = ("activation", "residual", "norm")
    subnet = {"widths": widths, **{name: options.pop(name) for name in names if name in options}}
    network = bf.networks.CouplingFlow(
        depth=2, subnet_kwargs=subnet, transform_kwargs={"clamp": clamp}, **options
    )
    network.build((None, features), (None, context) if context else None)
    return network


def approximator(context=3):
    return standardised(flow(4, context), 4, context, np.random.default_rng(0), "all")


def spline(features=3, context=0, **options):
    network = bf.networks.CouplingFlow(
        depth=1, transform="spline", subnet_kwargs={"widths": (6,)}, transform_kwargs={"bins": 4, **options}
    )
    network.build((None, features), (None, context) if context else None)
    return network


CASES = {
    "bayesflow_affine": flow,
    "bayesflow_unclamped": lambda: flow(clamp=False, permutation="swap", activation="silu"),
    "bayesflow_residual": lambda: flow(residual=True, activation="mish", norm="batch"),
    "bayesflow_orthogonal": lambda: flow(permutation="orthogonal", activation="relu", use_actnorm=False),
    "bayesflow_context": lambda: flow(context=3, activation="tanh"),
    "bayesflow_standardised": approximator,
    "bayesflow_spline": spline,
    "bayesflow_spline_context": lambda: spline(2, 2, bins=3, default_domain=(-2.0, 4.0, -5.0, 1.0), min_bin_height=0.0),
    "bayesflow_diagonal_normal": lambda: flow(base_distribution=bf.distributions.DiagonalNormal(mean=0.5, std=2.0)),
}


def random_model(name: str, seed: int, gain: float):
    """The model of a case with random weights."""
    keras.utils.set_random_seed(seed)
    model = CASES[name]()
    randomise(getattr(model, "inference_network", model), np.random.default_rng(seed), 2 * gain)
    return model
