"""A density with the methods of scikit-learn's `KernelDensity`: for pipelines, thresholds and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def estimator(density: Any, context: Any = None) -> Any:
    """A `DensityEstimator`, which is a `BaseEstimator` where scikit-learn is installed."""
    try:
        from sklearn.base import BaseEstimator, DensityMixin
    except ImportError:
        return DensityEstimator(density, context)
    return _of_sklearn(DensityMixin, BaseEstimator)(density, context)


class DensityEstimator:
    """A trained flow: `fit` only looks at the shape of its data.

    `context` is one for all rows, for a flow that takes one. log p is float64, of results in float32.
    """

    def __init__(self, density: Any, context: Any = None):
        self.density = density
        self.context = context

    def fit(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        """Returns itself; raises `LibraryError` for rows that are not the flow's."""
        self.density.log_prob(X[:1], self.context)
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """(n,) log p of each row."""
        values: npt.NDArray[np.float64] = self.density.log_prob(X, self.context).astype(np.float64)
        return values

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """The sum of log p over all rows."""
        return float(np.sum(self.score_samples(X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """(n, D) draws: anew, or of a whole number, or of a NumPy generator."""
        return self.density.sample(n_samples, self.context, seed=random_state)

    def __sklearn_is_fitted__(self) -> bool:
        return True


_CLASSES: dict[tuple[type, ...], type] = {}


def _of_sklearn(*bases: type) -> type:
    """`DensityEstimator` with these bases, which have its parameters, its tags and its picture in notebooks."""
    if bases not in _CLASSES:
        _CLASSES[bases] = type(
            DensityEstimator.__name__,
            (DensityEstimator, *bases),
            {"__module__": __name__, "__doc__": DensityEstimator.__doc__, "__reduce__": _reduce},
        )
    return _CLASSES[bases]


def _reduce(self: Any) -> tuple[Any, ...]:
    return estimator, (self.density, self.context)
