"""Gradients of a flow in JAX: those of the live model, under every transformation, and posteriors by NUTS."""

from __future__ import annotations

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from flowjax.distributions import StandardNormal
from flowjax.flows import masked_autoregressive_flow
from numpyro.infer import MCMC, NUTS
from random_flows import flow as random_flow
from source_posterior import FILE, READINGS, moments

import flowrt
from flowrt.file import encode
from flowrt.frameworks import choose


def live_flow():
    with jax.enable_x64(True):
        base = StandardNormal((4,))
        flow = masked_autoregressive_flow(jax.random.key(0), base_dist=base, cond_dim=3, flow_layers=2, nn_width=24)
        leaves, structure = jax.tree_util.tree_flatten(flow)
        rng = np.random.default_rng(0)
        floats = [isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
        moved = [leaf + rng.normal(scale=0.3, size=leaf.shape) if ok else leaf for leaf, ok in zip(leaves, floats)]
        return jax.tree_util.tree_unflatten(structure, moved)


EXACT = live_flow()
MODEL = flowrt.Model(encode(flowrt.compile(choose(EXACT).describe(EXACT))))
BRIDGE = MODEL.jax()
X = np.random.default_rng(1).normal(size=(9, 4)).astype(np.float32)
CONTEXT = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)

SHAPES = {  # x and context
    "a row each": (X, CONTEXT),
    "one context": (X, CONTEXT[0]),
    "one row": (X[0], CONTEXT),
    "one of each": (X[0], CONTEXT[0]),
    "all pairs": (X[None, :5], CONTEXT[:6, None]),
}


@pytest.mark.parametrize("given", SHAPES.values(), ids=SHAPES)
def test_gradients_are_those_of_the_live_model(given):
    exact = exact_gradients(*given)
    function = jax.grad(total(BRIDGE.log_prob), (0, 1))
    for gradients in (function(*given), jax.jit(function)(*given)):
        for found, expected, argument in zip(gradients, exact, given):
            assert found.shape == argument.shape and found.dtype == np.float32
            assert np.max(np.abs(found - expected)) < 2e-5 * (1 + np.max(np.abs(expected)))


def total(log_prob):
    """The sum of log p with the weights 1, 2, ..., by which a row in the wrong place is noticed."""

    def function(x, context):
        values = log_prob(x, context)
        return (values * (1 + jnp.arange(values.size, dtype=values.dtype).reshape(values.shape))).sum()

    return function


@jax.jit
def live_gradients(x, context):
    return jax.vmap(jax.grad(EXACT.log_prob, (0, 1)))(x, context)


def exact_gradients(*given):
    """Those of `total` in float64: the live model row by row, and sums over what was broadcast."""
    shape = np.broadcast_shapes(*(part.shape[:-1] for part in given))
    count = int(np.prod(shape))
    rows = [np.broadcast_to(part, (*shape, part.shape[-1])).reshape(count, -1) for part in given]
    with jax.enable_x64(True):  # 30 rows: one shape to compile for
        padded = [np.concatenate([part, np.zeros((30 - count, part.shape[1]))]) for part in rows]
        found = [np.asarray(part)[:count] for part in live_gradients(*padded)]
    weights = 1.0 + np.arange(count)
    return [summed((weights[:, None] * part).reshape(*shape, -1), argument) for part, argument in zip(found, given)]


def summed(gradient, argument):
    lengths = (1,) * (gradient.ndim - argument.ndim) + argument.shape
    axes = tuple(i for i, length in enumerate(lengths[:-1]) if length == 1)
    return gradient.sum(axes).reshape(argument.shape)


def test_transformations_of_jax():
    _, by_x, by_context = MODEL.log_prob_gradient(X, CONTEXT)
    each = jax.vmap(jax.grad(BRIDGE.log_prob, (0, 1)))
    for function in (each, jax.jit(each)):
        for found, expected in zip(function(X, CONTEXT), (by_x, by_context)):
            np.testing.assert_array_equal(found, expected)
    shared = jax.vmap(jax.grad(BRIDGE.log_prob, 1), in_axes=(0, None))(X, CONTEXT[4])
    np.testing.assert_array_equal(shared, MODEL.log_prob_gradient(X, CONTEXT[4])[2])
    chains = jax.vmap(lambda context: BRIDGE.log_prob(X[:5], context).sum())  # rows that all chains share
    np.testing.assert_allclose(chains(CONTEXT), MODEL.log_prob(X[None, :5], CONTEXT[:, None]).sum(1), rtol=1e-5)
    of_chains = jax.vmap(jax.grad(lambda context: BRIDGE.log_prob(X[:5], context).sum()))(CONTEXT)
    pairs = MODEL.log_prob_gradient(X[None, :5], CONTEXT[:, None])[2]
    np.testing.assert_allclose(of_chains, pairs.sum(1), rtol=1e-5, atol=1e-5)
    direction = np.ones_like(X)
    values, slope = jax.jvp(lambda x: BRIDGE.log_prob(x, CONTEXT), (X,), (direction,))
    np.testing.assert_array_equal(values, MODEL.log_prob(X, CONTEXT))
    np.testing.assert_allclose(slope, by_x.sum(1), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(jax.jacfwd(BRIDGE.log_prob)(X[0], CONTEXT[0]), by_x[0])


def test_a_value_and_its_gradient_are_one_call():
    calls = []

    class Counted(flowrt.Model):
        def log_prob(self, *given, **options):
            calls.append("log_prob")
            return super().log_prob(*given, **options)

        def log_prob_gradient(self, *given, **options):
            calls.append("log_prob_gradient")
            return super().log_prob_gradient(*given, **options)

    log_prob = Counted(MODEL.to_bytes()).jax().log_prob
    jax.block_until_ready(jax.jit(jax.value_and_grad(total(log_prob), 1))(X, CONTEXT))
    assert calls == ["log_prob_gradient"]


def test_a_flow_without_context_and_a_mixture():
    data = encode(flowrt.compile(random_flow(5, 4, 0)))
    mixture = flowrt.Mixture(flowrt.mixture.encode_mixture([data, data], np.array([0.3, 0.7])))
    for density in (flowrt.Model(data), mixture):
        found = jax.grad(lambda x, density=density: density.jax().log_prob(x).sum())(X)
        np.testing.assert_array_equal(found, density.log_prob_gradient(X)[1])


def test_in_float64_the_numbers_are_those_of_float32():
    with jax.enable_x64(True):
        x = jnp.asarray(X, jnp.float64)
        found = jax.grad(lambda x: BRIDGE.log_prob(x, CONTEXT).sum())(x)
        assert found.dtype == np.float64 and BRIDGE.log_prob(x, CONTEXT).dtype == np.float32
    np.testing.assert_array_equal(found, MODEL.log_prob_gradient(X, CONTEXT)[1])


@pytest.mark.parametrize(
    "function, text",
    [
        (jax.hessian(lambda c: BRIDGE.log_prob(X[0], c)), "a second derivative of log p is asked for"),
        (jax.grad(lambda c: BRIDGE.forward(X[0], c)[1]), "a derivative of forward is asked for, and only log_prob has"),
        (jax.grad(lambda c: BRIDGE.inverse(X[0], c)[1]), "a derivative of inverse is asked for, and only log_prob has"),
        (jax.grad(lambda c: BRIDGE.sample(jax.random.key(0), 3, c).sum()), "a derivative of sample is asked for"),
    ],
)
def test_what_has_no_derivative_says_so(function, text):
    for call in (function, jax.jit(function)):
        with pytest.raises(flowrt.Error, match=text):
            call(CONTEXT[0])
    stopped = jax.grad(lambda c: BRIDGE.forward(X[0], jax.lax.stop_gradient(c))[1])(CONTEXT[0])
    np.testing.assert_array_equal(stopped, np.zeros(3))


# ---- a posterior ----

SOURCE = flowrt.Model(FILE)


def of_numpyro():
    def model():
        theta = numpyro.sample("theta", dist.Normal(0, 1).expand([2]).to_event(1))
        numpyro.factor("likelihood", SOURCE.jax().log_prob(READINGS, theta).sum())

    many = {"num_chains": 4, "chain_method": "vectorized"}  # each call of the model has the rows of all chains
    chain = MCMC(NUTS(model), num_warmup=100, num_samples=150, progress_bar=False, **many)
    chain.run(jax.random.key(0), extra_fields=("diverging",))
    assert not chain.get_extra_fields()["diverging"].any()
    return chain.get_samples()["theta"]


def of_blackjax():
    def log_posterior(theta):
        return SOURCE.jax().log_prob(READINGS, theta).sum() - (theta**2).sum() / 2

    warm_up_key, key = jax.random.split(jax.random.key(1))
    warm_up = blackjax.window_adaptation(blackjax.nuts, log_posterior)
    (state, parameters), _ = warm_up.run(warm_up_key, jnp.zeros(2), num_steps=150)
    step = blackjax.nuts(log_posterior, **parameters).step

    def one(state, key):
        state, _ = step(key, state)
        return state, state.position

    return jax.lax.scan(one, state, jax.random.split(key, 500))[1]


@pytest.mark.parametrize("sampler", [of_numpyro, of_blackjax])
def test_the_posterior_of_nuts_is_that_of_an_integral(sampler):
    theta = np.asarray(sampler(), np.float64)
    mean, sd, correlation = moments()
    assert np.all(np.abs(theta.mean(0) - mean) < 0.23 * sd)  # four errors of 300 independent draws
    np.testing.assert_allclose(theta.std(0), sd, rtol=0.17)
    assert abs(np.corrcoef(theta.T)[0, 1] - correlation) < 0.2
