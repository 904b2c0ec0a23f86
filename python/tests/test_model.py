"""`Model` as a Python object: seen, copied, sent to other processes, run by threads, ended by Ctrl-C."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from random_flows import flow as random_flow

import flowrt
from flowrt import LibraryError, Mixture, Model, Status, parts
from flowrt.file import encode
from flowrt.mixture import encode_mixture

DATA = encode(flowrt.compile(random_flow(10, 3, 2)))
X = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
CONTEXT = np.random.default_rng(1).normal(size=(1000, 2)).astype(np.float32)


@pytest.fixture(scope="module", params=["flow", "mixture"])
def model(request):
    return Model(DATA) if request.param == "flow" else Mixture(encode_mixture([DATA, DATA], [0.25, 0.75]))


# ---- seen and copied ----


def test_what_is_shown():
    flow = random_flow(10, 3, 2)
    flow.framework = "zuko 1.5"
    shown = repr(Model(encode(flowrt.compile(flow))))
    steps = Model(DATA).step_count
    assert shown == f"<flowrt.Model: 3 dimensions, context of 2, {steps} steps, from zuko 1.5>"
    mixture = repr(Mixture(encode_mixture([DATA, DATA], [0.5, 0.5])))
    assert mixture.startswith("<flowrt.Mixture: 2 flows, the first of them <flowrt.Model: 3 dim")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_model_is_the_same(model, protocol):
    again = pickle.loads(pickle.dumps(model, protocol))
    assert type(again) is type(model) and repr(again) == repr(model)
    np.testing.assert_array_equal(again.log_prob(X, CONTEXT), model.log_prob(X, CONTEXT))


def test_options_are_pickled():
    again = pickle.loads(pickle.dumps(Model(DATA, level=1, threads=3)))
    assert (again.cpu_level, again.threads) == (1, 3)
    assert Model(DATA).to_bytes() == DATA


def test_copies_live_on_their_own(model):
    expected = model.log_prob(X, CONTEXT)
    for duplicate in (copy.copy, copy.deepcopy):
        original = pickle.loads(pickle.dumps(model))
        found = duplicate(original)
        del original
        np.testing.assert_array_equal(found.log_prob(X, CONTEXT), expected)


def density(job):
    model, x, context = job
    return model.log_prob(x, context)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_get_a_model_by_value(model, method, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    jobs = [(model, X[i : i + 250], CONTEXT[i : i + 250]) for i in range(0, 1000, 250)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = np.concatenate(pool.map(density, jobs))
    np.testing.assert_array_equal(found, model.log_prob(X, CONTEXT))


def test_joblib(model):
    joblib = pytest.importorskip("joblib")
    pieces = joblib.Parallel(n_jobs=2)(
        joblib.delayed(density)((model, X[i : i + 500], CONTEXT[i : i + 500])) for i in (0, 500)
    )
    np.testing.assert_array_equal(np.concatenate(pieces), model.log_prob(X, CONTEXT))


# ---- what is no model file ----


@pytest.mark.parametrize(
    "begin, found",
    [
        (b"PK\3\4", "it is a zip archive, as torch.save and Keras write them"),
        (b"\x80\2", "it is a pickle"),
        (b"\x89HDF\r\n", "it is an HDF5 file, as Keras writes them"),
        (b"\x93NUMPY", "it is an array of NumPy"),
        (b"hello", ""),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_way_on(tmp_path, begin, found):
    path = tmp_path / "flow.pt"
    path.write_bytes(begin + bytes(200))
    with pytest.raises(LibraryError) as caught:
        Model(path)
    assert caught.value.status == Status.MAGIC
    text = str(caught.value)
    assert text.startswith(f"{path}: not a .flw model file (") and found in text
    assert text.endswith('Load the trained model in its framework, then flowrt.save("model.flw", model)')
    for other in (Mixture, flowrt.format.read, lambda path: flowrt.reference.log_prob(path, X)):
        with pytest.raises(flowrt.Error, match=f"^{re.escape(str(path))}: this is no.*{found[6:]}"):
            other(path)


def test_models_and_mixtures_are_told_apart(tmp_path):
    (tmp_path / "m.flm").write_bytes(encode_mixture([DATA, DATA], [0.5, 0.5]))
    (tmp_path / "m.flw").write_bytes(DATA)
    with pytest.raises(LibraryError, match=r"m.flm: .*; it is a mixture of flows: open it with flowrt.Mixture$"):
        Model(tmp_path / "m.flm")
    with pytest.raises(flowrt.Error, match=r"m.flw: .* it is a .flw model: open it with flowrt.Model$"):
        Mixture(tmp_path / "m.flw")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "m.flw").write_bytes(DATA[:-1])
    for opened in (Model, flowrt.format.read):
        with pytest.raises(flowrt.Error, match=f"^{re.escape(str(tmp_path))}/m.flw: "):
            opened(tmp_path / "m.flw")


@pytest.mark.parametrize("kind", [Model, Mixture])
def test_a_live_model_is_no_file(kind):
    with pytest.raises(TypeError, match='of a file are needed, not Flow: write one with flowrt.save\\("model.flw"'):
        kind(random_flow(10, 3, 2))


# ---- draws ----


def test_each_call_draws_anew_unless_it_is_given_a_seed(model):
    assert not np.array_equal(model.sample(5, CONTEXT[0]), model.sample(5, CONTEXT[0]))
    np.testing.assert_array_equal(model.sample(5, CONTEXT[0], seed=3), model.sample(5, CONTEXT[0], 3))
    for make in (np.random.default_rng, np.random.RandomState):
        one, other = make(7), make(7)
        first, second = model.sample(5, CONTEXT[0], seed=one), model.sample(5, CONTEXT[0], seed=one)
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(first, model.sample(5, CONTEXT[0], seed=other))
        np.testing.assert_array_equal(second, model.sample(5, CONTEXT[0], seed=other))


def test_log_prob_of_draws_is_asked_for(model):
    x, log_prob = model.sample(50, CONTEXT[0], seed=3, log_prob=True)
    np.testing.assert_array_equal(x, model.sample(50, CONTEXT[0], seed=3))
    np.testing.assert_allclose(log_prob, model.log_prob(x, CONTEXT[0]), rtol=1e-4, atol=1e-4)


# ---- parts and threads ----


def test_parts_are_all_rows_once():
    for count in (0, 1, 63, 64, 65, 1000):
        for each in (64, 128):
            for group in (count, 1, 5, 40, 100):
                if group and count % group == 0:
                    found = parts.parts_of(count, each, group)
                    assert [row for part in found for row in range(*part)] == list(range(count))
                    assert all(part.stop - part.start <= each for part in found)
                    if group >= 32:
                        assert all(part.start // group == (part.stop - 1) // group for part in found)


def test_a_part_takes_a_moment():
    assert parts.rows_in_part(10**9, 1e3, 1) == 65536
    assert parts.rows_in_part(10**9, 1e7, 1) == 64
    assert parts.rows_in_part(10**6, 1e4, 2) == 40000 and parts.rows_in_part(10000, 1e4, 2) == 5056
    assert parts.rows_in_part(1000, 1e3, 2) == 4032  # too little work for two threads


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "_WORK", 0.0)


@pytest.mark.parametrize("threads", [1, 2, 5, 0])
def test_threads_and_parts_change_no_bit(model, small_parts, threads, monkeypatch):
    with monkeypatch.context() as whole:
        whole.setattr(parts, "_WORK", 1e30)
        expected = [
            model.log_prob(X, CONTEXT),
            model.log_prob(X, CONTEXT[0]),
            model.log_prob(X[:40], CONTEXT[:5, None]),
            *model.sample(1000, CONTEXT, 5, 6, 2**64 - 500, log_prob=True),
            *model.sample(100, CONTEXT[:3, None], 5, 6, 7, log_prob=True),
        ]
        whole_size = len(parts.parts_of(1000, parts.rows_in_part(1000, 1.0, 1), 1000))
    assert whole_size == 1 < len(parts.parts_of(1000, parts.rows_in_part(1000, 1.0, 1), 1000))
    found = [
        model.log_prob(X, CONTEXT, threads=threads),
        model.log_prob(X, CONTEXT[0], threads=threads),
        model.log_prob(X[:40], CONTEXT[:5, None], threads=threads),
        *model.sample(1000, CONTEXT, 5, 6, 2**64 - 500, log_prob=True, threads=threads),
        *model.sample(100, CONTEXT[:3, None], 5, 6, 7, log_prob=True, threads=threads),
    ]
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_rows_are_evaluated_by_as_many_threads_as_are_asked_for(small_parts):
    seen, barrier = set(), threading.Barrier(2, timeout=20)

    def progress(done, total):
        seen.add(threading.get_ident())

    def worker():
        barrier.wait()
        return lambda part: None

    parts.run(parts.parts_of(1000, 64, 1000), worker, 2, progress, "test")
    assert len(seen) in (1, 2) and not barrier.broken  # two workers met
    with pytest.raises(flowrt.Error, match="threads must be 0"):
        Model(DATA, threads=-1)


def test_an_error_in_a_thread_ends_all_of_them():
    calls = []

    def worker():
        def evaluate(part):
            calls.append(part)
            time.sleep(0.01)
            if part.start == 0:
                raise flowrt.Error("here")

        return evaluate

    with pytest.raises(flowrt.Error, match="here"):
        parts.run(parts.parts_of(64 * 100, 64, 6400), worker, 2, False, "test")
    assert len(calls) < 10


def test_a_warning_of_one_part_is_one_warning(small_parts):
    x = X.copy()
    x[::100] = np.nan
    with pytest.warns(flowrt.NonfiniteWarning) as caught:
        Model(DATA).log_prob(x, CONTEXT, threads=2)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_progress_is_shown(model, small_parts, capsys):
    model.log_prob(X, CONTEXT, progress=True)
    shown = capsys.readouterr().err.splitlines()[-1].split("\r")[-1]
    assert "log prob 1,000 of 1,000 rows, 100 %" in shown
    calls = []
    model.log_prob(X, CONTEXT, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (64, 1000) and calls[-1] == (1000, 1000) and len(calls) % 16 == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_a_long_call_within_a_second(tmp_path, threads):
    (tmp_path / "m.flw").write_bytes(encode(flowrt.compile(random_flow(5, 40, 0))))
    program = (
        "import flowrt, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        f"model = flowrt.Model({str(tmp_path / 'm.flw')!r}, threads={threads})\n"
        "begun = []\n"
        "def progress(done, total):\n"
        "    if not begun: begun.append(print('begun', flush=True))\n"
        "try: model.sample(10**7, seed=1, progress=progress)\n"
        "except KeyboardInterrupt: print(time.time())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "begun\n"
    sent = time.time()
    process.send_signal(signal.SIGINT)
    ended = float(process.communicate(timeout=60)[0])
    assert ended - sent < 1
