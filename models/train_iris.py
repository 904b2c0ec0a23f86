"""A tiny MAF on the flowers of iris, small enough for a microcontroller: writes iris_maf.flw.

Sepal length, sepal width, petal length and petal width in cm. The data are rounded to 0.1 cm, so the training adds
uniform noise of that width. The standardisation is the first step of the flow.
"""

from pathlib import Path

import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import (
    CompositeTransform,
    MaskedAffineAutoregressiveTransform,
    PointwiseAffineTransform,
    ReversePermutation,
)
from sklearn.datasets import load_iris

import flowrt

HERE = Path(__file__).parent
DIM, HIDDEN, STEPS, EPOCHS, BATCH, HELD_OUT = 4, 16, 2, 300, 40, 30


def build(mean, std):
    steps = [PointwiseAffineTransform(shift=-mean / std, scale=1 / std)]
    for _ in range(STEPS):
        steps += [
            MaskedAffineAutoregressiveTransform(
                DIM, HIDDEN, num_blocks=1, use_residual_blocks=False, activation=torch.tanh
            ),
            ReversePermutation(DIM),
        ]
    return Flow(CompositeTransform(steps), StandardNormal([DIM]))


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = torch.tensor(load_iris().data, dtype=torch.float32)
    rows = rows[torch.randperm(len(rows))]
    held_out, training = rows[:HELD_OUT], rows[HELD_OUT:]

    flow = build(training.mean(0), training.std(0))
    optimiser = torch.optim.AdamW(flow.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for choice in torch.randperm(len(training)).split(BATCH):
            batch = training[choice] + 0.1 * (torch.rand(len(choice), DIM) - 0.5)
            loss = -flow.log_prob(batch).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimiser.step()
        schedule.step()
    flow.eval()
    with torch.no_grad():
        log_p = {name: flow.log_prob(part).mean() for name, part in (("training", training), ("held out", held_out))}
    print(", ".join(f"{name} {value:.2f}" for name, value in log_p.items()))

    notes = "sepal length, sepal width, petal length, petal width in cm"
    flowrt.save(HERE / "iris_maf.flw", flow, verify=True, notes=notes)


if __name__ == "__main__":
    main()
