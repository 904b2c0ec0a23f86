"""A flow for JAX: in jit and vmap, with the values of the model."""

from __future__ import annotations

import copy
import pickle

import jax
import numpy as np
import pytest
from random_flows import flow as random_flow

import flowrt
from flowrt import Model
from flowrt.file import encode

MODEL = Model(encode(flowrt.compile(random_flow(10, 3, 2))))
PLAIN = Model(encode(flowrt.compile(random_flow(5, 3, 0))))
X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
CONTEXT = np.random.default_rng(1).normal(size=(7, 2)).astype(np.float32)


def test_values_are_those_of_the_model():
    bridge, expected = MODEL.jax(), MODEL.log_prob(X, CONTEXT)
    np.testing.assert_array_equal(bridge.log_prob(X, CONTEXT), expected)
    np.testing.assert_array_equal(jax.jit(bridge.log_prob)(X, CONTEXT), expected)
    np.testing.assert_array_equal(jax.jit(PLAIN.jax().log_prob)(X), PLAIN.log_prob(X))
    z, log_det = jax.jit(bridge.forward)(X, CONTEXT)
    np.testing.assert_array_equal(z, MODEL.forward(X, CONTEXT)[0])
    x, back = bridge.inverse(z, CONTEXT)
    np.testing.assert_allclose(x, X, atol=1e-3)
    np.testing.assert_allclose(back, -log_det, atol=1e-3)


def test_a_row_is_a_number_and_vmap_makes_batches():
    bridge, expected = MODEL.jax(), MODEL.log_prob(X, CONTEXT)
    assert bridge.log_prob(X[0], CONTEXT[0]).shape == () == jax.jit(PLAIN.jax().log_prob)(X[0]).shape
    np.testing.assert_array_equal(jax.vmap(bridge.log_prob)(X, CONTEXT), expected)
    shared = jax.vmap(bridge.log_prob, in_axes=(0, None))
    np.testing.assert_array_equal(shared(X, CONTEXT[2]), MODEL.log_prob(X, CONTEXT[2]))
    all_pairs = jax.jit(jax.vmap(shared, in_axes=(None, 0)))(X, CONTEXT)
    np.testing.assert_array_equal(all_pairs, MODEL.log_prob(X[None], CONTEXT[:, None]))
    z, log_det = jax.vmap(bridge.forward, in_axes=(0, None))(X, CONTEXT[1])
    np.testing.assert_array_equal(z, MODEL.forward(X, CONTEXT[1])[0])


def test_a_key_is_a_seed():
    bridge, key = MODEL.jax(), jax.random.key(3)
    first = bridge.sample(key, 5, CONTEXT[0])
    np.testing.assert_array_equal(first, jax.jit(lambda key: bridge.sample(key, 5, CONTEXT[0]))(key))
    assert not np.array_equal(first, bridge.sample(jax.random.key(4), 5, CONTEXT[0]))
    assert bridge.sample(key, 5, CONTEXT[:, None]).shape == (7, 5, 3)
    each = jax.vmap(lambda key: PLAIN.jax().sample(key, 5))(jax.random.split(key, 3))
    assert each.shape == (3, 5, 3) and not np.array_equal(each[0], each[1])


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_it_is_copied_and_pickled_with_its_gradients(duplicate):
    bridge = duplicate(MODEL.jax())
    np.testing.assert_array_equal(jax.jit(bridge.log_prob)(X, CONTEXT), MODEL.log_prob(X, CONTEXT))
    gradient = jax.grad(lambda x: bridge.log_prob(x, CONTEXT).sum())(X)
    np.testing.assert_array_equal(gradient, MODEL.log_prob_gradient(X, CONTEXT)[1])
