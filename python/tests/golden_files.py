"""Reads the `.golden` files of Tests/golden, whose layout is in the README there."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.golden"))


def load(name: str) -> SimpleNamespace:
    """The arrays of one golden file under their names, `context` None without context, and the `path` of the flow."""
    data = (FOLDER / f"{name}.golden").read_bytes()
    magic, rows, dim, context_dim, reserved = struct.unpack_from("<8s4I", data)
    assert magic == b"FLWGOLD1" and reserved == 0
    shapes = {
        "x": (rows, dim),
        "context": (rows, context_dim),
        "z": (rows, dim),
        "log_det": (rows,),
        "log_prob": (rows,),
        "noise": (rows, dim),
        "x_inverse": (rows, dim),
        "log_det_inverse": (rows,),
        "sample_x": (rows, dim),
        "sample_log_prob": (rows,),
        "errors": (3,),
    }
    numbers = np.frombuffer(data, dtype="<f8", offset=24)
    golden = SimpleNamespace(path=FOLDER / f"{name}.flw")
    for field, shape in shapes.items():
        count = int(np.prod(shape))
        setattr(golden, field, numbers[:count].reshape(shape))
        numbers = numbers[count:]
    assert len(numbers) == 0
    if context_dim == 0:
        golden.context = None
    return golden
