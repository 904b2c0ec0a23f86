"""Mixtures of flows: densities, draws, files that are none, and the same in C."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from golden_files import FOLDER
from random_flows import flow as random_flow

import flowrt
from flowrt.file import encode
from flowrt.mixture import choices, encode_mixture

NAMES = ("nflows_maf_residual", "nflows_mixed", "zuko_maf")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples-c"
CONDITIONAL = ("nflows_context_residual", "nflows_context_feedforward")


def paths(names=NAMES):
    same = [FOLDER / f"{name}.flw" for name in names]
    shapes = [(flowrt.Model(path).dim, flowrt.Model(path).context_dim) for path in same]
    return [path for path, shape in zip(same, shapes) if shape == shapes[0]] * 2


def test_log_prob_is_the_log_of_the_weighted_sum(tmp_path):
    members, weights = paths()[:2], [3.0, 1.0]
    flowrt.save_mixture(tmp_path / "m.flm", members, weights)
    mixture = flowrt.Mixture(tmp_path / "m.flm")
    x = np.random.default_rng(0).normal(size=(20, mixture.dim))
    one, other = (np.exp(flowrt.Model(path).log_prob(x).astype(float)) for path in members)
    np.testing.assert_allclose(mixture.log_prob(x), np.log(0.75 * one + 0.25 * other), rtol=1e-5, atol=1e-5)


def test_its_gradient_is_that_of_log_p():
    """Differences of the float64 evaluator; contexts of their own, shared ones, and a member of weight zero."""
    rng = np.random.default_rng(4)
    files = [encode(flowrt.compile(random_flow(seed, 3, 2))) for seed in (5, 4, 8)]
    weights = np.array([0.3, 0.7, 0.0])
    mixture = flowrt.Mixture(encode_mixture(files, weights))
    x, context = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))

    def exact(x, context):
        terms = [w * np.exp(flowrt.reference.log_prob(file, x, context)) for w, file in zip(weights[:2], files)]
        return np.log(np.sum(terms, axis=0))

    log_p, by_x, by_context = mixture.log_prob_gradient(x, context)
    np.testing.assert_array_equal(log_p, mixture.log_prob(x, context))
    for i in range(5):
        step = 1e-5 * (np.arange(5) == i)
        high, low = (exact(x + sign * step[:3], context + sign * step[3:]) for sign in (1, -1))
        found = by_x[:, i] if i < 3 else by_context[:, i - 3]
        slope = (high - low) / 2e-5
        assert np.all(np.abs(found - slope) < 1e-3 * (1 + np.abs(slope)))
    shared = mixture.log_prob_gradient(x[None], context[:, None])
    assert [part.shape for part in shared] == [(6, 6), (6, 6, 3), (6, 6, 2)]
    np.testing.assert_array_equal(shared[1][range(6), range(6)], by_x)


def test_the_gradient_is_0_where_no_member_has_a_density_and_nan_where_a_row_is():
    low, high = (uniform(start) for start in (0.0, 0.5))
    mixture = flowrt.Mixture(encode_mixture([low, high], np.array([0.5, 0.5])))
    with pytest.warns(flowrt.NonfiniteWarning):
        log_p, by_x, by_context = mixture.log_prob_gradient([[0.75], [3.0], [np.nan]])
    np.testing.assert_array_equal(log_p, np.float32([0, -np.inf, np.nan]))
    np.testing.assert_array_equal(by_x, np.float32([[0], [0], [np.nan]]))
    assert by_context is None


def uniform(start):
    return encode(
        flowrt.compile(flowrt.ir.Flow(1, 0, [], flowrt.ir.BoxUniform(np.array([start]), np.array([start + 1.0]))))
    )


def test_draws_are_those_of_members_chosen_by_their_weights(tmp_path):
    members, weights = paths()[:2], np.array([0.8, 0.2])
    flowrt.save_mixture(tmp_path / "m.flm", members, weights)
    mixture, n = flowrt.Mixture(tmp_path / "m.flm"), 20_000
    choice = choices(weights, n, 5, 1, 7)
    assert abs(np.mean(choice == 0) - 0.8) < 5 * np.sqrt(0.16 / n)
    x, log_prob = mixture.sample(200, seed=5, stream=1, index=7, log_prob=True)
    for number, path in enumerate(members):
        own = flowrt.Model(path).sample(200, seed=5, stream=1, index=7)
        np.testing.assert_array_equal(x[choice[:200] == number], own[choice[:200] == number])
    np.testing.assert_array_equal(log_prob, mixture.log_prob(x))
    split = [mixture.sample(100, seed=5, stream=1, index=index) for index in (7, 107)]
    np.testing.assert_array_equal(x, np.concatenate(split))


def test_a_member_of_weight_zero_is_never_drawn():
    assert set(choices(np.array([0.0, 1.0, 0.0]), 1000, 0, 0, 0)) == {1}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: b"x" + data[1:], "no mixture"),
        (lambda data: data[:8] + b"\2" + data[9:], "version 2"),
        (lambda data: data[:12] + b"\0" + data[13:], "0 members"),
        (lambda data: data[:-64], "ends within member|has .* bytes"),
        (lambda data: data + bytes(64), "has .* bytes"),
        (lambda data: data[:64] + bytes(8) + data[72:], "add up to 1"),
    ],
)
def test_what_is_no_mixture_is_refused(change, message):
    data = encode_mixture([paths()[0].read_bytes()] * 2, [0.5, 0.5])
    flowrt.Mixture(data)
    with pytest.raises(flowrt.Error, match=message):
        flowrt.Mixture(change(data))


def test_members_must_fit_together(tmp_path):
    with pytest.raises(flowrt.Error, match="different"):
        flowrt.save_mixture(tmp_path / "m.flm", [FOLDER / "nflows_one_feature.flw", FOLDER / "nflows_mixed.flw"])
    with pytest.raises(flowrt.ExportError, match="2 flows and 3 weights"):
        flowrt.save_mixture(tmp_path / "m.flm", paths()[:2], [1, 2, 3])
    with pytest.raises(flowrt.ExportError, match="weights must be"):
        flowrt.save_mixture(tmp_path / "m.flm", paths()[:2], [1, -1])
    with pytest.raises(flowrt.ExportError, match="is not a mixture"):
        flowrt.save_mixture(tmp_path / "m.flm", object())
    assert not (tmp_path / "m.flm").exists()


def test_the_header_for_c_gives_the_same(tmp_path):
    library = Path(flowrt.library.load()._name).resolve().parent
    flowrt.save_mixture(tmp_path / "m.flm", paths()[:2], [1, 2])
    build = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-I", str(EXAMPLES.parent / "include")]
    build += [str(EXAMPLES / "mixture.c"), "-L", str(library), "-lflowrt", f"-Wl,-rpath,{library}", "-lm"]
    subprocess.run([*build, "-o", tmp_path / "mixture"], check=True)
    printed = subprocess.run([tmp_path / "mixture", "m.flm", "50", "9"], cwd=tmp_path, check=True, capture_output=True)
    rows = np.array([line.split(b",") for line in printed.stdout.split()], dtype=np.float32)
    x, log_prob = flowrt.Mixture(tmp_path / "m.flm").sample(50, seed=9, log_prob=True)
    np.testing.assert_array_equal(rows[:, :-1], x)
    np.testing.assert_allclose(rows[:, -1], log_prob, rtol=1e-6, atol=1e-6)
