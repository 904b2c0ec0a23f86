"""libflowrt through `flowrt.Model`, against the evaluator, on random flows. Fails if the library is missing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Model, ir, reference
from flowrt.errors import Status
from flowrt.file import encode
from flowrt.file.codes import Function, SplineForm

FLOWS = given(
    seed=st.integers(0, 2**32),
    dim=st.integers(1, 20),
    context_dim=st.integers(0, 5),
    count=st.sampled_from([1, 2, 7, 70]),
)


def case(seed, dim, context_dim, count):
    """Bytes of a flow, rows of x and z, and one context for each row or one for all."""
    data = encode(flowrt.compile(random_flow(seed, dim, context_dim)))
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count, dim)).astype(np.float32)
    context = None
    if context_dim:
        context = rng.normal(size=(count if seed % 2 else 1, context_dim)).astype(np.float32)
    return data, x, z, context


def close(ours, truth, slack=1.0):
    size = np.maximum(1.0, np.abs(truth).max())
    np.testing.assert_allclose(ours, truth, rtol=0, atol=2e-5 * slack * size)


@FLOWS
def test_forward_and_log_prob(seed, dim, context_dim, count):
    data, x, _, context = case(seed, dim, context_dim, count)
    truth = reference.forward(data, x, context)
    assume(np.abs(truth[0]).max() < 1e4)
    amplification = 1 + np.abs(reference.forward(data, x * (1 + 1e-6), context)[0] - truth[0]).max() * 1e6
    model = Model(data)
    z, log_det = model.forward(x, context)
    close(z, truth[0], amplification)
    close(log_det, truth[1], amplification)
    close(model.log_prob(x, context), reference.log_prob(data, x, context), amplification)


@FLOWS
def test_inverse(seed, dim, context_dim, count):
    data, _, z, context = case(seed, dim, context_dim, count)
    truth = reference.inverse(data, z, context)
    assume(np.abs(truth[0]).max() < 1e4)
    amplification = 1 + np.abs(reference.inverse(data, z * (1 + 1e-6), context)[0] - truth[0]).max() * 1e6
    x, log_det = Model(data).inverse(z, context)
    close(x, truth[0], amplification)
    close(log_det, truth[1], amplification)


@FLOWS
def test_sample(seed, dim, context_dim, count):
    data, _, _, context = case(seed, dim, context_dim, count)
    where = {"seed": seed, "stream": seed // 3, "index": seed * 7919}
    x, log_prob = Model(data).sample(count, context, **where, log_prob=True)
    truth, truth_log_prob = reference.sample(data, count, context, **where)
    assume(np.abs(truth).max() < 1e4)
    z = reference.forward(data, truth, context)[0]
    amplification = 1 + np.abs(reference.inverse(data, z * (1 + 1e-6), context)[0] - truth).max() * 1e6
    close(x, truth, amplification)
    close(log_prob, truth_log_prob, amplification)


@FLOWS
def test_the_batch_around_a_row_changes_nothing(seed, dim, context_dim, count):
    data, x, z, context = case(seed, dim, context_dim, count)
    model = Model(data)
    whole = [*model.forward(x, context), *model.inverse(z, context)]
    for i in {0, count // 2, count - 1}:
        own = context if context is None or len(context) == 1 else context[i]
        alone = [*model.forward(x[i], own), *model.inverse(z[i], own)]
        for many, one in zip(whole, alone):
            np.testing.assert_array_equal(many[i], one[0])
    x0 = model.sample(count, context, seed=seed, index=5)
    own = context if context is None or len(context) == 1 else context[-1]
    np.testing.assert_array_equal(x0[-1], model.sample(1, own, seed=seed, index=4 + count)[0])


@pytest.fixture(scope="module")
def model():
    return Model(encode(flowrt.compile(random_flow(10, 3, 2))))


def test_facts_of_a_model(model):
    assert (model.dim, model.context_dim) == (3, 2)
    assert model.metadata["flowrt"] == flowrt.__version__
    assert model.parameter_count > 0 and model.cpu_level >= 1
    assert 0 < model.plan_size() < model.workspace_size(1) <= model.workspace_size(1000)


def test_open_from_a_path(tmp_path):
    path = tmp_path / "m.flw"
    path.write_bytes(encode(flowrt.compile(random_flow(5, 3, 0))))
    assert Model(path).dim == Model(str(path)).dim == 3
    with pytest.raises(OSError):
        Model(tmp_path / "missing.flw")
    with pytest.raises(TypeError):
        Model(3)


def test_a_damaged_file_is_refused_with_its_place():
    data = bytearray(encode(flowrt.compile(random_flow(5, 3, 0))))
    data[64] = 99
    with pytest.raises(LibraryError, match=r"record 0, byte 64: found 99") as caught:
        Model(bytes(data), verify=False)
    assert caught.value.status == Status.FEATURE
    with pytest.raises(LibraryError) as caught:
        Model(bytes(data))
    assert caught.value.status == Status.CHECKSUM


def test_an_empty_file_is_too_short_and_nothing_else():
    with pytest.raises(LibraryError, match="in the header, byte 0") as caught:
        Model(b"")
    assert caught.value.status == Status.TRUNCATED


def test_numbers_are_told_where_they_tell_something():
    data = encode(flowrt.compile(random_flow(5, 3, 0)))
    with pytest.raises(LibraryError, match=f"found {len(data) - 1}, expected {len(data)}"):
        Model(data[:-1])
    wrong = bytearray(data)
    wrong[64] = 99  # a kind of record for which no number is expected
    with pytest.raises(LibraryError) as caught:
        Model(bytes(wrong), verify=False)
    assert "found 99" in str(caught.value) and "expected" not in str(caught.value)


def test_every_level_of_the_cpu_can_be_asked_for():
    data = encode(flowrt.compile(random_flow(5, 3, 0)))
    assert Model(data, level=1).cpu_level == 1
    x = np.ones((4, 3))
    np.testing.assert_allclose(Model(data, level=1).log_prob(x), Model(data).log_prob(x), rtol=1e-5, atol=1e-5)


def test_arguments_are_converted(model):
    wide = np.arange(24, dtype=np.float64).reshape(4, 6)[:, ::2] / 10  # float64, not contiguous
    z, log_det = model.forward(wide, [0.5, -1])
    assert z.dtype == log_det.dtype == np.float32
    again, _ = model.forward(wide.astype(np.float32).tolist(), np.array([[0.5, -1]] * 4))
    np.testing.assert_array_equal(z, again)
    one, _ = model.forward(wide[1], [0.5, -1])
    np.testing.assert_array_equal(one[0], z[1])


def test_no_rows_are_no_error(model):
    z, log_det = model.forward(np.zeros((0, 3)), [0, 0])
    assert z.shape == (0, 3) and log_det.shape == (0,)


def test_wrong_arguments_are_named(model):
    for call, text in [
        (lambda: model.forward(np.zeros((2, 4)), [0, 0]), r"x must be \(n, 3\)"),
        (lambda: model.inverse(np.zeros((2, 2)), [0, 0]), r"z must be \(n, 3\)"),
        (lambda: model.log_prob(np.zeros((2, 3))), "needs a context of 2"),
        (lambda: model.log_prob(np.zeros((2, 3)), np.zeros((3, 2))), "3 rows, not 1 or 2"),
        (lambda: model.sample(2, np.zeros((2, 1))), r"context must be \(n, 2\)"),
    ]:
        with pytest.raises(LibraryError, match=text):
            call()
    plain = Model(encode(flowrt.compile(random_flow(5, 3, 0))))
    with pytest.raises(LibraryError, match="takes no context"):
        plain.log_prob(np.zeros((2, 3)), np.zeros((2, 2)))


@pytest.mark.parametrize("name", ["n", "seed", "stream", "index"])
@pytest.mark.parametrize("value", [-1, -(2**64), 2**64, 2**64 + 1])
def test_numbers_of_a_draw_are_not_reduced(model, name, value):
    with pytest.raises(LibraryError, match=rf"^{name} must be 0 \.\. 2\^64 - 1, not {value}$") as caught:
        model.sample(**{"n": 1, "context": [0, 0], name: value})
    assert caught.value.status == Status.ARGUMENT


@pytest.mark.parametrize("count", [-1, 2**64])
def test_numbers_of_rows_are_not_reduced(model, count):
    with pytest.raises(LibraryError, match=rf"^count must be 0 \.\. 2\^64 - 1, not {count}$"):
        model.workspace_size(count)


def test_numbers_of_a_draw_are_whole(model):
    with pytest.raises(TypeError):
        model.sample(1, [0, 0], seed=1.0)
    of_numpy = model.sample(np.int64(2), [0, 0], seed=np.uint64(2**64 - 1), stream=np.int32(3), index=np.uint8(4))
    plain = model.sample(2, [0, 0], seed=2**64 - 1, stream=3, index=4)
    np.testing.assert_array_equal(of_numpy, plain)


def test_a_nonfinite_row_warns_and_leaves_the_others_alone(model):
    x = np.ones((5, 3), dtype=np.float32)
    clean = model.log_prob(x, [0, 0])
    x[2, 1] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning):
        spoilt = model.log_prob(x, [0, 0])
    assert np.isnan(spoilt[2])
    np.testing.assert_array_equal(np.delete(spoilt, 2), np.delete(clean, 2))


@pytest.mark.parametrize("verb", ["forward", "inverse", "log_prob", "sample"])
def test_a_warning_names_the_line_that_calls(verb):
    base = ir.ConditionalNormal([ir.Layer(np.zeros(2), context_weight=np.ones((2, 1)))])
    function = getattr(Model(encode(flowrt.compile(ir.Flow(1, 1, [], base)))), verb)
    with pytest.warns(flowrt.NonfiniteWarning) as caught:
        function(1 if verb == "sample" else np.nan, context=[np.nan])
    assert caught[0].filename == __file__


def test_threads_share_a_model(model):
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    expected = model.log_prob(x, [0, 0])
    results = [None] * 4

    def run(i):
        for _ in range(20):
            results[i] = model.log_prob(x, [0, 0])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_a_missing_library_is_one_clear_error(monkeypatch):
    from flowrt import library

    monkeypatch.setenv("FLOWRT_LIBRARY", "missing/libflowrt.so")
    library.load.cache_clear()
    try:
        with pytest.raises(LibraryError, match="set FLOWRT_LIBRARY"):
            library.load()
    finally:
        library.load.cache_clear()


def test_the_library_that_the_environment_names_comes_before_the_bundled_one(tmp_path, monkeypatch):
    from flowrt import library

    path = library.load()._name
    bundled = tmp_path / "libflowrt.so.0"
    bundled.write_text("no library")
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    try:
        monkeypatch.setenv("FLOWRT_LIBRARY", path)
        library.load.cache_clear()
        assert library.load()._name == path
        monkeypatch.delenv("FLOWRT_LIBRARY")
        library.load.cache_clear()
        with pytest.raises(LibraryError, match=str(bundled)):
            library.load()
    finally:
        library.load.cache_clear()


# ---- splines on their knots and bounds, elementwise functions, supports ----


def steps_only(*steps, dim, base=None):
    return encode(flowrt.compile(ir.Flow(dim, 0, list(steps), base or ir.StandardNormal())))


def constant_spline(raw, bins, form, p):
    """A flow of one coordinate whose spline has the raw parameters `raw`, whatever the context."""
    return steps_only(ir.Autoregressive([ir.Layer(np.asarray(raw, float))], ir.Spline(bins, form, p)), dim=1)


@pytest.mark.parametrize("ends", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_a_spline_on_its_knots_and_bounds_and_outside(ends, seed):
    bins, rng = 4, np.random.default_rng(seed)
    derivatives = bins + {0: -1, 1: 1, 2: 0}[ends]
    # Equal widths put the knots on floats: -2, -1, 0, 1, 2. Heights and derivatives are random.
    raw = [*np.zeros(bins), *rng.normal(size=bins), *rng.normal(size=derivatives)]
    data = constant_spline(raw, bins, ends << 4, (-2.0, 2.0, 0.0, 1e-3, 1e-3, 0.0, 1.0 if ends == 0 else 0.0))
    knots = np.array([-2, -1, 0, 1, 2], np.float32)
    x = np.concatenate([knots, np.nextafter(knots, -9), np.nextafter(knots, 9), [-7.5, 1e30, -1e30]])[:, None]
    x = x.astype(np.float32)
    model = Model(data)
    z, log_det = model.forward(x)
    truth = reference.forward(data, x)
    np.testing.assert_allclose(z, truth[0], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(log_det, truth[1], atol=2e-5)
    outside = np.abs(x[:, 0]) > 2
    np.testing.assert_array_equal(z[outside], x[outside])
    assert (log_det[outside] == 0).all()
    assert (np.abs(z[~outside]) <= 2).all()
    back, back_log_det = model.inverse(z)
    np.testing.assert_allclose(back, x, atol=2e-5, rtol=1e-6)
    on_a_bound = (
        np.abs(np.abs(z[:, 0]) - 2) < 1e-6
    )  # where one rounding decides on which side of the bound a point lies
    np.testing.assert_allclose((back_log_det + log_det)[~on_a_bound], 0, atol=1e-4)


@pytest.mark.parametrize("level", [1, 0])
def test_a_spline_of_steep_bins_keeps_its_discriminant(level):
    """Bins of very different heights and derivatives, at many points of each: finite, inside the bounds, and monotone
    but for what rounding a knot by 1e-7 does where the inverse is 10,000 times as steep."""
    raw = [0, 3, -3, 0, 8, -8, 0, 4, -9, 9, -9]
    data = constant_spline(raw, 4, 0, (-1.0, 1.0, 1e-4, 1e-4, 1e-4, 0.0, 1.0))
    q = np.linspace(-1, 1, 20001, dtype=np.float32)[:, None]
    x, log_det = Model(data, level=level).inverse(q)
    assert np.isfinite(x).all() and np.isfinite(log_det).all()
    assert (np.diff(x[:, 0]) >= -4e-3).all() and (np.abs(x) <= 1).all()


@pytest.mark.parametrize("level", [1, 0])
@pytest.mark.parametrize("ends", [(-200, 200), (200, -200), (14, 14), (-14, -14)])
def test_a_cubic_spline_is_inverted_where_it_is_flat_and_where_it_is_steep(ends, level):
    """Derivatives of zero, and of three times the slope of the piece, at the ends."""
    spline = ir.Spline(3, SplineForm.CUBIC, (-1.0, 1.0, 1e-3, 1e-3))
    data = steps_only(ir.Autoregressive([ir.Layer(np.array([0, 1, -1, 2, 0, 1, *ends], float))], spline), dim=1)
    q = np.concatenate([np.linspace(-1, 1, 20001), 1 - np.geomspace(1e-7, 1, 500), np.geomspace(1e-7, 1, 500) - 1])
    q = q.astype(np.float32)[:, None]
    x, log_det = Model(data, level=level).inverse(q)
    assert np.isfinite(log_det).all() and (np.abs(x) <= 1).all()
    np.testing.assert_allclose(reference.forward(data, x)[0], q, atol=2e-6)


CONSTANTS = {
    Function.LOGIT: (-1.5, 2.5),
    Function.LOG_ABOVE: (-3.0, 0),
    Function.LOG_BELOW: (4.0, 0),
    Function.SIGMOID: (-1.5, 2.5),
    Function.EXP_ABOVE: (-1.0, 0),
    Function.LEAKY: (0.25, 0),
    Function.LEAKY_INVERSE: (0.25, 0),
    Function.SOFTSIGN: (3.0, 0),
    Function.SOFTSIGN_INVERSE: (3.0, 0),
    Function.PROBIT: (-1.5, 2.5),
    Function.NORMAL_CDF: (-1.5, 2.5),
}
DOMAINS = {
    Function.LOGIT: (-1.5, 2.5),
    Function.LOG_ABOVE: (-3.0, 20.0),
    Function.LOG_BELOW: (-20.0, 4.0),
    Function.ATANH: (-1.0, 1.0),
    Function.SOFTSIGN_INVERSE: (-3.0, 3.0),
    Function.PROBIT: (-1.5, 2.5),
}


@pytest.mark.parametrize("dim", [1, 5, 21])
@pytest.mark.parametrize("function", list(Function))
def test_elementwise_functions(function, dim):
    lower, upper = CONSTANTS.get(function, (0.0, 0.0))
    data = steps_only(ir.Elementwise(np.full(dim, function), np.full(dim, lower), np.full(dim, upper)), dim=dim)
    low, high = DOMAINS.get(function, (-4.0, 4.0))
    middle, half = (low + high) / 2, (high - low) / 2
    x = (middle + half * np.random.default_rng(dim).uniform(-0.98, 0.98, size=(50, dim))).astype(np.float32)
    model = Model(data)
    truth = reference.forward(data, x)
    z, log_det = model.forward(x)
    np.testing.assert_allclose(z, truth[0], rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(log_det, truth[1], rtol=1e-4, atol=2e-5 * dim)
    back, back_log_det = model.inverse(truth[0].astype(np.float32))
    exact = reference.inverse(data, truth[0].astype(np.float32))
    np.testing.assert_allclose(back, exact[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(back_log_det, exact[1], rtol=1e-3, atol=1e-4 * dim)
    np.testing.assert_array_equal(np.array([model.forward(row)[0][0] for row in x]), z)


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("function", DOMAINS)
def test_a_point_outside_a_domain_has_density_zero(function, count):
    lower, upper = CONSTANTS.get(function, (0.0, 0.0))
    data = steps_only(ir.Elementwise([0, function, 0], [0, lower, 0], [0, upper, 0]), dim=3)
    low, high = DOMAINS[function]
    inside = (low + high) / 2
    open_ends = {Function.LOG_ABOVE: [low], Function.LOG_BELOW: [high]}.get(function, [low, high])
    model = Model(data)
    for end in [e for e in (*open_ends, low - 30, high + 30) if reference.log_prob(data, [[0, e, 0]])[0] == -np.inf]:
        x = np.full((count, 3), inside)
        x[0, 1] = end
        log_prob = model.log_prob(x)
        assert log_prob[0] == -np.inf
        np.testing.assert_allclose(log_prob[1:], reference.log_prob(data, x)[1:], rtol=1e-5)
        with pytest.warns(RuntimeWarning):  # z or log_det of that row is not finite
            z, log_det = model.forward(x)
        assert not (np.isfinite(z[0]).all() and np.isfinite(log_det[0]))
        assert np.isfinite(z[1:]).all() and np.isfinite(log_det[1:]).all()


@pytest.mark.parametrize("count", [1, 20])
def test_a_point_outside_a_box_has_density_zero(count):
    data = steps_only(dim=2, base=ir.BoxUniform(np.array([0.0, -1.0]), np.array([0.5, 3.0])))
    x = np.full((count, 2), 0.25)
    for bad in ([0.25, 3.1], [-0.01, 0], [np.inf, 0], [0.25, -np.inf]):
        x[-1] = bad
        log_prob = Model(data).log_prob(x)
        assert log_prob[-1] == -np.inf
        np.testing.assert_allclose(log_prob[:-1], -np.log(2), rtol=1e-6)
    np.testing.assert_allclose(
        Model(data).log_prob([[0, -1], [0.5, 3]]), -np.log(2), rtol=1e-6
    )  # the bounds belong to it


@pytest.mark.parametrize("count", [1, 20])
def test_a_row_with_a_nan_has_no_density_wherever_the_rest_is(count):
    data = steps_only(dim=2, base=ir.BoxUniform(np.zeros(2), np.ones(2)))
    x = np.full((count, 2), 0.5)
    x[-1] = [np.nan, 7]
    with pytest.warns(flowrt.NonfiniteWarning):
        np.testing.assert_array_equal(Model(data).log_prob(x), reference.log_prob(data, x))
    assert np.isnan(reference.log_prob(data, x)[-1]) and np.all(reference.log_prob(data, x)[:-1] == 0)


def mixture(std):
    """Two normals of one coordinate, at 0."""
    base = ir.NormalMixture(np.log([0.5, 0.5]), np.zeros((2, 1)), np.reshape(std, (2, 1)))
    return steps_only(dim=1, base=base)


@pytest.mark.parametrize("std", [(1e-4, 1e16), (1e16, 1e-4), (1e-20, 1.0), (1.0, 1e-20)])
@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_component_whose_density_underflows_adds_nothing(std, count):
    data = mixture(std)
    x = np.full((count, 1), 1.0 if max(std) == 1 else 1e16, np.float32)
    close(Model(data).log_prob(x), reference.log_prob(data, x))


def test_far_from_every_component_the_density_is_zero():
    with pytest.warns(flowrt.NonfiniteWarning):
        log_p = Model(mixture((1.0, 2.0))).log_prob(np.full((3, 1), 1e30, np.float32))
    np.testing.assert_array_equal(log_p, -np.inf)
