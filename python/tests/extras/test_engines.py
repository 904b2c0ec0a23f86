"""Engines that scale out: their pages run as they are printed, and assert the bits of one thread."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import run  # noqa: E402


@pytest.mark.parametrize("name", ["duckdb", "polars", "dask"])
def test_a_page(name):
    page = (EXAMPLES / f"{name}.md").read_text()
    assert "assert np.array_equal(found" in page
    assert run.differences(page, run.printed_by(page)) == []
