"""Trains one small model of every system on the measurements of wines: writes NAME.flw here, canon.json and wines.csv.

    python models/canon/train.py              # all, some minutes on one core
    python models/canon/train.py made maf     # some

canon.json has, for each model, log p of training and held-out rows in nats, and the largest errors of the framework's
own float32 evaluation from its float64 one, on the rows on which `table.py` compares the library, as `rows.error`
has them. wines.csv are the wines that no model has seen.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from data import load
from rows import error, rows_of
from systems import SYSTEMS, objective, parameters

import flowrt
from flowrt.frameworks import choose
from flowrt.frameworks.torch.live import TorchModel

HERE = Path(__file__).parent
EPOCHS, BATCH, JITTER = 80, 36, 0.3  # of standard deviations: 142 rows in 13 dimensions need some noise


def main(names):
    torch.set_num_threads(1)
    record = HERE / "canon.json"
    results = json.loads(record.read_text()) if names and record.exists() else {}
    for name in names or SYSTEMS:
        results[name] = make(name)
        print(name, results[name])
    ordered = {name: results[name] for name in SYSTEMS if name in results}
    record.write_text(json.dumps(ordered, indent=1) + "\n")


def make(name):
    torch.manual_seed(0)
    (rows, kinds), (new_rows, new_kinds) = load()
    np.savetxt(HERE / "wines.csv", new_rows.numpy(), fmt="%.6g", delimiter=",")
    system, build = SYSTEMS[name]
    model = build(rows.mean(0), rows.std(0))
    train(name, model, rows, kinds)
    with torch.no_grad():
        log_p = [float(objective(name, model, *part).mean()) for part in ((rows, kinds), (new_rows, new_kinds))]
    path = HERE / f"{name}.flw"
    notes = "13 chemical measurements of wines, scikit-learn's load_wine"
    if hasattr(model, "description"):
        model.eval()
        flowrt.save(path, {**described(model, new_rows), "name": type(model).__name__}, notes=notes, verify=True)
    else:
        flowrt.save(path, model, notes=notes, verify=True)
    errors = framework_errors(model, path)
    return {"system": system, "training": log_p[0], "held out": log_p[1], "float32 errors": errors}


def train(name, model, rows, kinds):
    optimiser = torch.optim.AdamW(parameters(model), lr=5e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    std = rows.std(0)
    for _ in range(EPOCHS):
        for choice in torch.randperm(len(rows)).split(BATCH):
            batch = rows[choice] + JITTER * std * torch.randn(len(choice), rows.shape[1])
            loss = -objective(name, model, batch, kinds[choice]).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters(model), 5.0)
            optimiser.step()
            if hasattr(model, "clear_cache"):
                model.clear_cache()
        schedule.step()
    if isinstance(model, torch.nn.Module):
        model.eval()


def described(model, observations):
    """The description, with results of the module itself in float64 that the file must give."""
    description = model.description()
    context = observations.double() if description.get("context_dim") else None
    x = torch.randn(len(observations), description["dim"]).double() if context is not None else observations.double()
    z, log_det, log_prob = live(model, torch.float64).everything(x, context)
    return {**description, "expected": {"x": x, "context": context, "z": z, "log_det": log_det, "log_prob": log_prob}}


class OwnLive(TorchModel):
    """A module with forward, inverse and base_log_prob of its own, evaluated in one floating-point type."""

    def __init__(self, model, dtype):
        copy = self.copy_of(model, dtype)
        super().__init__(dtype, copy.forward, copy.inverse, copy.base_log_prob)

    def everything(self, x, context):
        return [*self.forward(x, context), self.log_prob(x, context)]


def live(model, dtype):
    return OwnLive(model, dtype) if hasattr(model, "description") else choose(model).live(model, dtype)


def framework_errors(model, path):
    """Largest float32 errors on the rows of the table; those of log det are of both directions."""
    rows = rows_of(path)
    single, double = live(model, torch.float32), live(model, torch.float64)
    results = [
        [*part.forward(rows.x, rows.context), *part.inverse(rows.z, rows.context), part.log_prob(rows.x, rows.context)]
        for part in (single, double)
    ]
    z, log_det, x, log_det_inverse, log_p = (error(ours, theirs) for ours, theirs in zip(*results, strict=True))
    return {"z": z, "x": x, "log p": log_p, "log det": max(log_det, log_det_inverse)}


if __name__ == "__main__":
    main(sys.argv[1:])
