"""Draws rows.svg: the time of a row against the rows of a call, flowrt beside its peers, from one machine's results.

    python docs/pictures/rows.py [RESULTS]

RESULTS is a folder of benchmarks/results, zen3 if left out. Times are medians of processor time on one core.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from speed import DARK, GRID, INK, PAPER, ROOT, pyplot, with_dark_colours

sys.path.insert(0, str(ROOT / "benchmarks"))
from programs import FLOWRT, PEERS  # noqa: E402

PAGE = Path(__file__).parent / "rows.svg"
FLOWS = {"S": "S: D = 6", "L21": "L21: D = 21", "XL": "XL: D = 63"}
JOBS = {"log_prob": "log_prob", "sample": "sample"}
OURS, THEIRS = "#1f77b4", ("#cf5b4a", "#8c6bb1", "#6a9f58", "#b8860b")
DARK |= {"#8c6bb1": "#b39ddb", "#6a9f58": "#8fc97a", "#b8860b": "#d9a83a"}


def main(machine: str = "zen3") -> None:
    times = read_times(ROOT / "benchmarks" / "results" / machine / "speed.csv")
    measured = {program for _, program, _ in times}
    shown = [program for program in (FLOWRT, *PEERS) if program.name in measured][: 1 + len(THEIRS)]
    numbers = []  # in words, for readers who cannot see the picture
    figure, panels = pyplot.subplots(2, len(FLOWS), figsize=(10.2, 5.6), sharex=True, facecolor=PAPER)
    for line, (job, what) in enumerate(JOBS.items()):
        for panel, (flow, title) in zip(panels[line], FLOWS.items(), strict=True):
            for program, colour in zip(shown, (OURS, *THEIRS)):
                points = sorted(times.get((flow, program.name, job), {}).items())
                words = ", ".join(f"{rows} {time:.3g}" for rows, time in points)
                numbers.append(f"{flow} {job} {program.name}: {words}")
                style = {"linewidth": 2.2 if program is FLOWRT else 1.2, "zorder": 3 if program is FLOWRT else 2}
                panel.plot(*zip(*points), color=colour, marker="o", markersize=3, label=program.what, **style)
            _dress(panel, f"{title}, {what}")
        panels[line][0].set_ylabel("µs a row", color=INK)
    panels[1][1].set_xlabel("rows of a call", color=INK)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=len(shown), frameon=False, labelcolor=INK)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(PAGE, facecolor=PAPER, metadata={"Date": None, "Description": "; ".join(numbers)})
    PAGE.write_text(with_dark_colours(PAGE.read_text()))


def read_times(path: Path) -> dict[tuple[str, str, str], dict[int, float]]:
    """(flow, program, job) to the microseconds a row for each number of rows, of MAFs."""
    times: dict[tuple[str, str, str], dict[int, float]] = {}
    with path.open() as file:
        for line in csv.DictReader(file):
            flow, kind = line["flow"].split("-")
            if kind == "MAF" and line["us_per_row"]:
                cell = times.setdefault((flow, line["program"], line["job"]), {})
                cell[int(line["rows"])] = float(line["us_per_row"])
    return times


def _dress(panel, title: str) -> None:
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("")
    panel.set_title(title, fontsize=10.5, color=INK)
    panel.set_facecolor(PAPER)
    panel.tick_params(colors=INK, which="both", length=0)
    panel.grid(color=GRID, linewidth=0.6)
    for side in panel.spines.values():
        side.set_visible(False)


if __name__ == "__main__":
    main(*sys.argv[1:])
