"""margarine 1.4 on TensorFlow: a live `MAF`, or the list that its file holds: `pickle.load` of what `save` wrote.

The data are taken to [0, 1] by the bounds of the prior, and to the real line by the quantile function of the normal.
Then a chain of masked autoregressive flows of TensorFlow Probability follows.

The list has weights alone. Each network has an order of its own, drawn at random and not stored: `MAF.load` draws other
ones, and the flow that it makes is another one. Here the order is what the zeros of the weights say. The activation is
not stored either: it is taken for tanh, the default.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...building.arrays import float64
from ...errors import ExportError
from ...file.codes import Activation, Form, Function, Scale
from ...flow import flow as ir
from ..arrays.evaluation import ArrayModel, standard_normal_log_prob
from ..tfp import flow as tfp
from ..torch.overrides import require_own

framework = "margarine"
dtypes = tfp.dtypes

_STORED = "theta, nets, sample_weights, number_networks, hidden_layers, learning_rate, theta_min, theta_max".split(", ")


def accepts(model) -> bool:
    """Whether the object looks like a MAF of margarine."""
    return all(hasattr(model, name) for name in ("mades", "maf", "theta_min", "theta_max"))


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model. Raises `ExportError` with the name of whatever a file cannot hold."""
    if context_dim:
        raise ExportError(f"{type(model).__name__} of margarine takes no context")
    flow = tfp.describe(_built(model).maf.bijector, 0)
    bounds = float64(model.theta_min), float64(model.theta_max)
    steps = [_to_real_line(*bounds), *flow.steps]
    return replace(flow, steps=steps, framework=framework, model=type(model).__name__)


def live(model, dtype) -> ArrayModel:
    """Bijectors and transformation of the model, in the precision that is asked for; margarine itself has float32."""
    import tensorflow as tf
    from tensorflow_probability import distributions as tfd

    require_own(model, "log_prob", "sample", "__call__")
    flow = tfp.live(_built(model).maf.bijector, dtype)
    low, high = (tf.constant(float64(bound), dtype=dtype) for bound in (model.theta_min, model.theta_max))
    prior, normal = tfd.Uniform(low, high), tfd.Normal(*(tf.constant(value, dtype=dtype) for value in (0, 1)))

    def log_slope(score):
        return tf.reduce_sum(-tf.math.log(high - low) - normal.log_prob(score), axis=-1)

    def forward(x, context):
        score = normal.quantile(prior.cdf(tf.constant(x, dtype=dtype)))
        z, log_det = flow.forward(score, None)
        return z, log_det + log_slope(score)

    def inverse(z, context):
        score, log_det = flow.inverse(z, None)
        return prior.quantile(normal.cdf(tf.constant(score, dtype=dtype))), log_det - log_slope(score)

    return ArrayModel(forward, inverse, standard_normal_log_prob)


def _built(model):
    """The model, whose networks have weights: before training they are drawn by what uses them first."""
    for network in model.mades:
        if not network.built:
            network(np.zeros((1, len(model.theta_min)), np.float32))
    return model


def _to_real_line(low: np.ndarray, high: np.ndarray) -> ir.Elementwise:
    return ir.Elementwise(np.full(len(low), int(Function.PROBIT)), low, high, "prior bounds")


# ---- what MAF.save writes ----


def is_stored(model) -> bool:
    """Whether this is the list that the file of a MAF holds."""
    return isinstance(model, (list, tuple)) and len(model) == len(_STORED) and isinstance(model[4], list)


def of_stored(stored) -> ir.Flow:
    """The flow of such a list. Raises `ExportError` for one that is not that of a MAF."""
    found = dict(zip(_STORED, stored))
    if isinstance(found["nets"], dict):
        raise ExportError(
            "the list is that of a clusterMAF, which has no bounds for its flows: give the live clusterMAF to "
            "flowrt.save_mixture"
        )
    low, high = float64(found["theta_min"]), float64(found["theta_max"])
    steps = [_to_real_line(low, high)]
    steps += [_step(weights, len(low), number) for number, weights in enumerate(found["nets"])]
    return ir.Flow(len(low), 0, steps, framework=framework, model="MAF")


def _step(weights: list, dim: int, number: int) -> ir.Autoregressive:
    """z = (x - shift) exp(-log_scale), of the kernels and biases of one network."""
    layers: list[ir.Layer] = []
    for kernel, bias in zip(weights[::2], weights[1::2]):
        weight = float64(kernel).T
        layers.append(ir.Layer(float64(bias), weight, weight != 0, len(layers) - 1 if layers else ir.READ))
    if not layers or layers[-1].width != 2 * dim:
        raise ExportError(f"network {number} has no {2 * dim} outputs")
    for layer in layers[:-1]:
        layer.activation = Activation.TANH
    output = layers[-1]
    output.bias[1::2] *= -1
    output.weight[1::2] *= -1
    return ir.Autoregressive(layers, ir.Affine(Scale.EXP, (), Form.SHIFT_THEN_SCALE), name=f"network {number}")
