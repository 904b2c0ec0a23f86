"""examples-c/hmc.c and explain.c: their numbers are those of float64 integrals, and what they cannot use they name."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from source_posterior import AXES, FILE, MODELS, READINGS, moments

import flowrt
from flowrt.library import load
from flowrt.reference.gradient import log_prob_gradient

ROOT = Path(__file__).resolve().parents[2]
TUMOURS = MODELS / "breast_cancer_iaf.flw"
NORMAL = MODELS / "breast_cancer_calibration.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made, library = tmp_path_factory.mktemp("examples"), Path(load()._name).resolve()
    for name in ("hmc", "explain"):
        command = shlex.split(os.environ.get("CC", "cc")) + ["-std=c99", "-O1", f"-I{ROOT / 'include'}"]
        command += [str(ROOT / "examples-c" / f"{name}.c"), str(library), "-lm", "-o", str(made / name)]
        subprocess.run([*command, f"-Wl,-rpath,{library.parent}"], check=True)
    return made


def ran(folder, *arguments):
    return subprocess.run([f"./{arguments[0]}", *map(str, arguments[1:])], cwd=folder, capture_output=True, text=True)


# ---- hmc ----


@pytest.mark.parametrize("count, axes", [(16, AXES), (1, 2 * (np.linspace(-4, 4, 71),))])
def test_the_posterior_is_that_of_an_integral(folder, count, axes):
    np.savetxt(folder / "readings.csv", READINGS[:count], delimiter=",")
    done = ran(folder, "hmc", FILE, "readings.csv", 2000, 5, "draws.csv")
    assert done.returncode == 0, done.stderr
    assert 0.7 < float(re.search(r"acceptance (\S+)", done.stdout)[1]) < 0.95  # a wrong gradient makes short steps
    mean, sd, correlation = moments(READINGS[:count], axes)
    draws = np.loadtxt(folder / "draws.csv", delimiter=",")
    assert draws.shape == (8000, 2)
    assert np.all(np.abs(draws.mean(0) - mean) < 0.08 * sd)  # five errors of 4000 independent draws
    np.testing.assert_allclose(draws.std(0), sd, rtol=0.05)
    assert float(re.search(r"step size (\S+),", done.stdout)[1]) > 0.5 * sd.min()
    assert abs(np.corrcoef(draws.T)[0, 1] - correlation) < 0.06
    printed = {line.split()[0]: [float(v) for v in line.split()[1:]] for line in done.stdout.splitlines()[2:]}
    for i, name in enumerate(["east", "north"]):
        quantiles = np.quantile(draws[:, i], [0.05, 0.5, 0.95])
        np.testing.assert_allclose(printed[name][:5], [draws[:, i].mean(), draws[:, i].std(), *quantiles], atol=2e-3)
        assert abs(printed[name][5] - r_hat(draws[:, i].reshape(4, 2000))) < 1e-4 and printed[name][5] < 1.01


def r_hat(chains):
    halves = chains.reshape(8, -1)
    within, n = halves.var(1, ddof=1).mean(), halves.shape[1]
    return np.sqrt((n - 1) / n + halves.mean(1).var(ddof=1) / within)


def test_a_seed_makes_the_same_draws(folder):
    one, same, other = (ran(folder, "hmc", FILE, MODELS / "source_readings.csv", 20, seed) for seed in (3, 3, 4))
    assert one.stdout == same.stdout != other.stdout


# ---- explain ----


def test_the_shares_are_integrals_of_the_gradient(folder):
    suspects = np.loadtxt(MODELS / "breast_cancer_benign.csv", delimiter=",")[:3]
    suspects[[0, 1, 2], [4, 11, 27]] *= 2
    np.savetxt(folder / "suspects.csv", suspects, delimiter=",")
    done = ran(folder, "explain", TUMOURS, NORMAL, "suspects.csv")
    assert done.returncode == 0, done.stderr
    normal = np.sort(np.loadtxt(NORMAL, delimiter=","), axis=0)
    reference = normal[len(normal) // 2]
    points = (np.arange(64) + 0.5) / 64
    for line, row in zip(done.stdout.splitlines(), suspects):
        _, by_x, _ = log_prob_gradient(TUMOURS.read_bytes(), reference + points[:, None] * (row - reference))
        shares = (row - reference) * by_x.mean(0)
        least = np.argsort(shares)[:3]
        named = [(int(name) - 1, float(share)) for name, share in re.findall(r"measurement (\d+) (\S+)", line)]
        assert named[0][0] == least[0] and {i for i, _ in named} == set(least)
        np.testing.assert_allclose([share for _, share in named], [shares[i] for i, _ in named], rtol=0.02, atol=0.1)
        log_p, unexplained = float(line.split()[2]), float(line.split()[-1])
        change = log_p - flowrt.reference.log_prob(str(TUMOURS), reference[None])[0]
        assert abs(unexplained - (change - shares.sum())) < 0.02 * abs(change)


# ---- refusals ----


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["hmc", TUMOURS, NORMAL], "the model takes no context, so there is nothing to infer"),
        (["hmc", FILE, os.devnull], "/dev/null: no readings"),
        (["hmc", FILE, NORMAL], "30 columns instead of 4"),
        (["hmc", FILE, MODELS / "source_readings.csv", 3], "DRAWS: '3' is less than 4, or more than memory holds"),
        (["explain", FILE, NORMAL, NORMAL], "the model takes a context; this program explains models without one"),
        (["explain", TUMOURS, os.devnull, NORMAL], "/dev/null: no rows"),
        (["explain", MODELS / "none.flw", NORMAL, NORMAL], "none.flw: No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_named(folder, arguments, text):
    done = ran(folder, *arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: ") and text in done.stderr
