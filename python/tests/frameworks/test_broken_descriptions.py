"""Mistakes that an adapter of a framework made of PyTorch might make are refused by `save`, each of them."""

from __future__ import annotations

import pytest
from cases import CASES, random_model
from mistakes import SAMPLE, require_refused

pytestmark = pytest.mark.filterwarnings("ignore")

FRAMEWORKS = ("nflows", "sbi", "zuko", "normflows", "glasflow", "pyro", "freia")


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("mistake", SAMPLE)
def test_a_mistake_of_an_adapter_is_refused(framework, mistake):
    names = [name for name in CASES if name.startswith(f"{framework}_")]
    require_refused(names, random_model, mistake)
