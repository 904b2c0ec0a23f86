"""pzflow 4: a `Flow`, or the dictionary that its file holds (`pickle.load` of what `Flow.save` wrote).

Bijectors map data to noise. Both forms hold the names and the arguments of the bijectors, `bijector_info`, and their
parameters, `params`; only what a `Shuffle` has drawn is in the live object alone. The context is the conditional
columns, which a flow standardises.

The default latent density is a beta density on [-B, B], which no file has: it becomes a standard normal, behind its own
distribution function and the quantile function of the normal (`latents`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names
from ...building.standardisation import of_standardised_context
from ...errors import ExportError
from ...flow import flow as ir
from ..arrays.evaluation import ArrayModel, of_few_shapes, standard_normal_log_prob
from ..torch.overrides import require_own
from . import latents
from .bijectors import leaves, steps_of

framework = "pzflow"
dtypes = (np.float32, np.float64)

_STATE = {"bijector_info", "params", "latent_info", "data_columns"}


def accepts(model) -> bool:
    """Whether the object looks like a flow of pzflow."""
    return hasattr(model, "_bijector_info") and hasattr(model, "latent") and hasattr(model, "data_columns")


def is_stored(model) -> bool:
    """Whether this is the dictionary that the file of a flow holds."""
    return isinstance(model, Mapping) and _STATE <= set(model)


def of_stored(state):
    """The flow of such a dictionary, as pzflow makes it, or, where pzflow is not installed, of its arrays alone."""
    described = describe(state)
    try:
        from pzflow import Flow
    except ImportError:
        return described
    flow = Flow.__new__(Flow)
    flow.__setstate__(dict(state))
    return flow


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model. Raises `ExportError` with the name of whatever a file cannot hold."""
    state = _state(model)
    dim = len(state["data_columns"])
    conditions = len(state["conditional_columns"] or ())
    if context_dim not in (None, conditions):
        raise ExportError(f"the flow has {conditions} conditional columns; context_dim is {context_dim}")
    steps = [step for leaf in _leaves(model, state) for step in steps_of(leaf, dim, conditions)]
    last, base = latents.describe(state["latent_info"], dim)
    name = "Flow" if isinstance(model, Mapping) else type(model).__name__
    flow = ir.Flow(dim, conditions, [*steps, *last], base, framework=framework, model=name)
    if not conditions:
        return flow
    mean, std = (float64(state[key]).reshape(-1) for key in ("condition_means", "condition_stds"))
    return of_standardised_context(flow, 1 / std, -mean / std)


def live(model, dtype) -> ArrayModel:
    """The framework's own bijectors, made anew of their names and arguments in the precision that is asked for."""
    import jax
    import jax.numpy as jnp

    if not isinstance(model, Mapping):
        require_own(model, "_log_prob", "log_prob", "sample")
    state = _state(model)
    dim = len(state["data_columns"])
    parts = _leaves(model, state)
    with latents.precision(dtype):
        functions = [leaf.functions(dim, dtype) for leaf in parts]
        params = [jax.tree_util.tree_map(lambda value: jnp.asarray(value, dtype), leaf.params) for leaf in parts]
    conditional = bool(state["conditional_columns"])

    def chain(inverse: bool):
        pairs = list(zip(functions, params))[:: -1 if inverse else 1]

        def rows(values, given):
            log_det = jnp.zeros(len(values), dtype)
            for both, own in pairs:
                values, change = both[inverse](own, values, conditions=given)
                log_det = log_det + change
            return values, log_det

        return jax.jit(rows)

    chains = [chain(False), chain(True)]

    def run(values, context, inverse: bool):
        with latents.precision(dtype):
            values = jnp.asarray(values, dtype)
            given = jnp.zeros((len(values), 1), dtype)
            if conditional:
                mean, std = (jnp.asarray(state[key], dtype) for key in ("condition_means", "condition_stds"))
                given = (jnp.asarray(context, dtype) - mean) / std
            return [np.asarray(part) for part in chains[inverse](values, given)]

    to_latent = of_few_shapes(lambda x, context: run(x, context, False))
    to_data = of_few_shapes(lambda u, context: run(u, context, True))

    def forward(x, context):
        u, log_det = to_latent(x, context)
        z, more = latents.to_noise(state["latent_info"], u)
        return z, log_det + more

    def inverse(z, context):
        u, more = latents.from_noise(state["latent_info"], np.asarray(z, dtype))
        x, log_det = to_data(u, context)
        return x, log_det + more

    def density(x, context):
        u, log_det = to_latent(x, context)
        return latents.log_prob(state, u, dtype) + log_det

    moments = [float64(state[key]).reshape(-1) for key in ("condition_means", "condition_stds") if conditional]
    return ArrayModel(forward, inverse, standard_normal_log_prob, density, moments or None)


def _state(model) -> dict:
    if not isinstance(model, Mapping):
        if "FlowEnsemble" in class_names(model):
            raise ExportError("FlowEnsemble is a mixture of flows: save it with flowrt.save_mixture")
        model = model.__getstate__()
    if model.get("class", "Flow") != "Flow":
        raise ExportError(f"{model['class']} is not supported; supported is Flow")
    if model["bijector_info"] is None:
        raise ExportError("the Flow has no bijector yet: set or train it first")
    return model


def _leaves(model, state) -> list:
    live_function = None if isinstance(model, Mapping) else model._forward
    return leaves(state["bijector_info"], state["params"][1], live_function)
