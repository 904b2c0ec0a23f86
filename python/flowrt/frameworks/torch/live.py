"""A framework's own evaluation of a model, in NumPy terms: what an exported file is compared with."""

from __future__ import annotations

import numpy as np

from ...errors import ExportError
from .plain import deep_copy


class TorchModel:
    """Evaluates a copy of a model in evaluation mode with `dtype` (torch.float32 or torch.float64).

    `forward(x, context)` gives (z, log_det), `inverse(z, context)` gives (x, log_det), `base_log_prob(z, context)` the
    log density of z; a `base_log_prob` of None is the standard normal. `density(x, context)` is the log density that
    the model itself gives a user; for None, which is for a model that gives none, it is made of the others. All take
    and return tensors. `units` are means and standard deviations (C,) of the contexts that the model was made for, if
    it knows them.
    """

    def __init__(self, dtype, forward, inverse, base_log_prob=None, density=None, units=None):
        self.dtype = dtype
        self.units = units
        self._forward = forward
        self._inverse = inverse
        self._base_log_prob = base_log_prob or standard_normal_log_prob
        self._density = density

    @staticmethod
    def copy_of(module, dtype, instead=None):
        """A deep copy of a module with another floating-point type, in evaluation mode.

        `instead` has what stands in the copy for some objects of the module, by their `id`.
        """
        return deep_copy(module, instead).cpu().to(dtype).eval()

    def given(self, embed) -> TorchModel:
        """This model behind an embedding: a context goes through `embed`, a function of tensors, first."""

        def embedded(function):
            return lambda values, context: function(values, embed(context))

        return TorchModel(self.dtype, *map(embedded, (self._forward, self._inverse, self._base_log_prob)))

    def with_density(self, density, units=None) -> TorchModel:
        """This model as a part of another one, which has the log density and the units of the context."""
        return TorchModel(self.dtype, self._forward, self._inverse, self._base_log_prob, density, units)

    def forward(self, x, context=None):
        """x (n, D) to z (n, D) and log|det dz/dx| (n,), as NumPy arrays."""
        return self._call(self._forward, x, context)

    def inverse(self, z, context=None):
        """z (n, D) to x (n, D) and log|det dx/dz| (n,), as NumPy arrays."""
        return self._call(self._inverse, z, context)

    def log_prob(self, x, context=None):
        """(n,) log p(x | context)."""

        def of_parts(x, context):
            z, log_det = self._forward(x, context)
            return self._base_log_prob(z, context) + log_det

        density = self._density or of_parts
        return self._call(lambda x, context: (density(x, context),), x, context)[0]

    def _call(self, function, values, context):
        import torch

        values = torch.as_tensor(np.asarray(values), dtype=self.dtype)
        context = None if context is None else torch.as_tensor(np.asarray(context), dtype=self.dtype)
        default, validates = torch.get_default_dtype(), torch.distributions.Distribution._validate_args
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the rows are few, and passes many: threads would wait for each other
        torch.set_default_dtype(self.dtype)  # Pyro's sequential inverse starts from zeros of the default type
        torch.distributions.Distribution.set_default_validate_args(False)  # NaN and infinity are results here
        try:
            with torch.no_grad():
                return [result.numpy().copy() for result in function(values, context)]
        except (RuntimeError, TypeError, ValueError) as error:
            raise ExportError(f"the live model cannot be evaluated in {self.dtype}: {error}") from None
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(default)
            torch.distributions.Distribution.set_default_validate_args(validates)


def normal_log_prob(z, mean, std):
    """Log density of a diagonal normal, by torch, for any z: NaN and infinity are results here, not errors."""
    import torch

    return torch.distributions.Normal(mean, std, validate_args=False).log_prob(z).sum(dim=-1)


def standard_normal_log_prob(z, context):
    """Log density of a standard normal, which takes no notice of the context."""
    return normal_log_prob(z, 0.0, 1.0)


def uniform_log_prob(z, lower, upper):
    """Log density of a uniform density on a box, -infinity outside of it."""
    import torch

    inside = ((z >= lower) & (z <= upper)).all(dim=-1)
    log_volume = torch.log(torch.as_tensor(upper, dtype=z.dtype) - torch.as_tensor(lower, dtype=z.dtype))
    return torch.where(inside, -log_volume.expand(z.shape).sum(dim=-1), -torch.inf)
