"""Makes the golden cases importable: the same models are compared here with more rows and in more ways."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Tests" / "golden"))


@pytest.fixture(autouse=True)
def one_thread_and_one_seed():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
