"""Draws speed.svg: the time of a density and of a sample, flowrt beside its peers, from benchmarks/results/xeon/speed.csv.

    python docs/pictures/speed.py

Times are medians of processor time for each of 1024 rows, on one core; `make bench` measures them.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "flowrt"  # equal numbers give equal files
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
matplotlib.rcParams["font.family"] = "sans-serif"
matplotlib.rcParams["font.size"] = 9.5
from matplotlib import pyplot  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from programs import FLOWRT, PEERS  # noqa: E402

TIMES = ROOT / "benchmarks" / "results" / "xeon" / "speed.csv"
PAGE = Path(__file__).parent / "speed.svg"
ROWS = 1024
FLOWS = {"S": "S: D = 6", "L21": "L21: D = 21", "XL": "XL: D = 63"}

# Each colour of the light picture, and what it is where the reader prefers a dark one.
PAPER, INK, GRID = "#ffffff", "#1f2328", "#d1d9e0"
PEER_DENSITY, PEER_SAMPLE, OUR_DENSITY, OUR_SAMPLE = "#c9ced6", "#cf5b4a", "#8ec1e8", "#1f77b4"
DARK = {
    PAPER: "#0d1117", INK: "#f0f6fc", GRID: "#3d444d",
    PEER_DENSITY: "#59636e", PEER_SAMPLE: "#e5735f", OUR_DENSITY: "#2f5f8a", OUR_SAMPLE: "#4a9fe0",
}  # fmt: skip


def main() -> None:
    figure, panels = pyplot.subplots(1, len(FLOWS), figsize=(10.2, 4.5), sharey=True, facecolor=PAPER)
    times = read_times()
    for panel, (flow, title) in zip(panels, FLOWS.items(), strict=True):
        _draw(panel, title, {program: times[flow, program] for program in programs()})
    panels[0].set_yticks(range(len(programs())), [program.what for program in programs().values()])
    panels[0].get_yticklabels()[0].set_fontweight("bold")
    panels[1].set_xlabel("processor time, µs a row, in batches of 1024 (logarithmic)", color=INK)
    figure.legend(handles=_legend(), loc="upper center", ncols=4, frameon=False, labelcolor=INK)
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.savefig(PAGE, facecolor=PAPER, metadata={"Date": None})
    PAGE.write_text(with_dark_colours(PAGE.read_text()))


def programs() -> dict:
    """Those that the results have."""
    measured = {name for _, name in read_times()}
    return {program.name: program for program in (FLOWRT, *PEERS) if program.name in measured}


def read_times() -> dict:
    """(flow, program) to the microseconds a row of its density and its sample."""
    times: dict = {}
    with TIMES.open() as file:
        for line in csv.DictReader(file):
            flow, kind = line["flow"].split("-")
            if kind == "MAF" and int(line["rows"]) == ROWS and line["us_per_row"]:
                times.setdefault((flow, line["program"]), {})[line["job"]] = float(line["us_per_row"])
    return {key: (jobs["log_prob"], jobs["sample"]) for key, jobs in times.items() if len(jobs) == 2}


def _draw(panel, title: str, times: dict) -> None:
    ours = times["flowrt"]
    for line, (name, (density, sample)) in enumerate(times.items()):
        colours = (OUR_DENSITY, OUR_SAMPLE) if name == "flowrt" else (PEER_DENSITY, PEER_SAMPLE)
        panel.barh((line - 0.19, line + 0.19), (density, sample), height=0.36, color=colours)
        label = f"{sample:.2g}" if name == "flowrt" else f"{sample / ours[1]:.0f} ×"
        panel.text(sample * 1.12, line + 0.21, label, va="center", fontsize=8.5, color=INK)
    panel.set_xscale("log")
    panel.set_xlim(ours[0] / 3, max(sample for _, sample in times.values()) * 4)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_title(title, fontsize=10.5, color=INK)
    panel.invert_yaxis()
    panel.set_facecolor(PAPER)
    panel.tick_params(colors=INK, which="both", length=0)
    panel.grid(axis="x", color=GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    for side in panel.spines.values():
        side.set_visible(False)


def _legend() -> list:
    names = {
        OUR_DENSITY: "flowrt, log_prob", OUR_SAMPLE: "flowrt, sample",
        PEER_DENSITY: "others, log_prob", PEER_SAMPLE: "others, sample (× flowrt's)",
    }  # fmt: skip
    return [pyplot.Rectangle((0, 0), 1, 1, color=colour, label=name) for colour, name in names.items()]


def with_dark_colours(svg: str) -> str:
    """Rules that replace the colours of the drawing where the reader prefers a dark page."""
    rules = [
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    ]
    style = "<style>\n@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n</style>\n"
    return re.sub(r"[ \t]+\n", "\n", svg.replace(" <defs>", style + " <defs>", 1))


if __name__ == "__main__":
    main()
