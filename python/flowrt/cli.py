"""Command line: `python -m flowrt {info,verify,log-prob,sample,plot,c-array}`."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, Optional

import numpy as np
import numpy.typing as npt

from . import info
from ._version import __version__
from .arguments import seed_of
from .atomic import replacing
from .c_array import c_array
from .errors import Error, LibraryError
from .file import read
from .library import load
from .mixture import MAGIC as MIXTURE
from .mixture import Mixture
from .model import Model, NonfiniteWarning
from .plot import plot
from .verify import verify

_ENCODING = "utf-8-sig"  # spreadsheets begin a file with a byte order mark


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command: 0 on success, 2 for a wrong command line.

    1 with a line on stderr for bad data, and for results that are NaN or infinite, after all of them were written.
    """
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NonfiniteWarning)
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe has seen enough
            sys.stderr.close()
            return 0
        except (Error, OSError, ValueError, MemoryError) as error:
            print(f"flowrt: {str(error) or 'out of memory'}", file=sys.stderr)
            return 1
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"flowrt: {message}", file=sys.stderr)
    return int(any(issubclass(warning.category, NonfiniteWarning) for warning in caught))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flowrt", description="Inspect, check and run .flw files.")
    parser.add_argument("--version", action=_Version, nargs=0, help="versions of the package and of libflowrt")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str, context: bool = False) -> Any:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument("file", help="a .flw file")
        if context:
            sub.add_argument("--context", metavar="CSV", help="context, one row for all or one for each row")
            sub.add_argument("-o", "--output", default="-", metavar="CSV", help="where to write (standard output)")
        return sub

    command("info", _info, "steps, sizes and metadata of a file")
    sub = command("verify", _verify, "check a file and compare libflowrt with the float64 evaluator")
    sub.add_argument("data", metavar="CSV", nargs="?", help="rows of x, - for standard input; random ones if left out")
    sub.add_argument("--context", metavar="CSV", help="context of the rows, one for all or one for each")
    sub = command("log-prob", _log_prob, "log p(x) for each row of a CSV file", context=True)
    sub.add_argument("data", metavar="CSV", help="rows of x, - for standard input")
    sub = command("sample", _sample, "draw rows from the flow", context=True)
    sub.add_argument("-n", type=_count, default=1, help="rows (1)")
    for name in ("seed", "stream", "index"):
        default, shown = (None, "at random, and printed") if name == "seed" else (0, "0")
        text = f"a draw is a function of seed, stream and index ({shown})"
        sub.add_argument(f"--{name}", type=_count, default=default, help=text)
    sub = command("plot", _plot, "draws, data, log p, ranks and a density as a picture (needs matplotlib)")
    sub.add_argument("data", metavar="CSV", nargs="?", help="rows of x to show beside the draws, - for standard input")
    sub.add_argument("--context", metavar="CSV", help="context, one for all or one for each row of x")
    sub.add_argument("-n", type=_count, default=2000, help="draws (2000)")
    sub.add_argument("--seed", type=_count, default=0, help="of the draws (0)")
    sub.add_argument("--columns", type=_columns, help="coordinates to show, such as 0,2,5 (the first five)")
    sub.add_argument("-o", "--output", metavar="PNG", help="picture of any kind that matplotlib writes (FILE.png)")
    sub = command("c-array", _c_array, "the file as an aligned C array, with its sizes (needs libflowrt) as #defines")
    sub.add_argument("--name", default="model", help="C identifier of the array (model)")
    sub.add_argument("-o", "--output", default="-", metavar="H", help="where to write (standard output)")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            library = load().flowrt_build_info().decode()
        except LibraryError as error:
            library = str(error)
        print(f"flowrt {__version__} for Python\n{library}")
        parser.exit()


def _info(options: argparse.Namespace) -> None:
    print(info.describe(read(options.file)))


def _verify(options: argparse.Namespace) -> None:
    with open(options.file, "rb") as stream:
        data = stream.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonfiniteWarning)  # random rows without an answer are compared, too
        verify.check(data, *_rows(options)).report()


def _rows(options: argparse.Namespace) -> tuple[Any, Any]:
    """Data and contexts of a command line, None for those that it does not name."""
    if options.data == options.context == "-":
        raise Error("standard input cannot be both the rows and their context")
    if options.data is None and options.context is not None:
        raise Error("a context goes with rows of x")
    return _load(options.data), _load(options.context)


def _log_prob(options: argparse.Namespace) -> None:
    log_prob = Model(options.file).log_prob(*_rows(options))
    _store(options.output, log_prob[:, None])


def _sample(options: argparse.Namespace) -> None:
    model = Model(options.file)
    seed = seed_of(options.seed)
    x = model.sample(options.n, _load(options.context), seed, options.stream, options.index)
    if options.seed is None:
        print(f"flowrt: --seed {seed}", file=sys.stderr)
    _store(options.output, x)


def _plot(options: argparse.Namespace) -> None:
    with open(options.file, "rb") as stream:
        data = stream.read()
    density = Mixture(data) if data.startswith(MIXTURE) else Model(data)
    x, context = _load(options.data), _load(options.context)
    figure = plot(density, x, context, draws=options.n, seed=options.seed, columns=options.columns)
    output = options.output or f"{os.path.splitext(options.file)[0]}.png"
    kind = os.path.splitext(output)[1][1:] or "png"
    if kind not in figure.canvas.get_supported_filetypes():
        raise Error(f"matplotlib writes no .{kind}: choose one of {', '.join(figure.canvas.get_supported_filetypes())}")
    with replacing(output) as stream:
        figure.savefig(stream, format=kind, dpi=120)
    print(f"flowrt: wrote {output}", file=sys.stderr)


def _c_array(options: argparse.Namespace) -> None:
    with open(options.file, "rb") as stream:
        text = c_array(stream.read(), options.name)
    with _output(options.output) as stream:
        stream.write(text.encode())


def _load(path: Optional[str]) -> Any:
    """The rows of a CSV file without a header, - for standard input."""
    if path is None:
        return None
    source: Any = sys.stdin if path == "-" else path
    name = "standard input" if path == "-" else path
    try:
        if path == "-":
            source.reconfigure(encoding=_ENCODING)
        rows = np.loadtxt(source, delimiter=",", ndmin=2, dtype=np.float32, encoding=_ENCODING)
    except ValueError as error:
        raise Error(f"{name}: {error}") from None
    if rows.size == 0:
        raise Error(f"{name}: there are no rows")
    return rows


def _store(path: str, rows: npt.NDArray[Any]) -> None:
    with _output(path) as stream:
        np.savetxt(stream, rows, delimiter=",", fmt="%.9g")


def _output(path: str) -> AbstractContextManager[BinaryIO]:
    """A binary stream into a file, - for standard output."""
    return nullcontext(sys.stdout.buffer) if path == "-" else replacing(path)


def _columns(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^64 - 1")
    return int(text)
