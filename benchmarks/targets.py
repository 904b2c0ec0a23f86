"""What should be reached on a core with AVX-512, and what was."""

from dataclasses import dataclass

from cells import iaf, maf
from programs import AVX2, ONNX_SSE, SSE2

WIDE = ("L21", "L43", "XL")


def percent(value):
    return f"{100 * value:.0f} %"


def number(value):
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


@dataclass
class Target:
    """A bound for every cell of `values`; cells that were not measured are None."""

    what: str
    bound: float
    values: dict
    most: bool = False  # the bound is an upper one
    form: callable = number

    def line(self):
        values = {cell: value for cell, value in self.values.items() if value is not None}
        if not values:
            return None
        missed = {cell: v for cell, v in values.items() if (v > self.bound if self.most else v < self.bound)}
        worst = (max if self.most else min)(values, key=values.get)
        shown = missed or {worst: values[worst]}
        cells = ", ".join(f"{cell} {self.form(value)}" for cell, value in shown.items())
        wanted = f"at {'most' if self.most else 'least'} {self.form(self.bound)}"
        return f"| {self.what} | {wanted} | {'no' if missed else 'yes'} | {cells} |"


def peak(cells):
    for names, bound in ((WIDE, 0.85), (("M",), 0.65), (("S",), 0.45)):
        values = {name: cells.share(maf(name, "log_prob", 1024)) for name in cells.flows if name in names}
        yield Target(f"share of the peak, 1024 rows, {', '.join(names)}", bound, values, form=percent)


def directions(cells):
    for counts, bound in (((64, 1024), 1.10), ((1, 8), 1.25)):
        values = {}
        for name in cells.flows:
            for count in counts:
                density, sample = (maf(name, verb, count) for verb in ("log_prob", "sample"))
                values[f"{name} MAF {count}"] = cells.results.ratio(sample, density)
                density, sample = (iaf(name, verb, count) for verb in ("log_prob", "sample"))
                values[f"{name} IAF {count}"] = cells.results.ratio(density, sample)
        yield Target(f"expensive / cheap direction, {counts[0]} and {counts[1]} rows", bound, values, most=True)


def one_row(cells):
    values = {name: cells.read_share(maf(name, "log_prob", 1)) for name in cells.flows if name in WIDE}
    yield Target("share of the read bandwidth, one row", 0.75, values, form=percent)
    values = {}
    for name in ("S", "M"):
        if name not in cells.flows:
            continue
        densities = [cells.results.time(*maf(name, "log_prob", 1, peer.name)) for peer in cells.peers]
        best = min((seconds for seconds in densities if seconds), default=None)
        for verb in ("log_prob", "sample"):
            seconds = cells.results.time(*maf(name, verb, 1))
            values[f"{name} {verb}"] = best and seconds and best / seconds
    yield Target("best peer's density / either direction, one row", 1.7, values)


def eight_rows(cells):
    for names, bound in ((("S",), 1.0), (("M", *WIDE), 2.0)):
        values = {
            f"{name} {verb}": cells.results.ratio(maf(name, verb, 1), maf(name, verb, 8))
            for name in cells.flows
            if name in names
            for verb in ("log_prob", "sample")
        }
        yield Target(f"one row / each of eight, {', '.join(names)}", bound, values)


def levels(cells):
    names = cells.level_flows
    values = {name: cells.share(maf(name, "log_prob", 1024, AVX2.name), "peak2") for name in names if name in WIDE}
    yield Target("AVX2 level: share of its peak, 1024 rows", 0.80, values, form=percent)
    values = {
        f"{name} {verb} {count}": cells.results.ratio(
            maf(name, verb, count, ONNX_SSE.name), maf(name, verb, count, SSE2.name)
        )
        for name in names
        for verb in ("log_prob", "sample")
        for count in cells.batches
    }
    yield Target("SSE2 level: ONNX Runtime without AVX / flowrt", 1.0, values)


def others(cells):
    values = {
        f"{name} {verb} {count}": cells.best_peer(name, verb, count)[0]
        for name in cells.flows
        for verb in ("log_prob", "sample")
        for count in cells.batches
    }
    yield Target("best peer / flowrt in every cell", 1.0, values)
    context = cells.results.ratio(
        ("SBI-MAF", "flowrt-context", "sample", 10000), ("S-MAF", "flowrt-plain", "sample", 10000)
    )
    yield Target("10,000 samples, a shared context / none", 1.05, {"D = 6": context}, most=True)


def targets(cells, threads):
    found = [target for part in (peak, directions, one_row, eight_rows, levels, others) for target in part(cells)]
    found.append(Target("two threads / one", 1.9, threads))
    lines = [line for line in (target.line() for target in found) if line]
    return "\n".join(["| what | wanted | met | the worst cell, or all that miss it |", "|---|---|---|---|", *lines])
