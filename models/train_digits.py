"""MAF on handwritten digits: writes digits_maf.flw and digits_heldout.csv.

The flow does not see pixels but coordinates, since a density on a grid of 17 grey levels has no finite optimum and a
normal distribution does not end at black and white. Dequantisation and logit are those of Papamakarios et al. 2017 for
images; with pixel in 0 .. 16 and LAMBDA = 0.05:

    s = LAMBDA + (1 - 2 LAMBDA) (pixel + u) / 17        u uniform on [0, 1): dequantisation
    coordinate = log(s / (1 - s))

    log p(image) = log p_flow(coordinates) + sum over pixels of log((1 - 2 LAMBDA) / 17) - log s - log(1 - s)

examples-c/digits.c does the same in C.
"""

import math
from pathlib import Path

import numpy as np
import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.transforms import BatchNorm, CompositeTransform, MaskedAffineAutoregressiveTransform, ReversePermutation
from sklearn.datasets import load_digits

import flowrt

HERE = Path(__file__).parent
DIM, HIDDEN, STEPS, EPOCHS, BATCH, HELD_OUT = 64, 96, 5, 600, 128, 360
LAMBDA = 0.05


def coordinates(pixels, noise):
    """Coordinates of the flow for `pixels + noise`, and log|d coordinates / d pixels|, summed over a row."""
    s = LAMBDA + (1 - 2 * LAMBDA) * (pixels + noise) / 17
    log_det = math.log((1 - 2 * LAMBDA) / 17) - torch.log(s) - torch.log1p(-s)
    return torch.log(s) - torch.log1p(-s), log_det.sum(1)


def build():
    steps = []
    for step in range(STEPS):
        if step > 0:
            steps += [BatchNorm(DIM), ReversePermutation(DIM)]
        steps.append(
            MaskedAffineAutoregressiveTransform(
                DIM, HIDDEN, num_blocks=1, use_residual_blocks=False, dropout_probability=0.4
            )
        )
    return Flow(CompositeTransform(steps), StandardNormal([DIM]))


def train(flow, pixels):
    optimiser = torch.optim.AdamW(flow.parameters(), lr=1e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(pixels)).split(BATCH):
            batch = pixels[rows]
            loss = -flow.log_prob(coordinates(batch, torch.rand_like(batch))[0]).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimiser.step()
        schedule.step()
    flow.eval()


@torch.no_grad()
def log_likelihood(flow, pixels, draws=20):
    """Mean log p(image) in nats over `draws` dequantisations."""
    values = []
    for _ in range(draws):
        x, log_det = coordinates(pixels, torch.rand_like(pixels))
        values.append((flow.log_prob(x) + log_det).mean())
    return torch.stack(values).mean().item()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pixels = torch.tensor(load_digits().data, dtype=torch.float32)
    pixels = pixels[torch.randperm(len(pixels))]
    held_out, training = pixels[:HELD_OUT], pixels[HELD_OUT:]

    flow = build()
    train(flow, training)
    print(
        f"log p in nats: training {log_likelihood(flow, training):.2f}, held out {log_likelihood(flow, held_out):.2f}"
    )

    notes = "8 x 8 digits, pixels 0 .. 16: x = logit(0.05 + 0.9 (pixel + u) / 17), u in [0, 1)"
    flowrt.save(HERE / "digits_maf.flw", flow, verify=True, notes=notes)
    np.savetxt(HERE / "digits_heldout.csv", held_out.numpy(), fmt="%d", delimiter=",")


if __name__ == "__main__":
    main()
