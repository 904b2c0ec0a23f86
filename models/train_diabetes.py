"""Conditional MAF on blood serum measurements: writes diabetes_maf.flw and diabetes_heldout.csv.

p(total cholesterol, ldl, hdl, log triglycerides, glucose | age, sex, bmi, blood pressure), everything in the units of
the data set (s1, s2, s3, s5, s6 there; s4 is left out, being s1 / s3, mostly rounded to whole numbers). The
standardisation of the measurements is the first step of the flow; that of the context is folded into the first layer
of every conditioner after training.
"""

from pathlib import Path

import numpy as np
import torch
import zuko
from sklearn.datasets import load_diabetes
from torch.distributions import AffineTransform

import flowrt

HERE = Path(__file__).parent
CONTEXT, MEASURED = [0, 1, 2, 3], [4, 5, 6, 8, 9]  # columns of the data set
HIDDEN, STEPS, EPOCHS, BATCH, HELD_OUT = 24, 3, 100, 64, 88
JITTER_X, JITTER_CONTEXT = 0.05, 0.2  # standard deviations of noise on the training rows, against over-fitting


def train(flow, x, context):
    """Train on standardised rows."""
    optimiser = torch.optim.AdamW(flow.parameters(), lr=2e-3, weight_decay=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            batch = x[rows] + JITTER_X * torch.randn(len(rows), x.shape[1])
            condition = context[rows] + JITTER_CONTEXT * torch.randn(len(rows), context.shape[1])
            loss = -flow(condition).log_prob(batch).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimiser.step()
        schedule.step()


@torch.no_grad()
def fold_context_standardisation(flow, mean, std):
    """W (c - mean) / std + b  =  (W / std) c + (b - (W / std) mean), in the first layer of every conditioner."""
    for step in flow.transform.transforms:
        first = step.hyper[0]  # reads (x, context), context last
        weight = first.weight[:, -len(mean) :]
        weight /= std
        first.bias -= weight @ mean


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = torch.tensor(load_diabetes(scaled=False).data, dtype=torch.float32)
    data = data[torch.randperm(len(data))]
    x, context = data[:, MEASURED], data[:, CONTEXT]
    mean, std = x[HELD_OUT:].mean(0), x[HELD_OUT:].std(0)
    context_mean, context_std = context[HELD_OUT:].mean(0), context[HELD_OUT:].std(0)

    maf = zuko.flows.MAF(len(MEASURED), len(CONTEXT), transforms=STEPS, hidden_features=(HIDDEN, HIDDEN))
    train(maf, (x[HELD_OUT:] - mean) / std, (context[HELD_OUT:] - context_mean) / context_std)

    fold_context_standardisation(maf, context_mean, context_std)
    standardise = zuko.lazy.UnconditionalTransform(AffineTransform, -mean / std, 1 / std, buffer=True)
    flow = zuko.flows.Flow([standardise, *maf.transform.transforms], maf.base)
    with torch.no_grad():
        log_p = flow(context).log_prob(x)
    print(f"log p in nats: training {log_p[HELD_OUT:].mean():.2f}, held out {log_p[:HELD_OUT].mean():.2f}")

    notes = "x: cholesterol, ldl, hdl, log triglycerides, glucose; context: age, sex, bmi, blood pressure"
    flowrt.save(HERE / "diabetes_maf.flw", flow, verify=True, notes=notes)
    np.savetxt(
        HERE / "diabetes_heldout.csv",
        torch.cat([x, context], dim=1)[:HELD_OUT].numpy(),
        fmt="%.7g",
        delimiter=",",
        header="cholesterol,ldl,hdl,log_triglycerides,glucose, age,sex,bmi,blood_pressure",
    )


if __name__ == "__main__":
    main()
