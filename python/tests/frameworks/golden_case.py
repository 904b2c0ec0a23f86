"""The checked-in files of a golden case against the framework that they came from."""

from __future__ import annotations

from functools import partial

import numpy as np
from generate import make
from golden_files import FOLDER, NAMES
from live import agree_in_c

from flowrt.file import read

HEADER = 24
ERRORS = 3  # the framework's own in float32, which depend on the processor


class GoldenCase:
    """The tests of a case `name`. A subclass, parametrised by the names, has the `random_model` of its framework."""

    def test_its_files_are_what_the_framework_gives(self, name):
        assert name in NAMES, f"no files of this case: PYTHONPATH=python python Tests/golden/generate.py {name}"
        made_again(name, partial(self.random_model, name))

    def test_other_weights_and_rows_give_what_the_framework_gives(self, name):
        agree_in_c(self.random_model(name, seed=1, gain=0.5))


def of_framework(name: str) -> set:
    """The cases that have files."""
    return {case for case in NAMES if case.startswith(f"{name}_")}


def made_again(name: str, random_model) -> None:
    """The files are what `generate.py`, which asks the framework in float64, makes of the case with this framework."""
    flow, golden = make(name, random_model)
    assert_close(without_metadata((FOLDER / f"{name}.flw").read_bytes()), without_metadata(flow))
    stored = (FOLDER / f"{name}.golden").read_bytes()
    assert stored[:HEADER] == golden[:HEADER]
    stored, golden = (np.frombuffer(data, dtype="<f8", offset=HEADER) for data in (stored, golden))
    np.testing.assert_allclose(stored[:-ERRORS], golden[:-ERRORS], rtol=1e-10, atol=1e-10)
    few_roundings = 16 * np.finfo(np.float32).eps * np.max(np.abs(golden))
    assert np.all(stored[-ERRORS:] <= 8 * golden[-ERRORS:] + few_roundings)


def without_metadata(data: bytes):
    """What a file holds but the versions that it was made with."""
    file = read(data)
    file.metadata = b""
    return file


def assert_close(stored, made) -> None:
    """Equal, but for what processors round differently, as in a matrix that is a product."""
    assert type(stored) is type(made)
    if isinstance(stored, (list, tuple)):
        assert len(stored) == len(made)
        for one, other in zip(stored, made):
            assert_close(one, other)
    elif hasattr(stored, "__dict__"):
        assert_close(list(vars(stored).items()), list(vars(made).items()))
    elif isinstance(stored, (float, np.ndarray)):
        np.testing.assert_allclose(stored, made, rtol=1e-5, atol=1e-6)
    else:
        assert stored == made
