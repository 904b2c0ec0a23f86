"""Whether a file has the formulas of a model: both are evaluated in float64, near the data and on the way to far rows.

A file is refused for a difference that float64 does not explain (`sensitivity`) and that holds around the row. It must
be found on the rows that decide: a user's own or, if there are none, random ones in the units of the model; or farther
away, where float64 is still good. Of other differences far away a warning tells: there, float64 itself parts.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ..errors import ExportError
from ..file import File
from .rows import Rows, Units, defined, encoded, random_rows, spread
from .sensitivity import Evaluator, changes, row_differences, row_sizes

NEAR = 16  # random rows of the flow itself
_FEW = 4  # of them are moved away,
_FAR = (1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0)  # so many times as far from the middle of all,
_WIDE = (3.0, 10.0, 30.0, 100.0, 1e3, 1e4)  # or are given contexts so many standard deviations from the mean
_SMALL = 16  # coordinates; a flow of more is compared on a quarter of these rows

_AGREE = 1e-6  # of the size of a row's results: no formula of a flow has smaller constants
_MOVED = 1e-9  # by which all that is rounded is moved, with room for frameworks less careful than a file
_MOVED_FAR = 1e-6  # the same far away: constants of this size guard the divisions of some frameworks
_ROOM = 4.0
_GOOD = 1e-3  # where float64 is still good far away: it explains less than this share of a result,
_PLAIN = 250.0  # and a difference proves something if it is that many times as large
_TRIED = 8  # differences at one place that are looked at more closely
_AROUND, _AWAY = 8, 1e-3  # rows around one that differs, and how far from it in spreads

_LARGEST = np.finfo(np.float32).max


class Direction(NamedTuple):
    """One direction of a flow, whose results that are rows come in their own units: (w - middle) / spread."""

    name: str
    values: np.ndarray  # (D,) the spread of what goes in
    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def between(cls, name: str, given: np.ndarray, result: np.ndarray) -> Direction:
        units = spread(result)
        return cls(name, spread(given), result.mean(axis=0), np.where(units > 0, units, 1.0))

    def __call__(self, flow, values, context) -> dict:
        if self.name == "data":
            z, log_det = flow.forward(values, context)
            return {"z": self._own(z), "log_det": log_det, "log_prob": flow.log_prob(values, context)}
        x, log_det = flow.inverse(values, context)
        return {"x": self._own(x), "log_det of the inverse": log_det}

    def _own(self, rows):
        return (np.asarray(rows, dtype=np.float64) - self.middle) / self.spread

    def theirs(self, rows):
        """What `_own` was made of."""
        return rows * self.spread + self.middle

    @property
    def rounding(self) -> float:
        """What the difference of rows and their middle has of float64's rounding of rows."""
        return float(np.max(np.finfo(np.float64).eps * np.abs(self.middle) / self.spread))


class Place(NamedTuple):
    """Rows, and what is said of them in messages."""

    label: str
    rows: Rows
    decides: bool  # whether any difference here is one of formulas


class Difference(NamedTuple):
    """Of one result of one row. `worst` and `explained`, by float64, are standard deviations if it is a row itself."""

    quantity: str
    row: int
    size: float
    worst: float
    explained: float
    coordinate: int  # the first that differs, of a result that is a row
    ours: float
    theirs: float

    @property
    def is_found_in_good_float64(self) -> bool:
        return self.explained <= min(_GOOD * self.size, self.worst / _PLAIN)

    def text(self, place: Place) -> str:
        number = self.row if place.rows.numbers is None else place.rows.numbers[self.row]
        where, unit = "", ""
        if self.quantity in ("x", "z"):
            where, unit = f", coordinate {self.coordinate}", " standard deviations"
        return (
            f"its {self.quantity} differs by {self.worst:.2g}{unit} from what the model computes, first in row "
            f"{number} of {place.label}{where}: {self.theirs:.9g} in the model, {self.ours:.9g} in the file, both in "
            f"float64, which explains at most {self.explained:.1g}"
        )


def same_formulas(exact: File, live, name: str, own: Rows | None = None) -> None:
    """Raises `ExportError` unless the unrounded file computes what the live float64 model does, in both directions.

    Warns of differences that decide nothing: far away, where float64 is no longer good, and on random rows if a user's
    `own` agree.
    """
    comparison = _Formulas(exact, live, name, own)
    for place in comparison.places():
        comparison.compare(place)
    comparison.finish()


class _Formulas:
    def __init__(self, exact: File, live, name: str, own: Rows | None):
        self.exact, self.live, self.name, self.own = exact, live, name, own
        self.near = random_rows(exact, NEAR, units=live.units)
        rows = self.near if own is None else own
        self.of_data = Direction.between("data", rows.x, rows.z)
        self.of_noise = Direction.between("noise", rows.z, rows.x)
        self.compared = {"data": 0, "noise": 0}
        self.undecided: list[str] = []

    # ---- rows ----

    def places(self):
        """A user's rows, random ones, and those on the way from these to far ones, the nearest first."""
        every = 1 if self.exact.dim <= _SMALL else 4  # a sequential direction evaluates its networks D times
        near, few = (self.near.some(slice(0, count, every)) for count in (NEAR, _FEW))
        if self.own is not None:
            yield Place("your rows", self.own, True)
        yield Place("random rows of the flow itself", near, self.own is None)
        middles = self.near.x.mean(axis=0), self.near.z.mean(axis=0)
        for scale in _FAR:
            x, z = (middle + scale * (side - middle) for middle, side in zip(middles, (few.x, few.z)))
            yield Place(f"random rows {scale:g} times as far from their middle", few._replace(x=x, z=z), False)
        if near.context is None:
            return
        mean, _ = self.live.units or (0.0, 1.0)
        where = "of a size of {:g}" if self.live.units is None else "{:g} standard deviations from their mean"
        for scale in _WIDE:
            context = mean + scale * (few.context - mean)
            yield Place(f"random rows with contexts {where.format(scale)}", few._replace(context=context), False)

    def _units(self, function, rows: Rows) -> Units:
        context = None if rows.context is None else spread(rows.context)
        if context is not None and self.live.units is not None:
            context = self.live.units[1]
        return Units(function.values, context)

    # ---- comparison ----

    def compare(self, place: Place) -> None:
        """Raises `ExportError` for a difference that proves another formula; keeps others for `finish`."""
        for function, values in ((self.of_data, place.rows.x), (self.of_noise, place.rows.z)):
            for number, difference in enumerate(self._differences(function, values, place.rows, place.decides)):
                proves = place.decides or (self.own is None and difference.is_found_in_good_float64)
                if proves and number < _TRIED and self._holds(function, values, place, difference):
                    raise ExportError(self._refusal(difference, place))
                self.undecided.append(difference.text(place))

    def _differences(self, function, values, rows: Rows, strict: bool) -> list:
        """What float64 does not explain; with `strict`, also that the model has no finite result where the file has."""
        exact, context = self.exact, rows.context
        with np.errstate(all="ignore"):
            found = function(Evaluator(exact), values, context)
            data = function.theirs(found["x"]) if "x" in found else values
            usable = defined(exact, data, encoded(exact, context, len(data)))
            # Far away, rows whose results no float32 holds decide nothing: a file's results are float32.
            held = [(np.abs(part.reshape(len(data), -1)) <= _LARGEST).all(axis=1) for part in found.values()]
            usable &= strict | np.all(held, axis=0)
        usable = np.flatnonzero(usable)
        if not len(usable):
            return []
        values, context = values[usable], None if context is None else context[usable]
        expected = self._answers(function, values, context, strict)
        if expected is None:
            return []
        self.compared[function.name] += len(usable)
        found = {quantity: numbers[usable] for quantity, numbers in found.items()}
        beyond = {}
        for quantity, theirs in expected.items():
            if not strict:  # a framework may overflow far away
                theirs = np.where(np.isfinite(theirs), theirs, found[quantity])
            difference, size = row_differences(found[quantity], theirs), row_sizes(theirs)
            beyond[quantity] = ~(difference <= _AGREE * size)
        if not np.any([*beyond.values()]):
            return []
        share = _MOVED if strict else _MOVED_FAR
        asked = np.any([*beyond.values()], axis=0)  # the rows that differ at all
        few = values[asked], None if context is None else context[asked]
        with np.errstate(all="ignore"):
            moved = changes(function, exact, *few, self._units(function, rows), share)
        explained = {quantity: np.zeros(len(values)) for quantity in moved}
        for quantity, change in moved.items():
            explained[quantity][asked] = change
        results = []
        for quantity, theirs in expected.items():
            ours, by_float64 = found[quantity], _ROOM * (explained[quantity] + function.rounding)
            difference, size = row_differences(ours, theirs), row_sizes(theirs)
            allowed = _AGREE * size + by_float64
            for row in np.flatnonzero(beyond[quantity] & ~(difference <= allowed)):
                pair = np.stack([np.ravel(ours[row]), np.ravel(theirs[row])])
                with np.errstate(all="ignore"):
                    coordinate = int(np.argmax(~(np.abs(pair[0] - pair[1]) <= allowed[row])))
                pair = function.theirs(pair) if quantity in ("x", "z") else pair
                figures = size[row], difference[row], by_float64[row], coordinate, *pair[:, coordinate]
                results.append(Difference(quantity, int(usable[row]), *figures))
        return results

    def _answers(self, function, values, context, strict: bool) -> dict | None:
        """What the model gives; NaN for a row that it raises an error for, None if it does for all far ones."""
        try:
            return function(self.live, values, context)
        except Exception as error:
            answers, last = [], error
        for row in range(len(values)):
            one = slice(row, row + 1)
            try:
                answers.append(function(self.live, values[one], None if context is None else context[one]))
            except Exception as error:
                answers.append(None)
                last = error
        known = next((answer for answer in answers if answer is not None), None)
        if known is None:
            if strict:
                raise last
            return None
        without = {quantity: np.full_like(numbers, np.nan) for quantity, numbers in known.items()}
        rows = [without if answer is None else answer for answer in answers]
        return {quantity: np.concatenate([row[quantity] for row in rows]) for quantity in known}

    def _holds(self, function, values, place: Place, difference: Difference) -> bool:
        """Whether most rows around one differ, too: some frameworks are off at single points, as on knots."""
        rows = place.rows.some([difference.row] * _AROUND)
        units = self._units(function, place.rows).values
        away = _AWAY * units * np.random.default_rng(2).normal(size=(_AROUND, values.shape[1]))
        found = self._differences(function, values[difference.row] + away, rows, place.decides)
        return 2 * sum(other.quantity == difference.quantity for other in found) > _AROUND

    # ---- what is said ----

    def _refusal(self, difference: Difference, place: Place) -> str:
        advice = "compare the model there with its parts, or give rows of your own (rows=...), which then decide"
        if self.own is not None:
            advice = "compare the model with its parts on this row; nothing was written"
        return f"the layers of {self.name} were all recognised, but {difference.text(place)}; {advice}"

    def finish(self) -> None:
        if not all(self.compared.values()):
            raise nothing_to_compare()
        if self.undecided:
            others = len(self.undecided) - 1
            more = f" ({others} more such differences)" if others else ""
            warnings.warn(
                f"the file of {self.name} agrees with the model where that was decided, but {self.undecided[0]}{more}; "
                "rows of your own (rows=...) tell whether that matters",
                stacklevel=5,
            )


def nothing_to_compare() -> ExportError:
    return ExportError(
        "no random rows were found that the flow has an answer for, so it cannot be compared with the model: give some "
        "of your own (rows=...)"
    )
