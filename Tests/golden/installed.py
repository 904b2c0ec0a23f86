"""The cases of the frameworks that are installed."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec

FAMILIES = {"torch": "cases", "tensorflow_probability": "tfp_cases", "flowjax": "flowjax_cases"}


def random_models() -> dict:
    """For the name of each case, a function of a seed and a gain that makes its model with random weights."""
    families = [import_module(cases) for package, cases in FAMILIES.items() if find_spec(package)]
    return {name: partial(family.random_model, name) for family in families for name in family.CASES}
