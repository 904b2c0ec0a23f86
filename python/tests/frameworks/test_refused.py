"""What cannot be exported is refused in one line, with the name of the layer and what is supported."""

from __future__ import annotations

import pytest
from refused_case import cases, is_refused

FRAMEWORKS = ("nflows", "zuko", "normflows", "pyro", "sbi", "glasflow", "freia")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("framework, feature, name", [(f, *case) for f in FRAMEWORKS for case in cases(f)])
def test_refused_by_name(framework, feature, name, tmp_path):
    is_refused(framework, feature, name, tmp_path)
