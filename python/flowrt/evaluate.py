"""The commands log-prob, sample, forward and inverse, as docs/CLI.md describes them."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from typing import Any, Optional

import numpy as np

from .arguments import Floats, seed_of
from .errors import Error, LibraryError
from .library import load
from .model import Model, NonfiniteWarning
from .rows import CommandLineError, FileRows, kind_of, read_context, read_rows, write_rows


def model_bytes(path: str) -> tuple[bytes, str]:
    """Those of a model file, - for standard input, and its name for messages."""
    if path == "-":
        return sys.stdin.buffer.read(), "standard input"
    with open(path, "rb") as stream:
        return stream.read(), path


def open_model(data: bytes, name: str) -> Model:
    """A model whose refusal names the file."""
    load()
    try:
        return Model(data)
    except LibraryError as error:
        raise LibraryError(f"{name}: {error}", error.status) from None


def evaluate(options: Namespace) -> int:
    """Writes the results of one verb; 3 if some are NaN or infinite, else 0."""
    if [options.file, options.context, getattr(options, "data", None)].count("-") > 1:
        raise CommandLineError(f"{options.command}: standard input can be one thing only")
    data, name = model_bytes(options.file)
    model = open_model(data, name)
    context = _context(model, name, options.context)
    if options.command == "sample":
        rows, found, reason = None, *_drawn(model, options, context)
    else:
        columns = model.names if options.command != "inverse" else None
        rows = read_rows(options.data, model.dim, columns)
        if context is not None and len(context.values) not in (1, len(rows.values)):
            count = len(context.values)
            raise Error(f"{context.name} has {count} rows: expected 1, or as many as {rows.name} ({len(rows.values)})")
        found, reason = _mapped(model, options, rows, context)
    header = _header(model, options) if options.header else None
    write_rows(options.output, kind_of(options.output, options.format), found, header)
    if reason:
        print(f"flowrt: {reason}", file=sys.stderr)
    return 3 if reason else 0


def _context(model: Model, name: str, text: Optional[str]) -> Optional[FileRows]:
    width = model.context_dim
    if not width:
        if text is not None:
            raise CommandLineError(f"{name} takes no context: leave --context out")
        return None
    if text is None:
        plural = "s" * (width != 1)
        needed = f"{name} needs a context of {width} number{plural}: --context FILE or --context NUMBERS"
        raise CommandLineError(needed)
    return read_context(text, width, model.context_names)


def _drawn(model: Model, options: Namespace, context: Optional[FileRows]) -> tuple[Floats, Optional[str]]:
    """-n draws for each context, one after the other."""
    seed = seed_of(options.seed)
    given = None if context is None else context.values[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonfiniteWarning)
        x, log_prob = model.sample(
            options.count, given, seed, options.stream, options.index, log_prob=True, threads=options.threads
        )
    if options.seed is None:
        print(f"flowrt: --seed {seed}", file=sys.stderr)
    x, log_prob = x.reshape(-1, model.dim), log_prob.reshape(-1)
    found = np.column_stack([x, log_prob]) if options.extra else x
    contexts = None if context is None else np.repeat(context.values, options.count, axis=0)

    def again(row: int) -> Any:
        one = None if contexts is None else contexts[row]
        return model.sample(1, one, seed, options.stream, options.index + row, log_prob=options.extra)

    return found, _reason(found, again, lambda row: f"draw {options.index + row}", None, contexts)


def _mapped(
    model: Model, options: Namespace, rows: FileRows, context: Optional[FileRows]
) -> tuple[Floats, Optional[str]]:
    verb = getattr(model, options.command.replace("-", "_"))
    contexts = None if context is None else context.values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonfiniteWarning)
        result = verb(rows.values, contexts, threads=options.threads)
    if options.command == "log-prob":
        found = result
    else:
        found = np.column_stack(result) if options.extra else result[0]
    if contexts is not None:
        contexts = np.broadcast_to(contexts, (len(rows.values), model.context_dim))

    def again(row: int) -> Any:
        return verb(rows.values[row : row + 1], None if contexts is None else contexts[row : row + 1])

    return found, _reason(found, again, rows.place, rows.values, contexts)


def _reason(found: Floats, again: Any, place: Any, rows: Any, contexts: Any) -> Optional[str]:
    """Says which rows are NaN or infinite. An infinite log p outside of a support is an answer: each row that may be
    one is asked for by itself."""
    finite = np.isfinite(found if found.ndim == 2 else found[:, None]).all(axis=1)
    bad = []
    for row in np.flatnonzero(~finite).tolist():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", NonfiniteWarning)
            again(row)
        if any(issubclass(warning.category, NonfiniteWarning) for warning in caught):
            bad.append(row)
    if not bad:
        return None
    first = bad[0]
    why = "the result is NaN or infinite, of finite numbers"
    if contexts is not None and not np.isfinite(contexts[first]).all():
        why = "the context has a NaN or an infinity"
    if rows is not None and not np.isfinite(rows[first]).all():
        why = "the row has a NaN or an infinity"
    return f"{place(first)}: {why} ({len(bad)} of {len(found)} rows are NaN or infinite)"


def _header(model: Model, options: Namespace) -> list[str]:
    if options.command == "log-prob":
        return ["log_prob"]
    letter = "z" if options.command == "forward" else "x"
    names = [f"{letter}{i}" for i in range(model.dim)]
    if letter == "x" and model.names:
        names = list(model.names)
    if options.extra:
        names.append("log_prob" if options.command == "sample" else "log_det")
    return names
