"""The golden cases of pzflow. Its default latent is not among them: a file has it to eight digits, not to twelve."""

from __future__ import annotations

import jax
import numpy as np
from pzflow import Flow, bijectors, distributions

NETWORK = {"K": 5, "B": 4.0, "hidden_layers": 2, "hidden_dim": 12}
LOW, HIGH = np.array([-2.0, -3.0, -4.0, -1.5]), np.array([3.0, 2.0, 2.5, 4.0])


def flow(*parts, latent=None, conditions=0):
    columns = [f"c{i}" for i in range(conditions)] if conditions else None
    chain = bijectors.Chain(*parts)
    found = Flow(["a", "b", "c", "d"], chain, latent or distributions.Normal(4), columns)
    if conditions:
        found._condition_means, found._condition_stds = np.arange(conditions) * 0.5, np.arange(conditions) + 1.5
    return found


def bounds():
    return bijectors.ShiftBounds(LOW, HIGH, 3.0)


CASES = {
    "pzflow_rolling": lambda: flow(bounds(), bijectors.RollingSplineCoupling(2, **NETWORK)),
    "pzflow_colors": lambda: flow(
        bijectors.ColorTransform(1, [2, 1, 3]),
        bijectors.StandardScaler(np.ones(4), np.arange(4) + 1.0),
        bijectors.NeuralSplineCoupling(transformed_dim=1, **NETWORK),
        bijectors.Reverse(),
        bijectors.NeuralSplineCoupling(**NETWORK),
    ),
    "pzflow_uniform": lambda: flow(
        bounds(), bijectors.RollingSplineCoupling(1, **NETWORK), latent=distributions.Uniform(4, 4.0)
    ),
    "pzflow_periodic": lambda: flow(
        bounds(),
        bijectors.RollingSplineCoupling(2, periodic=True, **NETWORK),
        latent=distributions.Uniform(4, 4.0),
    ),
}


def random_model(name: str, seed: int, gain: float):
    """The model of a case with random weights."""
    model, generator = CASES[name](), np.random.default_rng(seed)

    def moved(value):
        return value + np.float32(0.2 * gain) * generator.normal(size=value.shape).astype(np.float32)

    model._params = (model._params[0], jax.tree_util.tree_map(moved, model._params[1]))
    return model
