"""The cells of the tables and what their times amount to.

A cell is (flow, program, job, rows), where flow is NAME-MAF or NAME-IAF.
"""

import flows
from measure import JOBS
from programs import PEERS


def maf(name, job, count, program="flowrt"):
    return name + "-MAF", program, job, count


def iaf(name, job, count):
    return name + "-IAF", "flowrt-iaf", job, count


class Cells:
    def __init__(self, results, folder):
        self.results = results
        names = {key[0].split("-")[0] for key in results.times}
        # Flows that were measured beside the peers, and those of the lower levels.
        self.flows = [name for name in flows.SIZES if name in names and (name, "peak") in results.machine]
        self.level_flows = [name for name in flows.SIZES if (name, "peak2") in results.machine]
        present = {key[1] for key in [*results.times, *results.absent]}
        self.peers = [peer for peer in PEERS if peer.name in present]
        self.batches = sorted({key[3] for key in results.times if key[1] in ("flowrt", "flowrt-avx2")})
        self.weights = {name: flows.load(folder, name).nonzero_weights() for name in names}

    def share(self, key, peak="peak"):
        """Of the measured multiply-adds per second, by the weights that are not zero, each used once a row."""
        name, seconds = key[0].split("-")[0], self.results.time(*key)
        return seconds and self.weights[name] / seconds / self.results.rate(name, peak)

    def read_share(self, key):
        """Of the measured read bandwidth: one row reads each weight that is not zero once."""
        name, seconds = key[0].split("-")[0], self.results.time(*key)
        return seconds and 4 * self.weights[name] / seconds / self.results.rate(name, "read")

    def best_peer(self, name, job, count):
        """(its time as a multiple of flowrt's, its name); (None, "") if no peer does it."""
        base = maf(name, job, count)
        ratios = [(self.results.ratio(maf(name, job, count, peer.name), base), peer.what) for peer in self.peers]
        return min((pair for pair in ratios if pair[0] is not None), default=(None, ""))

    def every(self):
        """Flow, rows of all that was measured beside the peers."""
        return [
            (name, count)
            for name in self.flows
            for count in self.batches
            if maf(name, JOBS[0], count) in self.results.times
        ]
