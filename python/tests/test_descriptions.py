"""Plain descriptions: what a dictionary of arrays and options says, against the formulas written out in NumPy."""

from __future__ import annotations

import copy
import json
from contextlib import suppress

import numpy as np
import pytest

import flowrt
from flowrt import descriptions, reference
from flowrt.file.codes import BaseKind, Function, Reads, SplineForm

D, H, C, K = 3, 8, 2, 4


def made(generator, outputs, context=0):
    """Arrays of a MADE with one hidden layer; `outputs` rows for each coordinate, coordinate by coordinate."""
    hidden, last = np.arange(H) % (D - 1), np.repeat(np.arange(D), outputs)
    arrays = {
        "w1": generator.normal(size=(H, D)),
        "b1": generator.normal(size=H),
        "m1": hidden[:, None] >= np.arange(D),
        "w2": 0.3 * generator.normal(size=(outputs * D, H)),
        "b2": 0.3 * generator.normal(size=outputs * D),
        "m2": last[:, None] > hidden,
    }
    if context:
        arrays["wc"] = generator.normal(size=(H, context))
    return arrays


def network(arrays, rows, context=None):
    """(n, coordinates, outputs) of the MADE, tanh between its layers."""
    hidden = rows @ (arrays["w1"] * arrays["m1"]).T + arrays["b1"]
    if context is not None:
        hidden = hidden + context @ arrays["wc"].T
    return (np.tanh(hidden) @ (arrays["w2"] * arrays["m2"]).T + arrays["b2"]).reshape(len(rows), D, -1)


def layers(context=0):
    first = {"weight": "w1", "bias": "b1", "mask": "m1", "activation": "tanh"}
    if context:
        first["context_weight"] = "wc"
    return [first, {"weight": "w2", "bias": "b2", "mask": "m2"}]


AFFINE = {
    "kind": "affine",
    "form": "scale_then_shift",
    "scale": "exp",
    "rows": ["coordinate", "parameter"],
    "parameters": ["shift", "scale"],
}


def one_step(arrays, transformer=None, reads="data", context=0, **more):
    step = {"kind": "autoregressive", "reads": reads, "layers": layers(context), "transformer": transformer or AFFINE}
    return {"dim": D, "context_dim": context, "arrays": arrays, "steps": [step], **more}


def compiled(description):
    return flowrt.compile(descriptions.read(description)[0])


@pytest.fixture
def generator():
    return np.random.default_rng(0)


SCALES = [
    ({"scale": "exp"}, np.exp),
    ({"scale": "exp", "gain": -0.5}, lambda a: np.exp(-0.5 * a)),
    ({"scale": "exp_clamped", "low": -0.1, "high": 0.2}, lambda a: np.exp(np.clip(a, -0.1, 0.2))),
    ({"scale": "softplus", "epsilon": 1e-3}, lambda a: np.log1p(np.exp(a)) + 1e-3),
    ({"scale": "softplus_clamped", "epsilon": 0, "low": 0.5, "high": 1}, lambda a: np.log1p(np.exp(a)).clip(0.5, 1)),
    ({"scale": "sigmoid", "offset": 2, "epsilon": 0}, lambda a: 1 / (1 + np.exp(-a - 2))),
    ({"scale": "exp_soft_clipped", "slope": 0.1}, lambda a: np.exp(a / (1 + np.abs(a / np.log(0.1))))),
    ({"scale": "exp_tanh", "factor": 2.0}, lambda a: np.exp(2 * np.tanh(a))),
    ({"scale": "exp_atan", "factor": 0.636}, lambda a: np.exp(0.636 * np.arctan(a))),
]
FORMS = {
    "scale_then_shift": lambda r, t, s: s * r + t,
    "shift_then_scale": lambda r, t, s: s * (r - t),
    "gated": lambda r, t, s: s * r + (1 - s) * t,
}


CASES = [(form, *case) for form in FORMS for case in SCALES if form != "gated" or case[0]["scale"] == "sigmoid"]


@pytest.mark.parametrize("form, options, scale", CASES, ids=lambda value: None)
def test_affine_transformers(generator, form, options, scale):
    arrays = made(generator, 2)
    file = compiled(one_step(arrays, {**AFFINE, "form": form, **options}))
    x = generator.normal(size=(5, D))
    shift, raw = np.moveaxis(network(arrays, x), 2, 0)
    z, log_det = reference.forward(file, x)
    np.testing.assert_allclose(z, FORMS[form](x, shift, scale(raw)), atol=1e-12)
    np.testing.assert_allclose(log_det, np.log(scale(raw)).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(reference.inverse(file, z)[0], x, atol=1e-10)


@pytest.mark.parametrize("parameters", [["shift", "scale"], ["scale", "shift"]])
@pytest.mark.parametrize("rows", [["coordinate", "parameter"], ["parameter", "coordinate"]])
def test_orders_of_rows(generator, rows, parameters):
    """The same map, however the rows of the last layer are sorted."""
    arrays = made(generator, 2)
    expected = reference.forward(compiled(one_step(arrays)), np.ones((1, D)))
    columns = [("shift", "scale").index(name) for name in parameters]
    for name in ("w2", "b2", "m2"):
        values = arrays[name].reshape(D, 2, -1)[:, columns]
        values = values if rows[0] == "coordinate" else values.transpose(1, 0, 2)
        arrays[name] = values.reshape(arrays[name].shape)
    found = reference.forward(
        compiled(one_step(arrays, {**AFFINE, "rows": rows, "parameters": parameters})), np.ones((1, D))
    )
    for ours, theirs in zip(found, expected):
        np.testing.assert_array_equal(ours, theirs)


def test_context_and_direction(generator):
    arrays, context = made(generator, 2, C), generator.normal(size=(5, C))
    maf, iaf = (compiled(one_step(arrays, reads=side, context=C)) for side in ("data", "noise"))
    rows = generator.normal(size=(5, D))
    shift, raw = np.moveaxis(network(arrays, rows, context), 2, 0)
    np.testing.assert_allclose(reference.forward(maf, rows, context)[0], np.exp(raw) * rows + shift, atol=1e-12)
    np.testing.assert_allclose(reference.inverse(iaf, rows, context)[0], np.exp(raw) * rows + shift, atol=1e-12)
    assert iaf.steps[0].reads == Reads.NOISE


def test_additive_coupling_with_untouched_coordinates(generator):
    """A mask is not needed where the network is given only coordinates that stay as they are."""
    step = {"kind": "autoregressive", "reads": "data", "transformed": [2], "inputs": [1],
            "layers": [{"weight": [[2.0]], "bias": [0.5]}],
            "transformer": {"kind": "additive", "gain": -1}}  # fmt: skip
    file = compiled({"dim": 3, "steps": [step]})
    np.testing.assert_allclose(reference.forward(file, [[1.0, 2.0, 3.0]])[0], [[1.0, 2.0, 3.0 - 4.5]])


SPLINE = {
    "kind": "spline", "bins": K, "lower": -2, "upper": 3, "widths": "softmax", "min_width": 1e-3, "min_height": 2e-3,
    "derivatives": "softplus", "min_derivative": 1e-3, "ends": "fixed", "end_derivative": 1,
    "rows": ["coordinate", "parameter"],
}  # fmt: skip


def test_splines(generator):
    """Knots and derivatives; between them the evaluator's own tests have the formula."""
    arrays = made(generator, 3 * K - 1)
    file = compiled(one_step(arrays, SPLINE))
    parameters = network(arrays, np.zeros((1, D)))[0, 0]
    softmax = np.exp(parameters[:K]) / np.exp(parameters[:K]).sum()
    knots = -2 + 5 * np.cumsum(1e-3 + (1 - K * 1e-3) * softmax)
    softmax = np.exp(parameters[K : 2 * K]) / np.exp(parameters[K : 2 * K]).sum()
    values = -2 + 5 * np.cumsum(2e-3 + (1 - K * 2e-3) * softmax)
    x = np.column_stack([knots, np.zeros((K, 2))])
    np.testing.assert_allclose(reference.forward(file, x)[0][:, 0], values, atol=1e-12)
    scaled = {**arrays, "w2": arrays["w2"].copy(), "b2": arrays["b2"].copy()}
    for name in ("w2", "b2"):  # a network whose widths and heights are divided by 4
        scaled[name].reshape(D, 3 * K - 1, -1)[:, : 2 * K] *= 4.0
    ours = reference.forward(compiled(one_step(scaled, {**SPLINE, "divisor": 4})), x)
    for a, b in zip(ours, reference.forward(file, x)):
        np.testing.assert_allclose(a, b, atol=1e-12)
    soft = {"widths": "soft_clipped_softmax", "derivatives": "exp_soft_clipped", "slope": 1e-3, "ends": "circular"}
    circular = {name: value for name, value in {**SPLINE, **soft}.items() if not name.startswith(("min", "end_"))}
    step = compiled(one_step(made(generator, 3 * K), circular)).steps[0]
    assert step.form == 1 | 1 << 2 | 2 << 4 and step.p[5] == pytest.approx(-np.log(1e-3))


OTHER_SPLINES = {
    "linear": {"min_height": 2e-3},
    "quadratic": {"min_width": 1e-3, "min_height": 0.1, "min_derivative": 1e-2, "ends": "free"},
    "cubic": {"min_width": 1e-3, "min_height": 2e-3},
    "linear_rational": {
        **{name: SPLINE[name] for name in ("min_width", "min_height", "derivatives", "min_derivative")},
        **{"ends": "fixed", "end_derivative": 0.9, "min_share": 0.025},
    },
}


def other_spline(pieces, **options):
    common = {name: SPLINE[name] for name in ("kind", "bins", "lower", "upper", "widths", "rows")}
    return {**common, "pieces": pieces, **OTHER_SPLINES[pieces], **options}


@pytest.mark.parametrize(
    "pieces, rows, form, p",
    [
        ("linear", K, SplineForm.LINEAR, (-2, 3, 0, 2e-3, 0, 0, 0, 0)),
        ("quadratic", 2 * K + 1, SplineForm.QUADRATIC | SplineForm.FREE_ENDS, (-2, 3, 1e-3, 0.1, 1e-2, 0, 0, 0)),
        ("cubic", 2 * K + 2, SplineForm.CUBIC, (-2, 3, 1e-3, 2e-3, 0, 0, 0, 0)),
        ("linear_rational", 4 * K - 1, SplineForm.LINEAR_RATIONAL, (-2, 3, 1e-3, 2e-3, 1e-3, 0, 0.9, 0.025)),
    ],
)
def test_splines_of_other_pieces(generator, pieces, rows, form, p):
    """What each asks for, and which of its rows are widths and heights, which are divided."""
    arrays = made(generator, rows)
    file = compiled(one_step(arrays, other_spline(pieces)))
    assert file.steps[0].form == form and file.steps[0].p == pytest.approx(p)
    scaled = {**arrays, "w2": arrays["w2"].copy(), "b2": arrays["b2"].copy()}
    for name in ("w2", "b2"):
        scaled[name].reshape(D, rows, -1)[:, : {"linear": K, "quadratic": K}.get(pieces, 2 * K)] *= 4.0
    divided = compiled(one_step(scaled, other_spline(pieces, divisor=4)))
    x = generator.normal(size=(20, D))
    for a, b in zip(reference.forward(divided, x), reference.forward(file, x)):
        np.testing.assert_allclose(a, b, atol=1e-12)
    for name in (*OTHER_SPLINES[pieces], "widths"):
        with pytest.raises(flowrt.ExportError, match=rf"transformer: '{name}' is missing"):
            descriptions.read(one_step(arrays, without(other_spline(pieces), name)))
    with pytest.raises(flowrt.ExportError, match=r"transformer has no 'slopes'; its entries are kind, pieces, bins"):
        descriptions.read(one_step(arrays, other_spline(pieces, slopes=1)))


def test_soft_clipped_widths_of_other_pieces(generator):
    """Have no minima, but the derivative of quadratic pieces has one still."""
    soft = {"widths": "soft_clipped_softmax", "slope": 1e-2}
    linear = without(other_spline("linear", **soft), "min_height")
    step = compiled(one_step(made(generator, K), linear)).steps[0]
    assert step.form == SplineForm.LINEAR | SplineForm.SOFT_CLIPPED_BINS and step.p[3] == 0
    quadratic = without(other_spline("quadratic", **soft, ends="fixed"), "min_width")
    step = compiled(one_step(made(generator, 2 * K - 1), quadratic)).steps[0]
    assert step.form == SplineForm.QUADRATIC | SplineForm.SOFT_CLIPPED_BINS
    assert step.p == pytest.approx((-2, 3, 0, 0.1, 1e-2, -np.log(1e-2), 0, 0))


def test_pieces_that_have_no_circle_are_refused(generator):
    with pytest.raises(flowrt.ExportError, match="'ends' is 'circular', not one of fixed, free"):
        descriptions.read(one_step(made(generator, 2 * K), other_spline("quadratic", ends="circular")))
    with pytest.raises(flowrt.ExportError, match="'pieces' is 'akima', not one of rational_quadratic, linear"):
        descriptions.read(one_step(made(generator, K), {**SPLINE, "pieces": "akima"}))


def test_steps_without_a_network(generator):
    scale, matrix = np.array([2.0, -1.0, 0.5]), np.eye(3) + 0.1 * generator.normal(size=(3, 3))
    steps = [
        {
            "kind": "elementwise",
            "function": ["logit", "log_above", "identity"],
            "lower": [0, -1, 0],
            "upper": [4, 0, 0],
        },
        {"kind": "diagonal", "scale": scale.tolist(), "shift": 1.0},
        {"kind": "batch_norm", "mean": [1, 2, 3], "variance": [4, 1, 9], "epsilon": 1e-5, "gain": 2, "shift": 0.5},
        {"kind": "linear", "matrix": matrix},
        {"kind": "permutation", "index": [2, 0, 1]},
        {"kind": "reverse"},
    ]
    x = np.array([[1.0, 0.5, 3.0]])
    w = np.array([[np.log(1 / 3), np.log(1.5), 3.0]]) * scale + 1.0
    w = (2 * (w - [1, 2, 3]) / np.sqrt(np.array([4, 1, 9]) + 1e-5) + 0.5) @ matrix.T
    file = compiled({"dim": 3, "steps": steps})
    np.testing.assert_allclose(reference.forward(file, x)[0], w[:, [2, 0, 1]][:, ::-1], atol=1e-12)
    assert file.steps[0].function[0] == Function.LOGIT


def normal_density(z, mean, std):
    return np.sum(-0.5 * ((z - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi), axis=-1)


def test_bases(generator):
    z = generator.uniform(-0.5, 0.5, size=(4, 3))

    def density(base, context_dim=0, **given):
        flow = {"dim": 3, "context_dim": context_dim, "steps": [], "base": base}
        return reference.log_prob(compiled(flow), z, **given)

    mean, std = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 0.5])
    given = density({"kind": "diagonal_normal", "mean": mean, "std": std})
    np.testing.assert_allclose(given, normal_density(z, mean, std))
    np.testing.assert_allclose(density({"kind": "box_uniform", "lower": -1, "upper": [1, 2, 3]}), -np.log(24))
    mixture = {"kind": "normal_mixture", "logits": [0.3, 1.3], "mean": [mean, -mean], "std": [std, std]}
    weights = np.exp([0.3, 1.3]) / np.exp([0.3, 1.3]).sum()
    expected = np.logaddexp(
        np.log(weights[0]) + normal_density(z, mean, std), np.log(weights[1]) + normal_density(z, -mean, std)
    )
    np.testing.assert_allclose(density(mixture), expected)
    log_weight = compiled({"dim": 3, "steps": [], "base": mixture}).base.log_weight
    np.testing.assert_allclose(np.exp(log_weight), weights)

    weight, context = generator.normal(size=(6, C)), generator.normal(size=(4, C))
    base = {"kind": "conditional_normal", "layers": [{"context_weight": weight, "bias": np.arange(6) / 10}],
            "rows": ["parameter", "coordinate"], "parameters": ["log_std", "mean"], "gain": 0.5}  # fmt: skip
    raw, mean = np.split(context @ weight.T + np.arange(6) / 10, 2, axis=1)
    found = density(base, C, context=context)
    np.testing.assert_allclose(found, normal_density(z, mean, np.exp(0.5 * raw)))


def test_made_with_mixtures(generator):
    """Rows as coordinate, component, (logit, mean, scale), std = softplus(raw / 2 + 0.1) + 0.01."""
    arrays = made(generator, 3 * K)
    base = {"kind": "autoregressive_mixture", "layers": layers(), "components": K, "scale": "softplus",
            "epsilon": 0.01, "gain": 0.5, "offset": 0.1, "rows": ["coordinate", "component", "parameter"],
            "parameters": ["logit", "mean", "scale"]}  # fmt: skip
    file = compiled({"dim": D, "arrays": arrays, "steps": [], "base": base})
    x = generator.normal(size=(5, D))
    logit, mean, raw = np.moveaxis(network(arrays, x).reshape(5, D, K, 3), 3, 0)
    std = np.log1p(np.exp(0.5 * raw + 0.1)) + 0.01
    each = logit - np.logaddexp.reduce(logit, axis=2, keepdims=True) - 0.5 * np.log(2 * np.pi) - np.log(std)
    each = each - 0.5 * ((x[:, :, None] - mean) / std) ** 2
    expected = np.logaddexp.reduce(each, axis=2).sum(axis=1)
    np.testing.assert_allclose(reference.log_prob(file, x), expected, atol=1e-12)
    assert file.base.base == BaseKind.AUTOREGRESSIVE_MIXTURE


def test_encoder_and_other_layers(generator):
    """A context encoder, and a residual block, a gate and a skip connection in the network."""
    arrays = made(generator, 2)
    arrays |= {
        "e": generator.normal(size=(2, 5)),
        "g": generator.normal(size=(H, 2)),
        "n": generator.normal(size=(H, H)),
    }
    arrays["mn"] = (np.arange(H) % (D - 1))[:, None] >= np.arange(H) % (D - 1)
    first, last = layers()
    block = [
        first,
        {"context_weight": "g", "activation": "sigmoid"},
        {"weight": "n", "mask": "mn", "source": 0, "activation": "elu", "alpha": 0.5, "gate": 1},
        {"add": [0, {"layer": 2, "scale": np.full(H, 0.7)}], "bias": np.zeros(H), "activation": "identity"},
        {**last, "source": 3},
    ]
    step = {"kind": "autoregressive", "reads": "data", "layers": block, "transformer": AFFINE}
    flow = {"dim": D, "context_dim": 5, "arrays": arrays, "steps": [step],
            "encoder": [{"context_weight": "e", "activation": "relu"}]}  # fmt: skip
    x, context = generator.normal(size=(4, D)), generator.normal(size=(4, 5))
    code = np.maximum(context @ arrays["e"].T, 0)
    h = np.tanh(x @ (arrays["w1"] * arrays["m1"]).T + arrays["b1"])
    v = h @ (arrays["n"] * arrays["mn"]).T
    v = np.where(v > 0, v, 0.5 * np.expm1(v)) / (1 + np.exp(-code @ arrays["g"].T))
    out = ((h + 0.7 * v) @ (arrays["w2"] * arrays["m2"]).T + arrays["b2"]).reshape(4, D, 2)
    z, _ = reference.forward(compiled(flow), x, context)
    np.testing.assert_allclose(z, np.exp(out[..., 1]) * x + out[..., 0], atol=1e-12)


def test_save_of_json_with_expected_results(generator, tmp_path):
    arrays = {name: values.tolist() for name, values in made(generator, 2).items()}
    x = generator.normal(size=(4, D))
    flow = json.loads(json.dumps(one_step(arrays, name="my MADE")))
    truth = reference.log_prob(compiled(flow), x)
    flow["expected"] = {"x": x.tolist(), "log_prob": (truth + 1e-6).tolist()}
    flowrt.save(tmp_path / "flow.flw", flow, verify=True)
    model = flowrt.Model(tmp_path / "flow.flw")
    assert model.metadata["framework"] == "description" and model.metadata["model"] == "my MADE"
    np.testing.assert_allclose(model.log_prob(x), truth, rtol=1e-5)
    flow["steps"][0]["transformer"]["form"] = "shift_then_scale"
    with pytest.raises(flowrt.ExportError, match="its log_prob differs by .* from the expected values"):
        flowrt.save(tmp_path / "never-written.flw", flow)
    assert not (tmp_path / "never-written.flw").exists()


# ---- what is missing is asked for by name ----


def without(description, *path):
    """A deep copy that lacks one entry."""
    result = copy.deepcopy(description)
    inner = result
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return result


STEP, TRANSFORMER = ("steps", 0), ("steps", 0, "transformer")
MISSING = [
    (("dim",), "the description: 'dim' is missing: how many coordinates"),
    (("steps",), "the description: 'steps' is missing"),
    ((*STEP, "kind"), r"steps\[0\]: 'kind' is missing: what the step does, one of autoregressive"),
    ((*STEP, "reads"), r"steps\[0\]: 'reads' is missing: the side .* data .MAF. or noise .IAF., one of data, noise"),
    ((*STEP, "layers"), r"steps\[0\]: 'layers' is missing"),
    ((*STEP, "layers", 0, "activation"), r"steps\[0\].layers\[0\]: 'activation' is missing: .* one of identity, relu"),
    ((*STEP, "transformer"), r"steps\[0\]: 'transformer' is missing"),
    ((*TRANSFORMER, "form"), r"steps\[0\].transformer: 'form' is missing: the formula, one of scale_then_shift"),
    ((*TRANSFORMER, "scale"), r"steps\[0\].transformer: 'scale' is missing: .* one of exp, exp_clamped"),
    ((*TRANSFORMER, "rows"), r"steps\[0\].transformer: 'rows' is missing: the order of the last layer's rows"),
    ((*TRANSFORMER, "parameters"), r"steps\[0\].transformer: 'parameters' is missing"),
    ((*TRANSFORMER, "epsilon"), r"steps\[0\].transformer: 'epsilon' is missing: what is added to the function"),
]


@pytest.mark.parametrize("path, message", MISSING)
def test_what_is_missing_is_asked_for(generator, path, message):
    flow = one_step(made(generator, 2), {**AFFINE, "scale": "softplus", "epsilon": 0.001})
    with pytest.raises(flowrt.ExportError, match=message):
        descriptions.read(without(flow, *path))


@pytest.mark.parametrize("name", [name for name in SPLINE if name != "kind"])
def test_what_a_spline_lacks_is_asked_for(generator, name):
    with pytest.raises(flowrt.ExportError, match=rf"steps\[0\].transformer: '{name}' is missing"):
        descriptions.read(one_step(made(generator, 3 * K - 1), without(SPLINE, name)))


WRONG = [
    ((*STEP, "reads"), "both", r"'reads' is 'both', not one of data, noise"),
    ((*STEP, "eps"), 1, r"steps\[0\] has no 'eps'; its entries are kind, reads"),
    (("steps",), {"kind": "reverse"}, "'steps' is not a list"),
    (("steps",), ["reverse"], r"steps\[0\] is str, not a dictionary"),
    (("dim",), 2.5, "'dim' is 2.5, not a whole number"),
    ((*STEP, "layers", 0, "weight"), "w3", r"layers\[0\]: 'weight' names the array 'w3', which is not in 'arrays'"),
    ((*STEP, "layers", 0, "weight"), [1.0], r"layers\[0\]: 'weight' has the shape \(1,\), not \(units, inputs\)"),
    ((*STEP, "layers", 0, "weight"), [["a"]], r"'weight' is not an array of numbers"),
    ((*STEP, "layers", 0, "bias"), [np.nan] * H, r"'bias' holds a number that is not finite"),
    ((*STEP, "layers", 1, "source"), 1, r"'source' is 1, neither 'read' nor the number of an earlier layer"),
    ((*STEP, "layers", 0, "mask"), np.ones((2, 2)), r"'mask' has the shape \(2, 2\), not \(8, 3\)"),
    ((*STEP, "layers", 1, "mask"), 1.0, r"steps\[0\] is not autoregressive"),
    ((*TRANSFORMER, "rows"), ["parameter"], r"'rows' is \['parameter'\], not an order of coordinate, parameter"),
    ((*TRANSFORMER, "parameters"), ["m", "a"], r"'parameters' is \['m', 'a'\], not an order of shift, scale"),
    ((*TRANSFORMER, "kind"), "additive", r"the last layer has 6 rows, not 3 = 3 .coordinate."),
    ((*STEP, "inputs"), [0, 0, 1], r"'inputs' are \[0, 0, 1\], not different coordinates of 3"),
    ((*STEP, "inputs"), [0], r"a layer has weights of 3 coordinates, but 'inputs' are 1"),
    ((*STEP, "transformed"), [0, 3], r"'transformed' are \[0, 3\], not different coordinates of 3"),
    ((*STEP, "transformed"), [0, 0], r"'transformed' are \[0, 0\], not different coordinates of 3"),
    (("expected",), {"x": [[0.0] * D]}, "expected: 'log_prob', 'z' and 'log_det' are all missing"),
    (("expected",), {"x": [], "log_prob": []}, r"expected: 'x' has the shape \(1, 0\), not \(rows, 3\) with at least"),
    (("expected",), {"x": np.zeros((0, D)), "log_prob": []}, r"expected: 'x' has the shape \(0, 3\), not \(rows, 3\)"),
    (("arrays",), [1.0], "the description: 'arrays' is list, not a dictionary of arrays"),
    (("dim",), 2**25, "the description: 33554432 coordinates; a file holds at most 16777216"),
    ((*STEP, "layers"), [], r"steps\[0\]: 'layers' is empty"),
    ((*STEP, "layers", 1, "bias"), [0.0, 1.0], r"layers\[1\]: 'bias' has the shape \(2,\), not \(6,\)"),
    ((*STEP, "layers", 1, "context_weight"), [[0.0]], r"'weight' has 6 rows, but 'context_weight' has 1"),
    ((*TRANSFORMER, "rows"), 3, r"steps\[0\].transformer: 'rows' is not a list"),
]


@pytest.mark.parametrize("path, value, message", WRONG, ids=lambda value: None)
def test_what_is_wrong_is_named(generator, path, value, message):
    flow = copy.deepcopy(one_step(made(generator, 2)))
    inner = flow
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(flowrt.ExportError, match=message):
        compiled(flow)


CONDITIONAL = {
    "dim": D,
    "context_dim": C,
    "encoder": [{"context_weight": np.ones((C, C)), "bias": 0.5, "activation": "elu", "alpha": 0.5}],
    "steps": [
        {
            "kind": "elementwise",
            "function": ["logit", "log_above", "identity"],
            "lower": [0, -1, 0],
            "upper": [4, 0, 0],
        },
        {"kind": "diagonal", "scale": 2, "shift": 1},
        {"kind": "batch_norm", "mean": 1, "variance": 4, "epsilon": 1e-5, "gain": 2, "shift": 0.5},
        {"kind": "linear", "matrix": 2 * np.eye(D), "shift": 1},
        {"kind": "permutation", "index": [2, 0, 1]},
        {
            "kind": "autoregressive",
            "reads": "noise",
            "transformed": [2],
            "inputs": [1],
            "layers": [
                {"weight": [[2.0]], "context_weight": [[1.0, 2.0]], "activation": "relu"},
                {"add": [0, {"layer": 0, "scale": 0.5}], "gate": 0, "bias": [0.5]},
            ],
            "transformer": {"kind": "additive", "gain": -1},
        },
    ],
    "base": {
        "kind": "conditional_normal",
        "layers": [{"context_weight": np.ones((2 * D, C)), "bias": 1}],
        "rows": ["parameter", "coordinate"],
        "parameters": ["log_std", "mean"],
        "gain": 0.5,
    },
}
MIXTURE = {"kind": "mixture", "logits": [0.3, 1.3], "mean": np.ones((2, D)), "std": 2}
BAD = [0, -1, 2.5, 10**400, True, "x", [], {}, [[]], ["x"], [-1], [{}], [[1, 2], [3]], [None], object()]
BAD += [float("nan"), 1e300, np.array(1), np.zeros((0, D)), np.zeros((2, 3, 4)), ["coordinate", "parameter", 3]]


def entries(value, path=()):
    """The paths of all entries of a description, but for those of its arrays."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        if not isinstance(value, list) or isinstance(part, dict):
            yield (*path, name)
            yield from () if name == "arrays" else entries(part, (*path, name))


def test_whatever_is_wrong_is_an_export_error(generator, tmp_path):
    """No value of any entry leads to another exception, none at all included."""
    affine, spline = made(generator, 2), made(generator, 3 * K - 1)
    softplus = {**AFFINE, "scale": "softplus", "epsilon": 0.001}
    for flow in (
        one_step(affine, softplus, base={"kind": "uniform", "lower": -1, "upper": [1, 2, 3]}, name="flow"),
        one_step(spline, SPLINE, base=MIXTURE),
        CONDITIONAL,
        {"dim": D, "steps": [], "expected": {"x": np.zeros((2, D)), "z": 0.0 * np.ones((2, D)), "log_det": [0, 0]}},
    ):
        flowrt.save(tmp_path / "flow.flw", flow)
        for *path, name in entries(flow):
            for value in [None, *BAD]:
                wrong = copy.deepcopy(flow)
                inner = wrong
                for step in path:
                    inner = inner[step]
                inner[name] = value
                with suppress(flowrt.ExportError), np.errstate(all="ignore"):
                    flowrt.save(tmp_path / "flow.flw", wrong)


def test_a_number_stands_for_an_array_of_its_copies(generator):
    arrays = made(generator, 2)
    parts = [copy.deepcopy(one_step(arrays)) for _ in range(2)]
    for part, bias, scale in zip(parts, (0.5, [0.5] * H), (2, [2] * H)):
        first, last = part["steps"][0]["layers"]
        first["bias"] = bias
        double = {"add": [{"layer": 0, "scale": scale}], "bias": np.zeros(H), "activation": "identity"}
        part["steps"][0]["layers"] = [first, double, last]
    x = generator.normal(size=(4, D))
    ours, theirs = (reference.forward(compiled(part), x) for part in parts)
    np.testing.assert_array_equal(ours[0], theirs[0])


def test_no_value_is_an_entry_left_out(generator):
    """As null in a JSON file."""
    flow = one_step(made(generator, 2))
    nothing = dict.fromkeys(("base", "encoder", "expected", "name"))
    flow["steps"][0]["layers"][1].update(dict.fromkeys(("gate", "add", "source", "context_weight")))
    assert descriptions.read({**flow, **nothing})[1] is None


@pytest.mark.parametrize(
    "entry, matrix", [("mask", "weight"), ("source", "weight"), ("context_source", "context_weight")]
)
def test_what_acts_on_no_weights_is_refused(entry, matrix):
    flow = copy.deepcopy(CONDITIONAL)
    flow["encoder"].append({"add": [0], "bias": np.zeros(C), entry: 0})
    with pytest.raises(flowrt.ExportError, match=rf"encoder\[1\]: '{entry}' is for a layer with '{matrix}'"):
        descriptions.read(flow)


SHUFFLED = {
    "layout": "pytorch-flows",
    "state_dict": {"flow.1.weight": np.zeros(2), "flow.1.bias": np.ones(2)},
    "modules": ["Shuffle", "ActNorm"],
    "permutations": [[1, 0]],
}
WRONG_STATE_DICTS = [
    ({"state_dict": [1]}, "'state_dict' is list, not a dictionary of arrays"),
    ({"state_dict": {"1.weight": "x", "1.bias": 0}}, "'1.weight' names the array 'x'"),
    ({"state_dict": {"1.weight": 0.0, "1.bias": 0.0}}, "'state_dict' has arrays that do not fit its layout: TypeError"),
    ({"modules": 2}, "'modules' is not a list"),
    ({"modules": ["Shuffle", ["ActNorm"]]}, r"module flow.1 \(\['ActNorm'\]\) is not supported"),
    ({"permutations": [["a", "b"]]}, "'permutations' is not an array of numbers"),
    ({"permutations": [[1, 0], [0, 1]]}, "'permutations' has more entries than there are modules that need one"),
    ({"masks": [[1, 0]]}, "'masks' has more entries"),
    ({"pre_exp_tanh": "no"}, "'pre_exp_tanh' is 'no', neither true nor false"),
]


@pytest.mark.parametrize("entries, message", WRONG_STATE_DICTS, ids=lambda value: None)
def test_what_is_wrong_with_a_state_dict_is_named(entries, message):
    np.testing.assert_array_equal(reference.forward(compiled(SHUFFLED), [[1, 2]])[0], [[1, 0]])
    with pytest.raises(flowrt.ExportError, match=message):
        descriptions.read({**SHUFFLED, **entries})
