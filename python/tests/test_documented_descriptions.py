"""The Python blocks of docs/DESCRIPTIONS.md do what the page says: they run, in order, and results are compared."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import flowrt

PAGE = Path(__file__).resolve().parents[2] / "docs" / "DESCRIPTIONS.md"


def blocks() -> list:
    text = PAGE.read_text()
    examples = text[text.index("\n## Examples\n") : text.index("\n## State dicts\n")]
    return re.findall(r"```python\n(.*?)```", examples, re.DOTALL)


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), names)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"zeros.flw", "realnvp.flw", "context.flw", "bounded.flw", "glow.flw"}
    assert "exact zeros" in flowrt.Model("zeros.flw").metadata["notes"]
    assert flowrt.Model("context.flw").context_dim == 3
    assert flowrt.Model("glow.flw").metadata["shape"] == [1, 4, 4]


@pytest.mark.parametrize("number", range(5))
def test_expected_results_of_the_examples_can_fail(number, tmp_path, monkeypatch):
    """Each example compares: with another number in its description it is refused."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks()[:number]:
        exec(compile(block, str(PAGE), "exec"), names)

    def save(path, description):
        description["expected"]["z"] = description["expected"]["z"] * (1 + 0.01 * (np.arange(12) % 2))[:, None]
        flowrt.save(path, description)

    other = type("flowrt", (), {"save": staticmethod(save)})
    block = blocks()[number].replace("import flowrt\n", "")
    with pytest.raises(flowrt.ExportError, match="expected"):
        exec(compile(block, str(PAGE), "exec"), {**names, "flowrt": other})
