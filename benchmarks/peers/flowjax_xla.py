"""JAX by flowjax, compiled by XLA: its MaskedAutoregressive, flips between the steps, masks applied beforehand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import paramax
from flowjax.bijections import Affine, Chain, Flip, MaskedAutoregressive
from flowjax.distributions import StandardNormal
from jax.nn import softplus

from flows import EPSILON
from worker import Base


def step(flow, s):
    """One step, data to noise."""
    size = flow.size
    scale = paramax.Parameterize(lambda raw: softplus(raw) + EPSILON, jnp.zeros(()))
    layer = MaskedAutoregressive(
        jax.random.key(0),
        transformer=eqx.tree_at(lambda affine: affine.scale, Affine(), scale, is_leaf=lambda leaf: leaf is None),
        dim=size.dim,
        nn_width=size.hidden,
        nn_depth=2,
        nn_activation=jnp.tanh if size.activation == "tanh" else jax.nn.relu,
    )
    layer = paramax.unwrap(layer)  # weights with their masks applied
    w1, b1, w2, b2, w3, b3 = flow.ascending_step(s)
    # Rows of the output layer: (t, a) of each coordinate in turn.
    w3, b3 = (part.reshape(2, size.dim, -1).swapaxes(0, 1).reshape(part.shape) for part in (w3, b3))
    for number, (weight, bias) in enumerate(((w1, b1), (w2, b2), (w3, b3))):
        layer = eqx.tree_at(
            lambda layer, n=number: [
                layer.masked_autoregressive_mlp.layers[n].weight,
                layer.masked_autoregressive_mlp.layers[n].bias,
            ],
            layer,
            [jnp.asarray(weight), jnp.asarray(bias)],
        )
    return layer


class Peer(Base):
    packages = ("jax", "flowjax")

    def __init__(self, flow, folder, name):
        jax.clear_caches()
        size, layers = flow.size, []
        for s in range(size.steps):
            layers += [step(flow, s), Flip((size.dim,))]
        if size.steps % 2:
            layers.pop()
        self.transform = Chain(layers)
        self.base = StandardNormal((size.dim,))
        self.key = jax.random.key(0)

        def log_prob(transform, x):
            z, log_det = jax.vmap(transform.transform_and_log_det)(x)
            return self.base.log_prob(z) + log_det

        def inverse(transform, z):
            return jax.vmap(transform.inverse)(z)

        def sample(transform, key, count):
            return inverse(transform, self.base.sample(key, (count,)))

        def gradient(transform, x):
            values, pull_back = jax.vjp(lambda x: log_prob(transform, x), x)
            return values, *pull_back(jnp.ones_like(values))

        functions = (log_prob, gradient, inverse, sample)
        self.compiled = {function.__name__: eqx.filter_jit(function) for function in functions}

    def prepare(self, rows):
        return jnp.asarray(rows)

    def log_prob(self, x):
        return self.compiled["log_prob"](self.transform, x).block_until_ready()

    def gradient(self, x):
        return jax.block_until_ready(self.compiled["gradient"](self.transform, x))[1]

    def inverse(self, z):
        return self.compiled["inverse"](self.transform, z).block_until_ready()

    def sample(self, count):
        self.key = jax.random.fold_in(self.key, 1)
        return self.compiled["sample"](self.transform, self.key, count).block_until_ready()
