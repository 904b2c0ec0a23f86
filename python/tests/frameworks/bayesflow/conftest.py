"""Collected where bayesflow is installed. Needs no PyTorch of its own: the fixture of the folder above is replaced."""

import os

import pytest
from installed import is_installed

os.environ.setdefault("KERAS_BACKEND", "torch")
collect_ignore_glob = [] if is_installed("bayesflow") else ["test_*.py"]


@pytest.fixture(autouse=True)
def one_thread_and_one_seed():
    """Models are seeded by their makers."""
