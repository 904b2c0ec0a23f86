"""Saves random models of every framework, untrained, with random weights and trained: none may be refused.

    python tests/frameworks/random/run.py --count 70 nflows zuko pyro normflows glasflow sbi
    python tests/frameworks/random/run.py --count 40 flowjax        (in an environment with flowjax)
    python tests/frameworks/random/run.py --count 40 tfp            (in one with TensorFlow Probability)

These are 500 models, an hour on one core; `.ci/run` takes a few of each. `--seed` names the first one, so that one of
them can be made again alone. They have 1 to 50 features, contexts of 0 to 600 numbers (some of them constant), 1 to 32
layers and units of 1e-12 to 1e12. Each is saved as a user would, once by itself and once with his rows, and measured on
these: the errors of libflowrt and of the framework in float32, against the framework in float64.

Fails for a refusal, for an error of more than four times that of the framework, and if more than one model in ten has
one of more than twice. A model whose z hardly varies gives all rows the same rounding, so that its error is one draw
and not a mean over rows: two or three times that of the framework is then chance.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

import flowrt
from flowrt.frameworks import choose, dtypes
from flowrt.verify.precision import TIMES, measure
from flowrt.verify.rows import own_rows

FAR_TOO_LARGE = 4.0  # times the error of the framework

MODULES = {"flowjax": "jax_models", "tfp": "tfp_models"}


class Shape:
    """What a random model is to be like."""

    def __init__(self, framework: str, seed: int):
        self.rng = np.random.default_rng([seed, sum(map(ord, framework))])
        self.seed = seed
        self.features = int(np.exp(self.rng.uniform(0, np.log(51))))
        contexts = np.exp(self.rng.uniform(0, np.log(601)))
        self.context = int(self.rng.choice([0, contexts]))
        most = 32 if self.features <= 8 else 8 if self.features <= 20 else 4  # a sequential direction takes D passes
        self.layers = int(np.exp(self.rng.uniform(0, np.log(most + 1))))
        self.hidden = int(self.rng.choice([8, 16, 32, 50]))
        self.weights = str(self.rng.choice(["untrained", "random", "trained"], p=[0.4, 0.2, 0.4]))
        self.unit = 10.0 ** self.rng.uniform(-12, 12) if self.rng.random() < 0.7 else 1.0
        self.context_unit = 10.0 ** self.rng.uniform(-12, 12) if self.rng.random() < 0.7 else 1.0
        self.far = float(self.rng.choice([0, 1, 10, 100, 1000]))  # mean / std
        self.constant = bool(self.rng.random() < 0.2)

    def pick(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def data(self, count: int = 256) -> tuple:
        """Rows of x and of the context that they depend on, in the units of the model, as float32."""
        c = self.rng.normal(size=(count, self.context))
        x = self.rng.normal(size=(count, self.features)) + 0.3 * self.rng.normal(size=(count, 1)) ** 2
        if self.context:
            x = x + c[:, :1]
        x = self.unit * (x + self.far)
        c = self.context_unit * (c + self.far)
        if self.constant and self.context > 1:
            c[:, -1] = 3.7
        return x.astype(np.float32), c.astype(np.float32) if self.context else None

    def __str__(self):
        parts = f"D {self.features} C {self.context} layers {self.layers} hidden {self.hidden} {self.weights}"
        return parts + f" unit {self.unit:.0e} context unit {self.context_unit:.0e} mean/std {self.far:g}"


def errors(path, model, x, c) -> dict:
    """The errors of libflowrt and of the framework in float32, on a user's rows."""
    adapter = choose(model)
    file = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    return measure(flowrt.Model(path), live32, live64, own_rows(file, x, c))


def tried(framework: str, seed: int, folder: Path) -> dict:
    """What became of one model: its name, `refused`, `warned`, `lost`, `far` (texts or empty), seconds."""
    shape = Shape(framework, seed)
    models = importlib.import_module(MODULES.get(framework, "torch_models"))
    name, model, (x, c) = models.make(framework, shape)
    result = {"name": f"{framework} {seed} {name} {shape}", "refused": "", "warned": "", "lost": "", "far": ""}
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for options in ({}, {"rows": x, "contexts": c}):
            path = folder / "model.flw"
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # a table
                    flowrt.save(path, model, **options)
            except flowrt.Error as error:
                result["refused"] += f"{'own rows: ' if options else ''}{error} "
            if not options:
                result["seconds"] = time.process_time() - start
    texts = [str(warning.message) for warning in caught]
    result["warned"] = " | ".join(text for text in texts if text.startswith(("the file of", "in float32")))
    if not result["refused"]:
        lost = {quantity: error for quantity, error in errors(path, model, x, c).items() if error.times > TIMES}
        text = " ".join(f"{q} {e.times:.2g} ({e.ours:.1e}, {e.theirs:.1e})" for q, e in lost.items())
        result["far" if any(e.times > FAR_TOO_LARGE for e in lost.values()) else "lost"] = text
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frameworks", nargs="+")
    parser.add_argument("--count", type=int, default=70, help="models of each framework")
    parser.add_argument("--all", action="store_true", help="tell of every model")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    options = parser.parse_args()
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[4] / "Tests" / "golden")]
    totals = {"refused": 0, "far": 0, "lost": 0, "warned": 0, "models": 0}
    with tempfile.TemporaryDirectory() as folder:
        for framework in options.frameworks:
            for seed in range(options.seed, options.seed + options.count):
                sys.stdout.flush()
                try:
                    result = tried(framework, seed, Path(folder))
                except Exception:
                    print(f"{framework} {seed}")
                    traceback.print_exc()
                    result = {"name": f"{framework} {seed}", "warned": "", "lost": "", "far": ""}
                    result["refused"] = "an error of this script"
                totals["models"] += 1
                if options.all:
                    print(f"{result['name']} ({result.get('seconds', 0):.1f} s)")
                for kind in ("refused", "far", "lost", "warned"):
                    if result[kind]:
                        totals[kind] += 1
                        print(f"{kind}: {result['name']} ({result.get('seconds', 0):.1f} s): {result[kind]}")
    print(", ".join(f"{kind} {count}" for kind, count in totals.items()))
    return int(totals["refused"] + totals["far"] > 0 or totals["lost"] > max(1, totals["models"] / 10))


if __name__ == "__main__":
    sys.exit(main())
