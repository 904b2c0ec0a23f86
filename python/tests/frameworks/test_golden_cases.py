"""Every golden case against its framework, on other rows and other weights than the golden files hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import CASES
from live import agree, agree_in_c
from torch_weights import randomise

import flowrt
from flowrt.file import encode
from flowrt.frameworks import choose
from flowrt.verify.verify import compare


@pytest.mark.parametrize("name", CASES)
def test_file_computes_what_the_framework_computes(name):
    model = CASES[name]()
    randomise(model, 0.5)
    agree(model, tolerance=1e-11)
    agree_in_c(model)


@pytest.mark.parametrize("name", ["nflows_mixed", "zuko_residual_context", "pyro_conditional_mixed"])
def test_save_and_verify(name, tmp_path, capsys):
    model = CASES[name]()
    randomise(model, 0.3)
    path = tmp_path / "flow.flw"
    flowrt.save(path, model, verify=True, notes="trained by nobody")
    table = capsys.readouterr().out
    assert "libflowrt" in table and "framework float32" in table
    assert "verdict: pass. On 64 random rows" in table and "of the framework itself, in float32: at most" in table
    found = flowrt.Model(path)
    assert found.metadata["notes"] == "trained by nobody"
    assert found.metadata["framework"].split()[0] == name.split("_")[0]
    with torch.no_grad():
        x = found.sample(4, None if found.context_dim == 0 else np.zeros(found.context_dim))
    assert np.all(np.isfinite(x))


def test_verify_refuses_a_file_that_is_off():
    """A bias moved by a thousandth: far more than float32 explains, far less than one would see."""
    model = CASES["nflows_maf_feedforward_tanh"]()
    adapter = choose(model)
    live32, live64 = (adapter.live(model, dtype) for dtype in (torch.float32, torch.float64))
    exact = flowrt.compile(adapter.describe(model))
    comparison = compare(encode(exact), exact, live32, live64)
    assert "libflowrt" in comparison.table and comparison.problem is None
    moved = flowrt.compile(adapter.describe(model))
    moved.steps[0].layers[-1].bias = moved.steps[0].layers[-1].bias + 1e-3
    for data, file, column in [(encode(moved), exact, "file"), (encode(exact), moved, "exact")]:
        with pytest.raises(flowrt.ExportError, match=f"z of {column} is off by .* at most .* is expected"):
            compare(data, file, live32, live64).report()


def test_save_reads_the_model_without_changing_it(tmp_path):
    model = CASES["nflows_mixed"]()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flowrt.save(tmp_path / "flow.flw", model, verify=False)
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
