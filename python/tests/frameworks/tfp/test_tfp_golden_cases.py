"""The golden cases of TensorFlow Probability."""

from __future__ import annotations

import pytest
from golden_case import GoldenCase, of_framework
from tfp_cases import CASES, random_model


@pytest.mark.parametrize("name", CASES)
class TestCase(GoldenCase):
    random_model = staticmethod(random_model)


def test_every_file_has_its_case():
    assert of_framework("tfp") == set(CASES)
