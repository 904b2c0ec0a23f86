"""Rows on which a file and a model are compared: random ones, or a user's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import reference
from ..building.arrays import float64
from ..errors import ArgumentError
from ..file import File
from ..file.codes import BaseKind, Function, Kind
from ..reference import base, functions, steps
from ..reference.conditioner import evaluate

_TRIES = 24
_OWN = 256  # rows of a user's that are compared
_LARGE = 1e30  # beyond it, float32 is about to end
_TELLING = 1e-3  # change of log p by rounding the rows that is told


class Rows(NamedTuple):
    """Data, noise, and a context for each, or None; not each other's image if they are random."""

    x: np.ndarray
    z: np.ndarray
    context: np.ndarray | None
    numbers: np.ndarray | None = None  # of a user's rows among those that he gave
    note: str = ""  # what was left out of them

    def some(self, which) -> Rows:
        """Those of a slice, of a mask or of an array of indices."""
        parts = (self.x, self.z, self.context, self.numbers)
        return Rows(*(part if part is None else part[which] for part in parts), self.note)


class Units(NamedTuple):
    """Spreads, by which values (D,) and contexts (C,) are measured; arrays that broadcast to theirs."""

    values: np.ndarray
    context: np.ndarray | None


def spread(values) -> np.ndarray:
    """(D,) the standard deviation of each column of some rows; of one row, its magnitudes."""
    with np.errstate(all="ignore"):
        found = np.std(values, axis=0) if len(values) > 1 else np.abs(values[0])
    return np.where(np.isfinite(found), found, 0.0)


def random_rows(file: File, count: int, seed: int = 0, context=None, units=None) -> Rows:
    """Data drawn from the flow itself, noise of its base, `context`; all float32-representable float64.

    Contexts that are not given are drawn from a normal of the means and standard deviations `units`, or a standard one.
    Rows are drawn again where an elementwise step or a bounded spline has no answer for them.
    """
    generator = np.random.default_rng(seed)
    if context is None and file.context_dim:
        mean, std = units or (0.0, 1.0)
        context = _float32(mean + std * generator.normal(size=(count, file.context_dim)))
    with np.errstate(all="ignore"):
        seen = encoded(file, context, count)

    def noise_rows(attempt: int) -> np.ndarray:
        """Noise: of the base, of data from a normal or from the unit box, from inside of a bounded step, in turn."""
        noise = generator.normal(size=(count, file.dim))
        kind = attempt % 4
        if kind == 0:
            return _of_base(file, noise, seen, seed + attempt)
        if kind == 3:
            return _behind_bounded_step(file, noise, seen)
        return _run(file.steps, noise if kind == 1 else functions.normal_cdf(noise), seen)[0]

    def drawn(candidates) -> np.ndarray:
        """What `candidates` makes of noise, with every row valid, if a few tries find such rows."""
        rows = np.zeros((count, file.dim))
        todo = np.ones(count, dtype=bool)
        for attempt in range(_TRIES):
            values, valid = candidates(noise_rows(attempt))
            rows = np.where(todo[:, None], values, rows)
            todo &= ~valid
            if not todo.any():
                break
        return rows

    def data(noise):
        x = _inverse(file, noise, seen)
        x = _float32(np.where(np.isfinite(x) & (np.abs(x) < _LARGE), x, noise))
        return x, defined(file, x, seen)

    def noise_that_has_data(noise):
        z = _float32(noise)
        return z, _has_data(file, z, seen)

    return Rows(drawn(data), drawn(noise_that_has_data), context)


def answered(file: File, rows: Rows) -> Rows:
    """The rows that have an answer in both directions; random ones are not found for every flow."""
    seen = encoded(file, rows.context, len(rows.x))
    return rows.some(defined(file, rows.x, seen) & _has_data(file, rows.z, seen))


def own_rows(file: File, x, context=None) -> Rows:
    """A user's data (n, D) and contexts, (n, C) or one for all; and the noise that the file finds for them.

    Of many rows 256 are taken, evenly spread; those with a NaN or an infinity, and those that the file has no answer
    for, are left out. `note` says which.

    Raises `Error` for anything else, and if no row is left.
    """
    x = _numbers("rows", x, file.dim)
    count = len(x)
    if context is not None:
        context = _numbers("contexts", context, file.context_dim)
        if len(context) not in (1, count):
            raise ArgumentError(f"there are {len(context)} contexts, not 1 or {count}")
        context = np.broadcast_to(_float32(context), (count, file.context_dim))
    elif file.context_dim:
        raise ArgumentError(f"the rows need contexts of {file.context_dim} floats each")
    usable, spoilt = _finite(x, context)
    numbers = usable[np.unique(np.linspace(0, len(usable) - 1, _OWN).astype(int))]
    context = context if context is None else context[numbers]
    exact = x[numbers]
    x = _float32(exact)
    with np.errstate(all="ignore"):
        seen = encoded(file, context, len(x))
    z, usable = _run(file.steps, x, seen)
    z = _float32(z)
    usable &= _has_data(file, z, seen)  # rounding may take a point of a bounded interval to its end
    if not usable.any():
        way = "give x in the units of the data that it was trained with"
        raise ArgumentError(f"the file has no answer for any of the rows: {way}")
    note = f"{np.count_nonzero(usable)} of {count} rows were compared{spoilt}"
    if not usable.all():
        without = numbers[~usable]
        note += f"; the file has no answer for {_counted(without)}, left out"
    change = _change(*(reference.log_prob(file, part, context)[usable] for part in (exact, x)))
    if change > _TELLING:
        note += f"; that libflowrt takes x as float32 changes log p by up to {change:.2g}"
    return Rows(x, z, context, numbers, note).some(usable)


def _finite(x: np.ndarray, context: np.ndarray | None) -> tuple[np.ndarray, str]:
    """The numbers of the rows without a NaN or an infinity, and a note about the others. Raises `Error` if none is."""
    values = {"x": x} if context is None else {"x": x, "the context": context}
    spoilt = ~np.all([np.isfinite(part).all(axis=1) for part in values.values()], axis=0)
    if not spoilt.any():
        return np.arange(len(x)), ""
    first = int(np.argmax(spoilt))
    name, column = next((name, i) for name, part in values.items() for i in np.flatnonzero(~np.isfinite(part[first])))
    text = f"a NaN or an infinity, first in column {column} of {name}: drop or fill them"
    if spoilt.all():
        raise ArgumentError(f"all {len(x)} rows have {text}")
    return np.flatnonzero(~spoilt), f"; {_counted(np.flatnonzero(spoilt))} left out, for there is {text}"


def _counted(numbers: np.ndarray) -> str:
    """`row 7`, or `9 rows (2, 5, 7, ...)`."""
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    few = ", ".join(str(number) for number in numbers[:5])
    return f"{len(numbers)} rows ({few}{', ...' if len(numbers) > 5 else ''})"


def _change(values: np.ndarray, others: np.ndarray) -> float:
    """The largest difference, relative to a value above 1."""
    with np.errstate(invalid="ignore"):
        change = np.abs(values - others) / np.maximum(np.abs(values), 1)
    return float(np.max(change, where=np.isfinite(change), initial=0.0))


def _numbers(name: str, values, width: int) -> np.ndarray:
    """`values` (n, width) as float64."""
    if width == 0:
        raise ArgumentError(f"there are {name}, but the flow takes none")
    try:
        numbers = float64(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"{name} must be numbers: {error}") from None
    rows = np.atleast_2d(numbers)
    if rows.ndim > 2 and rows[0].size == width:  # images
        rows = rows.reshape(len(rows), width)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise ArgumentError(f"{name} must be (n, {width}), not {numbers.shape}")
    return rows


def encoded(file: File, context, count: int) -> np.ndarray:
    """The context of `count` rows as the steps see it."""
    context = np.zeros((count, 0)) if context is None else context
    return context if file.encoder is None else evaluate(file.encoder.layers, context)


def _of_base(file: File, noise: np.ndarray, context: np.ndarray, seed: int) -> np.ndarray:
    """Draws of the base density; not the ends of a box, where a step behind it may have no answer."""
    if file.base.base == BaseKind.BOX_UNIFORM:
        return _in_box(file.base.lower, file.base.upper, noise)
    if file.base.base == BaseKind.STANDARD_NORMAL:
        return noise
    with np.errstate(all="ignore"):
        return base.draw(file.base, *noise.shape, context, {"seed": seed, "stream": 0, "index": 0})


def _in_box(lower, upper, noise: np.ndarray) -> np.ndarray:
    lower, upper = (np.asarray(bound, dtype=np.float64) for bound in (lower, upper))
    return lower + (upper - lower) * (0.001 + 0.998 * functions.normal_cdf(noise))


def _behind_bounded_step(file: File, noise: np.ndarray, context: np.ndarray) -> np.ndarray:
    """What the steps make of points in the interval of the last bounded one; `noise` if none is bounded."""
    for index, step in reversed(list(enumerate(file.steps))):
        if _is_bounded(step):
            return _run(file.steps[index + 1 :], _in_box(step.p[0], step.p[1], noise), context)[0]
    return noise


def _is_bounded(step) -> bool:
    """Whether both sides of a step have an interval outside of which its framework has no answer."""
    return step.kind == Kind.AUTOREGRESSIVE and step.bounded


def _inverse(file: File, z: np.ndarray, context: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        for step in reversed(file.steps):
            z, _ = steps.inverse(step, z, context)
    return z


def _has_data(file: File, z: np.ndarray, context: np.ndarray) -> np.ndarray:
    """(n,) whether noise has finite data that are `defined`."""
    x = _inverse(file, z, context)
    return np.all(np.isfinite(x), axis=1) & defined(file, x, context)


def defined(file: File, x: np.ndarray, context: np.ndarray) -> np.ndarray:
    """(n,) whether a row stays where all steps, as the framework has them, have an answer.

    `context` is what the steps see, behind the encoder; (n, 0) if there is none.
    """
    return _run(file.steps, x, context)[1]


def _run(some_steps: list, x: np.ndarray, context: np.ndarray) -> tuple:
    """What steps make of data, and what `defined` says of it."""
    valid = np.ones(len(x), dtype=bool)
    with np.errstate(all="ignore"):
        for step in some_steps:
            if _is_bounded(step):
                coordinates = x[:, step.data_index[step.passthrough :]]
                valid &= np.all((coordinates >= step.p[0]) & (coordinates <= step.p[1]), axis=1)
            before = x
            x, _, inside = steps.forward(step, x, context)
            valid &= inside
            if step.kind == Kind.ELEMENTWISE and step.margin:
                valid &= _out_of_margins(step, before, x)
    return x, valid & np.all(np.isfinite(x), axis=1)


def _out_of_margins(step, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """(n,) whether the sides of an elementwise step that lie in an interval stay away from its ends."""
    room = step.margin * (step.upper - step.lower)
    side = np.where(np.isin(step.function, (Function.LOGIT, Function.PROBIT)), v, w)
    inside = (side >= step.lower + room) & (side <= step.upper - room)
    return np.all(inside | (room <= 0), axis=1)


def _float32(values) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)
