"""`Model`: a `.flw` file evaluated by libflowrt."""

from __future__ import annotations

import ctypes
import operator
import os
import warnings
from typing import Union

import numpy as np

from .bounds import box, inside, sample_within
from .errors import Error, LibraryError, Status
from .file.metadata import metadata_of
from .library import OPEN_VERIFY, ErrorDetail, ModelInfo, ModelStruct, Rng, aligned, load


class NonfiniteWarning(RuntimeWarning):
    """At least one result is NaN or infinite; the other rows are not affected."""


class Model:
    """A flow in memory, evaluated in float32 by libflowrt.

    `source` is the path of a `.flw` file or its bytes. With `verify` every byte is checked when the model is opened.
    `level` caps the CPU level, see FLOWRT_OPEN_LEVEL in flowrt.h. Raises `LibraryError` with the library's status if
    the file is refused, `OSError` if it cannot be read.

    Rows of x and z are (n, D); anything array-like is converted to float32. `context` is None for a flow without one,
    else (C,) or (1, C), shared by all rows, or (n, C). A model may be used by several threads at once. Rows of another
    shape and a context that is missing or superfluous raise `LibraryError`; results that are not finite are returned
    with a `NonfiniteWarning`.

    >>> import flowrt
    >>> flow = flowrt.ir.Flow(2, 0, [flowrt.ir.Diagonal(np.array([2.0, 2.0]), np.zeros(2))])  # z = 2 x
    >>> model = flowrt.Model(flowrt.format.encode(flowrt.compile(flow)))
    >>> z, log_det = model.forward([[1.0, -1.0], [0.0, 3.0]])
    >>> print(z.tolist(), log_det)
    [[2.0, -2.0], [0.0, 6.0]] [1.3862944 1.3862944]
    >>> x, log_prob = model.sample(1000, seed=1)  # the same draws on every machine
    >>> x.shape, bool(np.allclose(model.log_prob(x), log_prob, atol=1e-5))
    ((1000, 2), True)
    """

    def __init__(self, source: Union[str, os.PathLike, bytes], *, verify: bool = True, level: int = 0):
        self._library = load()
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
        else:
            with open(os.fspath(source), "rb") as stream:
                data = stream.read()
        self._data = aligned(max(len(data), 1))  # an empty array has no address of its own
        self._data[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        self._model = ModelStruct()
        detail = ErrorDetail()
        flags = (OPEN_VERIFY if verify else 0) | (level & 0xFF) << 8
        status = self._library.flowrt_model_open(self._model, self._data.ctypes.data, len(data), flags, detail)
        if status != Status.OK:
            place = "the header" if detail.record < 0 else f"record {detail.record}"
            where = f"in {place}, byte {detail.offset}"
            if detail.found != detail.expected:  # else no number tells it
                where += f": found {detail.found}" + (f", expected {detail.expected}" if detail.expected else "")
            raise LibraryError(f"{self._message(status)} ({where})", status)
        info = ModelInfo(struct_size=ctypes.sizeof(ModelInfo))
        self._check(self._library.flowrt_model_get_info(self._model, info))
        self.dim: int = info.dim
        self.context_dim: int = info.context_dim
        self.step_count: int = info.step_count
        self.parameter_count: int = info.parameter_count
        self.cpu_level: int = info.cpu_level
        self.metadata: dict = metadata_of(data[info.metadata_offset : info.metadata_offset + info.metadata_size])

    @property
    def bounds(self):
        """(low, high) of the prior that the flow was trained with, as the file notes it; None if it does not."""
        found = self.metadata.get("bounds")
        return (found["low"], found["high"]) if isinstance(found, dict) and {"low", "high"} <= set(found) else None

    def forward(self, x, context=None):
        """x (n, D) to z (n, D) and log|det dz/dx| (n,)."""
        return self._map(self._library.flowrt_forward, x, "x", context)

    def inverse(self, z, context=None):
        """z (n, D) to x (n, D) and log|det dx/dz| (n,)."""
        return self._map(self._library.flowrt_inverse, z, "z", context)

    def log_prob(self, x, context=None) -> np.ndarray:
        """(n,) log p(x | context) in nats."""
        x = self._rows(x, "x", self.dim)
        context, context_rows = self._context(context, len(x))
        result = np.empty(len(x), dtype=np.float32)
        self._call(
            self._library.flowrt_log_prob, len(x), _pointer(x), _pointer(context), context_rows, _pointer(result)
        )
        return result

    def sample(
        self,
        n: int,
        context=None,
        seed: int = 0,
        stream: int = 0,
        index: int = 0,
        *,
        within=None,
        most_draws: int = 1000,
    ):
        """Draws index .. index + n - 1 of (seed, stream): x (n, D) and log p(x | context) (n,).

        A draw is a pure function of the three numbers, each 0 .. 2^64 - 1, and its context, however the draws are split
        into calls.

        With `within`, (low, high) of numbers or vectors (D,), rows outside of that box are drawn again, with the draws
        that follow. log p remains that of the flow: the density of what is returned is larger by -log `acceptance`.
        After `most_draws` draws a row `Error` says how many were in the box.
        """
        if within is not None:
            limits = box(within, self.dim)
            n, most = _whole(n, "n"), _whole(most_draws, "most_draws")
            context, _ = self._context(context, n)
            return sample_within(self, n, context, seed, stream, index, limits, most)
        n, seed, stream, index = map(_whole, (n, seed, stream, index), ("n", "seed", "stream", "index"))
        context, context_rows = self._context(context, n)
        x, log_prob = np.empty((n, self.dim), dtype=np.float32), np.empty(n, dtype=np.float32)
        rng = Rng(seed, stream, index)
        self._call(
            self._library.flowrt_sample, n, rng, _pointer(context), context_rows, _pointer(x), _pointer(log_prob)
        )
        return x, log_prob

    def acceptance(self, within, context=None, draws: int = 10_000, seed: int = 0, stream: int = 0) -> np.ndarray:
        """(m,) the share of the flow's draws within the box (low, high), for each of m contexts; (1,) without.

        This is the leakage correction: log p - log acceptance is the log density within the box. Its error is that of
        counting: sqrt(a (1 - a) / draws).
        """
        limits, draws = box(within, self.dim), _whole(draws, "draws")
        if draws == 0:
            raise Error("draws must be at least 1")
        contexts = [None] if context is None else self._rows(context, "context", self.context_dim)
        return np.array([inside(self.sample(draws, given, seed, stream)[0], limits).mean() for given in contexts])

    def workspace_size(self, count: int) -> int:
        """Bytes of workspace with which calls of up to `count` rows run at full speed."""
        return self._library.flowrt_workspace_size(self._model, _whole(count, "count"))

    def _map(self, function, values, name, context):
        values = self._rows(values, name, self.dim)
        context, context_rows = self._context(context, len(values))
        result, log_det = np.empty_like(values), np.empty(len(values), dtype=np.float32)
        arguments = _pointer(values), _pointer(context), context_rows, _pointer(result), _pointer(log_det)
        self._call(function, len(values), *arguments, stacklevel=4)
        return result, log_det

    def _call(self, function, count, *arguments, stacklevel: int = 3) -> None:
        """`stacklevel` leads from here to the caller of the public method, whom a warning is for."""
        workspace = aligned(self.workspace_size(count))
        status = function(self._model, count, *arguments, workspace.ctypes.data, len(workspace))
        if status == Status.NONFINITE:
            warnings.warn(self._message(status), NonfiniteWarning, stacklevel=stacklevel)
        else:
            self._check(status)

    def _check(self, status: int) -> None:
        if status != Status.OK:
            raise LibraryError(self._message(status), status)

    def _message(self, status: int) -> str:
        return self._library.flowrt_status_message(status).decode()

    @staticmethod
    def _rows(values, name, width) -> np.ndarray:
        rows = np.ascontiguousarray(np.atleast_2d(values), dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != width:
            raise LibraryError(f"{name} must be (n, {width}), not {np.shape(values)}", Status.ARGUMENT)
        return rows

    def _context(self, context, count: int):
        if context is None:
            if self.context_dim:
                raise LibraryError(
                    f"this flow needs a context of {self.context_dim} floats a row", Status.CONTEXT_MISSING
                )
            return None, 0
        if not self.context_dim:
            raise LibraryError(
                f"this flow takes no context, but one of shape {np.shape(context)} was given", Status.CONTEXT_UNUSED
            )
        rows = self._rows(context, "context", self.context_dim)
        if len(rows) not in (1, count):
            raise LibraryError(f"context has {len(rows)} rows, not 1 or {count}", Status.CONTEXT_ROWS)
        return rows, len(rows)


def _whole(value, name: str) -> int:
    """`value` as a C uint64_t: ctypes alone would reduce it modulo 2^64."""
    value = operator.index(value)
    if not 0 <= value < 1 << 64:
        raise LibraryError(f"{name} must be 0 .. 2^64 - 1, not {value}", Status.ARGUMENT)
    return value


def _pointer(values):
    return None if values is None else values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
