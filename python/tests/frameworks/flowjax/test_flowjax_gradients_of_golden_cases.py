"""Gradients of every golden case of flowjax: against `jax.grad` of the live model, and its slope."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flowjax_cases import CASES, random_model
from gradient_case import require_gradients


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_live_model(name):
    model, calls = random_model(name, 0, 0.5), []

    def automatic(live, x, context):
        """Called for single precision, then for double."""
        calls.append(live)
        double = len(calls) == 2
        with jax.enable_x64(double):
            dtype = jnp.float64 if double else jnp.float32
            flow = jax.tree_util.tree_map(
                lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, model
            )
            given = [jnp.asarray(part, dtype) for part in (x, context) if part is not None]
            gradient = jax.jit(jax.grad(lambda *given: flow.log_prob(*given).sum(), tuple(range(len(given)))))
            return [np.asarray(part, np.float64) for part in gradient(*given)]

    require_gradients(model, automatic)
