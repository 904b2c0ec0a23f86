"""Every golden case of TensorFlow Probability: its files, and other rows and other weights than they hold."""

from __future__ import annotations

from functools import partial

import pytest
from golden_case import made_again
from golden_files import NAMES
from live import agree_in_c
from tfp_cases import CASES, random_model


def test_every_case_has_its_files_and_every_file_its_case():
    assert {name for name in NAMES if name.startswith("tfp_")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_golden_files_are_what_the_framework_gives(name):
    made_again(name, partial(random_model, name))


@pytest.mark.parametrize("name", CASES)
def test_file_computes_what_the_framework_computes(name):
    agree_in_c(random_model(name, seed=1, gain=0.5))
