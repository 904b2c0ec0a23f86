"""What a user is told whose model cannot be exported."""

from __future__ import annotations

import pytest
from features import REFUSED_FEATURES
from installed import refused_models

import flowrt


def cases(framework: str) -> list:
    """(feature, name of the layer) of the models of a framework that are refused."""
    return [(feature, name) for feature, layers in refused_models()[framework].items() for name in layers]


def is_refused(framework: str, feature: str, name: str, folder) -> None:
    """One line with the name of the layer, and no file."""
    assert feature in REFUSED_FEATURES
    with pytest.raises(flowrt.ExportError, match=f"{name} is not supported") as caught:
        flowrt.save(folder / "flow.flw", refused_models()[framework][feature][name]())
    assert "\n" not in str(caught.value)
    assert not (folder / "flow.flw").exists()
