"""The checked-in files of a golden case against the framework that they came from."""

from __future__ import annotations

import numpy as np
from generate import make
from golden_files import FOLDER

from flowrt.format import encode, read

HEADER = 24
ERRORS = 3  # the framework's own in float32, which depend on the processor


def made_again(name: str, random_model) -> None:
    """The files are what `generate.py`, which asks the framework in float64, makes of the case with this framework."""
    flow, golden = make(name, random_model)
    assert without_metadata((FOLDER / f"{name}.flw").read_bytes()) == without_metadata(flow)
    stored = (FOLDER / f"{name}.golden").read_bytes()
    assert stored[:HEADER] == golden[:HEADER]
    stored, golden = (np.frombuffer(data, dtype="<f8", offset=HEADER) for data in (stored, golden))
    np.testing.assert_allclose(stored[:-ERRORS], golden[:-ERRORS], rtol=1e-10, atol=1e-10)
    few_roundings = 16 * np.finfo(np.float32).eps * np.max(np.abs(golden))
    assert np.all(stored[-ERRORS:] <= 8 * golden[-ERRORS:] + few_roundings)


def without_metadata(data: bytes) -> bytes:
    """A file without the versions that it was made with."""
    file = read(data)
    file.metadata = b""
    return encode(file)
