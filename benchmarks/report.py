"""Writes what bench.py measured: speed.md, speed.csv and speed.svg."""

import csv
import datetime
import os
import platform
import re
from pathlib import Path

import plot
import tables
from cells import Cells
from programs import FLOWRT, PEERS
from targets import targets

HEAD = """\
{date}, {cpu}, {cores} cores, {system}, load {load:.1f} in the last quarter of an hour, {rounds} rounds. `{command}`

{versions}

The flows, the programs and the way of measuring: [benchmarks/README.md]({root}/benchmarks/README.md). What limits each cell:
[docs/PERFORMANCE.md]({root}/docs/PERFORMANCE.md)."""

MAIN = """\
## In short

Processor time of one core, medians. The log_prob of a MAF and the samples of an IAF are one pass of the network for
everybody; the other direction is D passes for the peers. Limit: for one row, the bytes of the non-zero weights over the
read bandwidth of that much memory; for more, the multiply-adds of the non-zero weights over the core's peak.

{summary}

![times of the peers as multiples of flowrt's](speed.svg)

## log_prob of a MAF: time as a multiple of flowrt's

Samples of an IAF are the same function.

{log_prob}

## Samples of a MAF: time as a multiple of flowrt's

log_prob of an IAF is the same function. flowrt's samples come with their log p, those of the others without.

{sample}"""

CONTEXT = """\
## One shared context

10,000 samples, D = 6, a context of 10: {own} us a row, {plain:.3f} times the unconditional flow of the same size. nflows
takes {nflows} times as long."""

COLD = """\
## From process start to the first log p (L21)

Compilers find their caches filled. On disk: the library; for Python packages, with all that they require.

{table}"""

THREADS = """\
## Two threads

Processor time of one thread for all rows, over that of the slower of two that run at once and share them:
{ratios}."""


def head(bench, programs=(FLOWRT, *PEERS)):
    """When, where and with what it was measured."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    names = [(program.name, program.what) for program in programs]
    return HEAD.format(
        date=datetime.date.today(),
        cpu=cpu[1] if cpu else platform.processor(),
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.release()}",
        load=os.getloadavg()[2],
        rounds=bench.options.rounds,
        command=bench.options.command,
        root=os.path.relpath(Path(__file__).parents[1], bench.options.results),
        versions="\n".join(f"* {what}: {bench.versions[key]}" for key, what in names if key in bench.versions),
    )


def page(bench, cells):
    parts = ["# Speed of flowrt beside its peers\n\n" + head(bench)]
    if cells.flows:
        jobs = {job: tables.against_peers(cells, job) for job in ("log_prob", "sample")}
        parts.append(MAIN.format(summary=tables.summary(cells), **jobs))
    if cells.level_flows:
        parts.append("## AVX2 and SSE2\n\n" + tables.levels(cells))
    if cells.results.absent:
        parts.append("## Not measured\n\n" + tables.not_measured(cells.results))
    own = ("SBI-MAF", "flowrt-context", "sample", 10000)
    if own in cells.results.times:
        plain = cells.results.ratio(own, ("S-MAF", "flowrt-plain", "sample", 10000))
        nflows = cells.results.ratio(("SBI-MAF", "nflows-context", "sample", 10000), own)
        time = tables.microseconds(cells.results.time(*own))
        parts.append(CONTEXT.format(own=time, plain=plain, nflows=tables.multiple(nflows)))
    if bench.cold:
        parts.append(COLD.format(table=tables.cold(bench.cold)))
    if bench.threads:
        ratios = ", ".join(f"{name} {value:.2f}" for name, value in bench.threads.items())
        parts.append(THREADS.format(ratios=ratios))
    parts.append("## The core\n\n" + tables.machine(bench.rates))
    parts.append("## What should be reached\n\n" + targets(cells, bench.threads))
    return "\n\n".join(parts) + "\n"


def write_csv(results, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["flow", "program", "job", "rows", "us_per_row", "rounds", "why_not"])
        for key, values in results.times.items():
            writer.writerow([*key, f"{1e6 * results.time(*key):.6g}", len(values), ""])
        for key, reason in results.absent.items():
            writer.writerow([*key, "", 0, reason])


def write(bench):
    folder = bench.options.results
    folder.mkdir(parents=True, exist_ok=True)
    cells = Cells(bench.results, bench.folder)
    write_csv(bench.results, folder / "speed.csv")
    (folder / "speed.md").write_text(page(bench, cells))
    if cells.flows:
        plot.write(cells, folder / "speed.svg")
    print(f"written: {folder / 'speed.md'}")
