"""Random models of flowjax."""

from __future__ import annotations

import equinox as eqx
import flowjax.bijections as fb
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.distributions import StandardNormal, Transformed
from flowjax.flows import coupling_flow, masked_autoregressive_flow
from flowjax.train import fit_to_data
from paramax import non_trainable


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model, and rows of x and of the context."""
    shape.context_unit, shape.constant = 1.0, False  # flowjax standardises no contexts
    shape.features = max(shape.features, 2)
    x, c = shape.data()
    c = None if c is None else (c - shape.far).astype(np.float32)
    build = shape.pick(masked_autoregressive_flow, coupling_flow)
    transformer = shape.pick(None, fb.RationalQuadraticSpline(knots=6, interval=4))
    key = jax.random.key(shape.seed)
    flow = build(
        key,
        base_dist=StandardNormal((shape.features,)),
        cond_dim=shape.context or None,
        flow_layers=min(shape.layers, 8),
        nn_width=shape.hidden,
        invert=bool(shape.pick(True, False)),
        **({} if transformer is None else {"transformer": transformer}),
    )
    mean, std = x.mean(axis=0), x.std(axis=0)
    standard = non_trainable(fb.Affine(jnp.asarray(mean), jnp.asarray(std)))
    flow = Transformed(flow.base_dist, fb.Chain([flow.bijection, standard]))
    if shape.weights == "random":
        flow = moved(flow, shape)
    elif shape.weights == "trained":
        data = jnp.asarray(x) if c is None else (jnp.asarray(x), jnp.asarray(c))
        flow, _ = fit_to_data(key, flow, data, max_epochs=4, show_progress=False)
    kind = build.__name__ + (" spline" if transformer is not None else "")
    return kind, flow, (x, c)


def moved(flow, shape):
    """Every trained number moved by a random one."""
    trained, rest = eqx.partition(flow.bijection.bijections[0], eqx.is_inexact_array)
    gain = float(shape.rng.uniform(0.02, 0.2))
    trained = jax.tree_util.tree_map(
        lambda leaf: leaf + jnp.asarray(shape.rng.normal(scale=gain, size=leaf.shape), leaf.dtype), trained
    )
    first = eqx.combine(trained, rest)
    return Transformed(flow.base_dist, fb.Chain([first, *flow.bijection.bijections[1:]]))
