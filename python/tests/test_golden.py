"""The golden files mean what they meant: to the evaluator, and to libflowrt within the frameworks' own errors."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import FOLDER, NAMES, load

import flowrt
from flowrt import reference
from flowrt.frameworks.registry import FRAMEWORKS

SAMPLE = {"seed": 7, "stream": 3, "index": 5}


def test_there_are_golden_files_of_every_framework():
    registered, present = {entry.name for entry in FRAMEWORKS}, {name.split("_")[0] for name in NAMES}
    assert present <= registered, f"{present - registered}: no entry in frameworks/registry.py"
    missing = {name for name in registered - present if not (FOLDER / f"{name}_cases.py").exists()}
    assert not missing, f"{missing}: no Tests/golden/NAME_cases.py and no files; Tests/golden/README.md says how"
    assert len(NAMES) >= 225


@pytest.mark.parametrize("name", NAMES)
def test_evaluator(name):
    golden = load(name)
    z, log_det = reference.forward(golden.path, golden.x, golden.context)
    x, log_det_inverse = reference.inverse(golden.path, golden.noise, golden.context)
    sample, sample_log_prob = reference.sample(golden.path, len(golden.x), golden.context, **SAMPLE)
    for ours, stored in [
        (z, golden.z),
        (log_det, golden.log_det),
        (reference.log_prob(golden.path, golden.x, golden.context), golden.log_prob),
        (x, golden.x_inverse),
        (log_det_inverse, golden.log_det_inverse),
        (sample, golden.sample_x),
        (sample_log_prob, golden.sample_log_prob),
    ]:
        np.testing.assert_allclose(ours, stored, rtol=1e-10, atol=1e-10)


def float32_reason(values, own_error: float) -> float:
    """What float32 explains: a few times the framework's own largest error on these few rows, and some roundings."""
    return 8 * own_error + 16 * np.finfo(np.float32).eps * max(1.0, float(np.max(np.abs(values))))


@pytest.mark.parametrize("name", NAMES)
def test_library(name):
    golden = load(name)
    model = flowrt.Model(golden.path)
    z, log_det = model.forward(golden.x, golden.context)
    x, _ = model.inverse(golden.noise, golden.context)
    log_prob = model.log_prob(golden.x, golden.context)
    err_z, err_log_prob, err_x = golden.errors
    assert np.max(np.abs(z - golden.z)) <= float32_reason(golden.z, err_z)
    assert np.max(np.abs(log_prob - golden.log_prob)) <= float32_reason(golden.log_prob, err_log_prob)
    assert np.max(np.abs(log_det - golden.log_det)) <= float32_reason(golden.log_prob, err_log_prob)
    assert np.max(np.abs(x - golden.x_inverse)) <= float32_reason(golden.x_inverse, err_x)
    sample = model.sample(len(golden.x), golden.context, **SAMPLE)
    there, _ = reference.forward(golden.path, sample, golden.context)
    noise, _ = reference.forward(golden.path, golden.sample_x, golden.context)
    # A flow may stretch a rounding of the noise, or shrink noise into the last bit of a bound: one of the two is close.
    same_sample = np.max(np.abs(sample - golden.sample_x), axis=1) <= 1e-5 * np.max(np.abs(golden.sample_x))
    assert np.all(same_sample | (np.max(np.abs(there - noise), axis=1) <= 2e-4))
