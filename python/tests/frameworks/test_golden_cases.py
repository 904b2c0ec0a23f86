"""Every golden case against its framework, on other rows and other weights than the golden files hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import CASES
from generate import randomise
from live import agree

import flowrt


@pytest.mark.parametrize("name", CASES)
def test_file_computes_what_the_framework_computes(name):
    model = CASES[name]()
    randomise(model, 0.5)
    agree(model, tolerance=1e-11)


@pytest.mark.parametrize("name", ["nflows_mixed", "zuko_residual_context", "pyro_conditional_mixed"])
def test_save_and_verify(name, tmp_path, capsys):
    model = CASES[name]()
    randomise(model, 0.3)
    path = tmp_path / "flow.flw"
    flowrt.save(path, model, verify=True, notes="trained by nobody")
    table = capsys.readouterr().out
    assert "libflowrt" in table and "framework float32" in table
    found = flowrt.Model(path)
    assert found.metadata["notes"] == "trained by nobody"
    assert found.metadata["framework"].split()[0] == name.split("_")[0]
    with torch.no_grad():
        x, _ = found.sample(4, None if found.context_dim == 0 else np.zeros(found.context_dim))
    assert np.all(np.isfinite(x))


def test_save_reads_the_model_without_changing_it(tmp_path):
    model = CASES["nflows_mixed"]()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flowrt.save(tmp_path / "flow.flw", model, verify=False)
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
