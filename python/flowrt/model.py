"""`Model`: a `.flw` file evaluated by libflowrt."""

from __future__ import annotations

import ctypes
import os
import warnings
from typing import Any, Callable, Optional, SupportsIndex, Union

import numpy as np
import numpy.typing as npt

from .arguments import Batch, Floats, whole
from .density import Density, Draws
from .errors import LibraryError, Status
from .file.metadata import metadata_of, names_of, shape_of
from .foreign import kind_of_model
from .library import OPEN_VERIFY, ErrorDetail, ModelInfo, ModelStruct, Rng, aligned, load
from .nonfinite import explanation
from .parts import Part, Progress, parts_of, rows_in_part, run, thread_count

_FUNCTION = 64  # operations that a step needs for a coordinate, beside those with weights


class NonfiniteWarning(RuntimeWarning):
    """At least one result is NaN or infinite; the other rows are not affected."""


class Model(Density):
    """A flow in memory, evaluated in float32 by libflowrt.

    `source` is the path of a `.flw` file or its bytes. With `verify` every byte is checked when the model is opened.
    `level` caps the CPU level, see FLOWRT_OPEN_LEVEL in flowrt.h. `threads` is how many a call with many rows uses if
    the call does not say; 0 means all CPUs. Raises `LibraryError` with the library's status if the file is refused,
    `OSError` if it cannot be read.

    Rows of x and z are (n, D), and contexts, for a flow that takes one, (C,), (1, C) or (n, C). More generally the
    shapes before the last axis broadcast as in NumPy: one row with m contexts gives m results, rows (1, n, D) with
    contexts (m, 1, C) give (m, n). Images are rows that are flattened, channel by channel; where the file knows their
    `shape` (or `context_shape`), data (n, channels, rows, columns) are taken as well. Whatever is array-like is rounded
    to float32, and results are float32. The columns of a table (pandas, Polars, Arrow) are found by their `names`, if
    the file has them. Masked values, nulls, dates, complex numbers, strings, rows of another shape and a context that
    is missing or superfluous raise `ArgumentError`; results that are not finite are returned with a `NonfiniteWarning`.

    A call is made of parts, between which Ctrl-C ends it, with `threads` at a time: the same bits, whatever their
    number. `progress` shows a line on standard error, or is a function of the rows that are done and all rows. A model
    may be used by several threads at once, copied and pickled: a copy has the bytes of the file.

    >>> import flowrt
    >>> flow = flowrt.ir.Flow(2, 0, [flowrt.ir.Diagonal(np.array([2.0, 2.0]), np.zeros(2))])  # z = 2 x
    >>> model = flowrt.Model(flowrt.format.encode(flowrt.compile(flow)))
    >>> model
    <flowrt.Model: 2 dimensions, 1 step>
    >>> z, log_det = model.forward([[1.0, -1.0], [0.0, 3.0]])
    >>> print(z.tolist(), log_det)
    [[2.0, -2.0], [0.0, 6.0]] [1.3862944 1.3862944]
    >>> x, log_prob = model.sample(1000, seed=1, log_prob=True)  # the same draws on every machine
    >>> x.shape, bool(np.allclose(model.log_prob(x), log_prob, atol=1e-5))
    ((1000, 2), True)
    """

    def __init__(
        self,
        source: Union[str, os.PathLike[str], bytes, bytearray, memoryview],
        *,
        verify: bool = True,
        level: int = 0,
        threads: int = 1,
    ):
        self._library = load()
        data, name = bytes_of(source)
        self._data = aligned(max(len(data), 1))  # an empty array has no address of its own
        self._data[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        self._model = ModelStruct()
        detail = ErrorDetail()
        flags = (OPEN_VERIFY if verify else 0) | (level & 0xFF) << 8
        status = self._library.flowrt_model_open(self._model, self._data.ctypes.data, len(data), flags, detail)
        if status != Status.OK:
            way = _way_on(status, data) if name else ""
            raise LibraryError(f"{name}{self._message(status)} ({_place(detail)}){way}", status)
        info = ModelInfo(struct_size=ctypes.sizeof(ModelInfo))
        self._check(self._library.flowrt_model_get_info(self._model, info))
        self._options = {"verify": verify, "level": level}
        self.threads: int = thread_count(threads)
        self.dim: int = info.dim
        self.context_dim: int = info.context_dim
        self.step_count: int = info.step_count
        self.parameter_count: int = info.parameter_count
        self.cpu_level: int = info.cpu_level
        self.metadata: dict[str, Any] = metadata_of(
            data[info.metadata_offset : info.metadata_offset + info.metadata_size]
        )
        self.names: Optional[tuple[str, ...]] = names_of(self.metadata, "names", self.dim)
        self.context_names: Optional[tuple[str, ...]] = names_of(self.metadata, "context_names", self.context_dim)
        self.shape: Optional[tuple[int, ...]] = shape_of(self.metadata, "shape", self.dim)
        self.context_shape: Optional[tuple[int, ...]] = shape_of(self.metadata, "context_shape", self.context_dim)

    def __repr__(self) -> str:
        def counted(count: int, what: str) -> str:
            return f"{count} {what}" + ("" if count == 1 else "s")

        parts = [counted(self.dim, "dimension"), counted(self.step_count, "step")]
        if self.context_dim:
            parts.insert(1, f"context of {self.context_dim}")
        origin = self.metadata.get("framework")
        return f"<flowrt.Model: {', '.join(parts)}{f', from {origin}' if origin else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (type(self), self.to_bytes(), {**self._options, "threads": self.threads})

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return self._data.tobytes()

    @property
    def bounds(self) -> Any:
        """(low, high) of the prior that the flow was trained with, as the file notes it; None if it does not."""
        found = self.metadata.get("bounds")
        return (found["low"], found["high"]) if isinstance(found, dict) and {"low", "high"} <= set(found) else None

    def forward(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> tuple[Floats, Floats]:
        """x (n, D) to z (n, D) and log|det dz/dx| (n,)."""
        return self._map("forward", self._batch(x, context), threads, progress)

    def inverse(
        self,
        z: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> tuple[Floats, Floats]:
        """z (n, D) to x (n, D) and log|det dx/dz| (n,)."""
        return self._map("inverse", self._batch(z, context, name="z"), threads, progress)

    def log_prob(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> Floats:
        """(n,) log p(x | context) in nats."""
        rows = self._batch(x, context)
        return self._density(rows, threads, progress).reshape(rows.shape)

    def log_prob_gradient(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> tuple[Floats, Floats, Optional[Floats]]:
        """log p (n,), its gradient by x (n, D), and by each row's context (n, C): None for a flow without one.

        A context that several rows share has a gradient for each of them; their sum is that of the sum of log p.
        Outside of a support log p is -inf and the gradient 0. Raises `LibraryError` with `Status.GRADIENT` for the few
        models that have none, and on CPUs without fused multiply-add (docs/GRADIENTS.md).
        """
        return self._scores(self._batch(x, context), threads, progress)

    def workspace_size(self, count: SupportsIndex) -> int:
        """Bytes of workspace with which calls of up to `count` rows run at full speed."""
        size: int = self._library.flowrt_workspace_size(self._model, whole(count, "count"))
        return size

    def gradient_workspace_size(self, count: SupportsIndex) -> int:
        """The same for `log_prob_gradient`, which keeps the units of all networks."""
        size: int = self._library.flowrt_gradient_workspace_size(self._model, whole(count, "count"))
        return size

    def plan_size(self) -> int:
        """Bytes of memory for a plan that a program in C keeps. A call from Python takes longer than making one."""
        size: int = self._library.flowrt_plan_size(self._model)
        return size

    # ---- calls ----

    def _map(self, verb: str, rows: Batch, threads: Optional[int], progress: Progress) -> tuple[Floats, Floats]:
        result = np.empty((rows.count, self.dim), dtype=np.float32)
        log_det = np.empty(rows.count, dtype=np.float32)
        self._evaluate(verb, rows, [result, log_det], threads, progress)
        return result.reshape(*rows.shape, self.dim), log_det.reshape(rows.shape)

    def _scores(
        self, rows: Batch, threads: Optional[int], progress: Progress
    ) -> tuple[Floats, Floats, Optional[Floats]]:
        values = np.empty(rows.count, dtype=np.float32)
        by_x = np.empty((rows.count, self.dim), dtype=np.float32)
        by_context = np.empty((rows.count, self.context_dim), dtype=np.float32) if self.context_dim else None
        self._evaluate("log_prob_gradient", rows, [values, by_x, by_context], threads, progress)
        if by_context is not None:
            by_context = by_context.reshape(*rows.shape, self.context_dim)
        return values.reshape(rows.shape), by_x.reshape(*rows.shape, self.dim), by_context

    def _density(self, rows: Batch, threads: Optional[int], progress: Progress) -> Floats:
        values = np.empty(rows.count, dtype=np.float32)
        self._evaluate("log_prob", rows, [values], threads, progress)
        return values

    def _draw(
        self, rows: Batch, draws: Draws, threads: Optional[int], progress: Progress, *, log_prob: bool
    ) -> tuple[Floats, Optional[Floats]]:
        x = np.empty((rows.count, self.dim), dtype=np.float32)
        density = np.empty(rows.count, dtype=np.float32) if log_prob else None
        self._evaluate("sample", rows, [x, density], threads, progress, draws)
        return x, density

    def _evaluate(
        self,
        verb: str,
        rows: Batch,
        outputs: list[Optional[Floats]],
        threads: Optional[int],
        progress: Progress,
        draws: Optional[Draws] = None,
    ) -> None:
        """Writes `outputs`, for a private method that a public one calls: a warning is for who called that."""
        threads = self.threads if threads is None else thread_count(threads)
        work = 2.0 * self.parameter_count + _FUNCTION * self.dim * self.step_count
        most = rows_in_part(rows.count, work, threads)
        statuses: set[int] = set()

        def worker() -> Callable[[Part], None]:
            call = _Call(self, verb, rows, outputs, draws, min(most, rows.count))
            return lambda part: statuses.add(call(part))

        run(parts_of(rows.count, most, rows.each), worker, threads, progress, verb.replace("_", " "))
        if Status.NONFINITE in statuses:
            text = f"{self._message(Status.NONFINITE)}: {explanation(verb, rows, outputs)}"
            warnings.warn(text, NonfiniteWarning, stacklevel=4)

    def _check(self, status: int) -> None:
        if status != Status.OK:
            raise LibraryError(self._message(status), status)

    def _message(self, status: int) -> str:
        text: bytes = self._library.flowrt_status_message(status)
        return text.decode()


class _Call:
    """A verb of the library for parts of some rows, with a workspace of its own: for one thread."""

    def __init__(
        self,
        model: Model,
        verb: str,
        rows: Batch,
        outputs: list[Optional[Floats]],
        draws: Optional[Draws],
        most: int,
    ):
        self.model, self.rows, self.outputs, self.draws = model, rows, outputs, draws
        self.function: Callable[..., int] = getattr(model._library, f"flowrt_{verb}")
        name = "flowrt_gradient_workspace_size" if verb == "log_prob_gradient" else "flowrt_workspace_size"
        self.workspace = aligned(getattr(model._library, name)(model._model, most))

    def __call__(self, part: Part) -> int:
        """The status, OK or NONFINITE; raises `LibraryError` for another."""
        start, stop = part
        contexts, own = self._contexts(start, stop)
        if self.draws is None:
            source: Any = _address(self.rows.rows, start)
        else:
            draws = self.draws.after(start)
            source = Rng(draws.seed, draws.stream, draws.index)
        status = self.function(
            self.model._model,
            stop - start,
            source,
            _address(contexts, 0),
            own,
            *(_address(output, start) for output in self.outputs),
            self.workspace.ctypes.data,
            len(self.workspace),
        )
        if status != Status.NONFINITE:
            self.model._check(status)
        return status

    def _contexts(self, start: int, stop: int) -> tuple[Optional[Floats], int]:
        """Those of rows start .. stop - 1, and how many: none, or a divisor of the rows."""
        contexts, each = self.rows.contexts, self.rows.each
        if contexts is None:
            return None, 0
        first, last = start // each, (stop - 1) // each
        if start % each == 0 and stop % each == 0:
            return contexts[first : last + 1], last + 1 - first
        if first == last:
            return contexts[first : first + 1], 1
        return contexts[np.arange(start, stop) // each], stop - start


def _opened(kind: type[Model], data: bytes, options: dict[str, Any]) -> Model:
    """A pickled model, opened again."""
    return kind(data, **options)


def bytes_of(source: Any) -> tuple[bytes, str]:
    """Those of a file or of what is bytes already, and `PATH: ` for messages, empty for bytes.

    Raises `TypeError` that says what a model object is given to.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), ""
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        way = 'write one with flowrt.save("model.flw", ...)'
        raise TypeError(f"a path or bytes of a file are needed, not {kind}: {way}")
    path = os.fspath(source)
    with open(path, "rb") as stream:
        return stream.read(), f"{path}: "


def _way_on(status: int, data: bytes) -> str:
    """What to do with a file of another kind."""
    if status != Status.MAGIC:
        return ""
    kind = kind_of_model(data)
    if kind == "a mixture of flows":
        return "; it is a mixture of flows: open it with flowrt.Mixture"
    found = "" if kind is None else f"; it is {kind}"
    return f'{found}. Load the trained model in its framework, then flowrt.save("model.flw", model)'


def _place(detail: ErrorDetail) -> str:
    place = "the header" if detail.record < 0 else f"record {detail.record}"
    where = f"in {place}, byte {detail.offset}"
    if detail.found != detail.expected:  # else no number tells it
        where += f": found {detail.found}" + (f", expected {detail.expected}" if detail.expected else "")
    return where


def _address(values: Optional[Floats], row: int) -> Optional[int]:
    """That of a row of an array; NULL for None."""
    return None if values is None else values.ctypes.data + row * values.strides[0]
