"""What is refused as another formula, and what is not: live models that differ from a file at known places."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import flowrt
from flowrt.file import encode
from flowrt.file.codes import Activation, Reads, Scale
from flowrt.flow import flow as ir
from flowrt.verify.formulas import same_formulas
from flowrt.verify.precision import measure, warn_of_lost_digits
from flowrt.verify.rows import own_rows, random_rows
from flowrt.verify.sensitivity import Evaluator
from flowrt.verify.verify import check, compare, compare_rounded


def affine(unit=1.0, mean=0.0, contexts=0, gain=1.0):
    """Standardised data; a MAF of two coordinates, with shifts that are sines of the context."""
    network = [ir.Layer(np.array([0.3, 0.1, -0.2, 0.2]))]
    if contexts:
        weight = np.zeros((4, contexts))
        weight[0] = gain
        network = [ir.Layer(np.array([0.3, 0.1, -0.2, 0.2]), context_weight=weight, activation=Activation.SINE)]
    step = ir.Autoregressive(network, ir.Affine(Scale.EXP))
    standard = ir.Diagonal(np.full(2, 1 / unit), np.zeros(2), before=np.full(2, -mean))
    return flowrt.compile(ir.Flow(2, contexts, [standard, step]))


class Live(Evaluator):
    """A model whose results are those of the file, plus `off(x, context)` in z, or plus `off_x(z)` in x."""

    def __init__(self, file, off=None, off_x=None, units=None):
        super().__init__(file)
        self.off, self.off_x, self.units = off, off_x, units
        self.seen = []

    def forward(self, x, context=None):
        self.seen.append((x, context))
        z, log_det = super().forward(x, context)
        return (z if self.off is None else z + self.off(x, context)), log_det

    def inverse(self, z, context=None):
        x, log_det = super().inverse(z, context)
        return (x if self.off_x is None else x + self.off_x(z)), log_det


def refused(live, text, own=None):
    with pytest.raises(flowrt.ExportError, match=text) as caught:
        same_formulas(live.file, live, "Model", own)
    assert "\n" not in str(caught.value) and "overrides" not in str(caught.value)
    return str(caught.value)


def accepted(live, own=None) -> list:
    """The warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same_formulas(live.file, live, "Model", own)
    return [str(warning.message) for warning in caught]


def test_the_same_is_accepted_in_silence():
    assert accepted(Live(affine(), lambda x, c: 1e-9)) == []


def test_a_difference_near_the_data_is_refused_with_its_place_and_its_size():
    live = Live(affine(), lambda x, c: np.where(x[:, :1] > 0.5, [0.0, 1e-3], 0.0))
    text = refused(live, "its z differs by 0.00[0-9]+ standard deviations from .*, first in row .* coordinate 1: ")
    assert "of random rows of the flow itself" in text and "give rows of your own (rows=...)" in text


def test_a_limit_on_the_way_to_far_rows_is_refused_where_it_begins():
    live = Live(affine(), lambda x, c: np.clip(x, -20, 20) - x)
    refused(live, "of random rows (12|25) times as far from their middle")


def test_a_limit_of_contexts_is_refused_where_it_begins():
    live = Live(affine(contexts=1, gain=1e-3), lambda x, c: np.where(np.abs(c) > 20, 0.5, 0.0))
    refused(live, "of random rows with contexts of a size of (10|30|100)")
    units = np.full(1, 2.0), np.full(1, 1e-5)
    live = Live(affine(contexts=1), lambda x, c: np.where(np.abs(c - 2) > 2e-4, 0.5, 0.0), units=units)
    refused(live, "of random rows with contexts (10|30|100) standard deviations from their mean")


def test_far_rows_where_float64_parts_give_a_warning_with_figures():
    """At contexts of 1e4, moving a context by a millionth moves sin(gain * c) by more than anything."""
    live = Live(affine(contexts=1, gain=30.0), lambda x, c: np.where(np.abs(c) > 1000, 9.0, 0.0))
    (text,) = accepted(live)
    assert "its z differs by" in text and "random rows with contexts of a size of" in text and "rows=..." in text


def test_what_float64_explains_is_no_difference():
    live = Live(affine(contexts=1, gain=30.0), lambda x, c: np.where(np.abs(c) > 1000, 1e-4, 0.0))
    assert accepted(live) == []


def test_a_single_point_is_no_other_formula():
    """As where a framework looks a knot up with a small constant."""
    point = random_rows(affine(), 16).x[5]
    live = Live(affine(), lambda x, c: np.where(np.all(x == point, axis=1, keepdims=True), 0.1, 0.0))
    (text,) = accepted(live)
    assert "first in row 5 of random rows of the flow itself" in text


def test_a_single_point_is_no_rounding_either():
    file = affine()
    point = own_rows(file, [[0.5, 0.25]])
    live = Live(file, lambda x, c: np.where(np.all(x == point.x, axis=1, keepdims=True), 0.1, 0.0))
    assert compare(encode(file), file, live, live, point).problem.startswith("z of exact is off by 0.1")
    assert compare(encode(file), file, live, live, point, formulas_agree=True).problem is None


def test_the_users_rows_decide():
    file = affine()
    live = Live(file, lambda x, c: np.where(x[:, :1] > 0.2, 0.1, 0.0))
    refused(live, "its z differs by")
    (text,) = accepted(live, own_rows(file, [[-1.0, 0.5], [-2.0, 0.1]]))
    assert "agrees with the model where that was decided" in text
    refused(live, "first in row 1 of your rows", own_rows(file, [[-1.0, 0.5], [0.5, 0.1], [0.6, 1]]))


@pytest.mark.parametrize("unit, mean", [(1e-12, 0.0), (1e-9, 1e-3), (1e12, 0.0), (1.0, 1e6)])
def test_rows_are_in_the_units_of_the_model(unit, mean):
    """So that there is something to see, in both directions."""
    live = Live(affine(unit, mean))
    assert accepted(live) == []
    x, _ = live.seen[0]
    assert np.all((np.std(x, axis=0) > 0.3 * unit) & (np.std(x, axis=0) < 3 * unit))
    refused(Live(affine(unit, mean), off_x=lambda z: 1e-3 * unit), "its x differs by 0.00")
    refused(Live(affine(unit, mean), lambda x, c: 1e-3), "its z differs by 0.00")


def test_contexts_are_in_the_units_of_the_model():
    mean, std = np.full(3, 2.0), np.array([1e-9, 1.0, 1e9])
    live = Live(affine(contexts=3, gain=1e-9), units=(mean, std))
    accepted(live)
    for _, context in live.seen:
        assert np.all(np.abs(context - mean) <= 1e5 * std)


def test_noise_is_of_the_base():
    base = ir.DiagonalNormal(np.full(2, 100.0), np.full(2, 1e-3))
    file = flowrt.compile(ir.Flow(2, 0, [ir.Diagonal(np.full(2, 1e-3), np.full(2, 100.0))], base))
    z = random_rows(file, 50).z
    assert np.all(np.abs(z - 100) < 0.01)
    refused(Live(file, off_x=lambda z: 0.01), "its x differs by")


def test_a_constant_feature_hides_nothing():
    """Its standard deviation is 1e-14, and 3.7 moved by a billionth is 400,000 of these."""
    centred = ir.Layer(np.array([-3.7]), context_weight=np.eye(1))
    encoder = [centred, ir.Layer(np.zeros(1), add=[ir.Add(0, np.array([1e14]))])]
    network = [ir.Layer(np.array([0.3, 0.1, -0.2, 0.2]), context_weight=0.1 * np.ones((4, 1)))]
    flow = ir.Flow(2, 1, [ir.Autoregressive(network, ir.Affine(Scale.EXP))], encoder=encoder)
    file = flowrt.compile(flow)
    units = np.float64(np.float32([3.7])), np.full(1, 1e-14)
    file.encoder.layers[0].bias = -units[0]
    assert accepted(Live(file, units=units)) == []
    refused(Live(file, lambda x, c: 1e-4, units=units), "its z differs by")


def test_an_error_of_the_model_far_away_is_not_one_of_the_export():
    def off(x, context):
        if np.any(np.abs(x) > 10):
            raise AssertionError("discriminant")
        return 0.0

    assert accepted(Live(affine(), off)) == []

    def always(x, context):
        raise AssertionError("discriminant")

    with pytest.raises(AssertionError):
        accepted(Live(affine(), always))


# ---- float32 ----


FIRST = np.array([[0, 0], [0, 0], [1, 0], [1, 0]]) > 0  # the second coordinate may see the first one


def steep():
    """Three steps of scales 1e5, 1e-5, 1e5: float32 keeps hardly a digit of z."""
    steps = []
    for reads, log_scale in ((Reads.DATA, 11.5), (Reads.NOISE, 11.5), (Reads.DATA, 11.5)):
        network = [
            ir.Layer(np.zeros(2), np.eye(2), np.eye(2) > 0, ir.READ, activation=Activation.TANH),
            ir.Layer(np.array([0, log_scale, 0.1, log_scale]), np.ones((4, 2)), FIRST, 0),
        ]  # fmt: skip
        steps.append(ir.Autoregressive(network, ir.Affine(Scale.EXP), reads))
    return flowrt.compile(ir.Flow(2, 0, steps))


def test_every_way_accepts_the_same_ill_conditioned_file():
    file = steep()
    data = encode(file)
    assert compare(data, file, Evaluator(file), Evaluator(file)).problem is None
    assert compare_rounded(data, file).problem is None
    assert check(data).problem is None


@pytest.mark.parametrize("file", [affine(), affine(1.3e-9, 2.0**-10), affine(contexts=2)])
def test_every_way_refuses_the_same_library_that_is_off(file, monkeypatch):
    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + np.float32(0.01)

    data = encode(file)
    live = Evaluator(file)
    comparisons = [lambda: compare(data, file, live, live), lambda: compare_rounded(data, file), lambda: check(data)]
    assert [comparison().problem for comparison in comparisons] == [None] * 3
    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    for comparison in comparisons:
        assert comparison().problem.startswith("log_prob of libflowrt is off by 0.0")


class Float32(Evaluator):
    """A framework whose log_prob is off by 1e-7 of its size."""

    def log_prob(self, x, context=None):
        return super().log_prob(x, context) * (1 + 1e-7)


def told_of_lost_digits(monkeypatch, off) -> list:
    """The warnings if libflowrt's log_prob is that of float64 and `off(log_prob)`."""

    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            exact = Evaluator(affine()).log_prob(np.asarray(x, dtype=np.float64))
            return exact + off(exact)

    monkeypatch.setattr("flowrt.verify.precision.Model", Off)
    file = affine()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_lost_digits(encode(file), file, Float32(file), Evaluator(file), "Model")
    return [str(warning.message) for warning in caught]


def test_lost_digits_are_told(monkeypatch):
    (text,) = told_of_lost_digits(monkeypatch, lambda exact: 5e-6 * exact)
    assert re.search("the error of log_prob is 50 times that of the framework in float32", text)
    half = told_of_lost_digits(monkeypatch, lambda exact: np.where(np.arange(len(exact)) % 2, 5e-6 * exact, 0))
    assert half and not told_of_lost_digits(monkeypatch, lambda exact: 1e-7 * exact)


def test_chance_is_no_loss_of_digits(monkeypatch):
    """A single row with nearly all of the error, and few roundings where the framework happens to be exact."""
    assert not told_of_lost_digits(monkeypatch, lambda exact: np.where(np.arange(len(exact)) == 3, 1e-2, 1e-7))
    monkeypatch.setattr(Float32, "log_prob", lambda self, x, context=None: Evaluator.log_prob(self, x, context))
    assert not told_of_lost_digits(monkeypatch, lambda exact: np.full(len(exact), 8e-7))
    assert told_of_lost_digits(monkeypatch, lambda exact: np.full(len(exact), 3e-6))


def test_own_rows_that_hardly_vary_lose_what_float32_of_the_flow_cannot_hold():
    file = affine()
    middle = Evaluator(file).inverse(np.zeros((1, 2)))[0]
    x = np.float32(middle + 1e-3 * np.random.default_rng(0).normal(size=(300, 2)))

    class Rounded(Evaluator):
        """Off by less than a rounding of 1, in all rows alike; that is 50 roundings of what these rows vary by."""

        def forward(self, x, context=None):
            z, log_det = super().forward(x, context)
            return z + 5e-8, log_det

    rows, typical = own_rows(file, x), random_rows(file, 64)
    exact, rounded = Evaluator(file), Rounded(file)
    assert measure(rounded, exact, exact, rows)["z"].is_loss
    assert not measure(rounded, exact, exact, rows, typical)["z"].is_loss
