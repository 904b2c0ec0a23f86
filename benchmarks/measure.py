"""Processor time of calls, in rounds: in each round every program has its turn at every cell, so that a disturbance of
the machine hits all alike, and medians of rounds and of ratios within a round are not bent by it."""

import statistics
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

import flows
from worker import Unable

ROUND = 0.015  # seconds that a program spends at a cell in one round, if a call does not take longer
JOBS = ("log_prob", "sample")
BUDGET = 1.0  # seconds that a program spends at a cell in all rounds
PATIENCE = 6.0  # seconds of a call that is not waited for


@dataclass
class Turn:
    """A program at a cell."""

    key: tuple  # (flow, program, verb, rows)
    worker: object
    repeats: int
    rounds: int

    def run(self):
        _, _, verb, count = self.key
        return float(self.worker.ask(f"time {verb} {count} {self.repeats}")) / count


class Results:
    """times[flow, program, verb, rows]: seconds per row, one for each round; absent[...]: why there are none;
    machine[flow, what]: rates, one for each round."""

    def __init__(self):
        self.times, self.absent, self.machine = defaultdict(list), {}, defaultdict(list)

    def time(self, *key):
        return statistics.median(self.times[key]) if self.times.get(key) else None

    def rate(self, flow, what):
        return statistics.median(self.machine[flow, what])

    def ratio(self, key, other):
        """Median over rounds of time / time; of the medians where a slow program took part in few rounds."""
        a, b = self.times.get(key), self.times.get(other)
        if not a or not b:
            return None
        if len(a) == len(b):
            return statistics.median(x / y for x, y in zip(a, b, strict=True))
        return statistics.median(a) / statistics.median(b)


def check_values(worker, flow, flow_name, folder, rows):
    """The program computes what the flow is, compared with float64; `rows` 0 leaves the inverse out."""
    file, name = folder / "values", flow_name.split("-")[0]
    worker.ask(f"values log_prob 64 {file}")
    found = np.fromfile(file, np.float32)
    _, expected = flows.forward(flow, flows.rows(folder, name, "x", 64))
    worst = np.max(abs(found - expected) / (1 + abs(expected)))
    assert worst < 1e-4, f"{worker.name}: log_prob of {name} is wrong by {worst:.1e}"
    if rows:
        worker.ask(f"values inverse {rows} {file}")
        z = flows.rows(folder, name, "z", rows)
        found, _ = flows.forward(flow, np.fromfile(file, np.float32).reshape(z.shape))
        worst = np.max(abs(found - z))
        assert worst < 2e-3, f"{worker.name}: inverse of {name} is wrong by {worst:.1e}"


def check_gradient(worker, flow, flow_name, folder):
    """The gradient is that of the flow, but where float32 puts a unit on the other side of relu's kink."""
    file, name = folder / "values", flow_name.split("-")[0]
    worker.ask(f"values gradient 16 {file}")
    expected = flows.gradient(flow, flows.rows(folder, name, "x", 16))
    found = np.fromfile(file, np.float32).reshape(expected.shape)
    error = np.quantile(abs(found - expected) / (1 + abs(expected)), 0.95)
    assert error < 1e-4, f"{worker.name}: the gradient of {name} is wrong by {error:.1e}"


def call_seconds(worker, program, verb, count):
    once = float(worker.ask(f"time {verb} {count} 1"))
    if program.compiles or once < 0.5:
        once = float(worker.ask(f"time {verb} {count} 1"))
    return once


def plan(results, name, program, worker, cells, rounds, folder):
    """The turns of a program at the cells of a flow, (verb, rows) each, after a look at its values."""
    flow, turns, density = flows.load(folder, name.split("-")[0]), [], {}
    factor = 1 if program.one_pass else flow.size.dim
    worker.ask(f"open {name}")
    if not name.endswith("-IAF"):  # the same kernels; its density takes the inverse, so forward() is not its log_prob
        a_sample = factor * call_seconds(worker, program, "log_prob", 1)
        check_values(worker, flow, name, folder, 8 if a_sample < 0.25 else 1 if a_sample < 2 else 0)
    if any(verb == "gradient" for verb, _ in cells):
        check_gradient(worker, flow, name, folder)
    for verb, count in sorted(cells, key=lambda cell: (cell[0] != "log_prob", cell[1])):
        key = (name, program.name, verb, count)
        if verb == "sample" and density.get(count, 0) * factor > PATIENCE:
            about = density[count] * factor
            results.absent[key] = f"D passes of {density[count]:.2g} s: about {about:.0f} s a call, not waited for"
            continue
        try:
            once = call_seconds(worker, program, verb, count)
        except Unable as reason:
            results.absent[key] = str(reason)
            continue
        if verb == "log_prob":
            density[count] = once
        turns.append(Turn(key, worker, max(1, int(ROUND / once)), max(1, min(rounds, int(BUDGET / once)))))
        if once > BUDGET:  # that is the one round
            results.times[key].append(once / count)
            turns.pop()
    return turns


def run(results, turns, rounds, flow, machine, questions):
    """All rounds of one flow. `questions` to the machine, {what: command}, are asked in each round."""
    for number in range(rounds):
        for what, command in questions.items():
            results.machine[flow, what].append(float(machine.ask(command)))
        for turn in turns:
            if number < turn.rounds:
                results.times[turn.key].append(turn.run())
