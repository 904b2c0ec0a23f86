"""What cannot be exported is refused in one line, with the name of the layer and what is supported."""

from __future__ import annotations

import pytest
from refused import REFUSED

import flowrt

CASES = [(framework, name) for framework, models in REFUSED.items() for name in models]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("framework, name", CASES)
def test_refused_by_name(framework, name, tmp_path):
    model = REFUSED[framework][name]()
    with pytest.raises(flowrt.ExportError, match=f"{name} is not supported") as caught:
        flowrt.save(tmp_path / "flow.flw", model)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "flow.flw").exists()
