"""Gradients of every golden case of margarine: against the slope of the live model's log p."""

from __future__ import annotations

import pytest
from gradient_case import require_gradients
from margarine_cases import CASES, random_model


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_live_model(name):
    require_gradients(random_model(name, 0, 0.5))
