"""The plot of the peers: time as a multiple of flowrt's, a panel for each direction and number of rows."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "flowrt"  # equal numbers give equal files
import matplotlib.pyplot as pyplot  # noqa: E402

MARKERS = "osD^vPX<>*"


def write(cells, path):
    shown = [count for count in cells.batches if count in (1, 64, 1024)] or cells.batches
    figure, panels = pyplot.subplots(
        2, len(shown), figsize=(4.2 * len(shown), 7), sharex=True, sharey="row", squeeze=False
    )
    for line, (verb, what) in enumerate((("log_prob", "log_prob of a MAF"), ("sample", "samples of a MAF"))):
        for panel, count in zip(panels[line], shown, strict=True):
            for peer, marker in zip(cells.peers, MARKERS, strict=False):
                ratios = [
                    cells.results.ratio((name + "-MAF", peer.name, verb, count), (name + "-MAF", "flowrt", verb, count))
                    for name in cells.flows
                ]
                panel.plot(
                    cells.flows,
                    [ratio or float("nan") for ratio in ratios],
                    marker=marker,
                    linewidth=1,
                    markersize=5,
                    label=peer.what,
                )
            panel.axhline(1, color="black", linewidth=1.5, label="flowrt")
            panel.set_yscale("log")
            panel.yaxis.set_major_formatter("{x:g}")
            panel.set_title(f"{what}, {count} row{'s' if count > 1 else ''}", fontsize=10)
            panel.grid(axis="y", which="major", linewidth=0.4)
        panels[line][0].set_ylabel("time / flowrt's time")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=5, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
