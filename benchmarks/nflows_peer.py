"""flowrt beside nflows (PyTorch eager): the same model and rows, values compared first, then rounds in turn, medians.

    FLOWRT_LIBRARY=build/libflowrt.so PYTHONPATH=python python benchmarks/nflows_peer.py

Needs torch and nflows. Both run on one thread; flowrt through its Python binding, whose call overhead counts.
"""

import os
import statistics
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import flowrt  # noqa: E402
import torch  # noqa: E402
from nflows import distributions, flows, transforms  # noqa: E402

ROUNDS = 5
WORKLOADS = {  # name: coordinates, hidden units (two layers), steps, activation
    "S": (6, 50, 5, torch.tanh),
    "L21": (21, 512, 5, torch.tanh),
    "XL": (63, 512, 10, torch.relu),
}


def build(dim, hidden, steps, activation):
    """A MAF in evaluation mode with reversals between its steps."""
    torch.manual_seed(0)
    layers = []
    for _ in range(steps):
        layers.append(transforms.ReversePermutation(dim))
        layers.append(
            transforms.MaskedAffineAutoregressiveTransform(
                dim, hidden, num_blocks=1, use_residual_blocks=False, activation=activation
            )
        )
    return flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([dim])).eval()


def seconds(work):
    """Median over rounds of the processor time of one call, repeated to at least 50 ms a round."""
    start = time.process_time()
    work()
    repeats = max(1, int(0.05 / (time.process_time() - start)))
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(repeats):
            work()
        rounds.append((time.process_time() - start) / repeats)
    return statistics.median(rounds)


def main():
    torch.set_num_threads(1)
    print("| flow | batch | log_prob: nflows, flowrt us | ratio | sample: nflows, flowrt us | ratio |")
    print("|---|---|---|---|---|---|")
    for name, (dim, hidden, steps, activation) in WORKLOADS.items():
        flow = build(dim, hidden, steps, activation)
        path = os.path.join(tempfile.mkdtemp(), "model.flw")
        flowrt.save(path, flow)
        model = flowrt.Model(path)
        for batch in (1, 1024):
            x = torch.randn(batch, dim)
            rows = x.numpy()
            with torch.no_grad():
                expected = flow.log_prob(x).numpy()
                found = model.log_prob(rows)
                assert abs(found - expected).max() <= 1e-4 * abs(expected).max(), "different densities"
                density = seconds(lambda: flow.log_prob(x)), seconds(lambda: model.log_prob(rows))
                sample = seconds(lambda: flow.sample(batch)), seconds(lambda: model.sample(batch))
            cells = [f"{1e6 * a:.0f}, {1e6 * b:.1f} | {a / b:.0f}" for a, b in (density, sample)]
            print(f"| {name} | {batch} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
