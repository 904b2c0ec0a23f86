"""Walk-throughs that train with PyTorch run as they are printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import run  # noqa: E402


@pytest.mark.parametrize("name", ["posterior_to_c", "likelihood_emcee", "nuts_pyro", "tabular_zuko"])
def test_a_page(name):
    page = (EXAMPLES / f"{name}.md").read_text()
    assert run.differences(page, run.printed_by(page)) == []
