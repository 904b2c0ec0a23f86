"""Trains a Glow and a RealNVP on images of digits: writes NAME.flw, images.json and digits.pgm here.

    python models/images/train.py            # both, some minutes on one core each
    python models/images/train.py glow       # one

images.json has bits per dimension of training and held-out digits, each with noise of its own, and the largest errors
of the framework in float32, as models/canon/train.py has them. digits.pgm are the 500 held-out digits.
"""

import json
import sys
import time
from pathlib import Path

import torch
from data import bits_per_dimension, dequantised, load, write_pgm
from flows import FLOWS

import flowrt
from flowrt.frameworks import choose

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "canon"))
from rows import error, rows_of  # noqa: E402

EPOCHS = {"glow": 6, "real_nvp": 6}
BATCH, RATE, WARM_UP = 50, 2e-3, 200


def main(names):
    torch.set_num_threads(1)
    record = HERE / "images.json"
    for name in names or FLOWS:
        result = make(name)
        print(name, result)
        results = json.loads(record.read_text()) if record.exists() else {}
        results[name] = result
        ordered = {name: results[name] for name in FLOWS if name in results}
        record.write_text(json.dumps(ordered, indent=1) + "\n")


def make(name):
    torch.manual_seed(0)
    training, held_out = load()
    write_pgm(HERE / "digits.pgm", held_out)
    system, build = FLOWS[name]
    model = build()
    train(model, training, EPOCHS[name])
    bits = [measured(model, images) for images in (training, held_out)]
    notes = (
        "digits of MNIST, 28 x 28 pixels; x = (grey level of 0 to 255 + u) / 256 with u uniform in (0, 1), row by row"
    )
    flowrt.save(HERE / f"{name}.flw", model, notes=notes, verify=True)
    return {
        "system": f"{system} (images)",
        "training bits per dimension": bits[0],
        "held out bits per dimension": bits[1],
        "float32 errors": framework_errors(model, HERE / f"{name}.flw"),
    }


def train(model, images, epochs):
    with torch.no_grad():
        model.log_prob(dequantised(images[:256]), None)  # actnorm takes its scale from these
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-3)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda n: min(
            (n + 1) / WARM_UP,
            0.5 * (1 + torch.cos(torch.tensor(torch.pi * n / steps)).item()),
        ),
    )
    started = time.time()
    for epoch in range(epochs):
        total = 0.0
        for choice in torch.randperm(len(images)).split(BATCH):
            loss = -model.log_prob(dequantised(images[choice]), None).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 50.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(choice) / len(images)
        bits = bits_per_dimension(-total)
        print(
            f"{time.time() - started:5.0f} s  epoch {epoch + 1}: {bits:.3f} bits per dimension",
            flush=True,
        )
    model.eval()


def measured(model, images):
    with torch.no_grad():
        log_p = torch.cat([model.log_prob(dequantised(part), None) for part in images.split(250)])
    return float(bits_per_dimension(log_p.double().mean().item()))


def framework_errors(model, path):
    """Largest float32 errors on the rows of the table of the canon; those of log det are of both directions."""
    rows = rows_of(path)
    single, double = (
        [*part.forward(rows.x, None), *part.inverse(rows.z, None), part.log_prob(rows.x, None)]
        for dtype in (torch.float32, torch.float64)
        for part in [choose(model).live(model, dtype)]
    )
    z, log_det, x, log_det_inverse, log_p = (error(ours, theirs) for ours, theirs in zip(single, double, strict=True))
    return {"z": z, "x": x, "log p": log_p, "log det": max(log_det, log_det_inverse)}


if __name__ == "__main__":
    main(sys.argv[1:])
