"""The walk-through of JAX runs as it is printed."""

from __future__ import annotations

import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))
import run  # noqa: E402


def test_the_page_nuts_numpyro():
    page = (EXAMPLES / "nuts_numpyro.md").read_text()
    assert run.differences(page, run.printed_by(page)) == []
