"""Writes what bench.py measured of gradients: gradients.md and gradients.csv."""

import report
import tables
from cells import maf
from programs import DIFFERENTIATE, FLOWRT

JOBS = ("log_prob", "gradient")
BATCHES = (1, 16, 64, 1024)

PAGE = """\
# Gradients: log p with its gradient by x

{head}

Processor time of one core. PyTorch and JAX differentiate automatically, in reverse mode; weights ask for no gradients.

## Time as a multiple of flowrt's

{beside}

## A gradient in densities of the same program

{densities}
"""


def write(bench):
    folder, results = bench.options.results, bench.gradients
    folder.mkdir(parents=True, exist_ok=True)
    report.write_csv(results, folder / "gradients.csv")
    cells = sorted(
        {(key[0].split("-")[0], key[3]) for key in results.times}, key=lambda cell: (order(bench, cell), cell[1])
    )
    page = PAGE.format(head=report.head(bench), beside=beside(results, cells), densities=densities(results, cells))
    (folder / "gradients.md").write_text(page)
    print(f"written: {folder / 'gradients.md'}")


def order(bench, cell):
    return bench.options.flows.index(cell[0])


def present(results):
    names = {key[1] for key in results.times}
    return [program for program in (FLOWRT, *DIFFERENTIATE) if program.name in names]


def beside(results, cells):
    peers, rows = present(results)[1:], []
    for name, count in cells:
        own = maf(name, "gradient", count)
        ratios = [results.ratio(maf(name, "gradient", count, peer.name), own) for peer in peers]
        shown = [tables.multiple(ratio) for ratio in ratios]
        rows.append([name, count, tables.microseconds(results.time(*own)), *shown])
    return tables.table(["flow", "rows", "flowrt, us a row", *(peer.what for peer in peers)], rows)


def densities(results, cells):
    programs, rows = present(results), []
    for name, count in cells:
        pairs = [[maf(name, job, count, program.name) for job in ("gradient", "log_prob")] for program in programs]
        rows.append([name, count, *(tables.multiple(results.ratio(*pair)) for pair in pairs)])
    return tables.table(["flow", "rows", *(program.what for program in programs)], rows)
