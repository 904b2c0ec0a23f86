"""Ill-conditioned and saturated flows: scales from 1e-6 to 1e6, networks whose units are all at their ends.

`python -m pytest -s python/tests/test_saturated.py` prints the errors, of which docs/ACCURACY.md has the table.
"""

from __future__ import annotations

import numpy as np
import pytest

import flowrt
from flowrt import Model, ir, reference
from flowrt.file import encode
from flowrt.file.codes import Activation, Reads, Scale

DIM, HIDDEN, ROWS = 6, 64, 500


def network(rng, log_scale, gain, activation):
    """A MADE whose raw scales are within 1 of `log_scale`; its first layer's sums grow with `gain`."""
    degree = np.arange(HIDDEN) % (DIM - 1)
    rank = np.repeat(np.arange(DIM), 2)
    first = ir.Layer(
        gain * rng.normal(size=HIDDEN),
        gain * rng.normal(size=(HIDDEN, DIM)),
        np.arange(DIM) <= degree[:, None],
        ir.READ,
        activation=activation,
    )
    weight = rng.uniform(-1, 1, size=(2 * DIM, HIDDEN)) / HIDDEN
    bias = np.where(np.arange(2 * DIM) % 2, log_scale, 0.0)
    return [first, ir.Layer(bias, weight, degree < rank[:, None], 0)]


def flow(log_scale, steps=1, gain=1.0, activation=Activation.TANH, reads=Reads.DATA, jitter=None):
    """Steps whose scales are about e^log_scale and e^-log_scale in turn, so that the rows stay in range. With `jitter`,
    a random generator, every parameter is moved by up to 2 units in its last place."""
    rng = np.random.default_rng(0)
    signs = [1 if i % 2 == 0 else -1 for i in range(steps)]
    conditioners = [network(rng, sign * log_scale, gain, activation) for sign in signs]
    if jitter is not None:
        for layer in (layer for layers in conditioners for layer in layers):
            layer.bias, layer.weight = moved(layer.bias, jitter), moved(layer.weight, jitter)
    return flowrt.compile(ir.Flow(DIM, 0, [ir.Autoregressive(c, ir.Affine(Scale.EXP), reads) for c in conditioners]))


def moved(values, rng):
    """Each value by up to 2 units in the last place of a float32."""
    return values * (1 + 2.0**-22 * rng.uniform(-1, 1, size=np.shape(values)))


def check(name, log_scale, **options):
    """Errors against float64, beside what moving inputs and parameters by 2 units in their last place does to the exact
    result: no float32 evaluation can be expected to do better. Prints both, relative to the largest value."""
    rng = np.random.default_rng(1)
    data = encode(flow(log_scale, **options))
    z = rng.normal(size=(ROWS, DIM)).astype(np.float32)
    x = reference.inverse(data, z)[0].astype(np.float32)
    model, cells = Model(data), []
    for quantity, ours, exact, rows in [
        ("z", lambda r: model.forward(r)[0], lambda f, r: reference.forward(f, r)[0], x),
        ("log p", model.log_prob, reference.log_prob, x),
        ("x", lambda r: model.inverse(r)[0], lambda f, r: reference.inverse(f, r)[0], z),
    ]:
        truth = exact(data, rows)
        size = np.maximum(np.abs(truth).max(), 1e-30)
        neighbours = [exact(flow(log_scale, **options, jitter=rng), moved(rows, rng)) for _ in range(3)]
        inherent = max(np.abs(neighbour - truth).max() for neighbour in neighbours) / size
        error = np.abs(ours(rows) - truth).max() / size
        cells.append(f"{error:.0e} ({inherent:.0e})")
        assert error <= 4 * inherent + 1e-6, (name, quantity)
    print(f"| {name} | {' | '.join(cells)} |")


@pytest.mark.parametrize("reads", list(Reads))
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_scales_from_a_millionth_to_a_million(scale, reads):
    check(f"scale {scale:g}, reads {reads.name.lower()}", np.log(scale), reads=reads)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_scales_that_cancel_from_step_to_step(scale):
    check(f"scales {scale:g}, {1 / scale:g}, {scale:g}", np.log(scale), steps=3)


@pytest.mark.parametrize("activation", [Activation.TANH, Activation.SIGMOID])
@pytest.mark.parametrize("gain", [1e2, 1e4])
def test_networks_whose_units_are_at_their_ends(activation, gain):
    check(f"{activation.name.lower()}, sums of {gain:g}", 0.0, gain=gain, activation=activation)


@pytest.mark.parametrize("a", [-104.0, -95.0, 88.0, 89.0, 120.0])
def test_scales_at_the_ends_of_float32(a):
    """exp(a) under- and overflows; log|det| is a itself, and never the logarithm of what exp rounded to."""
    layer = ir.Layer(np.array([0.0, a]))
    data = encode(flowrt.compile(ir.Flow(1, 0, [ir.Autoregressive([layer], ir.Affine(Scale.EXP))])))
    with np.errstate(over="ignore"):
        expected = np.float32(np.exp(a))
    z, log_det = Model(data).forward([[1.0]]) if a < 88.5 else _with_warning(data)
    assert log_det[0] == np.float32(a)
    assert z[0, 0] == pytest.approx(expected, rel=1e-6, abs=2e-45)


def _with_warning(data):
    with pytest.warns(RuntimeWarning):
        return Model(data).forward([[1.0]])
