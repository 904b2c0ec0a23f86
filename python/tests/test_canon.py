"""Every system of the canon in both directions from C, against the float64 evaluator: models/canon/, docs/CANON.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import flowrt
from flowrt import format, reference
from flowrt.file.codes import BaseKind
from flowrt.reference import functions
from flowrt.reference.conditioner import evaluate

CANON = Path(__file__).resolve().parents[2] / "models" / "canon"
sys.path.insert(0, str(CANON))

from rows import error, rows_of  # noqa: E402

RESULTS = json.loads((CANON / "canon.json").read_text())
ULP = float(np.finfo(np.float32).eps)


def allowed(own_error: float) -> float:
    """Twice what the framework itself loses in float32, and some roundings."""
    return 2 * own_error + 32 * ULP


def test_every_system_has_its_model_and_its_row():
    assert {path.stem for path in CANON.glob("*.flw")} == set(RESULTS) and len(RESULTS) == 12
    table = (CANON.parents[1] / "docs" / "CANON.md").read_text()
    for name, result in RESULTS.items():
        assert f"| {result['system']} | `{name}` (" in table


@pytest.mark.parametrize("name", RESULTS)
def test_both_directions(name):
    path, own = CANON / f"{name}.flw", RESULTS[name]["float32 errors"]
    model, rows = flowrt.Model(path), rows_of(path)
    for quantity, ours, true in (
        ("z", model.forward(rows.x, rows.context), reference.forward(path, rows.x, rows.context)),
        ("x", model.inverse(rows.z, rows.context), reference.inverse(path, rows.z, rows.context)),
    ):
        assert error(ours[0], true[0]) <= allowed(own[quantity])
        assert error(ours[1], true[1]) <= allowed(own["log det"])
    log_prob = model.log_prob(rows.x, rows.context)
    assert error(log_prob, reference.log_prob(path, rows.x, rows.context)) <= allowed(own["log p"])


@pytest.mark.parametrize("name", RESULTS)
def test_samples_come_with_their_density(name):
    """log p of a draw is that of the row that was drawn, whose own rounding moves log p in float64."""
    path = CANON / f"{name}.flw"
    model, context = flowrt.Model(path), rows_of(path).context
    x, log_prob = model.sample(256, context, seed=5, log_prob=True)
    truth = reference.log_prob(path, x, context)
    moved = np.abs(reference.log_prob(path, x * (1 + ULP), context) - truth)
    assert np.all(np.abs(log_prob - truth) <= 8 * moved.max() + allowed(RESULTS[name]["float32 errors"]["log p"]) * 32)


def to_normals(base, z, context) -> np.ndarray:
    """Noise of a base density as standard normals, by its distribution functions."""
    if base.base == BaseKind.STANDARD_NORMAL:
        return z
    if base.base == BaseKind.CONDITIONAL_NORMAL:
        mean, log_std = np.moveaxis(evaluate(base.layers, context).reshape(len(z), -1, 2), 2, 0)
        return (z - mean) / np.exp(log_std)
    ranks = z[:, base.index]
    logit, mean, raw = np.moveaxis(evaluate(base.layers, context, ranks).reshape(*z.shape, 3, -1), 2, 0)
    weights = np.exp(logit) / np.exp(logit).sum(axis=2, keepdims=True)
    std = np.exp(functions.log_scale(base.scale, raw, base.p))
    return functions.probit((weights * functions.normal_cdf((ranks[..., None] - mean) / std)).sum(axis=2))


@pytest.mark.parametrize("name", RESULTS)
def test_samples_are_distributed_like_the_noise(name):
    """Draws, taken back to noise in float64: means, variances and correlations are those of the base density."""
    path, count = CANON / f"{name}.flw", 4000
    file, model = format.read(path), flowrt.Model(path)
    context = None if file.context_dim == 0 else np.repeat(rows_of(path).context[:1], count, axis=0)
    z, _ = reference.forward(path, model.sample(count, context, seed=0), context)
    seen = np.zeros((count, 0)) if file.encoder is None else evaluate(file.encoder.layers, context)
    normals = to_normals(file.base, z, seen)
    np.testing.assert_allclose(normals.mean(axis=0), 0, atol=5 / np.sqrt(count))
    np.testing.assert_allclose(np.cov(normals.T), np.eye(file.dim), atol=5 * np.sqrt(2 / count))
