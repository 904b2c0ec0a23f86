"""The cases of the frameworks that are installed, and models of theirs that are refused."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec

FAMILIES = {  # the modules that hold them
    "zuko": ("cases", "refused"),  # beside torch, which bayesflow has too
    "tf_keras": ("tfp_cases", "tfp_refused"),
    "equinox": ("flowjax_cases", "flowjax_refused"),  # not flowjax, as a folder of tests is called
    "bayesflow": ("bayesflow_cases", "bayesflow_refused"),
    "pzflow": ("pzflow_cases", "pzflow_refused"),
    "margarine.maf": ("margarine_cases", "margarine_refused"),
}


def is_installed(package: str) -> bool:
    """Whether a package can be imported; a folder of that name, as tests have, is none."""
    try:
        found = find_spec(package)
    except ModuleNotFoundError:
        return False
    return found is not None and found.origin is not None


def random_models() -> dict:
    """For the name of each case, a function of a seed and a gain that makes its model with random weights."""
    families = [import_module(cases) for package, (cases, _) in FAMILIES.items() if is_installed(package)]
    return {name: partial(family.random_model, name) for family in families for name in family.CASES}


def refused_models() -> dict:
    """For each framework, feature and name of a layer, a function that makes a model with it."""
    families = [import_module(refused) for package, (_, refused) in FAMILIES.items() if is_installed(package)]
    return {framework: models for family in families for framework, models in family.REFUSED.items()}
