"""The registry of frameworks: an entry that lacks something is an error that names it, and nothing else lists them."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

import flowrt
from flowrt.frameworks import ADAPTERS, registry
from flowrt.frameworks.registry import Framework

ENTRY = asdict(registry.named("zuko"))


@pytest.mark.parametrize("field", [field.name for field in fields(Framework)])
def test_a_forgotten_field_is_named(field):
    with pytest.raises(TypeError, match=field):
        Framework(**{name: value for name, value in ENTRY.items() if name != field})
    with pytest.raises(TypeError, match=f"{field} is None" if field != "name" else "None"):
        Framework(**{**ENTRY, field: None})


@pytest.mark.parametrize("field", ["adapter", "package", "tested", "root"])
def test_an_empty_field_is_named(field):
    with pytest.raises(ValueError, match=f"framework 'zuko': {field} is empty"):
        Framework(**{**ENTRY, field: type(ENTRY[field])()})


@pytest.mark.parametrize("field", ["name", "root", "column"])
def test_two_entries_do_not_share(field):
    other = {**asdict(registry.named("pyro")), field: ENTRY[field]}
    with pytest.raises(ValueError, match=f"'zuko' and '.*' have the same {field}"):
        registry._check((Framework(**ENTRY), Framework(**other)))


def test_what_an_adapter_lacks_is_named():
    with pytest.raises(TypeError, match="flowrt.frameworks.zuko.transformers has no framework, accepts, live"):
        Framework(**{**ENTRY, "adapter": "zuko.transformers"}).load()


def test_an_adapter_of_another_name_is_refused(monkeypatch):
    adapter = registry.named("zuko").load()
    monkeypatch.setattr(adapter, "framework", "zuk")
    with pytest.raises(TypeError, match="flowrt.frameworks.zuko.flow is that of 'zuk', registered as 'zuko'"):
        registry.named("zuko").load()


def test_an_unknown_framework_is_named():
    with pytest.raises(KeyError, match="framework 'keras' has no entry in flowrt.frameworks.registry"):
        registry.named("keras")


def test_each_folder_has_an_entry():
    folder = Path(registry.__file__).parent
    flows = {f"{path.parent.name}.flow" for path in folder.glob("*/flow.py")}
    adapters = {entry.adapter for entry in registry.FRAMEWORKS}
    assert flows == adapters, f"{flows ^ adapters}: a folder or an entry of frameworks/registry.py is missing"
    assert list(ADAPTERS) == [entry.name for entry in registry.FRAMEWORKS if not entry.is_fork]


def test_no_other_module_lists_frameworks():
    """Four names of frameworks within three lines are a list of them."""
    names = "|".join(re.escape(entry.name) for entry in registry.FRAMEWORKS)
    package = Path(flowrt.__file__).parent
    for path in package.rglob("*.py"):
        if path == Path(registry.__file__):
            continue
        lines = path.read_text().splitlines()
        for start in range(len(lines)):
            found = set(re.findall(rf"[\"']({names})[\"']", "\n".join(lines[start : start + 3])))
            assert len(found) < 4, f"{path.relative_to(package)}:{start + 1} lists frameworks"
