"""Neural likelihood of a radio source: writes source_maf.flw and source_readings.csv.

A source at theta = (east, north), in kilometres, is heard by four receivers at (+-2, +-2). Reading k, in decibel, is

    r_k = -10 log10(|theta - receiver_k|^2 + 0.25) + u + e_k

with fading u ~ N(0, 2^2), which all receivers share, and e_k ~ Gumbel(0, 1), each receiver's own. The prior is
theta ~ N(0, 1). The flow learns p(r_1, ..., r_4 | theta) from simulations alone. source_readings.csv has sixteen readings
of one source, whose place is in its first line.
"""

from pathlib import Path

import numpy as np
import torch
import zuko
from torch.distributions import AffineTransform

import flowrt

HERE = Path(__file__).parent
RECEIVERS = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]])
FADING, OWN = 2.0, 1.0  # decibel
HIDDEN, STEPS, SIMULATIONS, EPOCHS, BATCH = 32, 3, 100_000, 12, 500
PLACE, READINGS = (0.7, -0.4), 16  # of the source to be found


def simulate(theta, generator):
    """(n, 4) readings of sources (n, 2)."""
    squares = (theta[:, None] - RECEIVERS).square().sum(-1)
    fading = FADING * torch.randn(len(theta), 1, generator=generator)
    own = -OWN * torch.log(-torch.log(torch.rand(squares.shape, generator=generator).clamp(1e-30)))
    return -10 * torch.log10(squares + 0.25) + fading + own


def train(flow, x, context):
    """Train on standardised rows."""
    steps = EPOCHS * (len(x) // BATCH)
    optimiser = torch.optim.Adam(flow.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = -flow(context[rows]).log_prob(x[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(SIMULATIONS, 2, generator=generator)
    readings = simulate(theta, generator)
    mean, std = readings.mean(0), readings.std(0)

    maf = zuko.flows.MAF(4, 2, transforms=STEPS, hidden_features=(HIDDEN, HIDDEN), activation=torch.nn.Tanh)
    train(maf, (readings - mean) / std, theta)

    standardise = zuko.lazy.UnconditionalTransform(AffineTransform, -mean / std, 1 / std, buffer=True)
    flow = zuko.flows.Flow([standardise, *maf.transform.transforms], maf.base)
    held_out = torch.randn(10_000, 2, generator=generator)
    with torch.no_grad():
        fitted, unseen = flow(theta).log_prob(readings), flow(held_out).log_prob(simulate(held_out, generator))
    print(f"log p in nats, training / held out: {fitted.mean():.2f} / {unseen.mean():.2f}")

    notes = "x: readings of four receivers, dB; context: place of the source, km east and north"
    flowrt.save(HERE / "source_maf.flw", flow, verify=True, notes=notes,
                names=["north_east", "north_west", "south_west", "south_east"], context_names=["east", "north"])  # fmt: skip
    found = simulate(torch.tensor([PLACE]).expand(READINGS, 2), generator)
    np.savetxt(
        HERE / "source_readings.csv", found.numpy(), fmt="%.5g", delimiter=",",
        header=f"readings in dB of receivers north-east, north-west, south-west, south-east; source at {PLACE} km",
    )  # fmt: skip


if __name__ == "__main__":
    main()
