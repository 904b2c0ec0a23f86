"""Writes what bench.py measured: results/speed.md, speed.csv and speed.svg."""

import csv
import datetime
import os
import platform
import re
from pathlib import Path

import flows
import plot
from programs import AVX2, FLOWRT, ONNX_SSE, PEERS, SSE2
from targets import targets

READ_SIZES = [2**power for power in range(14, 28)]


def microseconds(seconds):
    if seconds is None:
        return ""
    value = 1e6 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times_as(ratio):
    return "" if ratio is None else f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def percent(share):
    return "" if share is None else f"{100 * share:.0f} %"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


class Report:
    def __init__(self, bench, options, command):
        self.bench, self.options, self.command = bench, options, command
        self.results = bench.results
        names = {key[0].split("-")[0] for key in self.results.times}
        self.flows = [name for name in flows.SIZES if name in names and (name, "peak3") in self.results.machine]
        self.level_flows = [name for name in flows.SIZES if (name, "peak2") in self.results.machine]
        present = {key[1] for key in [*self.results.times, *self.results.absent]}
        self.peers = [peer for peer in PEERS if peer.name in present]
        self.weights = {name: flows.load(bench.folder, name).nonzero_weights() for name in names}

    def batches(self, name):
        return sorted({key[3] for key in self.results.times if key[0] == name + "-MAF" and key[1] in ("flowrt", "flowrt-avx2")})

    def share(self, key, peak="peak3"):
        """Of the measured multiply-adds per second, by the weights that are not zero, each used once a row."""
        name, seconds = key[0].split("-")[0], self.results.time(*key)
        return seconds and self.weights[name] / seconds / self.results.rate(name, peak)

    def read_share(self, key):
        """Of the measured bandwidth: a row reads each weight once."""
        name, seconds = key[0].split("-")[0], self.results.time(*key)
        return seconds and 4 * self.weights[name] / seconds / self.results.rate(name, "read")

    def best_peer(self, name, verb, count):
        """(peer, its time as a multiple of flowrt's)."""
        ratios = [
            (self.results.ratio((name + "-MAF", peer.name, verb, count), (name + "-MAF", "flowrt", verb, count)), peer.what)
            for peer in self.peers
        ]
        return min(((ratio, what) for ratio, what in ratios if ratio is not None), default=(None, ""))

    # ---- tables ----

    def summary(self):
        rows = []
        for name in self.flows:
            for count in self.batches(name):
                maf = {verb: (name + "-MAF", "flowrt", verb, count) for verb in ("log_prob", "sample")}
                iaf = {verb: (name + "-IAF", "flowrt-iaf", verb, count) for verb in ("log_prob", "sample")}
                density, sample = (self.best_peer(name, verb, count) for verb in ("log_prob", "sample"))
                rows.append(
                    [
                        name,
                        count,
                        microseconds(self.results.time(*maf["log_prob"])),
                        percent(self.read_share(maf["log_prob"])) + " read" if count == 1 else percent(self.share(maf["log_prob"])),
                        microseconds(self.results.time(*maf["sample"])),
                        times_as(self.results.ratio(maf["sample"], maf["log_prob"])),
                        times_as(self.results.ratio(iaf["log_prob"], iaf["sample"])),
                        f"{times_as(density[0])} ({density[1]})",
                        f"{times_as(sample[0])} ({sample[1]})" if sample[0] else "none can",
                    ]
                )
        heads = ["flow", "rows", "log_prob, us a row", "of the limit", "sample, us a row", "sample / log_prob", "IAF: log_prob / sample"]
        return table([*heads, "best peer's log_prob, times flowrt's", "best peer's sample"], rows)

    def against_peers(self, verb):
        rows = []
        for name in self.flows:
            for count in self.batches(name):
                base = (name + "-MAF", "flowrt", verb, count)
                row = [name, count, microseconds(self.results.time(*base))]
                for peer in self.peers:
                    key = (name + "-MAF", peer.name, verb, count)
                    row.append(times_as(self.results.ratio(key, base)) if key in self.results.times else "-")
                rows.append(row)
        return table(["flow", "rows", "flowrt, us a row", *(peer.what for peer in self.peers)], rows)

    def not_measured(self):
        names = {peer.name: peer.what for peer in [*PEERS, ONNX_SSE]}
        return table(
            ["program", "flow", "job", "why there is no number"],
            [[names[key[1]], key[0], f"{key[2]}, {key[3]} rows", reason] for key, reason in self.results.absent.items()],
        )

    def levels(self):
        rows = []
        for name in self.level_flows:
            for count in self.batches(name):
                key = {program.name: (name + "-MAF", program.name, "log_prob", count) for program in (AVX2, SSE2, ONNX_SSE)}
                sample = {program.name: (name + "-MAF", program.name, "sample", count) for program in (AVX2, SSE2, ONNX_SSE)}
                rows.append(
                    [
                        name,
                        count,
                        microseconds(self.results.time(*key[AVX2.name])),
                        percent(self.share(key[AVX2.name], "peak2")),
                        times_as(self.results.ratio(sample[AVX2.name], key[AVX2.name])),
                        microseconds(self.results.time(*key[SSE2.name])),
                        percent(self.share(key[SSE2.name], "peak1")),
                        times_as(self.results.ratio(sample[SSE2.name], key[SSE2.name])),
                        times_as(self.results.ratio(key[ONNX_SSE.name], key[SSE2.name])),
                        times_as(self.results.ratio(sample[ONNX_SSE.name], sample[SSE2.name])) or "-",
                    ]
                )
        heads = ["flow", "rows", "AVX2 log_prob, us a row", "of its peak", "sample / log_prob", "SSE2 log_prob, us a row", "of its peak"]
        return table([*heads, "sample / log_prob", "ONNX Runtime without AVX, log_prob, times flowrt SSE2's", "its sample"], rows)

    def cold(self):
        programs = {program.name: program.what for program in [FLOWRT, *PEERS]}
        return table(
            ["program", "wall ms", "processor ms", "peak memory, MB", "on disk, MB"],
            [
                [programs[name], f"{1e3 * wall:.1f}", f"{1e3 * cpu:.1f}", f"{memory / 1e6:.1f}", f"{disk / 1e6:.1f}"]
                for name, (wall, cpu, memory, disk) in self.bench.cold.items()
            ],
        )

    def machine(self):
        ask = self.bench.machine_rates
        peaks = [[what, f"{2e-9 * ask[f'peak {level}']:.0f}"] for level, what in ((3, "AVX-512"), (2, "AVX2"), (1, "SSE2, mul and add"))]
        reads = [[f"{size >> 10} kB", f"{1e-9 * ask[f'read {size}']:.0f}"] for size in READ_SIZES]
        return table(["multiply-add peak", "GFLOP/s"], peaks) + "\n\n" + table(["reading again and again", "GB/s"], reads)

    # ---- the page ----

    def page(self):
        cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        parts = [
            "# Speed of flowrt beside its peers",
            f"{datetime.date.today()}, {cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
            f"load {os.getloadavg()[2]:.1f} during the run; {self.options.rounds} rounds; `{self.command}`",
            "\n".join(f"* {what}: {self.bench.versions[name]}" for name, what in self.listed() if name in self.bench.versions),
        ]
        if self.flows:
            parts += [
                "## In short",
                "Processor time of one core, medians. A MAF's log_prob and an IAF's sample are one pass of the network for everybody; the other "
                "direction is D passes for the peers. `of the limit`: for one row, the bytes of the non-zero weights over the measured read "
                "bandwidth of that much memory; else the multiply-adds of the non-zero weights over the measured peak.",
                self.summary(),
                "![times of the peers as multiples of flowrt's](speed.svg)",
                "## log_prob of a MAF: time as a multiple of flowrt's",
                "The same holds for samples of an IAF: it is the same function.",
                self.against_peers("log_prob"),
                "## Samples of a MAF: time as a multiple of flowrt's",
                "The same holds for log_prob of an IAF. flowrt's samples come with their log p, those of the others without.",
                self.against_peers("sample"),
            ]
        if self.level_flows:
            parts += ["## AVX2 and SSE2", self.levels()]
        if self.results.absent:
            parts += ["## Not measured", self.not_measured()]
        if "context" in self.options.sections:
            base = ("SBI-MAF", "flowrt-context", "sample", 10000)
            ratios = [self.results.ratio(base, ("S-MAF", "flowrt-plain", "sample", 10000))]
            ratios.append(self.results.ratio(("SBI-MAF", "nflows-context", "sample", 10000), base))
            parts += [
                "## One shared context",
                f"10,000 samples, D = 6, context of 10: {microseconds(self.results.time(*base))} us a row, {ratios[0]:.3f} times the "
                f"unconditional flow of the same size. nflows takes {times_as(ratios[1])} times as long.",
            ]
        if self.bench.cold:
            parts += ["## From process start to the first log p (L21)", self.cold()]
        if self.bench.threads:
            speedups = ", ".join(f"{name} {value:.2f}" for name, value in self.bench.threads.items())
            parts += ["## Two threads", f"Processor time of one thread over that of the slower of two that run at once and share the rows: {speedups}."]
        parts += ["## The core", self.machine(), "## What should be reached", targets(self)]
        return "\n\n".join(parts) + "\n"

    def listed(self):
        return [(program.name, program.what) for program in [FLOWRT, *PEERS]]

    def rows(self):
        for key, values in self.results.times.items():
            yield [*key, f"{1e6 * self.results.time(*key):.6g}", len(values), ""]
        for key, reason in self.results.absent.items():
            yield [*key, "", 0, reason]


def write(bench, options, command):
    options.results.mkdir(parents=True, exist_ok=True)
    report = Report(bench, options, command)
    (options.results / "speed.md").write_text(report.page())
    with open(options.results / "speed.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["flow", "program", "job", "rows", "us_per_row", "rounds", "why_not"])
        writer.writerows(report.rows())
    if report.flows:
        plot.write(report, options.results / "speed.svg")
    print(f"written: {options.results / 'speed.md'}")
