"""The command line: what it prints, and one clear line for whatever goes wrong."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from golden_files import FOLDER
from random_flows import flow as random_flow

import flowrt
from flowrt import ir
from flowrt.c_array import c_array
from flowrt.cli import main
from flowrt.file import encode
from flowrt.file.codes import Function

PACKAGE = Path(flowrt.__file__).parents[1]


@pytest.fixture
def flow(tmp_path):
    path = tmp_path / "flow.flw"
    description = random_flow(10, 3, 2)
    description.base = ir.DiagonalNormal(np.zeros(3), np.ones(3))
    description.framework, description.notes = "by hand", "for tests"
    path.write_bytes(encode(flowrt.compile(description)))
    return str(path)


@pytest.fixture
def context(tmp_path):
    path = tmp_path / "context.csv"
    path.write_text("0.5,-1\n")
    return str(path)


def test_info(flow, capsys):
    assert main(["info", flow]) == 0
    printed = capsys.readouterr().out
    for part in (
        "3 dimensions, context of 2",
        "step 0: ",
        "base: diagonal normal",
        "framework: by hand",
        "notes: for tests",
    ):
        assert part in printed


@pytest.mark.parametrize("seed", range(12))
def test_info_of_everything(seed, tmp_path, capsys):
    path = tmp_path / "flow.flw"
    file = flowrt.compile(random_flow(seed, 3, 2))
    path.write_bytes(encode(file))
    assert main(["info", str(path)]) == 0
    assert capsys.readouterr().out.count("step ") == len(file.steps)


def verdict(printed: str) -> dict:
    """The lines of a verdict by their first word."""
    lines = printed[printed.index("verdict:") :].splitlines()
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}


def test_verify(flow, capsys):
    assert main(["verify", flow]) == 0
    found = verdict(capsys.readouterr().out)
    assert found["verdict:"].startswith("pass. On 64 random rows of the flow itself, libflowrt gives what the file in")
    said = r"p +at most [\d.e-]+ nats \([\d.e-]+ % of p\) off, in row \d+, where log p is -"
    assert re.match(said, found["log"])
    assert "no framework is here" in found["rounding"] and "flowrt verify model.flw x.csv" in found["next"]


def test_the_verdict_names_the_worst_row(flow, context, tmp_path, capsys, monkeypatch):
    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + np.where(np.arange(len(x)) == 2, 1e-5, 0)

    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    data = tmp_path / "x.csv"
    np.savetxt(data, np.zeros((4, 3)), delimiter=",")
    assert main(["verify", flow, str(data), "--context", context]) == 0
    found = verdict(capsys.readouterr().out)
    truth = flowrt.reference.log_prob(flow, [0, 0, 0], [0.5, -1])[0]
    assert found["verdict:"].startswith("pass. On 4 of your rows")
    assert f"in row 2, where log p is {truth:.4g}" in found["log"] and found["next"] == "use the file"


def test_verify_does_not_blame_a_flow_that_magnifies_rounding(capsys):
    assert main(["verify", str(FOLDER / "pyro_conditional_skip.flw")]) == 0
    found = verdict(capsys.readouterr().out)
    assert found["verdict:"].startswith("pass.") and "though it is large" in found["next"]


def test_verify_refuses_a_library_that_is_off(flow, capsys, monkeypatch):
    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + 0.1

    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    assert main(["verify", flow]) == 1
    captured = capsys.readouterr()
    assert "log_prob of libflowrt is off by 0.1" in captured.err and captured.err.count("\n") == 1
    assert "worst difference" in captured.out
    found = verdict(captured.out)
    assert found["verdict:"].startswith("FAIL.") and "log_prob of libflowrt is off by 0.1" in found["verdict:"]
    assert "at most 0.1 nats (11 % of p) off" in found["log"] and "do not use this file" in found["next"]


def test_verify_on_rows_of_a_file(flow, context, tmp_path, capsys, monkeypatch):
    seen = []

    class Seen(flowrt.Model):
        def log_prob(self, x, context=None):
            seen.extend([x, context])
            return super().log_prob(x, context)

    monkeypatch.setattr("flowrt.verify.verify.Model", Seen)
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    data = tmp_path / "x.csv"
    np.savetxt(data, rows, delimiter=",", fmt="%.9g")
    assert main(["verify", flow, str(data), "--context", context]) == 0
    assert "log_prob" in capsys.readouterr().out
    np.testing.assert_array_equal(seen[0], rows)
    np.testing.assert_array_equal(seen[1], np.loadtxt(context, delimiter=",", ndmin=2, dtype=np.float32).repeat(4, 0))
    assert "a context goes with rows of x\n" in failing(["verify", flow, "--context", context], capsys, 2)
    assert main(["verify", flow, str(data)]) == 1
    assert "the rows need contexts of 2 floats each" in capsys.readouterr().err


def test_verify_compares_rows_without_an_answer(tmp_path, capsys):
    path = tmp_path / "far.flw"  # log(x - 1e30)
    step = ir.Elementwise([Function.LOG_ABOVE], [1e30], [0])
    path.write_bytes(encode(flowrt.compile(ir.Flow(1, 0, [step]))))
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr().err == ""


def test_log_prob(flow, context, tmp_path, capsys):
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    data = tmp_path / "x.csv"
    np.savetxt(data, rows, delimiter=",", fmt="%.9g")
    assert main(["log-prob", flow, str(data), "--context", context]) == 0
    printed = np.array(capsys.readouterr().out.split(), dtype=np.float32)
    np.testing.assert_array_equal(printed, flowrt.Model(flow).log_prob(rows, [0.5, -1]))


def test_sample(flow, context, tmp_path, capsys):
    output = tmp_path / "samples.csv"
    arguments = ["sample", flow, "--context", context, "-n", "3", "--seed", "7", "--stream", "1", "--index", "2"]
    assert main([*arguments, "-o", str(output)]) == 0
    expected = flowrt.Model(flow).sample(3, [0.5, -1], seed=7, stream=1, index=2)
    np.testing.assert_array_equal(np.loadtxt(output, delimiter=",", dtype=np.float32), expected)
    assert main(arguments) == 0
    assert capsys.readouterr().out == output.read_text()


def test_a_seed_at_random_is_printed_and_draws_the_same_again(flow, context, capsys):
    assert main(["sample", flow, "--context", context, "-n", "3"]) == 0
    first = capsys.readouterr()
    assert first.err.startswith("flowrt: --seed ")
    assert main(["sample", flow, "--context", context, "-n", "3", *first.err.split()[1:]]) == 0
    assert capsys.readouterr() == (first.out, "")
    assert main(["sample", flow, "--context", context, "-n", "3"]) == 0
    assert capsys.readouterr().out != first.out


def failing(arguments, capsys, code=1) -> str:
    """The line on stderr of a command that fails; a second one after a wrong command line."""
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("flowrt: ") and captured.err.count("\n") == code
    return captured.err


def test_errors_are_one_line(flow, context, tmp_path, capsys):
    missing, text, short = str(tmp_path / "missing"), tmp_path / "text.csv", tmp_path / "short.csv"
    text.write_text("1,two,3\n")
    short.write_text("1,2\n")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert "missing" in failing(["info", missing], capsys)
    assert "not a .flw file" in failing(["info", __file__], capsys)
    assert "not a .flw" in failing(["sample", __file__], capsys)
    found = failing(["log-prob", flow, str(text), "--context", context], capsys)
    assert 'text.csv, line 1, column 2: expected a number, found "two"' in found
    found = failing(["log-prob", flow, str(short), "--context", context], capsys)
    assert "short.csv, line 1: expected 3 columns, found 2" in found
    assert "no rows" in failing(["log-prob", flow, str(empty), "--context", context], capsys)
    assert "needs a context of 2" in failing(["sample", flow], capsys, 2)
    assert "missing" in failing(["log-prob", flow, missing, "--context", context], capsys)
    assert "not a C identifier" in failing(["c-array", flow, "--name", "3d"], capsys, 2)
    assert "allocate" in failing(["sample", flow, "--context", context, "-n", str(10**15)], capsys)


def standard_input(data: bytes, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


@pytest.mark.parametrize("text, reason", [(b"", ": there are no rows"), (b"1,two,3\n", ", line 1, column 2")])
def test_errors_of_standard_input_name_it(flow, context, text, reason, capsys, monkeypatch):
    standard_input(text, monkeypatch)
    line = failing(["log-prob", flow, "-", "--context", context], capsys)
    assert line.startswith(f"flowrt: standard input{reason}")


def test_standard_input_is_read_once(flow, capsys):
    assert "standard input can be one thing only" in failing(["log-prob", flow, "-", "--context", "-"], capsys, 2)


def test_a_byte_order_mark_is_no_number(flow, tmp_path, capsys, monkeypatch):
    """As spreadsheets write one."""
    rows = tmp_path / "x.csv"
    rows.write_text("1,2,3\n", encoding="utf-8-sig")
    context = tmp_path / "context.csv"
    context.write_text("0.5,-1\n", encoding="utf-8-sig")
    assert main(["log-prob", flow, str(rows), "--context", str(context)]) == 0
    expected = flowrt.Model(flow).log_prob([1, 2, 3], [0.5, -1])
    np.testing.assert_array_equal(np.array(capsys.readouterr().out.split(), dtype=np.float32), expected)
    standard_input(rows.read_bytes(), monkeypatch)
    assert main(["log-prob", flow, "-", "--context", str(context)]) == 0
    np.testing.assert_array_equal(np.array(capsys.readouterr().out.split(), dtype=np.float32), expected)


def test_version(capsys, monkeypatch):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    printed = capsys.readouterr().out
    assert caught.value.code == 0 and printed.startswith(f"flowrt {flowrt.__version__} for Python\nflowrt ")
    assert "kernels: " in printed


def test_version_without_the_library(capsys, monkeypatch):
    def missing():
        raise flowrt.LibraryError("libflowrt is not usable")

    monkeypatch.setattr("flowrt.cli.load", missing)
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"flowrt {flowrt.__version__} for Python\nlibflowrt is not usable\n"


@pytest.mark.parametrize("command", ["sample", "log-prob", "c-array"])
def test_an_output_that_cannot_be_written_leaves_the_previous_one(
    flow, context, command, tmp_path, capsys, monkeypatch
):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output, rows = tmp_path / "output", tmp_path / "x.csv"
    output.write_text("previous")
    rows.write_text("1,2,3\n")
    given = ["--context", context]
    arguments = {"sample": [*given, "--seed", "1"], "log-prob": [str(rows), *given], "c-array": []}
    monkeypatch.setattr("os.replace", full)
    assert "output" in failing([command, flow, *arguments[command], "-o", str(output)], capsys)
    assert output.read_text() == "previous" and len(list(tmp_path.glob(".*"))) == 0


def test_a_nonfinite_result_is_one_line_and_a_failure(tmp_path, capsys):
    path, rows, context, spoilt = (tmp_path / name for name in ("flow.flw", "x.csv", "context.csv", "spoilt.csv"))
    base = ir.ConditionalNormal([ir.Layer(np.zeros(2), context_weight=np.ones((2, 1)))])
    path.write_bytes(encode(flowrt.compile(ir.Flow(1, 1, [], base))))
    rows.write_text("1\nnan\n4\n")
    context.write_text("0.5\n")
    spoilt.write_text("nan\n")
    assert main(["log-prob", str(path), str(rows), "--context", str(context)]) == 3
    captured = capsys.readouterr()
    np.testing.assert_array_equal(np.isnan(np.array(captured.out.split(), dtype=float)), [False, True, False])
    why = "line 2: the row has a NaN or an infinity (1 of 3 rows are NaN or infinite)"
    assert captured.err == f"flowrt: {rows}, {why}\n"
    assert main(["sample", str(path), "--context", str(spoilt), "-n", "2", "--seed", "1"]) == 3
    captured = capsys.readouterr()
    why = "draw 0: the context has a NaN or an infinity (2 of 2 rows are NaN or infinite)"
    assert captured.out == "nan\nnan\n" and captured.err == f"flowrt: {why}\n"


def test_an_infinite_log_prob_is_an_answer(tmp_path, capsys):
    path, rows = tmp_path / "box.flw", tmp_path / "x.csv"
    path.write_bytes(encode(flowrt.compile(ir.Flow(1, 0, [], ir.BoxUniform(np.zeros(1), np.ones(1))))))
    rows.write_text("2\n0.5\n")
    assert main(["log-prob", str(path), str(rows)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "-inf\n0\n" and captured.err == ""


@pytest.mark.parametrize("arguments", [[], ["fly"], ["sample", "x", "-n", "-1"], ["sample", "x", "--seed", "many"]])
def test_wrong_commands_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage" in capsys.readouterr().err


def test_as_a_process(flow):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    run = [sys.executable, "-m", "flowrt"]
    found = subprocess.run([*run, "info", flow], env=environment, capture_output=True, text=True)
    assert found.returncode == 0 and "3 dimensions" in found.stdout
    failed = subprocess.run([*run, "info", "missing.flw"], env=environment, capture_output=True, text=True)
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1


C_PROGRAM = """
#include <stdio.h>
#include <stdint.h>
#include "model.h"
int main(void) {
    unsigned long sum = 0;
    for (unsigned i = 0; i < MY_FLOW_SIZE; i++) sum = sum * 31 + my_flow[i];
    printf("%u %u %u %u %u %u %d %lu\\n", MY_FLOW_SIZE, MY_FLOW_DIM, MY_FLOW_CONTEXT_DIM, MY_FLOW_WORKSPACE_BYTES,
           MY_FLOW_GRADIENT_WORKSPACE_BYTES, MY_FLOW_PLAN_BYTES, (int)((uintptr_t)my_flow % 64), sum & 0xffffffffUL);
    return 0;
}
"""


@pytest.mark.parametrize("compiler, standard", [("cc", "c99"), ("cc", "c11"), ("c++", "c++11"), ("c++", "c++98")])
def test_c_array_in_c(flow, tmp_path, compiler, standard):
    assert shutil.which(compiler), f"{compiler} is needed for this test"
    assert main(["c-array", flow, "--name", "my_flow", "-o", str(tmp_path / "model.h")]) == 0
    suffix = "c" if compiler == "cc" else "cpp"
    (tmp_path / f"main.{suffix}").write_text(C_PROGRAM)
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    program = tmp_path / "program"
    subprocess.run([compiler, f"-std={standard}", *warnings, f"main.{suffix}", "-o", program], cwd=tmp_path, check=True)
    size, dim, context_dim, *memory, misalignment, total = map(int, subprocess.check_output([program]).split())
    data = Path(flow).read_bytes()
    expected = 0
    for byte in data:
        expected = (expected * 31 + byte) & 0xFFFFFFFF
    assert (size, dim, context_dim, misalignment) == (len(data), 3, 2, 0)
    model = flowrt.Model(data)
    assert memory == [model.workspace_size(1), model.gradient_workspace_size(1), model.plan_size()]
    assert total == expected


def test_c_array_refuses_what_is_no_flow():
    with pytest.raises(flowrt.LibraryError):
        c_array(b"nothing", "model")


@pytest.mark.parametrize(
    "name, reason",
    [
        *(
            (name, "is a keyword of C or C\\+\\+")
            for name in ("int", "restrict", "typeof", "class", "co_await", "xor_eq")
        ),
        *((name, "begins with an underscore") for name in ("__model", "_Model", "_model")),
        ("flowrt_model", "begins with flowrt_"),
        ("model.h", "is not a C identifier"),
        ("", "is not a C identifier"),
    ],
)
def test_c_array_refuses_names_that_do_not_compile(flow, name, reason):
    with pytest.raises(flowrt.Error, match=f"'{name}' {reason}"):
        c_array(Path(flow).read_bytes(), name)


# ---- where things are ----


def test_paths_serve_a_compiler_and_a_linker(tmp_path, capsys):
    """As for `cc program.c $(python -m flowrt paths --cflags --libs)`."""
    root = PACKAGE.parent
    assert main(["paths", "--cflags", "--libs"]) == 0
    flags = shlex.split(capsys.readouterr().out)
    subprocess.run(["cc", root / "examples-c/density.c", *flags, "-o", tmp_path / "density"], check=True)
    rows = "5.1,3.5,1.4,0.2\n"
    done = subprocess.run(
        [tmp_path / "density", root / "models/iris_maf.flw"], input=rows, capture_output=True, text=True, check=True
    )
    model = flowrt.Model(root / "models/iris_maf.flw")
    assert float(done.stdout) == pytest.approx(model.log_prob([5.1, 3.5, 1.4, 0.2])[0], rel=1e-6)


def test_paths_for_people(capsys):
    assert main(["paths"]) == 0
    headers, library = (line.split()[1] for line in capsys.readouterr().out.splitlines())
    assert (Path(headers) / "flowrt.h").exists() and Path(library).exists()
    assert (headers, library) == (flowrt.include_dir(), flowrt.library_path())


def test_headers_of_an_installation_come_first_and_their_absence_is_told(tmp_path, capsys, monkeypatch):
    package = tmp_path / "python/flowrt"
    (package / "include").mkdir(parents=True)
    monkeypatch.setattr("flowrt.library.__file__", str(package / "library.py"))
    assert main(["paths", "--cflags"]) == 1
    assert "there are no C headers in" in (text := capsys.readouterr().err) and "libflowrt-dev" in text
    (package / "include/flowrt.h").touch()
    assert main(["paths", "--cflags"]) == 0
    assert capsys.readouterr().out == f"-I{package / 'include'}\n"


def test_a_library_that_the_loader_found_is_linked_by_its_name(capsys, monkeypatch):
    monkeypatch.setattr("flowrt.cli.library_path", lambda: "libflowrt.so.0")
    assert main(["paths", "--libs"]) == 0
    assert capsys.readouterr().out == "-lflowrt\n"
