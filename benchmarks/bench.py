"""flowrt and its peers on the same flows and rows, on one core, one thread each. `make bench` runs it by run.sh.

Sections:
    peers     every flow, log_prob and sample, 1 to 1024 rows, all programs
    levels    flowrt's AVX2 and SSE2 kernels, and ONNX Runtime without AVX
    context   10,000 samples with one shared context, beside the unconditional flow of the same size
    cold      from process start to the first log p: time, memory, size on disk
    threads   two threads against one
    gradients log p with its gradient by x beside log p, of the programs that differentiate; on a page of its own
    planes    flows of images: convolutions beside three peers; on a page of its own
"""

import argparse
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import flows
import gradients
import planes
import planes_page
import report
import tables
import whole_process
from measure import JOBS, Results, plan, run
from programs import AVX2, BEST, CONTEXT, DIFFERENTIATE, FLOWRT, IAF, NFLOWS_CONTEXT, ONNX_SSE, PEERS, PLAIN, SSE2
from worker import Unable, Worker

SECTIONS = ("peers", "levels", "context", "cold", "threads", "gradients", "planes")
PAGES = {"gradients", "planes"}  # which have their own
FLOWS = [name for name in flows.SIZES if name != "SBI"]
# Between the shapes of the kernels (docs/SWEEP.md) as well as on them.
BATCHES = [1, 2, 3, 4, 6, 8, 12, 16, 17, 24, 32, 48, 64, 256, 1024]
QUICK_BATCHES = [1, 2, 4, 8, 17, 64, 1024]


class Bench:
    def __init__(self, options):
        self.options = options
        self.results, self.gradients, self.planes = Results(), Results(), Results()
        self.build = options.build.resolve() / "bench"
        self.folder = self.build / "flows"
        self.machine = Worker("machine", [str(self.build / "machine")], options.core)
        self.workers, self.versions, self.cold, self.threads, self.planes_cold = {}, {}, {}, {}, {}
        self.peers = [peer for peer in PEERS if options.programs is None or peer.name in options.programs]
        self.started = time.time()
        # That of the best instruction set which this core has.
        peaks = [f"peak {level}" for level in tables.LEVELS]  # the highest first
        self.best_peak = next(ask for ask in peaks if float(self.machine.ask(ask)) > 0)

    def say(self, text):
        print(f"{time.time() - self.started:6.0f} s  {text}", flush=True)

    def command(self, program):
        return [*program.command(self.build, self.options.environments), str(self.folder)]

    def variables(self, program):
        caches = {
            name: str(self.build / name.lower()) for name in ("TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
        }
        # Libraries that are named without a folder lie in the build folder.
        own = {
            name: str(self.build / value) if value.endswith(".so") else value
            for name, value in program.variables.items()
        }
        return caches | own

    def worker(self, program):
        if program.name not in self.workers:
            worker = Worker(program.what, self.command(program), self.options.core, self.variables(program))
            self.versions[program.name] = worker.answer().removeprefix("ready ")
            self.workers[program.name] = worker
        return self.workers[program.name]

    def measure(self, flow, tasks, questions, results=None):
        """tasks: (flow, program, (job, rows)...); their rounds are interleaved, with the questions to the machine."""
        turns, results = [], results or self.results
        for name, program, cells in tasks:
            try:
                worker = self.worker(program)
            except Unable as reason:
                results.absent |= {(name, program.name, *cell): str(reason) for cell in cells}
                continue
            turns += plan(results, name, program, worker, cells, self.options.rounds, self.folder)
            self.say(f"{name}: {program.what} is ready")
        run(results, turns, self.options.rounds, flow, self.machine, questions)

    # ---- sections ----

    def beside_peers(self):
        for name in self.options.flows:
            cells = [(job, count) for job in JOBS for count in self.options.batches]
            tasks = [(f"{name}-MAF", program, cells) for program in [FLOWRT, *self.peers]] + [
                (f"{name}-IAF", IAF, cells)
            ]
            weights = flows.load(self.folder, name).nonzero_weights()
            self.measure(name, tasks, {"peak": self.best_peak, "read": f"read {4 * weights}"})
            self.say(f"{name} is measured beside the peers")

    def levels(self):
        for name in self.options.flows:
            if name == "MNIST":  # says nothing that XL does not
                continue
            cells = [(job, count) for job in JOBS for count in self.options.batches]
            tasks = [(f"{name}-MAF", program, cells) for program in (BEST, AVX2, SSE2, ONNX_SSE)]
            self.measure(name, tasks, {"peak2": "peak 2", "peak1": "peak 1"})
            self.say(f"{name} is measured at the lower levels")

    def context(self):
        tasks = [("SBI-MAF", CONTEXT), ("S-MAF", PLAIN), ("SBI-MAF", NFLOWS_CONTEXT)]
        self.measure("SBI", [(flow, program, [("sample", 10000)]) for flow, program in tasks], {})

    def cold_start(self):
        for program in [FLOWRT, *self.peers]:
            command, runs = [*self.command(program), "cold", "L21-MAF"], 9 if program.executable else 2
            times = whole_process.typical(command, self.variables(program), self.options.core, runs)
            size = whole_process.size_on_disk(program, self.build, self.options.environments)
            self.cold[program.name] = (*times, size)
            self.say(f"{program.what} started {runs} times")

    def two_threads(self):
        for name, count in (("S", 20_000), ("L21", 4_000), ("XL", 2_000)):
            command = [str(self.build / "threads"), str(self.folder / f"{name}-MAF.flw"), str(count)]
            self.threads[name] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            self.say(f"two threads: {name}")

    def differentiate(self):
        for name in self.options.flows:
            if name == "MNIST":  # says nothing that XL does not
                continue
            cells = [(job, count) for job in gradients.JOBS for count in gradients.BATCHES]
            peers = [peer for peer in DIFFERENTIATE if peer in self.peers]
            self.measure(name, [(f"{name}-MAF", program, cells) for program in (FLOWRT, *peers)], {}, self.gradients)
            self.say(f"{name} is differentiated")

    def on_planes(self):
        """Flows of images; the cold start of one of them."""
        programs = [planes_page.OWN, *planes_page.beside_peers(self.peers)]
        for name in planes.SIZES:
            planes.write(self.folder, name)
            turns = []
            for program in programs:
                worker = self.worker(program)
                turns += planes_page.plan(self.planes, name, program, worker, self.options.rounds, self.folder)
            run(self.planes, turns, self.options.rounds, name, self.machine, {"peak": self.best_peak})
            self.say(f"{name} is measured beside the peers")
        for program in programs:
            command, runs = [*self.command(program), "cold", planes_page.COLD], 9 if program.executable else 2
            self.planes_cold[program.name] = whole_process.typical(
                command, self.variables(program), self.options.core, runs
            )

    def rate_machine(self):
        commands = [f"peak {level}" for level in tables.LEVELS] + [f"tile {terms}" for terms in tables.TILE_TERMS]
        commands += [f"read {size}" for size in tables.READ_SIZES]
        self.rates = {command: max(float(self.machine.ask(command)) for _ in range(3)) for command in commands}


def machine_name():
    """The CPU's model as the name of a folder: intel-xeon-processor, amd-epyc."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    words = re.findall(r"[a-z0-9]+", re.sub(r"\((r|tm)\)|@.*", " ", model[1].lower())) if model else []
    return "-".join(words) or platform.machine()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="CMake's build folder, with bench/ of run.sh")
    parser.add_argument("--environments", type=Path, required=True, help="folder of the Python environments")
    parser.add_argument("--quick", action="store_true", help="S, L21 and XL at seven numbers of rows, three rounds")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--flows", nargs="+", choices=FLOWS)
    parser.add_argument("--batches", nargs="+", type=int, metavar="ROWS")
    parser.add_argument("--programs", nargs="*", choices=[peer.name for peer in PEERS], help="peers; all if left out")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--results", type=Path, help="folder; of an incomplete run BUILD/bench/results if left out")
    options = parser.parse_args()
    said = sys.argv[5:]  # after --build and --environments, which run.sh gives
    options.command = f'make bench BENCH="{" ".join(said)}"' if said else "make bench"
    checked_in = Path(__file__).parent / "results" / machine_name()
    options.results = options.results or (options.build / "bench" / "results" if said else checked_in)
    options.flows = options.flows or (["S", "L21", "XL"] if options.quick else FLOWS)
    options.batches = options.batches or (QUICK_BATCHES if options.quick else BATCHES)
    options.rounds = options.rounds or (3 if options.quick else 7)
    return options


def main():
    bench = Bench(arguments())
    sections = [bench.beside_peers, bench.levels, bench.context, bench.cold_start, bench.two_threads]
    for name, section in zip(SECTIONS, [*sections, bench.differentiate, bench.on_planes], strict=True):
        if name in bench.options.sections:
            section()
    if bench.gradients.times:
        gradients.write(bench)
    if bench.planes.times:
        planes_page.write(bench)
    if not set(bench.options.sections) <= PAGES:
        bench.rate_machine()
        report.write(bench)
    for worker in [*bench.workers.values(), bench.machine]:
        worker.close()


if __name__ == "__main__":
    main()
