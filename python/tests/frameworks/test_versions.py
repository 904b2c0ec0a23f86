"""Versions of frameworks: tested ones are silent, others are warned about and verified."""

from __future__ import annotations

import warnings
from importlib import metadata

import pytest
from cases import CASES

import flowrt
from flowrt.frameworks import registry


def model():
    return CASES["nflows_maf_residual"]()


def test_an_unknown_version_warns_and_verifies(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(metadata, "version", lambda name: "99.1")
    with pytest.warns(UserWarning, match="nflows 99.1 was not tested, 0.14 was: the file is verified"):
        flowrt.save(tmp_path / "flow.flw", model())
    assert "worst difference" in capsys.readouterr().out
    assert flowrt.Model(tmp_path / "flow.flw").metadata["framework"] == "nflows 99.1"


def test_a_copy_of_a_framework_has_no_version(tmp_path, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.warns(UserWarning, match="nflows of unknown version was not tested"):
        flowrt.save(tmp_path / "flow.flw", model())


def test_a_tested_version_is_silent(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flowrt.save(tmp_path / "flow.flw", model())
    assert not capsys.readouterr().out


@pytest.mark.parametrize("entry", [entry for entry in registry.FRAMEWORKS if entry.wrappers], ids=lambda e: e.name)
def test_these_tests_run_with_tested_versions(entry):
    assert metadata.version(entry.package) in entry.tested
