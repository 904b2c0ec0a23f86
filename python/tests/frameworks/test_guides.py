"""The pages of docs/frameworks whose frameworks are of PyTorch, as printed."""

from __future__ import annotations

import pytest
from guide import follow

GUIDES = ("nflows", "zuko", "sbi", "pyro", "normflows", "glasflow", "freia")


@pytest.mark.parametrize("name", GUIDES)
def test_a_page_leads_to_c(name, tmp_path):
    follow(name, tmp_path)
