"""Writes docs/CANON.md: what libflowrt computes for every system, beside float64 and beside the frameworks.

FLOWRT_LIBRARY=build/libflowrt.so python models/canon/table.py
"""

import json
import time
from pathlib import Path

import numpy as np
from rows import error, rows_of

import flowrt
from flowrt import reference

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"
BATCH, IMAGE_BATCH, REPEATS = 1024, 64, 30
HEAD = """# The canon of normalizing flows, in C

One small trained model of every system of the literature, in both directions. The data are the thirteen chemical
measurements of wines that scikit-learn ships, and for flows of images digits of MNIST. The models and the scripts that
train them are in [models/canon/](../models/canon/README.md) and [models/images/](../models/images/README.md). This
command writes this page:

    FLOWRT_LIBRARY=build/libflowrt.so python models/canon/table.py

* **D, C**: coordinates of a row, floats of the context.
* **log p held out**: in nats of a row; of images in bits per dimension.
* **error**: the largest difference of libflowrt from the float64 evaluator of the same file, on 256 rows, beside 1 or
  beside the largest value of the coordinate if that is more; z and log p of data, x of noise. In brackets: the error of
  the framework in float32, against itself in float64 on the same rows.
* **cost of a draw**: processor time of a sample and its log p over that of log p of a given row, in batches of 1024
  rows or 64 images. A loop over the whole network would cost D. The flows of wines are so small that generating noise
  is a large part of the cost.

"""

FOOT = """
The flow of `gated_iaf` is a posterior: its rows are latent vectors, its context is a wine. Its log p is the evidence
lower bound of the autoencoder that it was trained in. The file does not contain the decoder.
"""


def main():
    systems = {HERE / f"{name}.flw": result for name, result in json.loads((HERE / "canon.json").read_text()).items()}
    images = json.loads((IMAGES / "images.json").read_text())
    systems |= {IMAGES / f"{name}.flw": result for name, result in images.items()}
    columns = [
        "system",
        "model",
        "D",
        "C",
        "parameters",
        "log p held out",
        "error of z",
        "error of x",
        "error of log p",
    ]
    lines = [" | ".join([*columns, "cost of a draw"]), " | ".join(["---"] * (len(columns) + 1))]
    lines += [" | ".join(row(path, result)) for path, result in systems.items()]
    text = HEAD + "".join(f"| {line} |\n" for line in lines)
    text += FOOT
    (HERE.parents[1] / "docs" / "CANON.md").write_text(text)
    print(text)


def row(path, result):
    model, rows, own = flowrt.Model(path), rows_of(path), result["float32 errors"]
    errors = library_errors(model, path, rows)
    framework = model.metadata["framework"]
    name = path.stem if path.parent == HERE else f"images/{path.stem}"
    label = f"`{name}` ({'own module' if framework == 'description' else framework})"
    bits = result.get("held out bits per dimension")
    held_out = f"{result['held out']:.2f}" if bits is None else f"{bits:.2f} bits"
    numbers = [str(model.dim), str(model.context_dim), str(model.parameter_count), held_out]
    compared = [f"{errors[quantity]:.1e} ({own[quantity]:.1e})" for quantity in ("z", "x", "log p")]
    return [result["system"], label, *numbers, *compared, f"{cost_of_a_draw(model, path):.2f}"]


def library_errors(model, path, rows):
    """Largest errors of z, x and log p of libflowrt."""
    return {
        "z": error(model.forward(rows.x, rows.context)[0], reference.forward(path, rows.x, rows.context)[0]),
        "x": error(model.inverse(rows.z, rows.context)[0], reference.inverse(path, rows.z, rows.context)[0]),
        "log p": error(model.log_prob(rows.x, rows.context), reference.log_prob(path, rows.x, rows.context)),
    }


def cost_of_a_draw(model, path):
    count = BATCH if path.parent == HERE else IMAGE_BATCH
    rows = rows_of(path, count)
    x, context = rows.x.astype(np.float32), None if rows.context is None else rows.context.astype(np.float32)
    density, draw = [], []
    for _ in range(REPEATS):  # in turn, and the best of each: the machine may be busy
        density.append(timed(lambda: model.log_prob(x, context)))
        draw.append(timed(lambda: model.sample(count, context, seed=0, log_prob=True)))
    return min(draw) / min(density)


def timed(function):
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
