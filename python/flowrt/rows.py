"""Rows on which a file and a model are compared: random ones, or a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import ExportError
from .format import File
from .format.codes import BaseKind, Function, Kind
from .reference import functions, steps
from .reference.conditioner import evaluate

_TRIES = 20
_OWN = 256  # rows of a user's that are compared


class Rows(NamedTuple):
    """Data, noise, and a context for each, or None; not each other's image if they are random."""

    x: np.ndarray
    z: np.ndarray
    context: np.ndarray | None


def random_rows(file: File, count: int, seed: int = 0, given=None) -> Rows:
    """Data drawn from the flow itself, noise, context (random unless `given`); all float32-representable float64.

    Rows are drawn again where an elementwise step or a bounded spline has no answer for them.
    """
    generator = np.random.default_rng(seed)
    if given is None and file.context_dim:
        given = _float32(generator.normal(size=(count, file.context_dim)))
    context = encoded(file, given, count)

    def noise_rows(attempt: int) -> np.ndarray:
        """Noise: of the base by and by, then of data from a normal and from the unit box."""
        noise = generator.normal(size=(count, file.dim))
        if attempt % 3 == 0:
            return _in_box(file.base, noise) if file.base.base == BaseKind.BOX_UNIFORM else noise
        x = noise if attempt % 3 == 1 else functions.normal_cdf(noise)
        return _run(file, x, context)[0]

    def drawn(accepted) -> np.ndarray:
        """What noise is mapped to, with every row `accepted`, if a few tries find such rows."""
        rows = np.zeros((count, file.dim))
        todo = np.ones(count, dtype=bool)
        for attempt in range(_TRIES):
            values, valid = accepted(noise_rows(attempt))
            rows = np.where(todo[:, None], values, rows)
            todo &= ~valid
            if not todo.any():
                break
        return rows

    def data(noise):
        x = _inverse(file, noise, context)
        x = _float32(np.where(np.isfinite(x) & (np.abs(x) < 1e6), x, noise))
        return x, defined(file, x, context)

    def noise_that_has_data(noise):
        z = _float32(noise)
        x = _inverse(file, z, context)
        return z, np.all(np.isfinite(x), axis=1) & defined(file, x, context)

    return Rows(drawn(data), drawn(noise_that_has_data), given)


def own_rows(file: File, given) -> Rows:
    """A user's data (n, D), or a pair of data and contexts, (n, C) or one for all; and the noise that the file finds.

    Of many rows 256 are taken, evenly spread; those that the file has no answer for are left out.

    Raises `ExportError` for anything else, and if no row is left.
    """
    x, context = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    x = _numbers("rows", x, file.dim)
    if (context is not None) != (file.context_dim > 0):
        raise ExportError(
            f"rows must be a pair of data and contexts of {file.context_dim} floats each"
            if file.context_dim
            else "there are contexts, but the flow takes none"
        )
    some = np.unique(np.linspace(0, len(x) - 1, _OWN).astype(int))
    if context is not None:
        context = _numbers("contexts", context, file.context_dim)
        if len(context) not in (1, len(x)):
            raise ExportError(f"there are {len(context)} contexts, not 1 or {len(x)}")
        context = np.broadcast_to(context, (len(x), file.context_dim))[some]
    x = x[some]
    z, usable = _run(file, x, encoded(file, context, len(x)))
    with np.errstate(over="ignore"):
        z = _float32(z)
    usable &= np.all(np.isfinite(z), axis=1)
    if not usable.any():
        raise ExportError("the flow has no answer for any of the rows")
    return Rows(x[usable], z[usable], None if context is None else context[usable])


def _numbers(name: str, values, width: int) -> np.ndarray:
    """`values` (n, width) as float32-representable float64."""
    try:
        values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ExportError(f"{name} must be numbers: {error}") from None
    if values.ndim != 2 or values.shape[1] != width or not len(values):
        raise ExportError(f"{name} must be (n, {width}), not {values.shape}")
    with np.errstate(over="ignore"):
        return _float32(values)


def encoded(file: File, context, count: int) -> np.ndarray:
    """The context of `count` rows as the steps see it."""
    context = np.zeros((count, 0)) if context is None else context
    return context if file.encoder is None else evaluate(file.encoder.layers, context)


def _in_box(base, noise: np.ndarray) -> np.ndarray:
    lower, upper = (np.asarray(bound, dtype=np.float64) for bound in (base.lower, base.upper))
    return lower + (upper - lower) * (0.001 + 0.998 * functions.normal_cdf(noise))


def _inverse(file: File, z: np.ndarray, context: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        for step in reversed(file.steps):
            z, _ = steps.inverse(step, z, context)
    return z


def defined(file: File, x: np.ndarray, context: np.ndarray) -> np.ndarray:
    """(n,) whether a row stays where all steps, as the framework has them, have an answer.

    `context` is what the steps see, behind the encoder; (n, 0) if there is none.
    """
    return _run(file, x, context)[1]


def _run(file: File, x: np.ndarray, context: np.ndarray) -> tuple:
    """z, and what `defined` says."""
    defined = np.ones(len(x), dtype=bool)
    with np.errstate(all="ignore"):
        for step in file.steps:
            if step.kind == Kind.AUTOREGRESSIVE and step.bounded:  # both sides of it have the same interval
                inside = x[:, step.data_index[step.passthrough :]]
                defined &= np.all((inside >= step.p[0]) & (inside <= step.p[1]), axis=1)
            before = x
            x, _, inside = steps.forward(step, x, context)
            defined &= inside
            if step.kind == Kind.ELEMENTWISE and step.margin:
                defined &= _out_of_margins(step, before, x)
    return x, defined & np.all(np.isfinite(x), axis=1)


def _out_of_margins(step, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """(n,) whether the sides of an elementwise step that lie in an interval stay away from its ends."""
    room = step.margin * (step.upper - step.lower)
    side = np.where(np.isin(step.function, (Function.LOGIT, Function.PROBIT)), v, w)
    inside = (side >= step.lower + room) & (side <= step.upper - room)
    return np.all(inside | (room <= 0), axis=1)


def _float32(values) -> np.ndarray:
    return values.astype(np.float32).astype(np.float64)
