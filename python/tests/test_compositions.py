"""Activations that a file has not, as layers of those that it has: by name in a description, and behind gates."""

from __future__ import annotations

import numpy as np
import pytest

import flowrt
from flowrt import descriptions, ir, reference
from flowrt.building import compositions
from flowrt.compiler.compositions import expand


def softplus(v):
    return np.logaddexp(0, v)


FORMULAS = {
    "selu": lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543772 * np.expm1(np.minimum(v, 0))),
    "celu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "relu6": lambda v: np.clip(v, 0, 6),
    "hardtanh": lambda v: np.clip(v, -1, 1),
    "hardsigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "hardswish": lambda v: v * np.clip(v + 3, 0, 6) / 6,
    "mish": lambda v: v * np.tanh(softplus(v)),
    "log_sigmoid": lambda v: -softplus(-v),
    "tanhshrink": lambda v: v - np.tanh(v),
    "prelu": lambda v: np.where(v > 0, v, [0.1, -0.2, 0.3, 2, 0] * v),
}


def test_every_name_has_a_formula_here():
    assert set(FORMULAS) == {*compositions.NAMED, "prelu"}


@pytest.mark.parametrize("name", FORMULAS)
def test_named_activations_of_descriptions(name, tmp_path):
    """A file of nothing but an encoder shows its values as shifts; libflowrt computes the same."""
    generator = np.random.default_rng(0)
    weight, context = 3 * generator.normal(size=(5, 2)), generator.normal(size=(40, 2))
    last = np.repeat(np.eye(5), 2, axis=0) * np.tile([1, 0], 5)[:, None]  # shifts; all raw scales are 0
    options = {"slopes": [0.1, -0.2, 0.3, 2, 0]} if name == "prelu" else {}
    affine = {"kind": "affine", "form": "scale_then_shift", "scale": "exp"}
    rows = {"rows": ["coordinate", "parameter"], "parameters": ["shift", "scale"]}
    layers = [{"context_weight": weight, "activation": name, **options}, {"weight": last}]
    step = {"kind": "autoregressive", "reads": "data", "layers": layers, "transformer": {**affine, **rows}}
    x = np.zeros((40, 5))
    z = FORMULAS[name](context @ weight.T)
    expected = {"x": x, "context": context, "z": z}
    flowrt.save(tmp_path / "flow.flw", {"dim": 5, "context_dim": 2, "steps": [step], "expected": expected})
    model = flowrt.Model(tmp_path / "flow.flw")
    np.testing.assert_allclose(model.forward(x, context)[0], z, rtol=2e-6, atol=4e-6)


def test_a_gate_multiplies_the_value_of_the_composition():
    """The layer behind a composition, and the gate of the layer that has it, refer to what is there afterwards."""
    layers = [
        ir.Layer(np.array([0.5, -1.0]), context_weight=np.eye(2), activation=compositions.NAMED["mish"]),
        ir.Layer(np.zeros(2), add=[ir.Add(0)], gate=0, activation=compositions.NAMED["relu6"]),
        ir.Layer(np.zeros(4), weight=np.vstack([np.eye(2), np.zeros((2, 2))])[[0, 2, 1, 3]], source=1),
    ]
    assert len(expand(layers)) == 4 + 4 + 1 + 1
    step = ir.Autoregressive(layers, ir.Affine(ir.Scale.EXP) if hasattr(ir, "Scale") else ir.Affine(0))
    file = flowrt.compile(ir.Flow(2, 2, [step]))
    context = np.array([[3.0, -2.0], [0.1, 9.0]])
    v = FORMULAS["mish"](context + [0.5, -1.0])
    found = reference.forward(file, np.zeros((2, 2)), context)[0]
    np.testing.assert_allclose(found, v * FORMULAS["relu6"](v), rtol=1e-12)


@pytest.mark.parametrize("function, missing", [
    ("probit", "'lower' is missing: the lower end of the interval of probit"),
    ("logit", "'lower' is missing: the lower end of the interval of logit"),
    ("leaky", "'lower' is missing: the parameter a, the slope below 0, of leaky"),
    ("log_above", "'lower' is missing: the end a of the half line of log_above"),
])  # fmt: skip
def test_no_interval_is_guessed(function, missing):
    for functions in (function, ["identity", function]):
        step = {"kind": "elementwise", "function": functions}
        with pytest.raises(flowrt.ExportError, match=missing):
            descriptions.read({"dim": 2, "steps": [step]})
