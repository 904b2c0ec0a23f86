"""Random flows of pzflow."""

from __future__ import annotations

import jax
import numpy as np
from pzflow import Flow, bijectors, distributions


def random_flow(seed: int, trained: float = 1.0):
    """A flow of random bijectors and latents; `trained` is the size of what is added to its parameters."""
    generator = np.random.default_rng(seed)
    dim, conditions = int(generator.choice([2, 3, 4, 7])), int(generator.choice([0, 0, 1, 3]))
    bound = float(generator.uniform(2, 6))
    options = {
        "K": int(generator.integers(2, 17)),
        "B": bound,
        "hidden_layers": int(generator.integers(0, 4)),
        "hidden_dim": int(generator.integers(1, 24)),
        "n_conditions": conditions,
    }
    low = generator.normal(size=dim) * 3
    latent = generator.choice(["CentBeta13", "CentBeta13", "Uniform", "Normal"])
    periodic = latent == "Uniform" and generator.random() < 0.5
    begin = [bijectors.ShiftBounds(low, low + generator.uniform(0.5, 20, size=dim), bound * 0.8)]
    if generator.random() < 0.3:
        begin = [bijectors.StandardScaler(low, generator.uniform(0.5, 20, size=dim))]
    if dim > 2 and generator.random() < 0.3:
        begin.insert(0, bijectors.ColorTransform(1, [2, 1] if generator.random() < 0.5 else [1, 2]))
    middle = [bijectors.Reverse, bijectors.Shuffle, lambda: bijectors.Scale(1.3)][int(generator.integers(3))]
    if generator.random() < 0.5:
        parts = [bijectors.RollingSplineCoupling(int(generator.integers(1, dim + 1)), periodic=periodic, **options)]
    else:
        changed = int(generator.integers(1, dim))
        coupling = bijectors.NeuralSplineCoupling(transformed_dim=changed, periodic=periodic, **options)
        parts = [coupling, middle(), bijectors.NeuralSplineCoupling(**options)]
    arguments = (dim,) if latent == "Normal" else (dim, bound)
    flow = Flow(
        [f"x{i}" for i in range(dim)],
        bijectors.Chain(*begin, *parts),
        getattr(distributions, latent)(*arguments),
        [f"c{i}" for i in range(conditions)] if conditions else None,
        seed=seed,
    )
    if conditions:
        flow._condition_means = jax.numpy.asarray(generator.normal(size=conditions))
        flow._condition_stds = jax.numpy.asarray(generator.uniform(0.5, 3, size=conditions))
    moved = jax.tree_util.tree_map(
        lambda value: value + trained * 0.15 * generator.normal(size=value.shape).astype(np.float32), flow._params[1]
    )
    flow._params = (flow._params[0], moved)
    return flow
