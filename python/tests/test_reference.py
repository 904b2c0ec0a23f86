"""The evaluator: against mathematics, not against itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_flows import SCALES, spline
from random_flows import flow as random_flow

import flowrt
from flowrt import ir, reference
from flowrt.file import ElementwiseStep, File
from flowrt.file.codes import Activation, Function, Pieces, Scale, SplineForm, parameters_per_rank
from flowrt.reference import functions, noise
from flowrt.reference import spline as splines
from flowrt.tables import Table


def numerical_log_det(function, x, step=1e-6):
    """log|det| of the Jacobian of a function of one row, by central differences."""
    columns = []
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        columns.append((function(up) - function(down)) / (2 * step))
    return np.linalg.slogdet(np.stack(columns, axis=1))[1]


@given(seed=st.integers(0, 2**32), dim=st.integers(1, 4), context_dim=st.integers(0, 2))
def test_log_det_is_that_of_the_jacobian(seed, dim, context_dim):
    file = flowrt.compile(random_flow(seed, dim, context_dim))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=dim)
    context = rng.normal(size=context_dim) if context_dim else None
    z, log_det = reference.forward(file, x, context)
    # Kinks (relu, spline ends, clamps) within the step spoil a difference quotient: a second point must then agree.
    for point in (x, x + 1e-3):
        _, log_det = reference.forward(file, point, context)
        numerical = numerical_log_det(lambda v: reference.forward(file, v, context)[0][0], point)
        if abs(numerical - log_det[0]) < 1e-4 * (1 + abs(numerical)):
            return
    raise AssertionError((numerical, log_det))


def integral(file, low, high, context=None, points=200001):
    x = np.linspace(low, high, points)
    density = np.exp(reference.log_prob(file, x[:, None], context))
    return np.trapezoid(density, x) if hasattr(np, "trapezoid") else np.trapz(density, x)


@pytest.mark.parametrize("seed", range(12))
def test_density_integrates_to_one(seed):
    file = flowrt.compile(random_flow(seed, 1, 1))
    assert integral(file, -60, 60, context=[0.3]) == pytest.approx(1, abs=2e-3)


def test_density_in_two_dimensions_integrates_to_one():
    description = random_flow(3, 2, 0)
    description.base = ir.StandardNormal()
    file = flowrt.compile(description)
    axis = np.linspace(-20, 20, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    total = np.exp(reference.log_prob(file, grid)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=2e-3)


@given(seed=st.integers(0, 2**32), dim=st.integers(1, 6), context_dim=st.integers(0, 2))
def test_samples_carry_their_log_prob(seed, dim, context_dim):
    file = flowrt.compile(random_flow(seed, dim, context_dim))
    context = np.random.default_rng(seed).normal(size=(7, context_dim)) if context_dim else None
    x, log_prob = reference.sample(file, 7, context, seed=seed)
    again = reference.log_prob(file, x, context)
    conditioning = 1 + np.abs(reference.log_prob(file, x * (1 + 1e-9), context) - again).max() / 1e-9
    np.testing.assert_allclose(again, log_prob, atol=1e-13 * conditioning * (1 + np.abs(log_prob).max()))


def test_samples_of_every_base_have_its_moments():
    """4000 draws against means and variances in closed form, within 5 standard errors."""
    half = [ir.Layer(np.array([0.5, 0.0, -1.0, 0.25]))]
    heads = [ir.Layer(np.array([0.0, 1.0, -1.0, 2.0, 0.0, 0.0] * 2))]  # 2 logits, 2 means, 2 log std of each coordinate
    share = 1 / (1 + np.e)
    for base, mean, variance in [
        (ir.BoxUniform(np.array([0.0, -2.0]), np.array([1.0, 4.0])), [0.5, 1.0], [1 / 12, 3.0]),
        (ir.ConditionalNormal(half), [0.5, -1.0], [1.0, np.exp(0.5)]),
        (ir.NormalMixture(np.log([0.25, 0.75]), np.array([[4.0, 0.0], [0.0, 8.0]]), np.ones((2, 2))), [1, 6], [4, 13]),
        (ir.AutoregressiveMixture(heads, 2, Scale.EXP, ()), [2 - 3 * share] * 2, [1 + 9 * share * (1 - share)] * 2),
    ]:
        x, _ = reference.sample(flowrt.compile(ir.Flow(2, 0, [], base)), 4000, seed=1)
        np.testing.assert_allclose(x.mean(axis=0), mean, atol=5 * np.sqrt(np.max(variance) / 4000))
        np.testing.assert_allclose(x.var(axis=0), variance, rtol=0.15)


# ---- noise ----

KNOWN_ANSWERS = [  # Random123's known answers for philox4x32, 10 rounds
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize("counter, key, words", KNOWN_ANSWERS)
def test_philox(counter, key, words):
    assert noise.philox(counter, key) == words


def test_noise_is_normal():
    z = noise.standard_normal(4000, 5, seed=11)
    assert np.abs(z.mean()) < 0.03 and np.abs(z.std() - 1) < 0.02
    assert np.abs(np.corrcoef(z.T) - np.eye(5)).max() < 0.06
    quantiles = np.quantile(z, [0.025, 0.5, 0.975])
    np.testing.assert_allclose(quantiles, [-1.96, 0, 1.96], atol=0.06)


def test_noise_is_a_function_of_its_numbers():
    whole = noise.standard_normal(6, 5, seed=1 << 40, stream=9, index=(1 << 32) - 3)
    parts = [noise.standard_normal(1, 5, 1 << 40, 9, (1 << 32) - 3 + i)[0] for i in range(6)]
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(whole[:, :2], noise.standard_normal(6, 2, 1 << 40, 9, (1 << 32) - 3))
    for other in ({"seed": 2}, {"stream": 8}, {"index": 5}):
        assert not np.allclose(noise.standard_normal(1, 5, **other), noise.standard_normal(1, 5))


# ---- scalar functions ----

GRID = np.linspace(-6, 6, 241) + 0.0013


@pytest.mark.parametrize("kind", list(Scale))
def test_scales(kind):
    """The defining formulas of section 5, spelt out."""
    p = ir.parameters(SCALES[kind])
    a = GRID
    softplus = np.log(1 + np.exp(a))
    formula = Table("the formulas of this test", Scale, {
        Scale.EXP: np.exp(a),
        Scale.EXP_CLAMPED: np.exp(np.minimum(np.maximum(a, p[0]), p[1])),
        Scale.SOFTPLUS: softplus + p[0],
        Scale.SOFTPLUS_CLAMPED: np.minimum(np.maximum(softplus + p[0], p[1]), p[2]),
        Scale.SIGMOID: 1 / (1 + np.exp(-a)) + p[0],
        Scale.EXP_SOFT_CLIPPED: np.exp(a / (1 + abs(a) / p[0])),
        Scale.EXP_TANH: np.exp(p[0] * np.tanh(a)),
        Scale.EXP_ATAN: np.exp(p[0] * np.arctan(a)),
    })[kind]  # fmt: skip
    np.testing.assert_allclose(np.exp(functions.log_scale(kind, a, p)), formula, rtol=1e-12)


@pytest.mark.parametrize("kind", list(Activation))
def test_activations(kind):
    """The defining formulas of section 4, spelt out."""
    v, a = GRID[None, :], 0.3
    phi = np.vectorize(lambda t: 0.5 * (1 + __import__("math").erf(t / 2**0.5)))(v)
    formula = Table("the formulas of this test", Activation, {
        Activation.IDENTITY: v,
        Activation.RELU: v * (v > 0),
        Activation.SINE: (np.exp(1j * v) - np.exp(-1j * v)).imag / 2,
        Activation.ARCTANGENT: np.log((1 + 1j * v) / (1 - 1j * v)).imag / 2,
        Activation.INVERSE_HYPERBOLIC_SINE: np.sign(v) * np.log(abs(v) + np.sqrt(v * v + 1)),
        Activation.TANH: (np.exp(v) - np.exp(-v)) / (np.exp(v) + np.exp(-v)),
        Activation.ELU: np.where(v > 0, v, a * (np.exp(v) - 1)),
        Activation.LEAKY_RELU: np.where(v > 0, v, a * v),
        Activation.SILU: v / (1 + np.exp(-v)),
        Activation.GELU: v * phi,
        Activation.GELU_TANH: v / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3))),
        Activation.SIGMOID: 1 / (1 + np.exp(-v)),
        Activation.SOFTPLUS: np.log(1 + np.exp(v)),
        Activation.SOFTSIGN: v / (1 + abs(v)),
        Activation.ARCTANGENT: np.angle(1 + 1j * v),
        Activation.INVERSE_HYPERBOLIC_SINE: np.log(v + np.sqrt(v**2 + 1)),
        Activation.LAYER_NORM: (v - v.mean()) / np.sqrt(((v - v.mean()) ** 2).mean() + a),
    })[kind]  # fmt: skip
    np.testing.assert_allclose(functions.activation(kind, v, a), formula, rtol=1e-11, atol=1e-13)


def test_stable_forms_survive_extremes():
    extreme = np.array([-800.0, -40.0, 40.0, 800.0])
    np.testing.assert_allclose(functions.softplus(extreme), [0, np.exp(-40.0), 40, 800], rtol=1e-12)
    sigmoid = functions.log_scale(Scale.SIGMOID, extreme, ir.parameters(()))
    np.testing.assert_allclose(sigmoid, [-800, -40, -np.exp(-40.0), 0], rtol=1e-12)


ELEMENTWISE = {
    Function.IDENTITY: (0, 0, -5, 5, lambda v: v),
    Function.LOGIT: (-1, 3, -0.99, 2.99, lambda v: np.log((v + 1) / (3 - v))),
    Function.LOG_ABOVE: (-1, 0, -0.99, 5, lambda v: np.log(v + 1)),
    Function.LOG_BELOW: (2, 0, -5, 1.99, lambda v: np.log(2 - v)),
    Function.SIGMOID: (-1, 3, -5, 5, lambda v: -1 + 4 / (1 + np.exp(-v))),
    Function.EXP_ABOVE: (-1, 0, -5, 5, lambda v: -1 + np.exp(v)),
    Function.ATANH: (0, 0, -0.99, 0.99, np.arctanh),
    Function.TANH: (0, 0, -4, 4, np.tanh),
    Function.LEAKY: (0.25, 0, -5, 5, lambda v: np.where(v >= 0, v, 0.25 * v)),
    Function.LEAKY_INVERSE: (0.25, 0, -5, 5, lambda v: np.where(v >= 0, v, v / 0.25)),
    Function.SOFTSIGN: (2, 0, -5, 5, lambda v: v / (1 + abs(v) / 2)),
    Function.SOFTSIGN_INVERSE: (2, 0, -1.9, 1.9, lambda v: v / (1 - abs(v) / 2)),
    Function.PROBIT: (-1, 3, -0.99, 2.99, None),
    Function.NORMAL_CDF: (-1, 3, -4, 4, None),
}


@pytest.mark.parametrize("function", list(Function))
def test_elementwise(function):
    a, b, low, high, formula = ELEMENTWISE[function]
    v = np.linspace(low, high, 101)[:, None] + 1e-4
    file = File(1, 0, [ElementwiseStep(np.array([function]), np.array([a]), np.array([b]))])
    w, log_det = reference.forward(file, v)
    if formula is not None:
        np.testing.assert_allclose(w, formula(v), rtol=1e-12, atol=1e-12)
    step = 1e-6
    slope = (reference.forward(file, v + step)[0] - reference.forward(file, v - step)[0])[:, 0] / (2 * step)
    np.testing.assert_allclose(log_det, np.log(np.abs(slope)), rtol=1e-4, atol=1e-5)
    back, back_log_det = reference.inverse(file, w)
    np.testing.assert_allclose(back, v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(back_log_det, -log_det, rtol=1e-9, atol=1e-9)


def test_probit_and_cdf_values():
    np.testing.assert_allclose(functions.normal_cdf(np.array([-1.959963984540054, 0.0])), [0.025, 0.5], rtol=1e-14)
    np.testing.assert_allclose(
        functions.probit(np.array([0.025, 0.5, 1.0])), [-1.959963984540054, 0, np.inf], rtol=1e-14
    )


@pytest.mark.parametrize(
    "function, a, b, outside",
    [
        (Function.LOGIT, 0, 1, [-0.5, 0.0, 1.0, 2.0]),
        (Function.LOG_ABOVE, 0, 0, [-1.0, 0.0]),
        (Function.LOG_BELOW, 0, 0, [1.0, 0.0]),
        (Function.ATANH, 0, 0, [-1.0, 1.5]),
        (Function.SOFTSIGN_INVERSE, 2, 0, [-2.0, 3.0]),
        (Function.PROBIT, 0, 1, [0.0, 1.5]),
    ],
)
def test_points_outside_have_no_density(function, a, b, outside):
    file = File(1, 0, [ElementwiseStep(np.array([function]), np.array([a]), np.array([b]))])
    assert np.all(reference.log_prob(file, np.array(outside)[:, None]) == -np.inf)
    assert np.isnan(reference.log_prob(file, [[np.nan]]))[0]


@given(seed=st.integers(0, 2**32), pieces=st.sampled_from(Pieces))
def test_splines(seed, pieces):
    """Increasing, through both ends of the interval, identity outside, and inverted exactly."""
    rng = np.random.default_rng(seed)
    transformer = spline(rng, pieces)
    transformer.form &= ~SplineForm.HALF_TURN
    count = parameters_per_rank(transformer.kind, transformer.form, transformer.bins)
    p = ir.parameters(transformer.p)
    r = np.concatenate([np.linspace(-4.01, 4, 97), [p[0], p[1]]])
    parameters = np.broadcast_to(rng.normal(size=count) * 2, (len(r), count))
    q, log_slope = splines.forward(r, parameters, transformer.form, transformer.bins, p)
    order = np.argsort(r)
    assert np.all(np.diff(q[order]) > 0)
    np.testing.assert_allclose(q[-2:], p[:2], atol=1e-12)
    outside = (r < p[0]) | (r > p[1])
    np.testing.assert_array_equal(q[outside], r[outside])
    back, back_log_slope = splines.inverse(q, parameters, transformer.form, transformer.bins, p)
    np.testing.assert_allclose(back, r, atol=1e-8)
    inside = (r > p[0]) & (r < p[1])
    np.testing.assert_allclose(back_log_slope[inside], -log_slope[inside], atol=1e-5)


@given(seed=st.integers(0, 2**32), pieces=st.sampled_from(Pieces))
def test_slopes_of_splines_are_those_of_difference_quotients(seed, pieces):
    rng = np.random.default_rng(seed)
    transformer = spline(rng, pieces)
    form, bins, p = transformer.form & ~SplineForm.HALF_TURN, transformer.bins, ir.parameters(transformer.p)
    parameters = rng.normal(size=parameters_per_rank(transformer.kind, form, bins))
    r, step = np.linspace(p[0] + 0.01, p[1] - 0.01, 301), 1e-6
    values = [
        splines.forward(r + at, np.broadcast_to(parameters, (301, len(parameters))), form, bins, p)
        for at in (-step, 0, step)
    ]
    (low, _), (_, log_slope), (high, _) = values
    wrong = np.abs((high - low) / (2 * step) - np.exp(log_slope)) > 1e-3 * np.exp(log_slope)
    assert wrong.sum() <= 2 * bins  # points beside a knot, where the slope may jump


def test_a_spline_with_a_half_turn_is_the_spline_of_the_turned_points():
    rng = np.random.default_rng(3)
    plain, turned = 0, SplineForm.HALF_TURN
    p = (-2.0, 4.0, 0.01, 0.01, 0.01, 0.0, 1.0, 0.0)
    r = np.array([-3.0, -1.9, -1.5, 0.5, 1.0, 2.5, 3.5, 5.0])
    moved = np.array([-3.0, 1.1, 1.5, 3.5, -2.0, -0.5, 0.5, 5.0])
    parameters = np.broadcast_to(rng.normal(size=14), (len(r), 14))
    q, log_slope = splines.forward(r, parameters, turned, 5, p)
    expected = splines.forward(moved, parameters, plain, 5, p)
    np.testing.assert_array_equal((q, log_slope), expected)
    back, back_log_slope = splines.inverse(q, parameters, turned, 5, p)
    np.testing.assert_allclose(back, r, atol=1e-12)
    np.testing.assert_allclose(back_log_slope, -log_slope, atol=1e-12)


# ---- arguments ----


def test_wrong_arguments_are_named():
    file = flowrt.compile(random_flow(0, 3, 2))
    plain = flowrt.compile(random_flow(0, 3, 0))
    for call, text in [
        (lambda: reference.forward(file, np.zeros((2, 4)), [0, 0]), r"x must be \(n, 3\)"),
        (lambda: reference.inverse(file, np.zeros((2, 2)), [0, 0]), r"z must be \(n, 3\)"),
        (lambda: reference.log_prob(file, np.zeros((2, 3))), "needs a context of 2"),
        (lambda: reference.log_prob(file, np.zeros((2, 3)), np.zeros((3, 2))), "context must be"),
        (lambda: reference.log_prob(plain, np.zeros((2, 3)), np.zeros((2, 2))), "takes no context"),
    ]:
        with pytest.raises(flowrt.Error, match=text):
            call()


@pytest.mark.parametrize("narrow", ["flat", "steep"])
def test_bins_far_narrower_than_the_interval_keep_their_slope(narrow):
    """Frameworks without least sizes have bins of 1e-17 of the interval: less than the distance of doubles there."""
    raw, even, derivative, t = np.array([0.3, -39.0, 0.0]), np.zeros(3), 1.3, 0.25
    widths, heights = (even, raw) if narrow == "flat" else (raw, even)
    parameters = np.concatenate([widths, heights, np.full(2, np.log(np.expm1(derivative)))])
    p = (-4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    (before, width, _), (below, height, _) = (8 * np.exp(u) / np.exp(u).sum() for u in (widths, heights))
    slope, u = height / width, t * (1 - t)
    denominator = slope + (2 * derivative - 2 * slope) * u
    expected = slope**2 * (derivative * (t * t + (1 - t) ** 2) + 2 * slope * u) / denominator**2
    if narrow == "flat":
        _, found = splines.forward(np.array(-4 + before + t * width), parameters, 0, 3, p)
    else:
        add = height * (slope * t * t + derivative * u) / denominator
        _, found = splines.inverse(np.array(-4 + below + add), parameters, 0, 3, p)
        expected = 1 / expected
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-12)
