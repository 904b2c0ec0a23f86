"""A program that is measured, seen from benchmarks/bench.py: worker.h says what it answers to.

    python peers/worker.py PEER FOLDER [cold FLOW]

PEER is a module of this folder with a class Peer:

    Peer.packages       what has to be installed, for versions and sizes on disk
    MODELS              beside it, if the models are not those of flows.py: a module with its `load` and `rows`
    Peer(flow, folder, name)    make everything that calls have in common
    .log_prob(rows), .inverse(rows), .sample(count)    functions that do the job and return an array or tensor
    .gradient(rows)     (count, D) d log p / dx, after log p; of those that can
    .prepare(rows)      rows in the form that the functions want, outside the time (default: as they are)

A job that a program cannot do raises NotImplementedError with the reason.
"""

import importlib
import importlib.metadata
import os
import re
import sys
import time
from pathlib import Path

# One core, whatever the library takes for its number of threads.
for variable in (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import flows  # noqa: E402


class Base:
    """What most peers have in common."""

    packages = ()

    def prepare(self, rows):
        return rows


def timed(work, repeats):
    """Processor seconds of a call, all threads of this process together. Several calls come after one that fills the caches."""
    if repeats > 1:
        work()
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def models(module):
    return getattr(module, "MODELS", flows)


def job(peer, models, folder, name, verb, count):
    """A function without arguments."""
    function = getattr(peer, verb)
    if verb == "sample":
        return lambda: function(count)
    rows = peer.prepare(models.rows(folder, name, "z" if verb == "inverse" else "x", count))
    return lambda: function(rows)


def answer(command, state, folder, module):
    what, *rest = command.split()
    if what == "open":
        state.clear()
        state["name"] = rest[0].split("-")[0]
        state["peer"] = module.Peer(models(module).load(folder, state["name"]), folder, state["name"])
        return "ok"
    verb, count = rest[0], int(rest[1])
    if (verb, count) not in state:
        state[verb, count] = job(state["peer"], models(module), folder, state["name"], verb, count)
    work = state[verb, count]
    if what == "values":
        np.asarray(work(), dtype=np.float32).tofile(rest[2])
        return "ok"
    return f"{timed(work, int(rest[2])):.9g}"


def main():
    module, folder = importlib.import_module(sys.argv[1]), sys.argv[2]
    if sys.argv[3:4] == ["cold"]:
        name = sys.argv[4].split("-")[0]
        peer = module.Peer(models(module).load(folder, name), folder, name)
        print(float(np.asarray(peer.log_prob(peer.prepare(models(module).rows(folder, name, "x", 1))))[0]), file=sys.stderr)
        print(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
        return
    # The libraries print what they like; answers go to where standard output was.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in module.Peer.packages)
    print("ready", versions, file=out, flush=True)
    state = {}
    for command in sys.stdin:
        try:
            print(answer(command, state, folder, module), file=out, flush=True)
        except NotImplementedError as reason:
            print("no", reason, file=out, flush=True)


if __name__ == "__main__":
    main()
