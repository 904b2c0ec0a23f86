"""Mixtures of flows: densities, draws, files that are none, and the same in C."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from golden_files import FOLDER

import flowrt
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
