"""flowjax's splines, elementwise bijections and bases other than the normal."""

from __future__ import annotations

import equinox as eqx
import flowjax.bijections as fb
import jax.numpy as jnp
import numpy as np
import pytest
from flowjax.distributions import Laplace, MultivariateNormal, Normal, StandardNormal, Transformed, Uniform, VmapMixture
from live import agree, agree_in_c
from paramax import Parameterize, non_trainable
from test_flowjax import coupling, maf, randomised, transformed

import flowrt
from flowrt.file.codes import BaseKind, Function, Reads, SplineForm


def spline(knots=4, interval=3, **options):
    return fb.RationalQuadraticSpline(knots=knots, interval=interval, **options)


def elementwise(features=3, **options):
    made = eqx.filter_vmap(lambda: spline(**options), axis_size=features)()
    return randomised(fb.Vmap(made, in_axes=eqx.if_array(0)), 0.8)


@pytest.mark.parametrize("kind", [maf, coupling])
@pytest.mark.parametrize("features, context, invert", [(2, None, True), (3, 2, False), (8, 2, True), (17, None, False)])
def test_spline_flows(kind, features, context, invert):
    model = kind(features, transformer=spline(), cond_dim=context, invert=invert, nn_width=20)
    step = agree(model, tolerance=1e-11).steps[0]
    assert step.bins == 5 and step.form == SplineForm.FREE_ENDS
    assert step.p[:5] == (-3, 3, 1e-3 / 6, 1e-3 / 6, pytest.approx(1e-3, rel=1e-6))
    assert step.reads == (Reads.DATA if invert else Reads.NOISE)


def test_wide_spline_flows():
    agree(maf(64, layers=1, transformer=spline(), nn_width=70, gain=0.1), rows=3, tolerance=1e-11)
    agree(maf(1, layers=1, transformer=spline(), cond_dim=2), rows=20)


def test_options_of_splines():
    options = {"knots": 1, "interval": (-1, 2), "min_derivative": 0.125, "min_width": 0.3}
    step = agree(maf(transformer=spline(**options))).steps[0]
    assert step.bins == 2
    np.testing.assert_allclose(step.p[:5], [-1, 2, 0.1, 0.1, 0.125], rtol=1e-6)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("features", [1, 5])
def test_elementwise_splines(features, inverted):
    layer = elementwise(features)
    (step,) = agree(transformed(fb.Invert(layer) if inverted else layer), rows=20).steps
    assert step.reads == (Reads.DATA if inverted else Reads.NOISE) and len(step.stage_end) == 1


def test_one_spline_for_all_coordinates_and_frozen_parameters():
    agree(transformed(fb.Vmap(randomised(spline(), 0.8), axis_size=4)), rows=20)
    agree(transformed(non_trainable(elementwise())), rows=20)


@pytest.mark.parametrize(
    "bijection, function",
    [(fb.Exp((3,)), Function.LOG_ABOVE), (fb.Sigmoid((3,)), Function.LOGIT), (fb.Tanh((3,)), Function.ATANH)],
)
def test_elementwise_bijections(bijection, function):
    """Between two of them, a point is left where the second one takes it."""
    shift = 0.05 if function == Function.LOGIT else 0.0
    between = fb.Affine(jnp.full(3, shift), jnp.full(3, 0.9))
    there = Transformed(StandardNormal((3,)), fb.Chain([maf(layers=1).bijection, bijection]))
    assert agree(there).steps[0].function.tolist() == [function] * 3
    agree_in_c(there)
    chain = fb.Chain([bijection, between, fb.Invert(bijection), maf(layers=1).bijection])
    *_, inverse, _, again = agree(transformed(chain)).steps
    assert (inverse.function[0], again.function[0]) == (flowrt.reference.functions.INVERSES[function], function)


def test_uniform_base():
    base = Uniform(jnp.array([-1.0, 0, 2]), jnp.array([1.0, 3, 2.5]))
    model = Transformed(base, elementwise())
    file = agree(model, rows=30)
    assert file.base.base == BaseKind.BOX_UNIFORM
    np.testing.assert_allclose([file.base.lower, file.base.upper], [[-1, 0, 2], [1, 3, 2.5]], rtol=1e-6)
    agree_in_c(model)


def test_mixture_base():
    normals = eqx.filter_vmap(Normal)(jnp.arange(6.0).reshape(2, 3), jnp.linspace(0.5, 2, 6).reshape(2, 3))
    model = Transformed(VmapMixture(normals, weights=jnp.array([1.0, 3])), maf(layers=1).bijection)
    file = agree(model)
    assert file.base.base == BaseKind.NORMAL_MIXTURE
    np.testing.assert_allclose(np.exp(file.base.log_weight), [0.25, 0.75], rtol=1e-6)
    agree_in_c(model)


def test_bases_with_full_covariances():
    mean, lower = jnp.arange(6.0).reshape(2, 3), jnp.array([[1.0, 0, 0], [0.5, 2, 0], [1, 0.3, 0.7]])
    covariances = jnp.stack([lower @ lower.T, lower.T @ lower])
    normals = eqx.filter_vmap(MultivariateNormal)(mean, covariances)
    mixture = VmapMixture(normals, weights=jnp.array([1.0, 3]))
    for base, count in ((MultivariateNormal(mean[0], covariances[0]), 1), (mixture, 2)):
        model = Transformed(base, maf(layers=1).bijection)
        assert agree(model).base.components == count
        agree_in_c(model)


def test_in_c():
    agree_in_c(maf(4, transformer=spline(), cond_dim=2))
    agree_in_c(transformed(fb.Chain([coupling(3, transformer=spline()).bijection, elementwise()])))


def refused(model, text):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model)


def test_refusals():
    squared = eqx.tree_at(lambda s: s.derivatives, spline(), Parameterize(jnp.square, jnp.ones(6)))
    refused(maf(transformer=squared), "derivatives that are not softplus")
    fixed = eqx.tree_at(lambda s: s.x_pos, spline(), jnp.linspace(-3, 3, 6))
    refused(maf(transformer=fixed), "positions that are not RealToIncreasingOnInterval")
    refused(transformed(fb.Vmap(fb.LeakyTanh(2), axis_size=3)), "LeakyTanh is not supported; supported are Rational")
    laplaces = eqx.filter_vmap(Laplace)(jnp.zeros((2, 3)))
    mixture = VmapMixture(laplaces, weights=jnp.ones(2))
    refused(Transformed(mixture, maf().bijection), "VmapMixture is not supported")
