"""A density for JAX, by `jax.pure_callback`: in `jit`, `vmap` and `lax.map`; `log_prob` in `grad` and `jvp` as well."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from ..errors import Error


class JaxDensity:
    """`log_prob`, `sample`, `forward` and `inverse` of JAX arrays, (..., D) with contexts (..., C) that broadcast.

    As in JAX, and unlike `Model`, a single row (D,) gives a single number. Results are float32, also where JAX has
    float64. `log_prob` is differentiable, once, by x and by the context; the other results are not.
    """

    def __init__(self, density: Any):
        import jax

        self._density, self._jax = density, jax
        self._score = jax.custom_jvp(self._values)
        self._score.defjvp(self._slope)

    def __repr__(self) -> str:
        return f"JaxDensity({self._density!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return JaxDensity, (self._density,)  # JAX itself, a module, is not pickled

    def log_prob(self, x: Any, context: Any = None) -> Any:
        """(...) log p(x | context)."""
        return self._score(*self._arrays(x, context))

    def forward(self, x: Any, context: Any = None) -> tuple[Any, Any]:
        """x to z (..., D) and log|det dz/dx| (...)."""
        z, log_det = self._call("forward", self._arrays(x, context))
        return z, log_det

    def inverse(self, z: Any, context: Any = None) -> tuple[Any, Any]:
        """z to x (..., D) and log|det dx/dz| (...)."""
        x, log_det = self._call("inverse", self._arrays(z, context))
        return x, log_det

    def sample(self, key: Any, n: int, context: Any = None) -> Any:
        """n draws (n, D); the same for the same key. Contexts as for `Model.sample`."""
        context = self._arrays(context)
        shape = np.broadcast_shapes((n,), *(given.shape[:-1] for given in context))

        def draw(bits: Any, *context: Any) -> Any:
            seed = int(np.asarray(bits, np.uint32).view(np.uint64)[0])
            return self._density.sample(n, *map(np.asarray, context), seed=seed)

        result = self._jax.ShapeDtypeStruct((*shape, self._density.dim), np.float32)
        bits = self._jax.random.bits(key, (2,), np.uint32)
        return self._callback("sample", draw, result, "sequential", bits, *context)

    # ---- log p and its slope ----

    def _values(self, *given: Any) -> Any:
        (values,) = self._call("log_prob", given)
        return values

    def _slope(self, given: Any, tangents: Any) -> tuple[Any, Any]:
        """log p and its change along `tangents`, which JAX transposes into the gradient by each of `given`."""
        values, *gradients = self._call("log_prob_gradient", given)
        return values, sum((gradient * tangent).sum(-1) for gradient, tangent in zip(gradients, tangents))

    # ---- calls of the density ----

    def _arrays(self, *given: Any) -> tuple[Any, ...]:
        return tuple(self._jax.numpy.asarray(part, np.float32) for part in given if part is not None)

    def _call(self, verb: str, given: Any) -> Any:
        """All results of a verb, of the shapes that JAX expects."""
        dim, context_dim = (self._density.dim,), (self._density.context_dim,)
        rank = max(part.ndim for part in given)  # of all: vmap puts its axis in front, where they must still broadcast
        given = [part.reshape((1,) * (rank - part.ndim) + part.shape) for part in given]
        widths = {"log_prob": ((),), "log_prob_gradient": ((), dim, context_dim)[: 1 + len(given)]}.get(verb, (dim, ()))

        def shapes(arrays: Any) -> list[tuple[int, ...]]:
            rows = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
            return [(*rows, *width) for width in widths]

        def evaluate(*arrays: Any) -> Any:
            found = getattr(self._density, verb)(*map(np.asarray, arrays))
            results = found if isinstance(found, tuple) else (found,)
            return tuple(part.reshape(shape) for part, shape in zip(results, shapes(arrays)))

        expected = tuple(self._jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes(given))
        return self._callback(verb, evaluate, expected, "expand_dims", *given)

    def _callback(self, verb: str, function: Callable[..., Any], results: Any, method: str, *given: Any) -> Any:
        """`function` of arrays, outside of JAX. Its derivative is refused in words of this package."""

        def called(*arrays: Any) -> Any:
            return self._jax.pure_callback(function, results, *arrays, vmap_method=method)

        def refuse(primals: Any, tangents: Any) -> Any:
            if verb == "log_prob_gradient":
                raise Error("a second derivative of log p is asked for: libflowrt has the first alone")
            raise Error(f"a derivative of {verb} is asked for, and only log_prob has one: use jax.lax.stop_gradient")

        called = self._jax.custom_jvp(called)
        called.defjvp(refuse)  # type: ignore[attr-defined]
        return called(*given)
