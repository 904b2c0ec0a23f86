"""Pages whose code needs PyTorch, nflows or sbi, as printed: with the names that their readers have already."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from sbi.inference import NPE
from sbi.inference.posteriors import EnsemblePosterior
from sbi.utils import BoxUniform

import flowrt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blocks import run_page
from test_blocks import exceptions_of


def follow(page: str, folder: Path, **names) -> dict:
    return run_page(page, folder, exceptions_of(page), {"np": np, "torch": torch, **names})


def trained(rows: int = 200):
    prior = BoxUniform(-torch.ones(2), torch.ones(2))
    theta = prior.sample((rows,))
    inference = NPE(prior, density_estimator="maf").append_simulations(theta, theta + 0.3 * torch.randn(rows, 2))
    inference.train(max_num_epochs=3)
    return prior, theta, inference.build_posterior()


def test_readme(tmp_path):
    names = follow("README.md", tmp_path)
    assert flowrt.Model(tmp_path / "maf.flw").dim == 4 and "flow" in names


def test_the_page_of_mixtures(tmp_path):
    _, theta, first = trained()
    second = trained()[2]
    ensemble = EnsemblePosterior([first, second], weights=torch.tensor([0.5, 0.5]))
    flowrt.save(tmp_path / "first.flw", first)
    names = {
        "ensemble": ensemble, "theta": theta.numpy(), "context": np.zeros(2), "flowrt": flowrt,
        "model": flowrt.Model(tmp_path / "first.flw"), "low": -1, "high": 1,
    }  # fmt: skip
    found = follow("docs/MIXTURES.md", tmp_path, **names)
    assert np.all(np.abs(found["x"]) <= 1) and found["log_prob"].shape == (1000,)
    assert 0 < found["a"] <= 1
