"""`save`: what is written is whole, and what is refused leaves no trace."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

import flowrt
from flowrt import ir, library
from flowrt.atomic import replacing
from flowrt.file import encode
from flowrt.file.codes import Function
from flowrt.verify.rows import own_rows
from flowrt.verify.verify import Evaluator, compare, same_formulas

REVERSE = {"dim": 2, "steps": [{"kind": "reverse"}]}


@pytest.fixture
def no_library(monkeypatch):
    monkeypatch.setenv("FLOWRT_LIBRARY", "missing/libflowrt.so")
    library.load.cache_clear()
    yield
    library.load.cache_clear()


def table(printed: str) -> list:
    """The columns of a table of worst differences."""
    return printed.splitlines()[0].removeprefix("worst difference").split()


@pytest.mark.parametrize("flow", [REVERSE, ir.Flow(2, 0, [ir.Diagonal(np.full(2, 0.1), np.full(2, 0.3))])])
def test_a_description_is_verified_with_the_library(flow, tmp_path, capsys):
    flowrt.save(tmp_path / "flow.flw", flow, verify=True)
    assert table(capsys.readouterr().out) == ["file", "libflowrt"]


@pytest.mark.parametrize("flow", [REVERSE, ir.Flow(2, 0, [ir.Diagonal(np.full(2, 0.1), np.full(2, 0.3))])])
def test_a_description_is_verified_without_the_library(flow, tmp_path, capsys, no_library):
    flowrt.save(tmp_path / "flow.flw", flow, verify=True)
    printed = capsys.readouterr().out
    assert table(printed) == ["file"] and "libflowrt was not compared: libflowrt is not usable" in printed
    assert flowrt.reference.log_prob(tmp_path / "flow.flw", [[1, 2]]).shape == (1,)


def test_a_description_is_compared_on_rows_of_the_users_own(tmp_path, capsys, monkeypatch):
    """The library is wrong, but only of a row that no random one is like."""

    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + np.where(x[:, 0] > 1e4, 1, 0).astype(np.float32)

    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    path = tmp_path / "flow.flw"
    flowrt.save(path, REVERSE, verify=True)
    flowrt.save(path, REVERSE, rows=[[1, 2], [1, 2e4]])
    assert table(capsys.readouterr().out) == ["file", "libflowrt"]
    path.unlink()
    with pytest.raises(flowrt.ExportError, match="log_prob of libflowrt is off by 1 in row 1; at most"):
        flowrt.save(path, ir.Flow(2, 0, [ir.Diagonal(np.full(2, 1e-4), np.zeros(2))]), rows=[[1, 2], [2e4, 2]])
    with pytest.raises(flowrt.Error, match=r"rows must be \(n, 2\)"):
        flowrt.save(path, REVERSE, rows=[[1, 2, 3]])
    with pytest.raises(flowrt.Error, match="contexts go with rows"):
        flowrt.save(path, REVERSE, contexts=[[1]])
    assert not path.exists()


def test_a_row_at_the_end_of_the_support_excuses_no_other(tmp_path, capsys, monkeypatch):
    """Moved by a millionth it has no density, so nothing can be expected of it; of the rows beside it, it can."""

    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + np.where(x[:, 0] == 0.25, 1, 0).astype(np.float32)

    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    box = ir.Flow(1, 0, [], ir.BoxUniform(np.zeros(1), np.ones(1)))
    flowrt.save(tmp_path / "flow.flw", box, rows=[[0.5], [1], [0.75]])
    assert "3 of 3 rows were compared" in capsys.readouterr().out
    with pytest.raises(flowrt.ExportError, match="log_prob of libflowrt is off by 1 in row 2"):
        flowrt.save(tmp_path / "flow.flw", box, rows=[[0.5], [1], [0.25]])


def test_a_model_that_was_compared_with_nothing_is_refused():
    exact = flowrt.compile(ir.Flow(1, 0, [ir.Elementwise([Function.LOG_ABOVE], [1e30], [0])]))
    live = Evaluator(exact)
    live.units = None
    with pytest.raises(flowrt.ExportError, match="no random rows were found that the flow has an answer for"):
        same_formulas(exact, live, "Model")
    with pytest.raises(flowrt.ExportError, match="no random rows were found that the flow has an answer for"):
        compare(encode(exact), exact, live, live)
    own = own_rows(exact, [[2e30]])
    same_formulas(exact, live, "Model", own)
    assert compare(encode(exact), exact, live, live, own).problem is None


def test_a_row_that_overflows_in_the_framework_excuses_no_other(monkeypatch):
    class Overflowing(Evaluator):
        def log_prob(self, x, context=None):
            return np.where(np.arange(len(x)) == 3, np.inf, super().log_prob(x, context))

    class Off(flowrt.Model):
        def log_prob(self, x, context=None):
            return super().log_prob(x, context) + np.where(np.arange(len(x)) == 7, 1, 0).astype(np.float32)

    exact = flowrt.compile(ir.Flow(2, 0, [ir.Diagonal(np.ones(2), np.zeros(2))]))
    arguments = encode(exact), exact, Overflowing(exact), Evaluator(exact)
    assert compare(*arguments).problem is None
    monkeypatch.setattr("flowrt.verify.verify.Model", Off)
    assert compare(*arguments).problem.startswith("log_prob of libflowrt is off by 1 in row 7")


def test_a_file_that_differs_from_its_description_is_refused(tmp_path, monkeypatch, no_library):
    other = encode(flowrt.compile(ir.Flow(2, 0, [ir.Diagonal(np.ones(2), np.full(2, 0.1))])))
    monkeypatch.setitem(flowrt.save.__globals__, "encode", lambda file: other)
    with pytest.raises(flowrt.ExportError, match="z of file is off by 0.1"):
        flowrt.save(tmp_path / "flow.flw", ir.Flow(2, 0, [ir.Diagonal(np.ones(2), np.zeros(2))]), verify=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flow", [REVERSE, ir.Flow(2, 0, [])])
@pytest.mark.parametrize("arguments", [{"framework": "nflows"}, {"context_dim": 3}, {"context_dim": 0}])
def test_arguments_for_models_are_refused_with_a_description(flow, arguments, tmp_path):
    with pytest.raises(flowrt.ExportError, match=f"'{[*arguments][0]}' is for the model of a framework"):
        flowrt.save(tmp_path / "flow.flw", flow, **arguments)


def test_a_state_dict_alone_is_told_where_it_goes(tmp_path):
    state = {"0.joiner.linear.weight": np.ones((4, 2)), "0.joiner.linear.bias": np.ones(4)}
    with pytest.raises(flowrt.ExportError, match="give {'layout': 'pytorch-flows', 'state_dict': ...,"):
        flowrt.save(tmp_path / "flow.flw", state)


def test_a_description_of_no_flow_is_an_export_error(tmp_path):
    base = {"kind": "normal", "mean": 0, "std": -1}
    with pytest.raises(flowrt.ExportError, match="a standard deviation is not positive"):
        flowrt.save(tmp_path / "flow.flw", {**REVERSE, "base": base})


# ---- files that are written whole or not at all ----


def write(path, data: bytes = b"new") -> None:
    with replacing(path) as stream:
        stream.write(data)


def test_a_failing_write_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "flow.flw"
    flowrt.save(path, REVERSE)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(OSError, match="flow.flw"):
            flowrt.save(path, {"dim": 3, "steps": [{"kind": "reverse"}]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_whatever_fails_leaves_the_previous_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as stream:
        stream.write(b"half of it")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_an_open_file_keeps_its_bytes(tmp_path):
    path = tmp_path / "flow.flw"
    path.write_bytes(b"older bytes")
    with path.open("rb") as stream:
        write(path)
        assert stream.read() == b"older bytes"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_an_ordinary_file(tmp_path, umask):
    previous = os.umask(umask)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(previous)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o666 & ~umask


def test_permissions_of_the_older_file_stay(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink() and target.read_bytes() == b"new"


def test_what_is_no_plain_file_is_written_to(tmp_path):
    write(os.devnull)
    assert not Path(os.devnull).is_file()
    reader, writer = os.pipe()
    write(f"/dev/fd/{writer}")
    os.close(writer)
    with open(reader, "rb") as stream:
        assert stream.read() == b"new"


def test_errors_name_the_file_that_was_asked_for(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "file"):
        with pytest.raises(OSError) as caught:
            write(path)
        assert str(caught.value.filename) == str(path)
    assert not list(tmp_path.iterdir())
