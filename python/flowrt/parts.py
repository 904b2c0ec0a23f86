"""A call in parts: a few rows at a time, by one thread or several, so that Ctrl-C and progress come between them.

    rows      0 ........................................ count
    parts     |----|----|----|----|----|----|----|----|--|      multiples of a tile, in one group of rows each
    workers   1    2    1    2    2    1    2    1    1         each takes the next part when it is ready

Results do not depend on the parts: a row's bits do not depend on the rows around it. libflowrt runs without the global
lock of Python, so that threads run at the same time.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple, Optional, Union

from .errors import ArgumentError

Progress = Union[bool, Callable[[int, int], object]]

_TILE = 64  # rows that the library evaluates together, at most
_WORK = 4e8  # floating point operations in a part: a tenth of a second on a slow CPU, a millisecond on a fast one
_LEAST = 4e6  # of these; less than that is done before a thread is there
_MOST = 1 << 16


class Part(NamedTuple):
    """Rows start .. stop - 1."""

    start: int
    stop: int


def rows_in_part(count: int, work: float, threads: int) -> int:
    """How many rows a part has, if a row takes `work` operations: a multiple of a tile."""
    work = max(work, 1.0)
    most = min(_WORK / work, _MOST)
    if threads > 1:
        most = min(most, max(count / threads, _LEAST / work))
    return max(1, -(-int(most) // _TILE)) * _TILE


def parts_of(count: int, each: int, group: int) -> list[Part]:
    """Parts of up to `each` rows; where groups of rows fill tiles, no part has rows of two."""
    group = group if group >= _TILE // 2 else count
    return [
        Part(start, min(start + each, first + group))
        for first in range(0, count, max(group, 1))
        for start in range(first, first + group, each)
    ]


def thread_count(threads: int) -> int:
    """`threads`, or for 0 the CPUs that this process may use."""
    if not hasattr(threads, "__index__"):
        raise TypeError(f"threads must be a whole number, not {threads!r} of {type(threads).__name__}")
    if threads < 0:
        raise ArgumentError(f"threads must be 0 (all CPUs) or more, not {threads}")
    return threads or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def run(
    parts: list[Part], worker: Callable[[], Callable[[Part], None]], threads: int, progress: Progress, what: str
) -> None:
    """Calls what `worker()` returns, made once for each thread, with all parts.

    The first exception, or Ctrl-C, ends all threads after the part that they are at, and is raised.
    """
    if len(parts) < 2 and not progress:
        for part in parts:
            worker()(part)
        return
    total = parts[-1].stop if parts else 0
    report = _reporter(progress, what)
    done, lock, stop, todo = 0, threading.Lock(), threading.Event(), iter(parts)

    def work() -> None:
        nonlocal done
        evaluate = worker()
        try:
            while not stop.is_set():
                with lock:
                    part = next(todo, None)
                if part is None:
                    return
                evaluate(part)
                with lock:
                    done += part.stop - part.start
                    if report is not None:
                        report(done, total)
        finally:
            stop.set()  # nothing is left to do, or nothing shall be done

    if threads == 1 or len(parts) < 2:
        work()
        return
    with ThreadPoolExecutor(min(threads, len(parts)), "flowrt") as pool:
        futures = [pool.submit(work) for _ in range(min(threads, len(parts)))]
        try:
            for future in futures:
                future.result()
        finally:
            stop.set()


def _reporter(progress: Progress, what: str) -> Optional[Callable[[int, int], object]]:
    if callable(progress):
        return progress
    return _Line(what) if progress else None


class _Line:
    """A line on standard error: how many rows are done, and how long the rest may take. Written five times a second."""

    def __init__(self, what: str):
        self.what, self.begun, self.shown = what, time.monotonic(), 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self.shown < 0.2:
            return
        self.shown, taken = now, now - self.begun
        left = f"{taken * (total - done) / done:.0f} s left" if done < total else f"in {taken:.1f} s"
        text = f"\rflowrt: {self.what} {done:,} of {total:,} rows, {100 * done // total} %, {left}   "
        print(text, end="\n" if done == total else "", file=sys.stderr, flush=True)
