"""Who may import whom: the contracts in pyproject.toml hold, and would be noticed if they did not. No name twice."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import flowrt

ROOT = Path(__file__).resolve().parents[1]
LINT = "import sys; from importlinter.cli import lint_imports_command as run; sys.argv[1:] = ['--no-cache']; run()"


def lint(folder: Path):
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True)


def copied(folder: Path) -> Path:
    """The sources of the package and its contracts, to be changed."""
    for path in [ROOT / "pyproject.toml", *(ROOT / "flowrt").rglob("*.py")]:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    return folder


def test_the_contracts_hold():
    assert Path(flowrt.__file__).parent == ROOT / "flowrt"
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


def test_an_import_upwards_is_noticed(tmp_path):
    path = copied(tmp_path) / "flowrt/building/scales.py"
    path.write_text(path.read_text() + "\nfrom ..frameworks import registry  # noqa\n")
    result = lint(tmp_path)
    assert result.returncode != 0 and "Imports point downwards BROKEN" in result.stdout


def test_a_circle_within_a_folder_is_noticed(tmp_path):
    path = copied(tmp_path) / "flowrt/building/modules.py"
    path.write_text(path.read_text() + "\nfrom . import networks  # noqa\n")
    result = lint(tmp_path)
    assert result.returncode != 0 and "No circle among the modules of a folder BROKEN" in result.stdout


def test_an_adapter_in_what_adapters_share_is_noticed(tmp_path):
    path = copied(tmp_path) / "flowrt/frameworks/torch/dense.py"
    path.write_text(path.read_text() + "\nfrom ..zuko import transformers  # noqa\n")
    result = lint(tmp_path)
    assert result.returncode != 0 and "what adapters share know no adapter BROKEN" in result.stdout


def modules() -> list:
    """All modules of the package, packages before what is in them."""
    found = pkgutil.walk_packages(flowrt.__path__, "flowrt.")
    return [flowrt, *(importlib.import_module(module.name) for module in found)]


def test_no_attribute_hides_a_module_of_its_name():
    for package in modules():
        for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
            attribute = getattr(package, module.name)
            assert attribute is importlib.import_module(f"{package.__name__}.{module.name}"), attribute


def test_no_public_class_has_the_name_of_another():
    homes: dict = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_"):
                homes.setdefault(name, set()).add(module.__name__)
    assert not {name: found for name, found in homes.items() if len(found) > 1}
