"""The golden cases of margarine."""

from __future__ import annotations

import pytest
from golden_case import of_framework
from live import agree_in_c
from margarine_cases import CASES, random_model


@pytest.mark.parametrize("name", CASES)
def test_other_weights_give_what_the_framework_gives(name):
    agree_in_c(random_model(name, seed=1, gain=0.5))


def test_every_file_has_its_case():
    assert of_framework("margarine") == set(CASES)
