"""The trained flows of models/images in both directions from C, against the float64 evaluator; their tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import flowrt
from flowrt import reference

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "models" / "images"
sys.path.insert(0, str(ROOT / "models" / "canon"))

from rows import error, rows_of  # noqa: E402

RESULTS = json.loads((IMAGES / "images.json").read_text())
ULP = float(np.finfo(np.float32).eps)


def test_each_model_has_its_row():
    assert {path.stem for path in IMAGES.glob("*.flw")} == set(RESULTS) == {"glow", "real_nvp"}
    table, page = (ROOT / "docs" / "CANON.md").read_text(), (IMAGES / "README.md").read_text()
    for name, result in RESULTS.items():
        assert f"| {result['system']} | `images/{name}` (normflows" in table
        bits = [f"{result[f'{part} bits per dimension']:.2f}" for part in ("training", "held out")]
        assert f"| `{name}.flw` |" in page and f"| {' / '.join(bits)} |" in page
        assert (IMAGES / f"{name}.flw").stat().st_size < 610_000


@pytest.mark.parametrize("name", RESULTS)
def test_both_directions(name):
    path, own = IMAGES / f"{name}.flw", RESULTS[name]["float32 errors"]
    model, rows = flowrt.Model(path), rows_of(path, 64)
    (z, log_det), (x, log_det_inverse) = model.forward(rows.x), model.inverse(rows.z)
    (true_z, true_log_det), (true_x, true_inverse) = reference.forward(path, rows.x), reference.inverse(path, rows.z)
    log_p, true_log_p = model.log_prob(rows.x), reference.log_prob(path, rows.x)
    for found, truth, quantity in (
        (z, true_z, "z"),
        (x, true_x, "x"),
        (log_det, true_log_det, "log det"),
        (log_det_inverse, true_inverse, "log det"),
        (log_p, true_log_p, "log p"),
    ):
        assert error(found, truth) <= 2 * own[quantity] + 32 * ULP, quantity


@pytest.mark.parametrize("name", RESULTS)
def test_held_out_digits_cost_what_was_measured(name):
    levels = np.frombuffer((IMAGES / "digits.pgm").read_bytes()[-500 * 784 :], np.uint8).reshape(500, 784)
    x = ((levels + np.random.default_rng(0).uniform(size=levels.shape)) / 256).astype(np.float32)
    bits = 8 - flowrt.Model(IMAGES / f"{name}.flw").log_prob(x) / (784 * np.log(2))
    assert abs(bits.mean() - RESULTS[name]["held out bits per dimension"]) < 0.01  # with noise of their own


@pytest.mark.parametrize("name", RESULTS)
def test_draws_go_back_to_standard_normal_noise(name):
    path = IMAGES / f"{name}.flw"
    x, log_prob = flowrt.Model(path).sample(100, seed=3, log_prob=True)
    z, _ = reference.forward(path, x)
    truth = reference.log_prob(path, x)
    inside = np.isfinite(truth)  # float32 may put a pixel at the end of its range, beside the logit's support
    assert inside.sum() >= 90
    x, z, log_prob, truth = x[inside], z[inside], log_prob[inside], truth[inside]
    assert abs(z.mean()) < 5 / np.sqrt(z.size) and abs(z.var() - 1) < 5 * np.sqrt(2 / z.size)
    assert np.all(abs(log_prob - truth) < 2e-3 * (1 + abs(truth)))
