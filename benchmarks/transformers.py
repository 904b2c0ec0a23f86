"""Processor time of samples over that of densities, for splines and mixtures: what they cost beside the affine flows of bench.py.

    PYTHONPATH=python FLOWRT_LIBRARY=build/libflowrt.so python benchmarks/transformers.py

Random weights, two hidden layers, relu. The best of seven turns of 20 ms counts, through the Python binding.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from flowrt import Model, compile, ir
from flowrt.file import encode
from flowrt.file.codes import Activation, Scale, SplineForm, parameters_per_rank

RANDOM = np.random.default_rng(0)
BINS = 8
LEAST = 1e-3
BOUNDS = (-3.0, 3.0)
SPLINES = {  # with the constants of nflows and Pyro
    "rational-quadratic": (0, (*BOUNDS, LEAST, LEAST, LEAST, 0.0, 1.0)),
    "linear-rational": (SplineForm.LINEAR_RATIONAL, (*BOUNDS, LEAST, LEAST, LEAST, 0.0, 1.0 - LEAST, 0.025)),
    "linear": (SplineForm.LINEAR, BOUNDS),
    "quadratic": (SplineForm.QUADRATIC, (*BOUNDS, LEAST, LEAST, LEAST)),
    "cubic": (SplineForm.CUBIC, (*BOUNDS, LEAST, LEAST)),
}
COMPONENTS = 10


def masked(mask, source):
    rows, columns = mask.shape
    weight = RANDOM.normal(size=mask.shape) / np.sqrt(columns)
    return ir.Layer(0.1 * RANDOM.normal(size=rows), weight, mask, source, activation=Activation.RELU)


def network(dim, hidden, outputs):
    """A MADE with `outputs` parameters for each coordinate."""
    degree = np.arange(hidden) % (dim - 1)
    rank = np.repeat(np.arange(dim), outputs)
    last = masked(degree[None, :] < rank[:, None], 1)
    last.activation = Activation.IDENTITY
    return [masked(np.arange(dim) <= degree[:, None], ir.READ), masked(degree <= degree[:, None], 0), last]


def affine_steps(dim, hidden, count):
    return [ir.Autoregressive(network(dim, hidden, 2), ir.Affine(Scale.EXP)) for _ in range(count)]


def spline_flow(dim, hidden, pieces):
    form, p = SPLINES[pieces]
    spline = ir.Spline(BINS, int(form), p)
    outputs = parameters_per_rank(spline.kind, spline.form, BINS)
    return ir.Flow(dim, 0, [ir.Autoregressive(network(dim, hidden, outputs), spline) for _ in range(3)])


def mixture(dim, hidden):
    return ir.AutoregressiveMixture(network(dim, hidden, 3 * COMPONENTS), COMPONENTS, Scale.EXP, ())


FLOWS = {
    **{
        f"NSF, D = 8, H = 64, 3 steps, {BINS} bins, {pieces}": partial(spline_flow, 8, 64, pieces) for pieces in SPLINES
    },
    f"NSF, D = 21, H = 256, 3 steps, {BINS} bins, rational-quadratic": partial(
        spline_flow, 21, 256, "rational-quadratic"
    ),
    "MADE-MoG, D = 21, H = 256, 10 components": lambda: ir.Flow(21, 0, [], mixture(21, 256)),
    "MAF-MoG, D = 21, H = 256, 5 steps, 10 components": lambda: ir.Flow(
        21, 0, affine_steps(21, 256, 5), mixture(21, 256)
    ),
}


def seconds(function, *arguments) -> float:
    start = time.process_time()
    function(*arguments)
    calls = 1 + int(0.02 / (time.process_time() - start + 1e-6))
    times = []
    for _ in range(7):
        start = time.process_time()
        for _ in range(calls):
            function(*arguments)
        times.append((time.process_time() - start) / calls)
    return min(times)


def main():
    print("| flow | rows | log_prob, us a row | sample / log_prob |\n|---|---|---|---|")
    for name, make in FLOWS.items():
        model = Model(encode(compile(make())))
        for rows in (1, 64, 1024):
            x = model.sample(rows, seed=0)
            density, draw = seconds(model.log_prob, x), seconds(lambda n: model.sample(n, seed=0, log_prob=True), rows)
            print(f"| {name} | {rows} | {1e6 * density / rows:.2f} | {draw / density:.2f} |")


if __name__ == "__main__":
    main()
