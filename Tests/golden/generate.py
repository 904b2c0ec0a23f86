"""Makes the golden files, see README.md beside this file."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from installed import random_models

import flowrt
from flowrt import reference
from flowrt.frameworks import choose, dtypes
from flowrt.verify.rows import defined, encoded, random_rows
from flowrt.verify.verify import Evaluator

ROWS = 12
LARGEST, MANY = 100.0, 16
HERE = Path(__file__).parent
SAMPLE = {"seed": 7, "stream": 3, "index": 5}


def main(names: list) -> None:
    models = random_models()
    if not models.keys() >= {*names}:
        raise SystemExit(f"{', '.join({*names} - models.keys())}: no case of a framework that is installed")
    for name in names or models:
        data, golden = make(name, models[name])
        (HERE / f"{name}.flw").write_bytes(data)
        (HERE / f"{name}.golden").write_bytes(golden)
        print(f"{name:<36}{len(data):>8} bytes")
    if not names:
        for path in [*HERE.glob("*.flw"), *HERE.glob("*.golden")]:
            if framework_of(path.stem) in {*map(framework_of, models)} and path.stem not in models:
                path.unlink()


# Where one map of the framework is several steps of the file, which round one after the other: how many times the
# framework's largest error in float32 is taken for it. bayesflow's splines are an affine step, a spline and an affine step.
WIDER = {"bayesflow_spline": 2, "bayesflow_spline_context": 2}


def framework_of(name: str) -> str:
    return name.split("_")[0]


def make(name: str, random_model) -> tuple:
    """The bytes of the two files of a case, with weights as large as leaves all values moderate."""
    for gain in (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2):
        data, columns = attempt(name, random_model, gain)
        if data is not None:
            dim, context_dim = columns[0].shape[1], columns[1].shape[1]
            golden = struct.pack("<8s4I", b"FLWGOLD1", ROWS, dim, context_dim, 0)
            return data, golden + b"".join(column.astype("<f8").tobytes() for column in columns)
    raise SystemExit(f"{name}: no weights give moderate values")


def attempt(name: str, random_model, gain: float) -> tuple:
    """The bytes of the flow and the arrays of the golden file, in their order; None if a value is too large."""
    seed = zlib.crc32(name.encode())
    model = random_model(seed, gain)
    data = saved(model)
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))

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
    limit = LARGEST if exact.dim < MANY else 25.0 * exact.dim  # log p grows with the number of coordinates
    if not all(np.all(np.abs(values) < limit) for values in [*truth.values(), sample_x, sample_log_prob]):
        return None, None
    single = results(live32, x, noise, given)
    unrounded = results(Evaluator(exact), x, noise, given)
    for quantity in truth:
        agree(name, quantity, unrounded[quantity], truth[quantity])
    ours = results(Evaluator(data), x, noise, given)
    errors = np.array([np.max(np.abs(single[q] - truth[q])) for q in ("z", "log_prob", "x_inverse")])
    errors *= WIDER.get(name, 1)
    forward = [x, context, ours["z"], ours["log_det"], ours["log_prob"]]
    inverse = [noise, ours["x_inverse"], ours["log_det_inverse"]]
    return data, [*forward, *inverse, sample_x, sample_log_prob, errors]


def saved(model) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flow.flw"
        flowrt.save(path, model)
        return path.read_bytes()


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


def float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)


if __name__ == "__main__":
    main(sys.argv[1:])
