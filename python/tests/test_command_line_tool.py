"""`python -m flowrt` and the command line tool in C are one interface: the same output, exit code and line of error."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from golden_files import FOLDER
from random_flows import flow as random_flow

import flowrt
from flowrt.cli import main
from flowrt.file import encode
from flowrt.library import load

MODELS = Path(__file__).resolve().parents[2] / "models"
TOOL = Path(load()._name).resolve().parent / "bin" / "flowrt"
EVERY_MODEL = sorted([*MODELS.glob("*.flw"), *FOLDER.glob("*.flw")])


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a model of names and context, and with rows in all forms, right and wrong."""
    monkeypatch.chdir(tmp_path)
    description = random_flow(10, 3, 2)
    description.names, description.context_names = ["a", "b", "c"], ["k", "l"]
    description.notes = "two\nlines"
    Path("m.flw").write_bytes(encode(flowrt.compile(description)))
    Path("damaged.flw").write_bytes(Path("m.flw").read_bytes()[:-40] + bytes(40))
    x = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    np.savetxt("x.csv", x, delimiter=",", fmt="%.9g")
    np.savetxt("digits.csv", x.astype(np.float64) * (1 + 1e-9), delimiter=";", fmt="%.17g")
    np.savetxt("k.csv", x[:, :2], delimiter=",", fmt="%.9g")
    np.savetxt("three.csv", x[:3, :2], delimiter=",", fmt="%.9g")
    np.save("x.npy", x)
    np.save("x64.npy", x.astype(np.float64))
    np.save("one.npy", x[0])
    np.save("fortran.npy", np.asfortranarray(x))
    np.save("integers.npy", x.astype(np.int64))
    np.save("wide.npy", np.zeros((2, 4), np.float32))
    np.save("deep.npy", np.zeros((2, 4, 3), np.float32))
    texts = {
        "names.csv": 'c\tid\t"b"\ta\n1e3\tx\t-2\t"3.5"\n\n# note\n4\ty\tinf\t6\n',
        "nan.csv": "1,2,3\n4,nan,6\n7,8,inf\n",
        "bom.csv": "\ufeff1, 2 ,3\r\n4,5,6",
        "wrong.csv": "1,2,3\n4,x,6\n",
        "few.csv": "1,2,3\n4,5\n",
        "many.csv": "1,2,3,4\n",
        "empty.csv": "# nothing\n",
        "comma.csv": "1;2,5;3\n",
        "quote.csv": '1,"2,3\n',
        "lacks.csv": "a,b,d\n1,2,3\n",
        "twice.csv": "a,b,c,b\n1,2,3,4\n",
        "hex.csv": "1,2,0x3\n",
        "line.csv": "1,2,1_000\n",
        "long.csv": f"1,{'y' * 60},3\n",
        "bell.csv": "1,\a,3\n",
        "commas.csv": "1,5;2,5;3,5\n",
        "quoted.csv": '"1,5","2,5","3,5"\n4,5,6\n',
        "blanks.csv": "1.5 -2.5 +3.5\n",
        "blank names.csv": "a b c\n1 2 3\n",
        "blanks and commas.csv": "1,5 2,5 3,5\n",
        "bars.csv": "1|2|3\n",
    }
    for name, text in texts.items():
        Path(name).write_bytes(text.encode())


@pytest.fixture
def both(monkeypatch, capfdbinary):
    """Runs a command in both programs: exit code, output and errors, which are the same."""

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        tool = subprocess.run([TOOL, *arguments], input=stdin, capture_output=True, check=False)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(arguments)
        printed, errors = capfdbinary.readouterr()
        assert (tool.returncode, tool.stdout) == (code, printed), arguments
        lines = 1 if code == 2 else None  # the second one says how to call the help, which differs
        assert tool.stderr.splitlines()[:lines] == errors.splitlines()[:lines], arguments
        return code, printed, errors

    return run


@pytest.mark.parametrize(
    "rows", ["x.csv", "digits.csv", "names.csv", "nan.csv", "bom.csv", "x.npy", "x64.npy", "one.npy"]
)
def test_density_and_maps(files, both, rows):
    code, printed, errors = both("log-prob", "m.flw", rows, "--context", "0.5,-1")
    assert code == 3 if rows in ("nan.csv", "names.csv") else code == 0 and not errors
    assert b"line" in errors if code else printed
    both("log-prob", "m.flw", "--context", "0.5 -1", "--threads", "1", "--header", stdin=Path(rows).read_bytes())
    both("forward", "m.flw", rows, "--context", "0.5,-1", "--log-det", "--header")
    both("inverse", "m.flw", rows if rows != "names.csv" else "x.csv", "--context", "0.5,-1", "--format", "tsv")


def test_draws(files, both):
    for more in (
        ["-n", "7", "--context", "0.5,-1"],
        ["--count", "2", "--context", "three.csv", "--log-prob", "--header", "--stream", "3", "--index", "5"],
        ["--context", "1,nan", "-n", "2"],
        ["-n", "0", "--context", "1,2"],
    ):
        both("sample", "m.flw", "--seed", "7", *more)
    assert both("log-prob", "m.flw", "x.csv", "--context", "k.csv")[0] == 0


def test_arrays_that_are_written(files, both):
    for command in (
        ["log-prob", "m.flw", "x.csv"],
        ["forward", "m.flw", "x.csv", "--log-det"],
        ["sample", "m.flw", "-n9"],
    ):
        more = ["--seed", "1"] if command[0] == "sample" else []
        subprocess.run([TOOL, *command, *more, "--context", "1,2", "-o", "tool.npy"], check=True)
        assert main([*command, *more, "--context", "1,2", "-o", "package.npy"]) == 0
        assert Path("tool.npy").read_bytes() == Path("package.npy").read_bytes()
        assert np.load("tool.npy").dtype == np.float32
        assert both(*command, *more, "--context", "1,2", "--format", "npy")[1] == Path("tool.npy").read_bytes()


WRONG = [
    *("wrong.csv", "few.csv", "many.csv", "empty.csv", "comma.csv", "quote.csv", "lacks.csv", "twice.csv", "hex.csv"),
    *(
        "commas.csv",
        "quoted.csv",
        "blanks.csv",
        "blank names.csv",
        "blanks and commas.csv",
        "bars.csv",
        "line.csv",
        "long.csv",
        "bell.csv",
        "m.flw",
        "missing.csv",
        "fortran.npy",
        "integers.npy",
        "wide.npy",
        "deep.npy",
    ),
]


@pytest.mark.parametrize("rows", WRONG)
def test_wrong_rows(files, both, rows):
    code, printed, errors = both("log-prob", "m.flw", rows, "--context", "0.5,-1")
    assert code == 1 and not printed and errors.startswith(f"flowrt: {rows}".encode()) and errors.count(b"\n") == 1


def test_wrong_contexts(files, both):
    for context in ("x.csv", "three.csv", "no.csv"):  # files
        assert both("log-prob", "m.flw", "x.csv", "--context", context)[0] == 1
    for context in ("1", "", "1,2,3", "1,5;2,5", "1,x", "1,x.csv"):  # the command line itself
        assert both("log-prob", "m.flw", "x.csv", "--context", context)[0] == 2
    Path("1,x.csv").write_text("1,2\n")
    assert both("log-prob", "m.flw", "x.csv", "--context", "1,x.csv")[0] == 0
    assert both("log-prob", "m.flw", "many.csv")[0] == 2
    assert both("log-prob", "m.flw", "--context", "-")[0] == 2
    iris = str(MODELS / "iris_maf.flw")
    assert both("sample", iris, "--seed", "1", "--context", "1")[0] == 2


def test_check_and_c_array(files, both):
    assert both("check", "m.flw")[0] == 0
    assert both("check", "damaged.flw", "m.flw", "x.csv")[0] == 1
    assert both("c-array", "m.flw", "--name", "my_flow")[0] == 0
    for name in ("while", "3d", "", "_x", "flowrt_x"):
        assert both("c-array", "m.flw", "--name", name)[0] == 2
    assert both("log-prob", "damaged.flw", "x.csv")[0] == 1


def test_info(files, capsys):
    for path in [Path("m.flw"), *EVERY_MODEL]:
        for more in ([], ["--json"]):
            assert main(["info", str(path), *more]) == 0
            package = capsys.readouterr().out
            tool = subprocess.run([TOOL, "info", str(path), *more], capture_output=True, text=True, check=True).stdout
            assert json.loads(tool) == json.loads(package) if more else tool == package, path
