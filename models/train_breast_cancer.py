"""IAF on cell nuclei of benign breast tumours, to tell malignant ones as anomalies: writes breast_cancer_iaf.flw and
breast_cancer_{calibration,benign,malignant}.csv.

Thirty measurements of the cell nuclei in a fine-needle aspirate, in the units of the data set: the standardisation is
the last step of the flow. The flow sees benign tumours only. Its conditioners read the noise (Kingma et al. 2016), so a
draw takes Pyro one network pass and a density thirty; maximum likelihood needs the density.
"""

from pathlib import Path

import numpy as np
import pyro.distributions as dist
import torch
from pyro.distributions.transforms import AffineAutoregressive, AffineTransform
from pyro.nn import AutoRegressiveNN
from sklearn.datasets import load_breast_cancer

import flowrt

HERE = Path(__file__).parent
DIM, HIDDEN, STEPS, EPOCHS, BATCH = 30, 32, 2, 100, 66
CALIBRATION, BENIGN, MALIGNANT = 80, 80, 100  # rows that the training never sees
JITTER = 0.1  # standard deviations of noise on the training rows: 197 rows in 30 dimensions need some


def build(mean, std):
    """Flow and its trainable part; a Pyro flow is a list of transforms from the base to the data."""
    steps = []
    for _ in range(STEPS):
        network = AutoRegressiveNN(DIM, [HIDDEN, HIDDEN])
        with torch.no_grad():  # start near the identity: the density inverts the step, and exp(-a) must not explode
            network.layers[-1].weight.mul_(0.1)
            network.layers[-1].bias.zero_()
        steps.append(AffineAutoregressive(network))
    base = dist.Normal(torch.zeros(DIM), torch.ones(DIM)).to_event(1)
    flow = dist.TransformedDistribution(base, [*steps, AffineTransform(mean, std, event_dim=1)])
    return flow, torch.nn.ModuleList(steps)


def train(flow, steps, rows, std):
    optimiser = torch.optim.AdamW(steps.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for choice in torch.randperm(len(rows)).split(BATCH):
            batch = rows[choice]
            loss = -flow.log_prob(batch + JITTER * std * torch.randn_like(batch)).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(steps.parameters(), 5.0)
            optimiser.step()
            flow.clear_cache()
        schedule.step()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = load_breast_cancer()
    rows, is_benign = torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target == 1)
    benign, malignant = rows[is_benign], rows[~is_benign]
    benign = benign[torch.randperm(len(benign))]
    malignant = malignant[torch.randperm(len(malignant))]
    calibration, new, training = benign.split([CALIBRATION, BENIGN, len(benign) - CALIBRATION - BENIGN])

    mean, std = training.mean(0), training.std(0)
    flow, steps = build(mean, std)
    train(flow, steps, training, std)
    with torch.no_grad():
        for name, part in ("training", training), ("held-out benign", new), ("malignant", malignant):
            log_p = flow.log_prob(part)
            print(f"log p in nats, {name}: mean {log_p.mean():.2f}, median {log_p.median():.2f}")

    notes = "benign tumours, the 30 columns of scikit-learn's load_breast_cancer in their units"
    flowrt.save(HERE / "breast_cancer_iaf.flw", flow, verify=True, notes=notes)
    for name, part in ("calibration", calibration), ("benign", new), ("malignant", malignant[:MALIGNANT]):
        np.savetxt(HERE / f"breast_cancer_{name}.csv", part.numpy(), fmt="%.7g", delimiter=",")


if __name__ == "__main__":
    main()
