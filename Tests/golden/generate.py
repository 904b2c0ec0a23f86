"""Makes the golden files, see README.md beside this file."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from cases import CASES

import flowrt
from flowrt import reference
from flowrt.adapters import choose
from flowrt.rows import defined, encoded, random_rows
from flowrt.verify import Evaluator

ROWS = 12
HERE = Path(__file__).parent
SAMPLE = {"seed": 7, "stream": 3, "index": 5}


def main(names: list) -> None:
    torch.set_num_threads(1)
    for name in names or CASES:
        data, golden = make(name)
        (HERE / f"{name}.flw").write_bytes(data)
        (HERE / f"{name}.golden").write_bytes(golden)
        print(f"{name:<36}{len(data):>8} bytes")
    if not names:
        for path in [*HERE.glob("*.flw"), *HERE.glob("*.golden")]:
            if path.stem not in CASES:
                path.unlink()


def make(name: str) -> tuple:
    """The bytes of the two files of a case, with weights as large as leaves all values moderate."""
    for gain in (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2):
        data, columns = attempt(name, gain)
        if data is not None:
            dim, context_dim = columns[0].shape[1], columns[1].shape[1]
            golden = struct.pack("<8s4I", b"FLWGOLD1", ROWS, dim, context_dim, 0)
            return data, golden + b"".join(column.astype("<f8").tobytes() for column in columns)
    raise SystemExit(f"{name}: no weights give moderate values")


def attempt(name: str, gain: float) -> tuple:
    """The bytes of the flow and the arrays of the golden file, in their order; None if a value is beyond 100."""
    seed = zlib.crc32(name.encode())
    torch.manual_seed(seed)
    model = CASES[name]()
    randomise(model, gain)
    path = HERE / f"{name}.flw"
    flowrt.save(path, model)
    data = path.read_bytes()
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = adapter.live(model, torch.float32), adapter.live(model, torch.float64)

    generator = np.random.default_rng(seed)
    context = float32(generator.normal(size=(ROWS, exact.context_dim)))
    noise = float32(generator.normal(size=(ROWS, exact.dim)))
    given = context if exact.context_dim else None
    own, _ = reference.inverse(exact, generator.normal(size=(ROWS, exact.dim)), given)
    wide = generator.normal(scale=1.5, size=(ROWS, exact.dim))
    odd = np.arange(ROWS)[:, None] % 2
    x = float32(np.where(odd, np.clip(own, -4, 4), wide))  # half of them rows of the flow itself

    usable = random_rows(exact, ROWS, seed, given)  # where the framework has an answer, and a density
    x = np.where(answered(exact, x, given)[:, None], x, usable.x)
    back, _ = reference.inverse(exact, noise, given)
    noise = np.where(answered(exact, back, given)[:, None], noise, usable.z)

    truth = results(live64, x, noise, given)
    sample_x, sample_log_prob = reference.sample(data, ROWS, given, **SAMPLE)
    if not all(np.all(np.abs(values) < 100) for values in [*truth.values(), sample_x]):
        return None, None
    single = results(live32, x, noise, given)
    unrounded = results(Evaluator(exact), x, noise, given)
    for quantity in truth:
        agree(name, quantity, unrounded[quantity], truth[quantity])
    ours = results(Evaluator(data), x, noise, given)
    errors = np.array([np.max(np.abs(single[q] - truth[q])) for q in ("z", "log_prob", "x_inverse")])
    forward = [x, context, ours["z"], ours["log_det"], ours["log_prob"]]
    inverse = [noise, ours["x_inverse"], ours["log_det_inverse"]]
    return data, [*forward, *inverse, sample_x, sample_log_prob, errors]


def answered(exact, x: np.ndarray, context) -> np.ndarray:
    """(rows,) whether the framework has an answer for a row, and a density that is not zero."""
    inside = defined(exact, x, encoded(exact, context, len(x)))
    return inside & np.isfinite(reference.log_prob(exact, x, context))


def results(flow, x, noise, context) -> dict:
    z, log_det = flow.forward(x, context)
    x_inverse, log_det_inverse = flow.inverse(noise, context)
    log_prob = flow.log_prob(x, context)
    return {
        "z": z,
        "log_det": log_det,
        "log_prob": log_prob,
        "x_inverse": x_inverse,
        "log_det_inverse": log_det_inverse,
    }


def agree(name: str, quantity: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """The evaluator and the framework, both in float64, to 1e-12 of the size of the values."""
    worst = np.max(np.abs(ours - theirs)) / max(1.0, np.max(np.abs(theirs)))
    if not worst <= 1e-12:
        raise SystemExit(f"{name}: {quantity} differs from the framework's by {worst:.2g}")


def randomise(model, gain: float) -> None:
    """Trained-looking parameters: nothing near zero, batch norms with statistics."""
    for module in modules(model):
        for name, parameter in module.named_parameters(recurse=False):
            _randomise_parameter(module, name, parameter.data, gain)
        for name, buffer in module.named_buffers(recurse=False):
            if name in ("running_mean", "moving_mean"):
                buffer.normal_(0, 0.5)
            if name in ("running_var", "moving_variance"):
                buffer.uniform_(0.5, 2.0)


def modules(model):
    """All torch modules in a model; Pyro keeps them in lists, wrappers and inverses."""
    if isinstance(model, torch.nn.Module):
        yield from model.modules()
    elif hasattr(model, "transforms") or isinstance(model, list):
        for transform in getattr(model, "transforms", model):
            yield from modules(transform)
    elif hasattr(model, "transform"):
        yield from modules(model.transform)
    elif isinstance(getattr(model, "inv", None), torch.nn.Module):
        yield from modules(model.inv)


def _randomise_parameter(module, name: str, values, gain: float) -> None:
    if name == "gamma" or (name == "weight" and values.dim() == 1):  # gains of batch norms
        values.uniform_(0.5, 1.5)
    elif name == "weight":
        fan_in = module.mask.sum(dim=1, keepdim=True).clamp(min=1) if hasattr(module, "mask") else values.shape[1]
        values.normal_().mul_(gain / fan_in**0.5)
    elif name == "_weight":  # a free matrix, orthogonal so far
        values.add_(torch.randn_like(values), alpha=0.1)
    elif name == "unconstrained_weight":
        values.normal_(0.5, 0.3)
    else:
        values.normal_(0, 0.3)


def float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)


if __name__ == "__main__":
    main(sys.argv[1:])
