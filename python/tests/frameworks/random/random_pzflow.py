"""Random flows of pzflow."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
from pzflow import Flow, bijectors, distributions


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a flow, and rows of x and of the context."""
    shape.features = min(max(shape.features, 2), 20)
    shape.context = min(shape.context, 100)
    x, c = shape.data()
    bound = 5.0
    kind = shape.pick("default", "rolling", "couplings", "normal")
    names = [f"x{i}" for i in range(shape.features)]
    given = [f"c{i}" for i in range(shape.context)]
    latent = None if kind == "default" else shape.pick(distributions.CentBeta13, distributions.Uniform)(
        shape.features, bound
    )  # fmt: skip
    if kind == "normal":
        latent = distributions.Normal(shape.features)
    flow = Flow(names, None if kind == "default" else _bijector(kind, shape, x, bound), latent, given or None,
                seed=shape.seed)  # fmt: skip
    columns = pd.DataFrame(np.hstack([part for part in (x, c) if part is not None]), columns=names + given)
    if kind == "default" or given or shape.weights == "trained":  # training makes what was not given
        flow.train(columns, epochs=3 if shape.weights == "trained" else 1, verbose=False)
    if shape.weights == "random":
        gain = float(shape.rng.uniform(0.02, 0.2))
        flow._params = (flow._params[0], jax.tree_util.tree_map(
            lambda leaf: leaf + shape.rng.normal(scale=gain, size=np.shape(leaf)).astype(np.float32), flow._params[1]
        ))  # fmt: skip
    return kind, flow, (x, c)


def _bijector(kind: str, shape, x, bound: float):
    """As pzflow's guide makes it: bounds of the data first, splines behind them."""
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.1 * (high - low)
    options = {
        "K": shape.pick(4, 8, 16),
        "B": bound,
        "hidden_layers": shape.pick(1, 2),
        "hidden_dim": shape.hidden,
        "n_conditions": shape.context,
    }
    first = bijectors.ShiftBounds(low - margin, high + margin, bound - 1)
    if kind == "normal":
        first = bijectors.StandardScaler(x.mean(axis=0), x.std(axis=0))
    if kind == "rolling":
        return bijectors.Chain(first, bijectors.RollingSplineCoupling(min(shape.layers, 4), **options))
    parts = [first]
    for _ in range(min(shape.layers, 4)):
        changed = int(shape.rng.integers(1, shape.features))
        parts.append(bijectors.NeuralSplineCoupling(transformed_dim=changed, **options))
        parts.append(shape.pick(bijectors.Reverse, bijectors.Shuffle, lambda: bijectors.Roll(1))())
    return bijectors.Chain(*parts)
