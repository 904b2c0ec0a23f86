"""`Density`: what a flow and a mixture of flows have in common for those who call them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal, Optional, SupportsIndex, Union, overload

import numpy as np
import numpy.typing as npt

from .arguments import Batch, Floats, batch, rows_of, seed_of, whole
from .bounds import box, inside, sample_within
from .bridges.arrow import ArrowDensity
from .bridges.jax import JaxDensity
from .bridges.sklearn import estimator
from .bridges.torch import TorchDensity
from .columns import Labels, labels_of
from .errors import ArgumentError, Status
from .parts import Progress

Seed = Union[None, SupportsIndex, np.random.Generator, np.random.RandomState]


@dataclass(frozen=True)
class Draws:
    """Draws index, index + 1, ... of (seed, stream)."""

    seed: int
    stream: int
    index: int

    def after(self, count: int) -> Draws:
        return replace(self, index=(self.index + count) % (1 << 64))


class Density(ABC):
    """log p(x | context) and draws of it. Rows, contexts and tables are taken as `Model` says."""

    dim: int
    context_dim: int
    names: Optional[tuple[str, ...]]
    context_names: Optional[tuple[str, ...]]
    shape: Optional[tuple[int, ...]] = None  # of x, if it is an image,
    context_shape: Optional[tuple[int, ...]] = None  # and of the context
    threads: int

    @abstractmethod
    def log_prob(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> Floats:
        """(n,) log p(x | context) in nats."""

    @abstractmethod
    def log_prob_gradient(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> tuple[Floats, Floats, Optional[Floats]]:
        """log p (n,), its gradient by x (n, D), and by each row's context (n, C): None for a flow without one."""

    @abstractmethod
    def _draw(
        self, rows: Batch, draws: Draws, threads: Optional[int], progress: Progress, *, log_prob: bool
    ) -> tuple[Floats, Optional[Floats]]:
        """A draw for each of `rows`, (count, D), and their log p, if it is asked for."""

    @overload
    def sample(
        self,
        n: SupportsIndex,
        context: Optional[npt.ArrayLike] = ...,
        seed: Seed = ...,
        stream: SupportsIndex = ...,
        index: SupportsIndex = ...,
        *,
        log_prob: Literal[False] = ...,
        within: Any = ...,
        most_draws: SupportsIndex = ...,
        threads: Optional[int] = ...,
        progress: Progress = ...,
    ) -> Floats: ...

    @overload
    def sample(
        self,
        n: SupportsIndex,
        context: Optional[npt.ArrayLike] = ...,
        seed: Seed = ...,
        stream: SupportsIndex = ...,
        index: SupportsIndex = ...,
        *,
        log_prob: Literal[True],
        within: Any = ...,
        most_draws: SupportsIndex = ...,
        threads: Optional[int] = ...,
        progress: Progress = ...,
    ) -> tuple[Floats, Floats]: ...

    def sample(
        self,
        n: SupportsIndex,
        context: Optional[npt.ArrayLike] = None,
        seed: Seed = None,
        stream: SupportsIndex = 0,
        index: SupportsIndex = 0,
        *,
        log_prob: bool = False,
        within: Any = None,
        most_draws: SupportsIndex = 1000,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> Union[Floats, tuple[Floats, Floats]]:
        """n draws x (n, D); with `log_prob` also log p(x | context) (n,), as a pair.

        Each call draws anew if `seed` is None, or a NumPy generator, from which it takes a seed. With a whole number
        these are the draws index .. index + n - 1 of (seed, stream). Each is a pure function of the three numbers,
        0 .. 2^64 - 1, and its context, however the draws are split into calls.

        `context` is one for all draws, (C,) or (1, C), or one for each, (n, C). For n draws of each of m contexts give
        contexts (m, 1, C), such as `contexts[:, None]`, of a table `model.as_contexts(table)[:, None]`: x is (m, n, D)
        then, and draw j of context i has the number index + i n + j.

        With `within`, (low, high) of numbers, vectors (D,) or rows of a table, rows outside of that box are drawn
        again, with the draws that follow. log p remains that of the flow: the density of what is returned is larger by
        -log `acceptance`. After `most_draws` draws a row `Error` says how many were in the box.
        """
        rows = self._batch(None, context, count=whole(n, "n"), name="n")
        draws = Draws(seed_of(seed), whole(stream, "stream"), whole(index, "index"))
        if within is None:
            x, density = self._draw(rows, draws, threads, progress, log_prob=log_prob)
        else:
            limits, most = box(within, self.dim, self.names), whole(most_draws, "most_draws")

            def draw(contexts: Optional[Floats], count: int, drawn: int) -> tuple[Floats, Floats]:
                names = Labels(columns=rows.context_labels.columns)  # contexts come in another order
                again = Batch((count,), count, None, contexts, context_labels=names)
                found, density = self._draw(again, draws.after(drawn), threads, progress, log_prob=True)
                assert density is not None
                return found, density

            x, density = sample_within(draw, rows, self.dim, limits, most)
        x = x.reshape(*rows.shape, self.dim)
        return (x, density.reshape(rows.shape)) if log_prob and density is not None else x

    def acceptance(
        self,
        context: Optional[npt.ArrayLike] = None,
        *,
        within: Any,
        draws: SupportsIndex = 10_000,
        seed: Seed = 0,
        stream: SupportsIndex = 0,
    ) -> npt.NDArray[np.float64]:
        """(m,) the share of the flow's draws within the box (low, high), for each of m contexts; (1,) without.

        `within` is that of `sample`. This is the leakage correction: log p - log acceptance is the log density within
        the box. Its error is that of counting: sqrt(a (1 - a) / draws).
        """
        limits, count = box(within, self.dim, self.names), whole(draws, "draws")
        if count == 0:
            raise ArgumentError("draws must be at least 1, not 0")
        given = self._contexts(context)
        contexts = [None] if given is None else given.reshape(-1, self.context_dim)
        start = seed_of(seed)
        return np.array([inside(self.sample(count, one, start, stream), limits).mean() for one in contexts])

    # ---- tables ----

    def as_rows(self, x: npt.ArrayLike) -> Floats:
        """x as it is read: (n, D) in float32, the columns of a table found by their names.

        A table has no axis to add: for all its rows with each of m contexts give `model.as_rows(table)[None]`.
        """
        return rows_of(x, "x", self.dim, self.names)

    def as_contexts(self, context: npt.ArrayLike) -> Floats:
        """Contexts as they are read: (m, C) in float32, the columns of a table found by their names.

        For n draws of each row of a table: `model.sample(n, model.as_contexts(table)[:, None])`.
        """
        found = self._contexts(context)
        assert found is not None  # `_contexts` refuses one for a flow without context
        return found

    # ---- other libraries ----

    def sklearn(self, context: Optional[npt.ArrayLike] = None) -> Any:
        """With `score_samples`, `score` and `sample` as an estimator of scikit-learn, given one context for all rows.

        It is a `BaseEstimator` where scikit-learn is installed.
        """
        return estimator(self, context)

    def torch(self) -> TorchDensity:
        """For PyTorch tensors. `log_prob` has gradients, by x and by the context, for `backward`."""
        return TorchDensity(self)

    def jax(self) -> JaxDensity:
        """For JAX arrays, in `jit` and `vmap`. `log_prob` has gradients, by x and by the context, for `grad`."""
        return JaxDensity(self)

    def arrow(self) -> ArrowDensity:
        """For tables, record batches and arrays of Arrow."""
        return ArrowDensity(self)

    # ---- arguments ----

    def _batch(
        self,
        x: Any,
        context: Optional[npt.ArrayLike],
        *,
        count: Optional[int] = None,
        name: str = "x",
    ) -> Batch:
        names = self.names if name == "x" else None  # columns of noise have none
        shape = self.shape if name == "x" else None
        rows = None if x is None and count is not None else rows_of(x, name, self.dim, names, shape)
        labels, context_labels = labels_of(x, names), labels_of(context, self.context_names)
        contexts = self._contexts(context)
        return batch(rows, contexts, count=count, name=name, labels=labels, context_labels=context_labels)

    def _contexts(self, context: Optional[npt.ArrayLike]) -> Optional[Floats]:
        """(..., C), checked; None for a flow without context."""
        if context is None:
            if self.context_dim:
                text = f"this flow needs a context of {self.context_dim} floats a row"
                raise ArgumentError(text, Status.CONTEXT_MISSING)
            return None
        if not self.context_dim:
            text = f"this flow takes no context, but one of shape {np.shape(context)} was given"
            raise ArgumentError(text, Status.CONTEXT_UNUSED)
        return rows_of(context, "context", self.context_dim, self.context_names, self.context_shape)
