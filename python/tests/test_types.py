"""The public modules are typed, for `mypy --strict`, and a program that uses them wrongly is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """\
import numpy as np
import flowrt

model = flowrt.Model("model.flw", threads=2)
reveal_type(model.sample(5))
reveal_type(model.sample(5, seed=np.random.default_rng(1), log_prob=True))
reveal_type(model.forward(np.zeros((3, 2)), [1.0], progress=True))
reveal_type(flowrt.Mixture(b"").sample(5))
reveal_type(model.names)
flowrt.save("model.flw", object(), names=["a", "b"])
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def mypy(cache: Path, *arguments: str):
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(cache), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_public_modules_are_typed(cache):
    result = mypy(cache)
    assert result.returncode == 0, result.stdout
    assert (ROOT / "flowrt" / "py.typed").exists()


def test_a_program_sees_the_types(cache, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    lines = mypy(cache, "--strict", str(tmp_path / "program.py")).stdout.splitlines()
    revealed = [line.split('"')[1].replace("numpy.", "") for line in lines if "Revealed type" in line]
    floats = "ndarray[tuple[Any, ...], dtype[floating[_32Bit]]]"
    plain = [re.sub(r"builtins\.|_typing\._nbit_base\.", "", text) for text in revealed]
    pair = f"tuple[{floats}, {floats}]"
    assert plain == [floats, pair, pair, floats, "tuple[str, ...] | None"]
    assert "Success" in lines[-1]


def test_wrong_calls_are_told(cache, tmp_path):
    wrong = ["model.sample('5')", "model.log_prob(np.zeros(2), thread=3)", "model.forward(1)[2]", "model.names.x"]
    (tmp_path / "program.py").write_text(PROGRAM + "\n".join(wrong) + "\n")
    result = mypy(cache, "--strict", str(tmp_path / "program.py"))
    lines = {line.split(":")[1] for line in result.stdout.splitlines() if ": error:" in line}
    assert len(lines) == len(wrong), result.stdout
