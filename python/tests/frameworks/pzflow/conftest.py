"""Collected where pzflow is installed. Needs no PyTorch of its own: the fixture of the folder above is replaced."""

import pytest
from installed import is_installed

collect_ignore_glob = [] if is_installed("pzflow") else ["test_*.py"]


@pytest.fixture(autouse=True)
def one_thread_and_one_seed():
    """Models are seeded by their makers."""
