"""libflowrt through `flowrt.Model`, against the evaluator, on random flows. Fails if the library is missing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_flows import flow as random_flow

import flowrt
from flowrt import FormatError, LibraryError, Model, reference
from flowrt.errors import Status
from flowrt.format import encode

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
    x, log_prob = Model(data).sample(count, context, **where)
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
    x0, _ = model.sample(count, context, seed=seed, index=5)
    own = context if context is None or len(context) == 1 else context[-1]
    np.testing.assert_array_equal(x0[-1], model.sample(1, own, seed=seed, index=4 + count)[0][0])


def accepted_by_library(data) -> int:
    try:
        Model(data)
    except LibraryError as error:
        return error.status
    return Status.OK


@given(seed=st.integers(0, 2**32), dim=st.integers(1, 5), context_dim=st.integers(0, 2), data=st.data())
def test_library_and_reader_refuse_the_same_files(seed, dim, context_dim, data):
    """A byte of the structure is changed and the checksum mended; both must come to the same verdict."""
    from test_format import blocks_start, changed

    whole = encode(flowrt.compile(random_flow(seed, dim, context_dim)))
    offset = data.draw(st.one_of(st.integers(0, blocks_start(whole) - 1), st.integers(0, len(whole) - 1)))
    mutated = changed(whole, offset, bytes([whole[offset] ^ data.draw(st.integers(1, 255))]))
    verdict = accepted_by_library(mutated)
    assume(
        verdict not in (Status.FEATURE, Status.LIMIT)
    )  # what the library does not execute, the reader may understand
    try:
        flowrt.format.read(mutated)
        assert verdict == Status.OK
    except FormatError as error:
        assert verdict != Status.OK, error


@pytest.fixture(scope="module")
def model():
    return Model(encode(flowrt.compile(random_flow(5, 3, 2))))


def test_facts_of_a_model(model):
    assert (model.dim, model.context_dim) == (3, 2)
    assert model.metadata["flowrt"] == flowrt.__version__
    assert model.parameter_count > 0 and model.cpu_level >= 1
    assert 0 < model.workspace_size(1) <= model.workspace_size(1000)


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
        with pytest.raises(LibraryError, match=text) as caught:
            call()
        assert caught.value.status == Status.ARGUMENT
    plain = Model(encode(flowrt.compile(random_flow(5, 3, 0))))
    with pytest.raises(LibraryError, match="takes no context"):
        plain.log_prob(np.zeros((2, 3)), np.zeros((2, 2)))


def test_a_nonfinite_row_warns_and_leaves_the_others_alone(model):
    x = np.ones((5, 3), dtype=np.float32)
    clean = model.log_prob(x, [0, 0])
    x[2, 1] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning):
        spoilt = model.log_prob(x, [0, 0])
    assert np.isnan(spoilt[2])
    np.testing.assert_array_equal(np.delete(spoilt, 2), np.delete(clean, 2))


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
