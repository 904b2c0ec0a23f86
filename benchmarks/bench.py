"""flowrt and its peers on the same flows and rows, on one core, one thread each. `make bench` runs it by run.sh.

    python bench.py --build BUILD --environments FOLDER [--quick] [--sections ...] [--flows ...] [--programs ...]

Sections:
    peers     every flow, log_prob and sample, 1 to 1024 rows, all programs
    levels    flowrt's AVX2 and SSE2 kernels, and ONNX Runtime without AVX
    context   10,000 samples with one shared context, beside the unconditional flow of the same size
    cold      from process start to the first log p: time, memory, size on disk
    threads   two threads against one
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import flows
import programs
import report
from measure import Results, plan, run, whole_process
from programs import AVX2, FLOWRT, ONNX_SSE, PEERS, SSE2
from worker import Worker

SECTIONS = ("peers", "levels", "context", "cold", "threads")
BATCHES = (1, 8, 64, 1024)
VERBS = ("log_prob", "sample")


class Bench:
    def __init__(self, options):
        self.options, self.results = options, Results()
        self.build = options.build.resolve() / "bench"
        self.folder = self.build / "flows"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.machine = Worker("machine", [str(self.build / "machine")], options.core)
        self.workers, self.versions, self.cold, self.threads = {}, {}, {}, {}
        self.started = time.time()

    def say(self, text):
        print(f"{time.time() - self.started:6.0f} s  {text}", flush=True)

    def command(self, program):
        return [*program.command(self.build, self.options.environments), str(self.folder)]

    def variables(self, program):
        # Files that are named without a folder lie in the build folder.
        return {
            name: str(self.build / value) if value.endswith(".so") else value for name, value in program.variables.items()
        } | {"TORCHINDUCTOR_CACHE_DIR": str(self.build / "inductor")}

    def worker(self, program):
        if program.name not in self.workers:
            worker = Worker(program.what, self.command(program), self.options.core, self.variables(program))
            self.versions[program.name] = worker.answer().removeprefix("ready ")
            self.workers[program.name] = worker
        return self.workers[program.name]

    def flow(self, name):
        flows.write(self.folder, name)

    def measure(self, flow, tasks, questions):
        """tasks: (flow, program, cells); their rounds are interleaved."""
        turns = []
        for name, program, cells in tasks:
            self.flow(name.split("-")[0])
            turns += plan(self.results, name, program, self.worker(program), cells, self.options.rounds, self.folder)
            self.say(f"{name}: {program.what} is ready")
        run(self.results, turns, self.options.rounds, flow, self.machine, questions)

    def rate_machine(self):
        commands = [f"peak {level}" for level in (1, 2, 3)] + [f"read {size}" for size in report.READ_SIZES]
        self.machine_rates = {command: max(float(self.machine.ask(command)) for _ in range(3)) for command in commands}

    # ---- the sections ----

    def peers(self):
        chosen = [peer for peer in PEERS if not self.options.programs or peer.name in self.options.programs]
        for name in self.options.flows:
            self.flow(name)
            batches = [count for count in self.options.batches if name != "MNIST" or count != 8]
            cells = [(verb, count) for verb in VERBS for count in batches]
            iaf = programs.Program("flowrt-iaf", "flowrt", executable="flowrt", one_pass=True)
            tasks = [(name + "-MAF", program, cells) for program in [FLOWRT, *chosen]] + [(name + "-IAF", iaf, cells)]
            bytes_used = 4 * flows.load(self.folder, name).nonzero_weights()
            self.measure(name, tasks, {"peak3": "peak 3", "read": f"read {bytes_used}"})
            self.say(f"peers: {name}")

    def levels(self):
        for name in self.options.flows:
            if name == "MNIST":
                continue
            cells = [(verb, count) for verb in VERBS for count in self.options.batches]
            tasks = [(name + "-MAF", AVX2, cells), (name + "-MAF", SSE2, cells), (name + "-MAF", ONNX_SSE, cells)]
            self.measure(name, tasks, {"peak2": "peak 2", "peak1": "peak 1"})
            self.say(f"levels: {name}")

    def context(self):
        sbi = programs.Program("flowrt-context", "flowrt", executable="flowrt", one_pass=True)
        plain = programs.Program("flowrt-plain", "flowrt", executable="flowrt", one_pass=True)
        nflows = programs.Program("nflows-context", "nflows", module="nflows_eager", environment="torch")
        cells = [("sample", 10000)]
        self.measure("SBI", [("SBI-MAF", sbi, cells), ("S-MAF", plain, cells), ("SBI-MAF", nflows, cells)], {})
        self.say("context")

    def cold_start(self):
        chosen = [FLOWRT, *(peer for peer in PEERS if not self.options.programs or peer.name in self.options.programs)]
        name = "L21"
        self.flow(name)
        for program in chosen:
            runs = [
                whole_process([*self.command(program), "cold", name + "-MAF"], self.variables(program), self.options.core)
                for _ in range(9 if program.executable else 2)
            ]
            self.cold[program.name] = [sorted(values)[len(runs) // 2] for values in zip(*runs, strict=True)]
            self.cold[program.name].append(self.size_on_disk(program))
            self.say(f"cold: {program.what}")

    def size_on_disk(self, program):
        if program.executable:
            listed = subprocess.run(["ldd", str(self.build / program.executable)], capture_output=True, text=True).stdout
            path = next(line.split()[2] for line in listed.splitlines() if line.strip().startswith(program.installed[0]))
            return Path(path).resolve().stat().st_size
        interpreter = programs.python(self.options.environments, program.environment)
        counted = subprocess.run(
            [str(interpreter), str(programs.HERE / "installed_size.py"), *program.installed], capture_output=True, text=True, check=True
        )
        return int(counted.stdout)

    def two_threads(self):
        for name, count in (("S", 20_000), ("L21", 4_000), ("XL", 2_000)):
            self.flow(name)
            command = [str(self.build / "threads"), str(self.folder / f"{name}-MAF.flw"), str(count)]
            self.threads[name] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        self.say("threads")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="CMake's build folder, with what run.sh compiled in bench/")
    parser.add_argument("--environments", type=Path, required=True, help="folder of the Python environments")
    parser.add_argument("--quick", action="store_true", help="three flows, 1 and 1024 rows, three rounds")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--flows", nargs="+", choices=[name for name in flows.SIZES if name != "SBI"])
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--programs", nargs="*", choices=[peer.name for peer in PEERS], help="peers; all if left out")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    quick = options.quick
    options.flows = options.flows or (["S", "L21", "XL"] if quick else [name for name in flows.SIZES if name != "SBI"])
    options.batches = options.batches or ([1, 1024] if quick else list(BATCHES))
    options.rounds = options.rounds or (3 if quick else 7)
    return options


def main():
    options = arguments()
    bench = Bench(options)
    sections = {
        "peers": bench.peers,
        "levels": bench.levels,
        "context": bench.context,
        "cold": bench.cold_start,
        "threads": bench.two_threads,
    }
    for section in options.sections:
        sections[section]()
    bench.rate_machine()
    for worker in [*bench.workers.values(), bench.machine]:
        worker.close()
    report.write(bench, options, " ".join(["benchmarks/run.sh", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
