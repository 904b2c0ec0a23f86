"""Flows of images beside the peers: what is measured, and the page planes.md and planes.csv of it."""

from dataclasses import replace

import numpy as np
import planes
import report
import tables
from measure import BUDGET, ROUND, Turn, call_seconds
from programs import FLOWRT, PEERS

# The same programs on other graphs. PyTorch is eager here.
MODULES = {
    "onnxruntime": "planes_onnx_runtime",
    "openvino": "planes_open_vino",
    "torch": "planes_torch",
}
OWN = replace(FLOWRT, name="flowrt-planes")
BESIDE = [
    replace(
        peer,
        name=peer.name + "-planes",
        what=peer.what.replace("compiled", "eager"),
        module=MODULES[peer.name],
    )
    for peer in PEERS
    if peer.name in MODULES
]
COLD = "DigitsGlow"

PAGE = """\
# Flows of images: convolutions beside the peers

{head}

Processor time of one core for an image, medians. All programs evaluate the same float32 graph, in which actnorm and 1x1
convolution are one already. Share of the peak: multiply-adds of all weights at all pixels, those of the zeros around a
plane included, over the core's own multiply-add peak in the same rounds. Peers leave the zeros out: a few per cent.

{what}

## Time as a multiple of flowrt's

Above 1, flowrt is faster. A sample of flowrt comes with its log p, those of the others without.

{beside}

## From process start to the first log p ({cold_flow})

{cold}

The file of flowrt has {file} kB.
"""


def beside_peers(peers):
    """Those of `peers` that have convolutions."""
    names = {peer.name + "-planes" for peer in peers}
    return [program for program in BESIDE if program.name in names]


def cells(name):
    """(job, images)."""
    jobs = ("log_prob",) if name.startswith("C") else ("log_prob", "sample")
    return [(job, count) for job in jobs for count in ((1, planes.ROWS) if name == COLD else (1,))]


def plan(results, name, program, worker, rounds, folder):
    """The turns of a program at a flow, after a look at its values."""
    worker.ask(f"open {name}")
    check(worker, name, folder)
    turns = []
    for verb, count in cells(name):
        once = call_seconds(worker, program, verb, count)
        repeats = max(1, int(ROUND / once))
        turns.append(
            Turn(
                (name, program.name, verb, count),
                worker,
                repeats,
                max(2, min(rounds, int(BUDGET / once))),
            )
        )
    return turns


def check(worker, name, folder):
    file, expected = folder / "values", np.load(folder / f"{name}.expected.npz")
    for verb in ("log_prob", "inverse"):
        worker.ask(f"values {verb} {planes.CHECKED} {file}")
        found = np.fromfile(file, np.float32).reshape(expected[verb].shape)
        worst = np.max(abs(found - expected[verb]) / (1 + abs(expected[verb])))
        assert worst < 1e-4, f"{worker.name}: {verb} of {name} is wrong by {worst:.1e}"


# ---- the page ----


def write(bench):
    folder = bench.options.results
    folder.mkdir(parents=True, exist_ok=True)
    report.write_csv(bench.planes, folder / "planes.csv")
    (folder / "planes.md").write_text(
        PAGE.format(
            head=report.head(bench, (OWN, *BESIDE)),
            what="\n".join(f"* {name}: {planes.WHAT[name]}" for name in planes.SIZES),
            beside=beside(bench),
            cold=cold(bench.planes_cold),
            cold_flow=COLD,
            file=f"{(bench.folder / f'{COLD}.flw').stat().st_size / 1024:.0f}",
        )
    )
    print(f"written: {folder / 'planes.md'}")


def beside(bench):
    results, rows = bench.planes, []
    present = [peer for peer in BESIDE if any(key[1] == peer.name for key in results.times)]
    for name in planes.SIZES:
        work = planes.load(bench.folder, name).multiply_adds()
        for job, count in cells(name):
            own = (name, OWN.name, job, count)
            if not results.times.get(own):
                continue
            seconds = results.time(*own)
            ratios = [results.ratio((name, peer.name, job, count), own) for peer in present]
            row = [name, job, count, f"{work / 1e6:.0f}", tables.microseconds(seconds)]
            row += [
                tables.percent(work / seconds / results.rate(name, "peak")),
                *map(tables.multiple, ratios),
            ]
            rows.append(row)
    heads = [
        "flow",
        "job",
        "images",
        "million multiply-adds",
        "flowrt, us an image",
        "of the peak",
    ]
    return tables.table([*heads, *(peer.what for peer in present)], rows)


def cold(measured):
    names = {program.name: program.what for program in (OWN, *BESIDE)}
    rows = [
        [names[name], f"{1e3 * wall:.1f}", f"{1e3 * cpu:.1f}", f"{memory / 1e6:.1f}"]
        for name, (wall, cpu, memory) in measured.items()
    ]
    return tables.table(["program", "wall ms", "processor ms", "peak memory, MB"], rows)
