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


def test_readme(tmp_path, capsys):
    names = follow("README.md", tmp_path)
    assert flowrt.Model(tmp_path / "maf.flw").dim == 4 and "flow" in names
    assert "libflowrt" in capsys.readouterr().out  # the comparison that verify=True prints


def test_the_page_of_images(tmp_path):
    names = follow("docs/IMAGES.md", tmp_path)
    expected = names["flow"].log_prob(names["images"], None).detach().numpy()
    np.testing.assert_allclose(names["log_p"], expected, rtol=1e-4)


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


def masked_network(form: str):
    """A state dict of two masked layers of six coordinates, rows x, and log p of a MAF of them, in NumPy."""
    generator, dim, hidden = np.random.default_rng(0), 6, 10
    rank, degree = np.arange(dim), np.arange(hidden) % (dim - 1)
    arrays = {
        "net.0.weight": generator.normal(size=(hidden, dim)) * 0.3,
        "net.0.mask": 1.0 * (degree[:, None] >= rank),
        "net.0.bias": generator.normal(size=hidden) * 0.1,
        "net.2.weight": generator.normal(size=(2 * dim, hidden)) * 0.3,
        "net.2.mask": np.tile(1.0 * (rank[:, None] > degree), (2, 1)),
        "net.2.bias": generator.normal(size=2 * dim) * 0.1,
    }
    x = generator.normal(size=(20, dim))
    first = np.tanh(x @ (arrays["net.0.weight"] * arrays["net.0.mask"]).T + arrays["net.0.bias"])
    shift, raw = np.split(first @ (arrays["net.2.weight"] * arrays["net.2.mask"]).T + arrays["net.2.bias"], 2, axis=1)
    if form == "scale_then_shift":
        z, log_det = np.exp(raw) * x + shift, raw.sum(1)
    else:
        z, log_det = np.exp(-raw) * (x - shift), -raw.sum(1)
    log_prob = log_det - 0.5 * (z**2).sum(1) - dim / 2 * np.log(2 * np.pi)
    model = type("Model", (), {"state_dict": staticmethod(lambda: arrays)})
    return {"model": model, "x": x, "log_prob": log_prob, "D": dim}


def test_the_page_of_descriptions(tmp_path):
    follow("docs/DESCRIPTIONS.md", tmp_path, **masked_network("shift_then_scale"))
    assert flowrt.Model(tmp_path / "model.flw").dim == 6


def test_the_readme_of_the_package(tmp_path):
    import zuko

    prior, theta, posterior = trained()
    x = theta + 0.3 * torch.randn(theta.shape)
    own = masked_network("scale_then_shift")
    before = {
        "inference = NPE(prior).append_simulations(theta, x)": {
            "NPE": NPE, "prior": prior, "theta": theta, "x": x, "x_observed": np.zeros(2),
        },
        'flowrt.save("flow.flw", posterior, embedded=True)  # the': {"x": x},
        "arrays = dict(model.state_dict())": own,
    }  # fmt: skip
    rows = np.random.default_rng(0).normal(size=(20, 4))
    flow = zuko.flows.MAF(features=4, transforms=2)
    names = {"np": np, "torch": torch, "flow": flow, "x": rows, "x_test": rows}
    run_page("python/README.md", tmp_path, exceptions_of("python/README.md"), names, before)
    assert flowrt.Model(tmp_path / "model.flw").dim == 6
