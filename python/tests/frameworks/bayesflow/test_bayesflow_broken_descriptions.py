"""Mistakes that the adapter of bayesflow might make are refused by `save`, each of them."""

from __future__ import annotations

import pytest
from bayesflow_cases import CASES, random_model
from mistakes import SAMPLE, require_refused


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mistake", SAMPLE)
def test_a_mistake_of_the_adapter_is_refused(mistake):
    require_refused(CASES, random_model, mistake, most=1)
