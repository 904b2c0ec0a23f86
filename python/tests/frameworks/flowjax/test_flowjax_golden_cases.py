"""The golden cases of flowjax."""

from __future__ import annotations

import pytest
from flowjax_cases import CASES, random_model
from golden_case import GoldenCase, of_framework


@pytest.mark.parametrize("name", CASES)
class TestCase(GoldenCase):
    random_model = staticmethod(random_model)


def test_every_file_has_its_case():
    assert of_framework("flowjax") == set(CASES)
