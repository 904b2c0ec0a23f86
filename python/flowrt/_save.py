"""`save`: a trained model of a framework into a `.flw` file.

    choose      the adapter of the model's framework               frameworks/registry.py
    describe    the model as a flow of steps and layers            frameworks/NAME/, with building/
    compile     the flow as records: order proved, units sorted    compiler/
    encode      the records as bytes, which the reader accepts     file/
    compare     what file and model compute of the same rows       verify/
    write       all of the bytes, or none                          atomic.py

A dictionary, read by descriptions/, or an `ir.Flow` of your own enters at `compile`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional, Sequence, Union

from . import descriptions
from .atomic import replacing
from .columns import in_order
from .compiler.compile import compile
from .errors import ArgumentError, ExportError, FormatError
from .file import encode
from .flow import flow as ir
from .frameworks import choose, dtypes, refuse_holder, refusing, registry, restored, unwrapped
from .verify import precision
from .verify import verify as verification
from .verify.rows import own_rows


def save(
    path: Union[str, os.PathLike[str]],
    flow: Any,
    *,
    framework: Optional[str] = None,
    context_dim: Optional[int] = None,
    embedded: bool = False,
    verify: bool = False,
    rows: Any = None,
    contexts: Any = None,
    names: Optional[Sequence[str]] = None,
    context_names: Optional[Sequence[str]] = None,
    notes: str = "",
) -> None:
    """Writes a trained flow, as it is in evaluation mode, to a `.flw` file.

    `flow` is a live model of a framework, as python/README.md lists them. The adapter is chosen from the object, or
    named by `framework`, a name in `flowrt.frameworks.registry`. A model of your own is given as a description: a
    dictionary of arrays and options (docs/DESCRIPTIONS.md), or a `flowrt.ir.Flow`. `context_dim` is
    needed only where no layer of a framework's model tells how long the context is; neither goes with a description.
    With `embedded`, the file has the flow behind its embedding net alone: its context is the output of the embedding
    net, which you run where it can run. This is for embedding nets that a file cannot hold (python/README.md).
    `names` of the D coordinates of x and `context_names` of the context go into the file's metadata, and so do `notes`.
    By its names a model finds the columns of a table.

    A version of a framework that `flowrt.frameworks.registry` does not list as tested is warned about, and verified.

    Whatever is exported is first compared, in float64, with what the live model computes of rows near the data and on
    the way to far ones. What float64 does not explain is refused; where rows are far away and float64 is bad, a warning
    tells of it. Another one tells if libflowrt, in float32, is more than twice as far from float64 as the framework.
    With `verify` the file is read back, evaluated by `flowrt.reference` and, if it is found, by libflowrt,
    and a table of the worst differences from the model, or from the description before rounding, is printed. The rows
    are random or, if given, `rows` of your own, data (n, D), with their `contexts`, (n, C) or one for all; then these
    decide, and this is done without `verify`, too. Of many rows 256 are taken, without those that the file has no
    answer for.

    Raises `ExportError` that names the layer and what is supported, and `ArgumentError` for rows that are not the
    flow's. Then, and if writing fails, an older file stays.

    A model of a framework needs no more than `flowrt.save("model.flw", model)`. A flow of your own, z = 2 x, of two
    coordinates:

    >>> import flowrt, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model.flw")
    >>> flowrt.save(path, {"dim": 2, "steps": [{"kind": "diagonal", "scale": [2.0, 2.0]}]}, notes="by hand")
    >>> flowrt.Model(path).metadata["notes"]
    'by hand'
    """
    if rows is None and contexts is not None:
        raise ArgumentError("contexts go with rows: give rows=, data (n, D), too")
    own = None if rows is None else (in_order(rows, names), in_order(contexts, context_names))
    labels = {"notes": notes, "names": names, "context_names": context_names}
    flow = restored(flow)
    if isinstance(flow, (ir.Flow, Mapping)):
        for name, value in (("framework", framework), ("context_dim", context_dim), ("embedded", embedded or None)):
            if value is not None:
                raise ExportError(f"{name!r} is for the model of a framework, not for a description")
        if isinstance(flow, Mapping) and not {"dim", "layout"} & set(flow):
            refuse_holder(flow)
        data, comparison = _described(flow, verify, own, labels)
    else:
        flow = unwrapped(flow)
        if embedded:
            labels["notes"] = "; ".join(filter(None, [notes, "the context is what the embedding net gives"]))
        with refusing(flow):
            flow, context_dim = _behind_embedding(flow, framework, context_dim) if embedded else (flow, context_dim)
            data, comparison = _export(flow, framework, context_dim, verify, own, labels)
    if comparison is not None:
        comparison.report()
    with replacing(path) as stream:
        stream.write(data)


def _behind_embedding(model: Any, framework: Optional[str], context_dim: Optional[int]) -> tuple[Any, Optional[int]]:
    """A model as a function of the output of its embedding net, and the length of that, if it is told."""
    adapter = choose(model, framework)
    inner = adapter.behind_embedding(model) if hasattr(adapter, "behind_embedding") else None
    if inner is None:
        raise ExportError(
            f"embedded=True is for a flow with an embedding net, of nflows or sbi; {type(model).__name__} has none"
        )
    return inner, context_dim


def _export(
    model: Any, framework: Optional[str], context_dim: Optional[int], verify: bool, own: Any, labels: dict[str, Any]
) -> tuple[bytes, Any]:
    """The bytes of a live model's file, and the comparison that `verify` or a user's `own` rows ask for, or None."""
    adapter = choose(model, framework)
    flow = adapter.describe(model, context_dim)
    verify = _note_origin(flow, adapter, model) or verify
    exact = compile(_labelled(flow, labels))
    data = encode(exact)
    single, double = dtypes(adapter)
    live64 = adapter.live(model, double)
    own = None if own is None else own_rows(exact, *own)
    verification.same_formulas(exact, live64, flow.model, own)
    live32 = adapter.live(model, single)
    precision.warn_of_lost_digits(data, exact, live32, live64, flow.model, own)
    if not verify and own is None:
        return data, None
    return data, verification.compare(data, exact, live32, live64, own, formulas_agree=True)


def _labelled(flow: ir.Flow, labels: dict[str, Any]) -> ir.Flow:
    """With a user's notes and names, where they are given."""
    return replace(flow, **{key: value for key, value in labels.items() if value is not None})


def _note_origin(flow: ir.Flow, adapter: Any, model: Any) -> bool:
    """Notes framework and version in the flow. Whether the version was never tested, which a warning says."""
    origin = registry.origin_of(model, adapter.framework)
    version = registry.installed_version(origin)
    flow.framework = f"{origin.name} {version}".strip()
    return registry.warn_of_untested(origin, version)


def _described(description: Any, verify: bool, own: Any, labels: dict[str, Any]) -> tuple[bytes, Any]:
    """The bytes of a description's file, or of a user's `ir.Flow`, and the comparison that is asked for, or None.

    A description that says what its model gives must give that.
    """
    flow, expected = (description, None) if isinstance(description, ir.Flow) else descriptions.read(description)
    labels = {**labels, "notes": "; ".join(filter(None, [labels["notes"], flow.notes]))}
    exact = compile(_labelled(flow, labels))
    try:
        data = encode(exact)
    except FormatError as error:
        raise ExportError(f"the description makes no valid file: {error}") from None
    if expected is not None:
        verification.as_expected(exact, expected)
    own = None if own is None else own_rows(exact, *own)
    return data, verification.compare_rounded(data, exact, own) if verify or own is not None else None
