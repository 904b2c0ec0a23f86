"""What `torch.live.TorchModel` is for PyTorch, for frameworks whose results are given as NumPy arrays."""

from __future__ import annotations

import numpy as np


class ArrayModel:
    """A framework's own evaluation of a model.

    `forward(x, context)` gives (z, log_det), `inverse(z, context)` gives (x, log_det), `base_log_prob(z)` the log
    density of z: functions from and to arrays that `numpy.asarray` understands. For a model that gives its user a log
    density, `density(x, context)` is that. `units` are means and standard deviations (C,) of the contexts, where the
    model standardises them.
    """

    def __init__(self, forward, inverse, base_log_prob=None, density=None, units=None):
        self._forward = forward
        self._inverse = inverse
        self._base_log_prob = base_log_prob
        self._density = density
        self.units = units

    def forward(self, x, context=None):
        """x (n, D) to z (n, D) and log|det dz/dx| (n,), as NumPy arrays."""
        return _rows(self._forward(x, context))

    def inverse(self, z, context=None):
        """z (n, D) to x (n, D) and log|det dx/dz| (n,), as NumPy arrays."""
        return _rows(self._inverse(z, context))

    def log_prob(self, x, context=None):
        """(n,) log p(x | context)."""
        if self._density is not None:
            return np.asarray(self._density(x, context))
        z, log_det = self.forward(x, context)
        return np.asarray(self._base_log_prob(z)) + log_det


def of_few_shapes(function):
    """`function(values, context)`, which gives arrays of rows, called with a power of 2 of rows, of which many are one.

    JAX compiles a function anew for each number of rows, which takes seconds.
    """

    def called(values, context=None):
        count = len(values)
        rows = np.minimum(np.arange(1 << max(4, (count - 1).bit_length())), count - 1)
        results = function(np.asarray(values)[rows], None if context is None else np.asarray(context)[rows])
        return results[:count] if isinstance(results, np.ndarray) else [part[:count] for part in results]

    return called


def _rows(result) -> list:
    """A log-determinant that is the same for all rows may come as one number."""
    values, log_det = (np.asarray(part) for part in result)
    return [values, np.broadcast_to(log_det, len(values)).copy()]


def standard_normal_log_prob(z):
    """(n,) log density of a standard normal."""
    return -0.5 * np.sum(z * z + np.log(2 * np.pi), axis=-1)
