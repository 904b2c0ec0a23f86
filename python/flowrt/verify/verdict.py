"""What a comparison means, in words: pass or not, by how many nats, on which rows, and what to do next."""

from __future__ import annotations

import numpy as np

from .rows import Rows

_LARGE = 0.01  # nats: a likelihood that is off by more than one percent


def verdict(
    name: str, against: str, errors: dict, truth: dict, rows: Rows, own: dict | None, problem: str | None
) -> str:
    """Several lines of text.

    `errors` (n,) by quantity are those of `name`, against the `truth` of what is called `against`; `own` are those of
    the framework itself in float32, None where it is not there. `problem` is the first difference that rounding does
    not explain.
    """
    which = f"{len(rows.x)} random rows of the flow itself" if rows.numbers is None else f"{len(rows.x)} of your rows"
    if problem is not None:
        said = f"verdict: FAIL. On {which}, compared with {against}: {problem}."
    else:
        said = f"verdict: pass. On {which}, {name} gives what {against} gives, but for rounding."
    error = errors["log_prob"]
    known = np.flatnonzero(np.isfinite(error) & np.isfinite(truth["log_prob"]))
    lines = [said]
    if len(known):
        worst = known[np.argmax(error[known])]
        number = worst if rows.numbers is None else rows.numbers[worst]
        lines.append(
            f"  log p     at most {_nats(error[worst])} off, in row {number}, where log p is "
            f"{truth['log_prob'][worst]:.4g}; {np.mean(error[known]):.2g} nats in the mean"
        )
    lines.append(f"  rounding  {_rounding(error[known], own, known)}")
    lines.append(f"  next      {_next(rows, error[known], problem, bool(own))}")
    return "\n".join(lines)


def _nats(error: float) -> str:
    return f"{error:.2g} nats" + (f" ({100 * np.expm1(error):.2g} % of p)" if error < 1 else "")


def _rounding(error: np.ndarray, own: dict | None, known: np.ndarray) -> str:
    if own is None:
        return "no framework is here to compare with; flowrt.save(..., verify=True) does so, where the model is"
    theirs = own["log_prob"][known]
    theirs = theirs[np.isfinite(theirs)]
    if not len(theirs):
        return "the framework itself has no finite log p in float32 on these rows"
    largest, mean = np.max(theirs), np.mean(theirs)
    return f"of the framework itself, in float32: at most {_nats(largest)}, {mean:.2g} nats in the mean"


def _next(rows: Rows, error: np.ndarray, problem: str | None, with_framework: bool) -> str:
    if problem is not None:
        return "do not use this file; save the model again, or report this with the file and `flowrt --version`"
    if len(error) and np.max(error) > _LARGE:
        return "rounding explains this, though it is large; columns of mean 0 and deviation 1 in training lose less"
    if rows.numbers is None:
        how = "flowrt.save(..., rows=x_test)" if with_framework else "flowrt verify model.flw x.csv"
        return f"use the file; {how} looks at your own data, which may lie elsewhere"
    return "use the file"
