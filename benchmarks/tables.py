"""The tables of the page, in Markdown."""

from cells import iaf, maf
from programs import AVX2, BEST, FLOWRT, ONNX_SSE, PEERS, SSE2

READ_SIZES = [2**power for power in range(14, 28)]
TILE_TERMS = (8, 16, 32, 96)
LEVELS = {3: "AVX-512", 2: "AVX2", 1: "SSE2, a multiplication and an addition"}


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def microseconds(seconds):
    if seconds is None:
        return "-"
    value = 1e6 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def multiple(ratio):
    if ratio is None:
        return "-"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def percent(share):
    return "-" if share is None else f"{100 * share:.0f} %"


def best(pair):
    return f"{multiple(pair[0])} ({pair[1]})" if pair[0] else "-"


def summary(cells):
    rows = []
    for name, count in cells.every():
        density, sample = maf(name, "log_prob", count), maf(name, "sample", count)
        limit = percent(cells.read_share(density)) + " of reading" if count == 1 else percent(cells.share(density))
        rows.append(
            [
                name,
                count,
                microseconds(cells.results.time(*density)),
                limit,
                microseconds(cells.results.time(*sample)),
                multiple(cells.results.ratio(sample, density)),
                multiple(cells.results.ratio(iaf(name, "log_prob", count), iaf(name, "sample", count))),
                best(cells.best_peer(name, "log_prob", count)),
                best(cells.best_peer(name, "sample", count)),
            ]
        )
    heads = ["flow", "rows", "log_prob, us a row", "of the limit", "sample, us a row", "sample / log_prob"]
    return table(
        [*heads, "IAF: log_prob / sample", "best peer's log_prob / flowrt's", "best peer's sample / flowrt's"], rows
    )


def against_peers(cells, job):
    rows = []
    for name, count in cells.every():
        base = maf(name, job, count)
        ratios = [multiple(cells.results.ratio(maf(name, job, count, peer.name), base)) for peer in cells.peers]
        rows.append([name, count, microseconds(cells.results.time(*base)), *ratios])
    return table(["flow", "rows", "flowrt, us a row", *(peer.what for peer in cells.peers)], rows)


def level(cells, program, peak):
    """flowrt at a lower level, beside the best one, and the peer that is kept from AVX if that is the level."""
    heads = ["flow", "rows", "log_prob, us a row", "of the level's peak", "sample / log_prob"]
    heads += [f"{job} / that of the best level" for job in ("log_prob", "sample")]
    beside = program is SSE2
    if beside:
        heads += [f"{ONNX_SSE.what}: log_prob / flowrt's", "its sample / flowrt's"]
    rows = []
    for name in cells.level_flows:
        for count in cells.batches:
            density, sample = (maf(name, job, count, program.name) for job in ("log_prob", "sample"))
            row = [name, count, microseconds(cells.results.time(*density)), percent(cells.share(density, peak))]
            row.append(multiple(cells.results.ratio(sample, density)))
            for key in (density, sample):
                row.append(multiple(cells.results.ratio(key, (key[0], BEST.name, *key[2:]))))
            if beside:
                for job, base in (("log_prob", density), ("sample", sample)):
                    row.append(multiple(cells.results.ratio(maf(name, job, count, ONNX_SSE.name), base)))
            rows.append(row)
    return f"### {program.what}\n\n" + table(heads, rows)


def levels(cells):
    return level(cells, AVX2, "peak2") + "\n\n" + level(cells, SSE2, "peak1")


def not_measured(results):
    names = {peer.name: peer.what for peer in [*PEERS, ONNX_SSE]}
    rows = [
        [names[program], flow, f"{job}, {count} row{'s' * (count > 1)}", reason]
        for (flow, program, job, count), reason in results.absent.items()
    ]
    return table(["program", "flow", "job", "why there is no number"], rows)


def cold(measured):
    names = {program.name: program.what for program in [FLOWRT, *PEERS]}
    rows = [
        [names[name], f"{1e3 * wall:.1f}", f"{1e3 * cpu:.1f}", f"{memory / 1e6:.1f}", f"{disk / 1e6:.1f}"]
        for name, (wall, cpu, memory, disk) in measured.items()
    ]
    return table(["program", "wall ms", "processor ms", "peak memory, MB", "on disk, MB"], rows)


def machine(rates):
    found = {what: rates[f"peak {level}"] for level, what in LEVELS.items()}
    peaks = [[what, f"{2e-9 * rate:.0f}"] for what, rate in found.items() if rate]
    reads = [[f"{size >> 10} kB", f"{1e-9 * rates[f'read {size}']:.0f}"] for size in READ_SIZES]
    peak, rate = rates["peak 3"], {terms: rates[f"tile {terms}"] for terms in TILE_TERMS}
    tiles = [[terms, f"{2e-9 * rate[terms]:.0f}", percent(rate[terms] / peak)] for terms in TILE_TERMS if peak]
    tile_heads = ["AVX-512: the inner loop of a tile alone, so many terms at a time", "GFLOP/s", "of the peak"]
    parts = [table(["multiply-add peak", "GFLOP/s"], peaks)]
    if tiles:
        parts.append(table(tile_heads, tiles))
    return "\n\n".join([*parts, table(["reading again and again", "GB/s"], reads)])
