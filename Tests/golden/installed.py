"""The cases of the frameworks that are installed, and models of theirs that are refused."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec

FAMILIES = {  # the modules that hold them
    "torch": ("cases", "refused"),
    "tensorflow_probability": ("tfp_cases", "tfp_refused"),
    "equinox": ("flowjax_cases", "flowjax_refused"),  # not flowjax, as a folder of tests is called
}


def random_models() -> dict:
    """For the name of each case, a function of a seed and a gain that makes its model with random weights."""
    families = [import_module(cases) for package, (cases, _) in FAMILIES.items() if find_spec(package)]
    return {name: partial(family.random_model, name) for family in families for name in family.CASES}


def refused_models() -> dict:
    """For each framework, feature and name of a layer, a function that makes a model with it."""
    families = [import_module(refused) for package, (_, refused) in FAMILIES.items() if find_spec(package)]
    return {framework: models for family in families for framework, models in family.REFUSED.items()}
