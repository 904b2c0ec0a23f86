"""The examples in docstrings of public objects run and give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module, name",
    [
        ("flowrt._save", "save"),
        ("flowrt.arguments", "batch"),
        ("flowrt.arguments", "seed_of"),
        ("flowrt.flow.flow", "Autoregressive"),
        ("flowrt.flow.flow", "Layer"),
        ("flowrt.model", "Model"),
    ],
)
def test_an_example(module, name):
    module = importlib.import_module(module)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(getattr(module, name), f"{module.__name__}.{name}", module=module)
    result = doctest.DocTestRunner().run(example)
    assert result.attempted > 0 and result.failed == 0
