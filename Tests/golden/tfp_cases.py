"""Cases of TensorFlow Probability for docs/EXPORTERS.md, which has an environment of its own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfb, tfd = tfp.bijectors, tfp.distributions


def randomised(network, gain=0.5):
    """The network with random weights and biases; what is masked stays zero."""
    generator = np.random.default_rng(0)
    for variable in network.variables:
        value = variable.numpy()
        moved = generator.normal(scale=gain / np.sqrt(max(value.shape[0], 1)), size=value.shape)
        variable.assign(np.where(value != 0, moved, 0) if value.ndim == 2 else moved)
    return network


def maf(features=4, context=0, **options):
    if context:
        options.update(conditional=True, conditional_event_shape=[context])
    options = {"params": 2, "activation": "tanh", **options}
    network = tfb.AutoregressiveNetwork(event_shape=[features], hidden_units=[12], **options)
    network.build((None, features))
    return tfb.MaskedAutoregressiveFlow(randomised(network))


def coupling(masked):
    function = tfb.real_nvp_default_template([12])
    layer = tfb.RealNVP(num_masked=masked, shift_and_log_scale_fn=function)
    layer.inverse(tf.zeros((1, 4)))
    randomised(function)
    return layer


def flow(*bijectors, features=4, base=None):
    base = base or tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[features])
    return tfd.TransformedDistribution(base, tfb.Chain(list(bijectors)))


def mixture():
    means, stds = [[-1.0, 0, 1, 0], [2.0, 1, 0, 1]], [[1.5] * 4] * 2
    components = tfd.MultivariateNormalDiag(loc=means, scale_diag=stds)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), components)


def spline():
    return tfb.RationalQuadraticSpline([1.0, 2, 1], [2.0, 1, 1], [0.5, 2.0], range_min=-2.0)


CASES = {
    "tfp_maf": lambda: flow(maf(), tfb.Permute([2, 0, 3, 1]), maf(activation="relu")),
    "tfp_maf_context": lambda: flow(maf(context=3), tfb.Permute([2, 0, 3, 1]), maf(context=3)),
    "tfp_maf_context_first_layer": lambda: flow(maf(context=3, conditional_input_layers="first_layer")),
    "tfp_iaf": lambda: flow(tfb.Invert(maf())),
    "tfp_order": lambda: flow(maf(input_order="right-to-left")),
    "tfp_one_feature": lambda: flow(maf(1, 2), features=1),
    "tfp_real_nvp": lambda: flow(coupling(2), tfb.Permute([2, 0, 3, 1]), coupling(-2)),
    "tfp_diagonal": lambda: flow(tfb.Shift([1.0, 0, 2, 3]), tfb.ScaleMatvecDiag([0.5, 2.0, 1.0, 1.5]), maf()),
    "tfp_exp": lambda: flow(tfb.Exp(), maf()),
    "tfp_spline": lambda: flow(maf(), spline()),
    "tfp_diagonal_normal": lambda: flow(
        maf(), base=tfd.MultivariateNormalDiag(loc=[0.0, 1, 2, 3], scale_diag=[1.0, 2, 1, 2])
    ),
    "tfp_uniform": lambda: flow(maf(), base=tfd.Sample(tfd.Uniform(-4.0, 4.0), sample_shape=[4])),
    "tfp_mixture": lambda: flow(maf(), base=mixture()),
}
