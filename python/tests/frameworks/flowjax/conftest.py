"""Collected where JAX is installed. Needs no PyTorch: the fixture of the folder above is replaced."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("jax") else ["test_*.py"]


@pytest.fixture(autouse=True)
def one_thread_and_one_seed():
    """JAX is seeded by keys."""
