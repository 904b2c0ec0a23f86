"""A density for JAX, by `jax.pure_callback`: in `jit`, `vmap` and `lax.map`. Values, no gradients: `grad` raises."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np


class JaxDensity:
    """`log_prob`, `sample`, `forward` and `inverse` of JAX arrays, (..., D) with contexts (..., C) that broadcast.

    As in JAX, and unlike `Model`, a single row (D,) gives a single number.
    """

    def __init__(self, density: Any):
        import jax

        self._density, self._jax = density, jax

    def __repr__(self) -> str:
        return f"JaxDensity({self._density!r})"

    def log_prob(self, x: Any, context: Any = None) -> Any:
        """(...) log p(x | context)."""
        _, values = self._call(self._log_prob, x, context)
        return values

    def forward(self, x: Any, context: Any = None) -> tuple[Any, Any]:
        """x to z (..., D) and log|det dz/dx| (...)."""
        return self._call(self._density.forward, x, context)

    def inverse(self, z: Any, context: Any = None) -> tuple[Any, Any]:
        """z to x (..., D) and log|det dx/dz| (...)."""
        return self._call(self._density.inverse, z, context)

    def sample(self, key: Any, n: int, context: Any = None) -> Any:
        """n draws (n, D); the same for the same key. Contexts as for `Model.sample`."""
        context = () if context is None else (self._jax.numpy.asarray(context, np.float32),)
        shape = np.broadcast_shapes((n,), *(given.shape[:-1] for given in context))

        def draw(bits: Any, *context: Any) -> Any:
            seed = int(np.asarray(bits, np.uint32).view(np.uint64)[0])
            return self._density.sample(n, *map(np.asarray, context), seed=seed)

        result = self._jax.ShapeDtypeStruct((*shape, self._density.dim), np.float32)
        bits = self._jax.random.bits(key, (2,), np.uint32)
        return self._jax.pure_callback(draw, result, bits, *context, vmap_method="sequential")

    def _call(self, function: Callable[..., Any], rows: Any, context: Any) -> tuple[Any, Any]:
        """What a function gives: rows or None, and a number for each row."""
        given = [self._jax.numpy.asarray(part, np.float32) for part in (rows, context) if part is not None]
        dim = self._density.dim

        def shape_of(arrays: Any) -> tuple[int, ...]:
            return np.broadcast_shapes(*(array.shape[:-1] for array in arrays))

        def evaluate(*arrays: Any) -> Any:
            shape, (found, values) = shape_of(arrays), function(*map(np.asarray, arrays))
            return found if found is None else found.reshape(*shape, dim), values.reshape(shape)

        shape, struct = shape_of(given), self._jax.ShapeDtypeStruct
        results = None if function == self._log_prob else struct((*shape, dim), np.float32), struct(shape, np.float32)
        found, values = self._jax.pure_callback(evaluate, results, *given, vmap_method="expand_dims")
        return found, values

    def _log_prob(self, *rows: Any) -> Any:
        return None, self._density.log_prob(*rows)
