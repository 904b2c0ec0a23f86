"""Command line: `python -m flowrt {info,verify,log-prob,sample,plot,c-array,paths}`."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Optional

from . import info
from ._version import __version__
from .atomic import replacing
from .c_array import c_array, fault_of_name
from .density import Density
from .errors import Error, LibraryError
from .evaluate import evaluate, model_bytes, open_model
from .file import read
from .library import include_dir, library_path, load
from .mixture import MAGIC as MIXTURE
from .mixture import Mixture
from .model import Model, NonfiniteWarning
from .plot import plot
from .rows import CommandLineError, output, read_context, read_rows
from .verify import verify


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command: 0 on success, 2 for a wrong command line, as the command line tool does (docs/CLI.md).

    1 with a line on stderr for bad data; 3 with a line for results that are NaN or infinite, after all were written.
    """
    options = _parser().parse_args(arguments)
    try:
        code: Optional[int] = options.run(options)
        sys.stdout.flush()
    except CommandLineError as error:
        print(f"flowrt: {error}\ntry: python -m flowrt {options.command} --help", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0
    except (Error, OSError, ValueError, MemoryError) as error:
        print(f"flowrt: {_reason(error)}", file=sys.stderr)
        return 1
    return code or 0


def _reason(error: Exception) -> str:
    """One line; of what the system refuses, the file first, as in all other lines."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or "out of memory"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flowrt", description="Inspect, check and run .flw files.")
    parser.add_argument("--version", action=_Version, nargs=0, help="versions of the package and of libflowrt")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], Optional[int]], text: str) -> Any:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run, command=name)
        sub.add_argument("file", metavar="MODEL", help="a .flw file, - for standard input")
        return sub

    sub = command("info", _info, "steps, sizes and metadata of a file")
    sub.add_argument("--json", action="store_true", help="as JSON")
    sub = command("check", _check, "read every byte; say where and why a file is wrong")
    sub.add_argument("more", metavar="MODEL", nargs="*", help="further files")
    sub = command("verify", _verify, "check a file and compare libflowrt with the float64 evaluator")
    sub.add_argument("data", metavar="ROWS", nargs="?", help="rows of x, - for standard input; random ones if left out")
    sub.add_argument("--context", metavar="FILE|NUMBERS", help="context of the rows, one for all or one for each")
    sub = command("log-prob", evaluate, "log p(x) of each row of CSV or .npy")
    _add_rows(sub, "x")
    _add_results(sub)
    sub = command("sample", evaluate, "draw rows from the flow")
    sub.add_argument("-n", "--count", type=_count, default=1, help="draws, for each row of the context (1)")
    for name in ("seed", "stream", "index"):
        default, shown = (None, "at random, and printed") if name == "seed" else (0, "0")
        text = f"a draw is a function of seed, stream and index ({shown})"
        sub.add_argument(f"--{name}", type=_count, default=default, help=text)
    sub.add_argument("--log-prob", dest="extra", action="store_true", help="a last column with log p of the draw")
    _add_results(sub)
    for name, given, text in (("forward", "x", "data x to noise z"), ("inverse", "z", "noise z to data x")):
        sub = command(name, evaluate, text)
        _add_rows(sub, given)
        sub.add_argument("--log-det", dest="extra", action="store_true", help="a last column with log|det| of the map")
        _add_results(sub)
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
    sub = commands.add_parser("paths", help="where header and library are", description="For compiling C programs.")
    sub.set_defaults(run=_paths, command="paths")
    sub.add_argument("--cflags", action="store_true", help="only what a C compiler needs to find flowrt.h")
    sub.add_argument("--libs", action="store_true", help="only what a linker needs to find the library")
    return parser


def _add_rows(sub: argparse.ArgumentParser, name: str) -> None:
    text = f"rows of {name}, CSV or .npy (standard input)"
    sub.add_argument("data", metavar="ROWS", nargs="?", default="-", help=text)


def _add_results(sub: argparse.ArgumentParser) -> None:
    text = 'context: a file of one row or of one for each, or "0.5,-1"'
    sub.add_argument("--context", metavar="FILE|NUMBERS", help=text)
    sub.add_argument("-o", "--output", default="-", metavar="FILE", help="where to write (standard output)")
    sub.add_argument("--format", choices=["csv", "tsv", "npy"], help="of the output (by its name, else csv)")
    sub.add_argument("--header", action="store_true", help="begin CSV with the names of the columns")
    text = "threads, which do not change results (0: one for each CPU)"
    sub.add_argument("--threads", type=_count, default=0, metavar="N", help=text)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            library = load().flowrt_build_info().decode()
        except LibraryError as error:
            library = str(error)
        print(f"flowrt {__version__} for Python\n{library}")
        parser.exit()


def _info(options: argparse.Namespace) -> None:
    data, name = model_bytes(options.file)
    try:
        file = read(data)
    except Error as error:
        raise Error(f"{name}: {error}") from None
    if options.json:
        model = Model(data)
        most = (1 << 8 * ctypes.sizeof(ctypes.c_size_t)) - 1
        sizes = {
            "parameters": model.parameter_count,
            "workspace_bytes": {"least": model.workspace_size(1), "most": model.workspace_size(most)},
            "gradient_workspace_bytes": {
                "least": model.gradient_workspace_size(1),
                "most": model.gradient_workspace_size(most),
            },
            "plan_bytes": model.plan_size(),
        }
        print(json.dumps(info.facts(file, sizes), ensure_ascii=False))
    else:
        print(info.describe(file))


def _check(options: argparse.Namespace) -> int:
    code = 0
    for path in [options.file, *options.more]:
        try:
            data, name = model_bytes(path)
            open_model(data, name)
        except (LibraryError, OSError) as error:
            sys.stdout.flush()
            print(f"flowrt: {_reason(error)}", file=sys.stderr)
            code = 1
        else:
            major, minor = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
            print(f"{name}: valid, format {major}.{minor}, {len(data)} bytes")
    return code


def _verify(options: argparse.Namespace) -> None:
    data, name = model_bytes(options.file)
    if options.data == options.context == "-":
        raise CommandLineError("verify: standard input can be one thing only")
    if options.data is None and options.context is not None:
        raise CommandLineError("verify: a context goes with rows of x")
    model = open_model(data, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonfiniteWarning)  # random rows without an answer are compared, too
        verify.check(data, *_load(options, model)).report()


def _plot(options: argparse.Namespace) -> None:
    with open(options.file, "rb") as stream:
        data = stream.read()
    density = Mixture(data) if data.startswith(MIXTURE) else Model(data)
    x, context = _load(options, density)
    figure = plot(density, x, context, draws=options.n, seed=options.seed, columns=options.columns)
    output = options.output or f"{os.path.splitext(options.file)[0]}.png"
    kind = os.path.splitext(output)[1][1:] or "png"
    if kind not in figure.canvas.get_supported_filetypes():
        raise Error(f"matplotlib writes no .{kind}: choose one of {', '.join(figure.canvas.get_supported_filetypes())}")
    with replacing(output) as stream:
        figure.savefig(stream, format=kind, dpi=120)
    print(f"flowrt: wrote {output}", file=sys.stderr)


def _c_array(options: argparse.Namespace) -> None:
    fault = fault_of_name(options.name)
    if fault:
        raise CommandLineError(fault)
    text = c_array(model_bytes(options.file)[0], options.name)
    with output(options.output) as stream:
        stream.write(text.encode())


def _paths(options: argparse.Namespace) -> None:
    """Two lines for people; with options, one for `cc program.c $(python -m flowrt paths --cflags --libs)`."""
    if not (options.cflags or options.libs):
        print(f"headers  {include_dir()}\nlibrary  {library_path()}")
        return
    flags = [f"-I{include_dir()}"] if options.cflags else []
    if options.libs:
        library = library_path()
        folder = os.path.dirname(os.path.abspath(library))
        flags += [library, f"-Wl,-rpath,{folder}"] if os.path.dirname(library) else ["-lflowrt"]
    print(" ".join(map(shlex.quote, flags)))


def _load(options: argparse.Namespace, model: Density) -> tuple[Any, Any]:
    """Rows of x and contexts of a command line, None for those that it does not name."""
    x = context = None
    if options.data is not None:
        x = read_rows(options.data, model.dim, model.names).values
    if options.context is not None:
        context = read_context(options.context, model.context_dim, model.context_names).values
    return x, context


def _columns(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^64 - 1")
    return int(text)
