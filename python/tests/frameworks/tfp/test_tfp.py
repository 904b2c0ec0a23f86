"""TensorFlow Probability: options, dimensions, ways to write a conditioner, refusals."""

from __future__ import annotations

import math
import warnings

import keras as keras_3
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st
from live import agree, as_exact_in_c

import flowrt
from flowrt.file.codes import BaseKind, Form, Kind, Reads, Scale, Transformer
from flowrt.frameworks import choose

tfb, tfd = tfp.bijectors, tfp.distributions
layers = tf_keras.layers


def normal(features):
    return tfd.Sample(tfd.Normal(0.0, 1.0), sample_shape=[features])


def flow(*bijectors, features=3):
    return tfd.TransformedDistribution(normal(features), tfb.Chain(list(bijectors)))


def randomised(network, gain=0.5):
    """The network with random weights and biases; what is masked stays zero."""
    generator = np.random.default_rng(0)
    for variable in network.variables:
        value = variable.numpy()
        moved = generator.normal(scale=gain / np.sqrt(max(value.shape[0], 1)), size=value.shape)
        variable.assign(np.where(value != 0, moved, 0) if value.ndim == 2 else moved)
    return network


def made(features=3, context=0, units=(8, 8), **options):
    if context:
        options.update(conditional=True, conditional_event_shape=[context])
    options = {"params": 2, "activation": "tanh", **options}
    network = tfb.AutoregressiveNetwork(event_shape=[features], hidden_units=list(units), **options)
    network.build((None, features))
    return randomised(network)


def maf(*arguments, **options):
    return tfb.MaskedAutoregressiveFlow(made(*arguments, **options))


def template(features, masked, hidden=(8,), **options):
    """A RealNVP with the default network."""
    function = tfb.real_nvp_default_template(list(hidden), **options)
    layer = tfb.RealNVP(num_masked=masked, shift_and_log_scale_fn=function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the template uses a deprecated layer
        layer.inverse(tf.zeros((1, features)))
    randomised(function)
    return layer


def perceptron(inputs, outputs, *activations):
    network = tf_keras.Sequential([layers.Input((inputs,)), *activations, layers.Dense(outputs)])
    return randomised(network)


@settings(max_examples=15)
@given(
    features=st.sampled_from([2, 3, 8]),
    context=st.sampled_from([0, 1, 4]),
    conditional_layers=st.sampled_from(["all_layers", "first_layer"]),
    units=st.lists(st.integers(8, 20), min_size=0, max_size=3),
    activation=st.sampled_from([None, "relu", "tanh", "elu", tf.nn.silu, layers.LeakyReLU(0.3)]),
    order=st.sampled_from(["left-to-right", "right-to-left", "random"]),
    degrees=st.sampled_from(["equal", "random"]),
    bias=st.booleans(),
    inverse=st.booleans(),
    wide=st.booleans(),
)
def test_every_combination_of_options(
    features, context, conditional_layers, units, activation, order, degrees, bias, inverse, wide
):
    layer = maf(
        features,
        context,
        units,
        activation=activation,
        conditional_input_layers=conditional_layers,
        input_order=order,
        hidden_degrees=degrees,
        use_bias=bias,
        **({"dtype": "float64"} if wide else {}),
    )
    permute = tfb.Permute(np.random.permutation(features))
    agree(flow(tfb.Invert(layer) if inverse else layer, permute, features=features), rows=3)


@pytest.mark.parametrize("features", [1, 17, 64])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("inverse", [False, True])
def test_dimensions(features, context, inverse):
    layer = maf(features, context, (70,), activation="relu")
    agree(flow(tfb.Invert(layer) if inverse else layer, features=features), rows=3)


def test_an_explicit_order_is_found_in_the_zeros():
    (step,) = agree(flow(maf(4, input_order=[3, 1, 4, 2]), features=4)).steps
    assert step.data_index.tolist() == [1, 3, 0, 2]


def test_direction_and_form():
    (step,) = agree(flow(maf())).steps
    assert (step.reads, step.form, step.scale) == (Reads.DATA, Form.SHIFT_THEN_SCALE, Scale.EXP)
    (step,) = agree(flow(tfb.Invert(maf()))).steps
    assert step.reads == Reads.NOISE


def test_the_first_feature_sees_the_context_where_all_layers_do():
    """Its parameters are masked from all hidden units, so nothing else brings the context to it."""

    def first_shift_moves(conditional_layers):
        model = flow(maf(3, 2, conditional_input_layers=conditional_layers))
        file = agree(model)
        x = np.ones((2, 3))
        z, _ = flowrt.reference.forward(file, x, np.array([[0.0, 0], [1, 1]]))
        return bool(z[0, 0] != z[1, 0])

    assert first_shift_moves("all_layers")
    assert not first_shift_moves("first_layer")


def test_the_density_of_the_framework_itself():
    """The chain as TensorFlow Probability composes it, not layer by layer."""
    stack = [maf(), tfb.Permute([2, 0, 1]), tfb.Invert(maf(input_order="right-to-left")), tfb.Shift([1.0, 2.0, 3.0])]
    nested = tfb.Chain([tfb.Invert(tfb.Chain(stack)), tfb.Chain(stack)])
    model = tfd.TransformedDistribution(normal(3), nested)
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    ours = flowrt.reference.log_prob(agree(model), x)
    np.testing.assert_allclose(ours, model.log_prob(x), rtol=2e-5, atol=2e-5)


def test_the_density_of_the_framework_itself_with_a_context():
    layer = maf(3, 2)
    model = tfd.TransformedDistribution(normal(3), layer)
    x, context = (np.random.default_rng(0).normal(size=(9, n)).astype(np.float32) for n in (3, 2))
    theirs = model.log_prob(x, bijector_kwargs={"conditional_input": context})
    np.testing.assert_allclose(flowrt.reference.log_prob(agree(model), x, context), theirs, rtol=2e-5, atol=2e-5)


def test_conditioners_that_lack_a_part():
    one = made(params=1)
    shift_only = tfb.MaskedAutoregressiveFlow(lambda y: (one(y)[..., 0], None))
    (step,) = agree(flow(shift_only)).steps
    assert step.transformer == Transformer.ADDITIVE
    (step,) = agree(flow(tfb.MaskedAutoregressiveFlow(lambda y: (None, one(y)[..., 0])))).steps
    assert step.transformer == Transformer.AFFINE and not np.any(step.layers[-1].weight[::2])


def test_conditioners_that_take_columns():
    three = made(3, 2, params=3)

    def conditioner(y, conditional_input):
        parameters = three(y, conditional_input=conditional_input)
        return parameters[..., 2], parameters[..., 0]

    agree(flow(tfb.MaskedAutoregressiveFlow(conditioner)))


def test_batch_normalisation():
    layer = tfb.BatchNormalization()
    layer.batchnorm.build((None, 3))
    for variable, values in zip(layer.batchnorm.weights, ([1.5, 0.5, 2], [1, 0, -1], [0.25, 3, -2], [0.5, 2, 1e-4])):
        variable.assign(values)
    for bijector in (layer, tfb.Invert(layer)):
        agree(flow(maf(), bijector), tolerance=1e-11)
    relaxed = tfb.BatchNormalization(layers.BatchNormalization(epsilon=0.5, center=False))
    agree(flow(relaxed, maf()))


def test_diagonal_layers():
    for bijector in (
        tfb.Shift([0.1, 2.0, -3.0]),
        tfb.Shift(0.1),
        tfb.Scale([0.1, 2.0, -3.0]),
        tfb.Scale(log_scale=[0.1, 2.0, -3.0]),
        tfb.ScaleMatvecDiag([0.1, 2.0, -3.0]),
    ):
        agree(flow(bijector))
        agree(flow(tfb.Invert(bijector), maf()))
    agree(flow(tfb.Identity(), tfb.Permute([1, 2, 0])))


def test_far_means_cost_no_digits():
    """Whether it is one layer or two that standardises."""
    shift, scale = tfb.Shift([1000.0, -300.0, 70.0]), tfb.Scale([0.7, 0.03, 1.3])
    norm = tfb.BatchNormalization()
    norm.batchnorm.build((None, 3))
    norm.batchnorm.moving_mean.assign([500.0, -20.0, 0.5])
    for layers in ((shift, scale, maf()), (maf(), tfb.Invert(scale), tfb.Invert(shift)), (norm, maf())):
        as_exact_in_c(flow(*layers))


def test_parameters_that_are_computed_from_variables():
    positive = tfp.util.TransformedVariable([0.1, 2.0, 3.0], tfb.Softplus())
    shift = tfp.util.DeferredTensor(tf.Variable([0.1, -2.0, 3.0]), lambda value: 2 * value)
    factor = tfp.util.TransformedVariable(2 * tf.eye(3), tfb.FillScaleTriL())
    for bijector in (
        tfb.Scale(positive),
        tfb.Scale(log_scale=positive),
        tfb.Shift(shift),
        tfb.ScaleMatvecDiag(positive),
        tfb.ScaleMatvecTriL(factor),
        tfb.Sigmoid(shift, shift + positive),
    ):
        agree(flow(bijector))
        agree(flow(tfb.Invert(bijector)))
    for base in (
        tfd.MultivariateNormalDiag(shift, positive),
        tfd.MultivariateNormalTriL(shift, factor),
        tfd.Independent(tfd.Uniform(shift, shift + positive), 1),
    ):
        agree(tfd.TransformedDistribution(base, tfb.Scale(positive)))


def test_linear_layers():
    lower = np.float32([[2, 0, 0], [0.5, -1, 0], [1, 0.3, 0.7]])
    full = np.float32([[2, 0.4, 0], [0.5, -1, 0.2], [1, 0.3, 0.7]])
    for bijector in (
        tfb.ScaleMatvecTriL(np.abs(lower)),
        tfb.ScaleMatvecTriL(np.abs(lower), adjoint=True),
        tfb.ScaleMatvecLU(full, [2, 0, 1]),
        tfb.ScaleMatvecLinearOperator(tf.linalg.LinearOperatorFullMatrix(full)),
        tfb.ScaleMatvecLinearOperator(tf.linalg.LinearOperatorLowerTriangular(lower), adjoint=True),
    ):
        for layer in (bijector, tfb.Invert(bijector)):
            assert any(step.kind == Kind.LINEAR for step in agree(flow(maf(), layer)).steps)
            x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
            z, _ = flowrt.reference.forward(agree(flow(layer)), x)
            np.testing.assert_allclose(z, layer.inverse(x), rtol=1e-4, atol=1e-4)  # of the layer itself, not of a copy


def masked_template(features=4, hidden=(8, 8), **options):
    """A MaskedAutoregressiveFlow with the network of older code."""
    function = tfb.masked_autoregressive_default_template(list(hidden), **options)
    layer = tfb.MaskedAutoregressiveFlow(function)
    layer.inverse(tf.zeros((1, features)))
    randomised(function)
    return layer


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("features", [1, 4])
def test_masked_templates(features, inverse):
    """Their log scales are limited; with narrow limits, most are at one of them."""
    for options in (
        {},
        {"log_scale_min_clip": -0.02, "log_scale_max_clip": 0.01, "activation": tf.nn.tanh},
        {"log_scale_clip_gradient": True, "use_bias": False},
    ):
        layer = masked_template(features, **options)
        (step,) = agree(flow(tfb.Invert(layer) if inverse else layer, features=features)).steps
        low, high = options.get("log_scale_min_clip", -5.0), options.get("log_scale_max_clip", 3.0)
        assert (step.form, step.scale, step.p[:2]) == (Form.SHIFT_THEN_SCALE, Scale.EXP_CLAMPED, (-high, -low))
    (step,) = agree(flow(masked_template(features, shift_only=True), features=features)).steps
    assert step.transformer == Transformer.ADDITIVE


def test_a_masked_template_without_hidden_layers_is_no_flow():
    """Its only layer lets every feature see itself."""
    refused(flow(masked_template(4, hidden=()), features=4), "MaskedAutoregressiveFlow is not autoregressive")


@pytest.mark.parametrize("features, masked", [(2, 1), (5, 2), (5, -2), (5, 0), (17, 9), (64, 32)])
@pytest.mark.parametrize("inverse", [False, True])
def test_couplings_with_the_default_network(features, masked, inverse):
    layer = template(features, masked)
    (step,) = agree(flow(tfb.Invert(layer) if inverse else layer, features=features), rows=3).steps
    assert step.passthrough == abs(masked) and step.reads == (Reads.NOISE if inverse else Reads.DATA)


def test_options_of_the_default_network():
    (step,) = agree(flow(template(4, 2, shift_only=True), features=4)).steps
    assert step.transformer == Transformer.ADDITIVE
    agree(flow(template(4, 2, hidden=[5] * 12, activation=tf.nn.elu), features=4))
    agree(flow(template(4, 2, hidden=[], activation=None), features=4))
    agree(flow(template(4, 2, use_bias=False), features=4))


def test_couplings_of_a_fraction():
    network = perceptron(2, 6, layers.Dense(7, activation="relu"))
    layer = tfb.RealNVP(fraction_masked=0.4, shift_and_log_scale_fn=lambda x, units: tf.split(network(x), 2, axis=-1))
    assert agree(flow(layer, features=5)).steps[0].passthrough == 2


@pytest.mark.parametrize("keras", [tf_keras, keras_3])
def test_couplings_with_keras_networks(keras):
    layers = keras.layers

    def perceptron(outputs, *activations):
        network = keras.Sequential([layers.Input((2,)), *activations, layers.Dense(outputs)])
        network.set_weights([np.random.normal(scale=0.5, size=part.shape) for part in network.get_weights()])
        return network

    halves = perceptron(6, layers.Dense(7, activation="relu"), layers.Dropout(0.5), layers.Dense(7), layers.ELU())
    swapped = perceptron(6, layers.Dense(7, activation="tanh"), layers.Dense(7), layers.LeakyReLU())
    additive = perceptron(3, layers.Dense(7, activation="swish"))
    inputs = keras.Input((2,))
    functional = keras.Model(inputs, layers.Dense(6)(layers.Dense(5, activation="relu")(inputs)))
    for function in (
        lambda x, units: tf.split(halves(x), 2, axis=-1),
        lambda x, units: (swapped(x)[..., units:], swapped(x)[..., :units]),
        lambda x, units: (functional(x)[..., 0::2], functional(x)[..., 1::2]),
        lambda x, units: (additive(x), None),
    ):
        agree(flow(tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=function), features=5))


def test_bases():
    mean, std = np.float32([0.1, 1, -1]), np.float32([1, 2, 0.3])
    for base in (
        tfd.MultivariateNormalDiag(loc=mean, scale_diag=std),
        tfd.Independent(tfd.Normal(mean, std), reinterpreted_batch_ndims=1),
    ):
        file = agree(tfd.TransformedDistribution(base, maf()))
        assert file.base.base == BaseKind.DIAGONAL_NORMAL
        np.testing.assert_allclose(file.base.mean, mean)
        np.testing.assert_allclose(file.base.std, std)
    lower = np.float32([[2, 0, 0], [0.5, 1, 0], [1, 0.3, 0.7]])
    correlated = tfd.MultivariateNormalTriL(loc=mean, scale_tril=lower)
    assert agree(tfd.TransformedDistribution(correlated, maf())).base.components == 1
    shared = tfd.MultivariateNormalTriL(loc=np.stack([mean, 2 - mean]), scale_tril=lower)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), shared)
    assert agree(tfd.TransformedDistribution(mixture, maf())).base.components == 2
    shifted = tfd.Sample(tfd.Normal(0.5, 2.0), sample_shape=[3])
    assert agree(tfd.TransformedDistribution(shifted, maf())).base.base == BaseKind.DIAGONAL_NORMAL
    standard = tfd.MultivariateNormalDiag(loc=tf.zeros(3))
    assert agree(tfd.TransformedDistribution(standard, maf())).base.base == BaseKind.STANDARD_NORMAL
    nested = tfd.TransformedDistribution(flow(maf()), tfb.Permute([1, 2, 0]))
    assert len(agree(nested).steps) == 1


def test_a_bare_bijector():
    layer = maf()
    assert agree(layer).base.base == BaseKind.STANDARD_NORMAL
    agree(tfb.Chain([tfb.Permute([1, 0, 2]), tfb.Invert(layer)]))
    with pytest.raises(flowrt.ExportError, match="number of features of Shift cannot be determined"):
        choose(tfb.Shift(1.0)).describe(tfb.Shift(1.0))


@pytest.mark.parametrize(
    "model",
    [
        lambda: flow(maf(), tfb.Permute([2, 0, 1]), tfb.Invert(maf(activation="relu"))),
        lambda: flow(maf(3, 2), tfb.Permute([2, 0, 1]), maf(3, 2, conditional_input_layers="first_layer")),
        lambda: flow(template(3, 1), tfb.BatchNormalization(), template(3, -1)),
    ],
)
def test_save_and_verify(model, tmp_path, capsys):
    path = tmp_path / "flow.flw"
    flowrt.save(path, model(), verify=True)
    table = capsys.readouterr().out
    assert "framework float32" in table and "libflowrt" in table and "not compared" not in table
    assert flowrt.Model(path).metadata["framework"].startswith("tfp 0.25")


def refused(model, text, **options):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model, **options)


def test_other_bijectors_are_refused_by_name():
    refused(flow(maf(), tfb.Softplus()), "Softplus is not supported; supported are MaskedAutoregressiveFlow")
    refused(flow(tfb.Permute([1, 0, 2], axis=-2)), "Permute is not supported")
    custom = tfb.MaskedAutoregressiveFlow(bijector_fn=lambda y: tfb.Shift(made()(y)[..., 0]))
    refused(flow(custom), "MaskedAutoregressiveFlow with a bijector_fn is not supported")
    refused(flow(tfb.RealNVP(num_masked=1, bijector_fn=lambda x, n: tfb.Shift(x))), "RealNVP with a bijector_fn")


def test_other_bases_are_refused_by_name():
    laplace = tfd.Sample(tfd.Laplace(0.0, 1.0), sample_shape=[3])
    refused(tfd.TransformedDistribution(laplace, maf()), "Laplace is not supported")
    batch = tfd.MultivariateNormalDiag(loc=tf.zeros((2, 3)))
    refused(tfd.TransformedDistribution(batch, maf()), r"batches of shape \(2,\) is not supported as base")


def test_other_conditioners_are_refused():
    network = made()
    refused(flow(tfb.MaskedAutoregressiveFlow(lambda y: 2 * network(y))), "does not return columns of the output")
    refused(flow(tfb.MaskedAutoregressiveFlow(lambda y: (y, y))), "uses 0 networks")
    other = made()
    both = tfb.MaskedAutoregressiveFlow(lambda y: (network(y)[..., 0], other(y)[..., 1]))
    refused(flow(both), "uses 2 networks")
    refused(flow(maf(params=3)), "AutoregressiveNetwork gives 3 parameters, not 2")
    convolution = tf_keras.Sequential([layers.Input((2,)), layers.LayerNormalization(), layers.Dense(2)])
    coupling = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=lambda x, n: tf.split(convolution(x), 2, axis=-1))
    refused(flow(coupling), "LayerNormalization is not supported; supported are perceptrons of Dense layers")


def test_networks_in_default_arguments():
    """As they are written in a loop."""
    networks = [perceptron(2, 6, layers.Dense(7, activation="relu")) for _ in range(2)]
    functions = [lambda x, units, net=network: tf.split(net(x), 2, axis=-1) for network in networks]
    functions += [lambda x, units, *, net=network: tf.split(net(x), 2, axis=-1) for network in networks]
    agree(flow(*(tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=f) for f in functions), features=5))


def test_compiled_functions():
    network = made()
    agree(flow(tfb.MaskedAutoregressiveFlow(tf.function(lambda y: tf.unstack(network(y), axis=-1)))))


def test_networks_that_a_function_does_not_know_by_name_are_refused():
    class Holder:
        network = perceptron(2, 6)

        def function(self, x, units):
            return tf.split(self.network(x), 2, axis=-1)

    holder, supported = Holder(), "which they have in their closure, globals or default arguments"
    bound = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=holder.function)
    refused(flow(bound, features=5), f"method is not supported; supported are .* {supported}")
    indirect = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=lambda x, units: holder.function(x, units))
    refused(flow(indirect, features=5), f"uses 0 networks; supported are .* {supported}")


@pytest.mark.parametrize("inputs", [2, 5])
def test_a_context_of_a_keras_network_is_refused(inputs):
    network = perceptron(inputs, 6)

    def function(x, units, conditional_input=None):
        return tf.split(network(tf.concat([x, conditional_input], axis=-1)), 2, axis=-1)

    coupling = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=function)
    refused(
        flow(coupling, features=5), "function cannot be evaluated for rows of 2 numbers; a context is supported for"
    )


def test_an_unknown_activation_is_refused_by_name():
    refused(flow(maf(activation=tf.cos)), "activation cos is not supported; supported are identity, relu")
    refused(flow(maf(activation="softmax")), "activation softmax is not a function of one unit at a time")


def test_a_context_of_another_length_is_refused():
    refused(flow(maf(3, 2)), "disagree about the length of the context", context_dim=3)
    refused(flow(maf()), "context_dim is a whole number and not negative, but -1 was given", context_dim=-1)


def test_kernels_that_are_not_autoregressive_are_refused():
    network = made()
    for variable in network.variables:
        variable.assign(tf.ones_like(variable))
    refused(flow(tfb.MaskedAutoregressiveFlow(network)), "MaskedAutoregressiveFlow is not autoregressive")


LIMITS = {(-5.0, 3.0): (-3.0, 5.0), (-0.125, 40.0): (-40.0, 0.125), (-math.inf, 2.0): (-2.0, 1e6)}


@pytest.mark.parametrize("limits", LIMITS)
def test_functions_that_limit_log_scales(limits):
    network = randomised(made(), 3.0)

    def function(y):
        shift, log_scale = tf.unstack(network(y), axis=-1)
        return shift, tf.clip_by_value(log_scale, *limits)

    step = agree(flow(tfb.MaskedAutoregressiveFlow(function))).steps[0]
    assert step.scale == Scale.EXP_CLAMPED
    np.testing.assert_allclose(step.p[:2], LIMITS[limits], rtol=1e-6)


def test_functions_that_limit_anything_else_are_refused():
    network = made()

    def of_shift(y):
        shift, log_scale = tf.unstack(network(y), axis=-1)
        return tf.clip_by_value(shift, -100.0, 100.0), log_scale

    def of_input(y):
        return network(tf.clip_by_value(y, -0.1, 0.1))

    refused(flow(tfb.MaskedAutoregressiveFlow(of_shift)), "of_shift does not return columns of the output")
    refused(flow(tfb.MaskedAutoregressiveFlow(of_input)), "of_input changes the input of its network")


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_an_activation_with_a_limit_is_composed(limit):
    """relu(v) - relu(v - limit), exactly; rows of a flow reach the smaller limit."""
    agree(flow(maf(activation=layers.ReLU(max_value=limit))))


class Moved(tfd.TransformedDistribution):
    def log_prob(self, value, **options):
        return super().log_prob(value - 1.0, **options)


class Limited(tfb.MaskedAutoregressiveFlow):
    def _inverse(self, y, **options):
        return super()._inverse(tf.clip_by_value(y, -20.0, 20.0), **options)


def test_classes_that_override_formulas_are_refused():
    refused(Moved(normal(3), maf()), "its log_prob differs by .* from what the model computes")
    refused(flow(Limited(made())), "differs by .* from what the model computes")


def test_classes_that_override_how_samples_are_drawn_are_refused():
    class Narrow(tfd.Normal):
        def _sample_n(self, n, seed=None, **options):
            return 0.7 * super()._sample_n(n, seed, **options)

    class Halved(tfd.TransformedDistribution):
        def _sample_n(self, n, seed=None, **options):
            return 0.5 * super()._sample_n(n, seed, **options)

    for base, name in ((tfd.Sample(Narrow(0.0, 1.0), [3]), "Narrow"), (Halved(normal(3), maf()), "Halved")):
        refused(tfd.TransformedDistribution(base, maf()), f"{name} overrides _sample_n")
