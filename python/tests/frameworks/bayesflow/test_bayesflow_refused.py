"""What cannot be exported is refused in one line, with the name of the layer and what is supported."""

from __future__ import annotations

import pytest
from refused_case import cases, is_refused


@pytest.mark.parametrize("feature, name", cases("bayesflow"))
def test_refused_by_name(feature, name, tmp_path):
    is_refused("bayesflow", feature, name, tmp_path)
