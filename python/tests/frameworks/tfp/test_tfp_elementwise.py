"""TensorFlow Probability: elementwise bijectors, splines of constant parameters, bases other than the normal."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from live import agree, agree_in_c
from test_tfp import flow, maf, normal, refused

from flowrt.file.codes import BaseKind, Function, Reads
from flowrt.reference.functions import INVERSES

tfb, tfd = tfp.bijectors, tfp.distributions

ELEMENTWISE = [  # and a shift that, with a scale of 0.9, leaves a point where the inverse takes it
    (tfb.Exp(), Function.LOG_ABOVE, 0.0),
    (tfb.Sigmoid(), Function.LOGIT, 0.05),
    (tfb.Sigmoid(low=[-1.0, 0.0, 2.0], high=[1.0, 3.0, 2.5]), Function.LOGIT, [0.0, 0.15, 0.225]),
    (tfb.Tanh(), Function.ATANH, 0.0),
    (tfb.Softsign(), Function.SOFTSIGN_INVERSE, 0.0),
    (tfb.NormalCDF(), Function.PROBIT, 0.05),
]


@pytest.mark.parametrize("layer, function, shift", ELEMENTWISE, ids=lambda value: None)
def test_elementwise_bijectors(layer, function, shift):
    model = flow(layer, maf())
    assert agree(model, tolerance=1e-9).steps[0].function.tolist() == [function] * 3
    agree_in_c(model)
    back = [maf(), tfb.Invert(layer), tfb.Shift(shift), tfb.Scale([0.9, 0.9, 0.9]), layer]
    *_, inverse, _, again = agree(flow(*back), tolerance=1e-9).steps
    assert inverse.function.tolist() == [INVERSES[function]] * 3 and again.function.tolist() == [function] * 3


def test_a_logarithm():
    assert agree(flow(tfb.Log(), tfb.Scale([0.9] * 3), tfb.Exp(), maf())).steps[0].function[0] == Function.EXP_ABOVE


def spline(features=3, bins=5, low=-2.0, size=5.0, seed=0):
    generator = np.random.default_rng(seed)
    widths, heights = (size * generator.dirichlet([3.0] * bins, features).astype("float32") for _ in range(2))
    slopes = generator.uniform(0.2, 3, size=(features, bins - 1)).astype("float32")
    return tfb.RationalQuadraticSpline(widths, heights, slopes, range_min=low)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("features", [1, 3, 64])
def test_splines_of_constant_parameters(features, inverted):
    layer = spline(features)
    model = flow(tfb.Invert(layer) if inverted else layer, features=features)
    (step,) = agree(model, rows=20).steps
    assert step.reads == (Reads.DATA if inverted else Reads.NOISE) and step.p[6] == 1 and step.bins == 5
    agree_in_c(model)


def test_one_spline_for_all_features():
    one = tfb.RationalQuadraticSpline([1.0, 2, 1], [2.0, 1, 1], [0.5, 2.0], range_min=-2.0)
    agree(flow(one, maf()), rows=20)


def test_uniform_base():
    low, high = np.float32([-1, 0, 2]), np.float32([1, 3, 2.5])
    base = tfd.Independent(tfd.Uniform(low, high), reinterpreted_batch_ndims=1)
    file = agree(tfd.TransformedDistribution(base, maf()), rows=30)
    assert file.base.base == BaseKind.BOX_UNIFORM and file.base.upper.tolist() == [1, 3, 2.5]
    same = tfd.TransformedDistribution(tfd.Sample(tfd.Uniform(-9.0, 9.0), sample_shape=[3]), maf())
    assert agree(same).base.lower.tolist() == [-9] * 3
    agree_in_c(same)


@pytest.mark.parametrize("diagonal", [True, False])
def test_mixture_base(diagonal):
    generator = np.random.default_rng(0)
    mean, std = generator.normal(size=(4, 3)).astype("float32"), np.linspace(0.3, 2, 12, dtype="float32").reshape(4, 3)
    components = (
        tfd.MultivariateNormalDiag(loc=mean, scale_diag=std)
        if diagonal
        else tfd.Independent(tfd.Normal(mean, std), reinterpreted_batch_ndims=1)
    )
    weights = tfd.Categorical(probs=[0.1, 0.2, 0.3, 0.4]) if diagonal else tfd.Categorical(logits=[0.0, 1, 2, 0])
    model = tfd.TransformedDistribution(tfd.MixtureSameFamily(weights, components), maf())
    file = agree(model)
    assert file.base.base == BaseKind.NORMAL_MIXTURE
    np.testing.assert_allclose(np.exp(file.base.log_weight).sum(), 1)
    agree_in_c(model)


def test_refusals():
    uneven = tfb.RationalQuadraticSpline([1.0, 2, 1], [2.0, 1, 2], [0.5, 2.0], range_min=-2.0)
    refused(flow(uneven, maf()), "RationalQuadraticSpline whose bins do not add up to one interval")
    components = tfd.Independent(tfd.Laplace(tf.zeros((2, 3)), 1.0), reinterpreted_batch_ndims=1)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 0]), components)
    refused(tfd.TransformedDistribution(mixture, maf()), "MixtureSameFamily is not supported")
    refused(tfd.TransformedDistribution(normal(3), tfb.Softplus()), "Softplus is not supported|number of features")
