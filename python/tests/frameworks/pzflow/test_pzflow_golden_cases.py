"""The golden cases of pzflow."""

from __future__ import annotations

import pytest
from live import agree_in_c
from pzflow_cases import CASES, random_model


@pytest.mark.parametrize("name", CASES)
def test_other_weights_give_what_the_framework_gives(name):
    agree_in_c(random_model(name, seed=1, gain=0.5))
