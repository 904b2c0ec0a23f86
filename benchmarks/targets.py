"""What should be reached on a core with AVX-512, and what was."""


def targets(report):
    lines = []

    def line(what, wanted, values, met, form):
        """values: {cell: number}; the worst of them is shown, where not met with all that fail."""
        values = {cell: value for cell, value in values.items() if value is not None}
        if not values:
            return
        failing = {cell: value for cell, value in values.items() if not met(value)}
        shown = failing or dict([min(values.items(), key=lambda item: item[1] if met(1e9) else -item[1])])
        cells = ", ".join(f"{cell} {form(value)}" for cell, value in shown.items())
        lines.append(f"| {what} | {wanted} | {'no' if failing else 'yes'} | {cells} |")

    def share(value):
        return f"{100 * value:.0f} %"

    def times(value):
        return f"{value:.2f}"

    def key(name, verb, count, kind="MAF", program="flowrt"):
        return (f"{name}-{kind}", program if kind == "MAF" else program + "-iaf", verb, count)

    results, wide = report.results, ("L21", "L43", "XL")
    flows, batches = report.flows, sorted({cell[3] for cell in results.times if cell[1] == "flowrt"})
    for names, bound in ((wide, 0.85), (("M",), 0.65), (("S",), 0.45)):
        values = {name: report.share(key(name, "log_prob", 1024)) for name in names if name in flows}
        line(f"share of the peak, log_prob, 1024 rows, {', '.join(names)}", f"at least {share(bound)}", values, lambda v, b=bound: v >= b, share)
    for counts, bound in (((64, 1024), 1.10), ((1, 8), 1.25)):
        values = {}
        for name in flows:
            for count in counts:
                if count in batches:
                    values[f"{name} MAF {count}"] = results.ratio(key(name, "sample", count), key(name, "log_prob", count))
                    values[f"{name} IAF {count}"] = results.ratio(key(name, "log_prob", count, "IAF"), key(name, "sample", count, "IAF"))
        line(f"expensive / cheap direction, {counts[0]} or {counts[1]} rows", f"at most {bound:.2f}", values, lambda v, b=bound: v <= b, times)
    values = {name: report.read_share(key(name, "log_prob", 1)) for name in wide if name in flows}
    line("share of the read bandwidth, one row", "at least 75 %", values, lambda v: v >= 0.75, share)
    values = {}
    for name in ("S", "M"):
        if name in flows:
            for verb in ("log_prob", "sample"):
                best = min((results.time(name + "-MAF", peer.name, "log_prob", 1) or 1e9 for peer in report.peers), default=None)
                values[f"{name} {verb}"] = best and best / results.time(*key(name, verb, 1))
    line("best peer's density / either direction, one row, S and M", "at least 1.7", values, lambda v: v >= 1.7, times)
    if 8 in batches:
        for names, bound in ((("S",), 1.0), (("M", *wide), 2.0)):
            values = {
                f"{name} {verb}": results.ratio(key(name, verb, 1), key(name, verb, 8)) for name in names if name in flows for verb in ("log_prob", "sample")
            }
            line(f"one row / a row of eight, {', '.join(names)}", f"at least {bound:.0f}", values, lambda v, b=bound: v >= b, times)
    values = {name: report.share(key(name, "log_prob", 1024, program="flowrt-avx2"), "peak2") for name in wide if name in report.level_flows}
    line("share of the AVX2 peak at that level, 1024 rows", "at least 80 %", values, lambda v: v >= 0.80, share)
    values = {}
    for name in report.level_flows:
        for verb in ("log_prob", "sample"):
            for count in batches:
                values[f"{name} {verb} {count}"] = results.ratio(key(name, verb, count, program="onnxruntime-sse"), key(name, verb, count, program="flowrt-sse2"))
    line("ONNX Runtime without AVX / SSE2 level", "more than 1", values, lambda v: v > 1, times)
    values = {}
    for name in flows:
        for verb in ("log_prob", "sample"):
            for count in batches:
                values[f"{name} {verb} {count}"] = report.best_peer(name, verb, count)[0]
    line("best peer / flowrt, every cell", "more than 1", values, lambda v: v > 1, times)
    context = results.ratio(("SBI-MAF", "flowrt-context", "sample", 10000), ("S-MAF", "flowrt-plain", "sample", 10000))
    line("10,000 samples with a shared context / without", "at most 1.05", {"D = 6": context}, lambda v: v <= 1.05, lambda v: f"{v:.3f}")
    line("two threads", "at least 1.9 times one", report.bench.threads, lambda v: v >= 1.9, times)
    return "\n".join(["| what | wanted | met | the worst cell, or all that miss it |", "|---|---|---|---|", *lines])
