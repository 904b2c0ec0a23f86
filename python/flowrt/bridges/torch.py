"""A density for PyTorch: tensors in and out, on their device and in their type; `log_prob` has gradients."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import Error


class TorchDensity:
    """`log_prob`, `sample`, `forward` and `inverse` of tensors. The work is done on the CPU, in float32.

    `log_prob` is differentiable, once, by x and by the context. The other results have no gradients: a tensor that asks
    for them is refused there while gradients are recorded.
    """

    def __init__(self, density: Any):
        import torch

        self._density, self._torch = density, torch

    def __repr__(self) -> str:
        return f"TorchDensity({self._density!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TorchDensity, (self._density,)  # PyTorch itself, a module, is not pickled

    def log_prob(self, x: Any, context: Any = None, **options: Any) -> Any:
        """(n,) log p(x | context), a tensor like x.

        `backward` gives each tensor a gradient of its own shape, type and device: that of a context which several rows
        share is the sum over these rows. It was computed with log p, in float32, so `backward` itself costs little.
        """
        if self._torch.is_grad_enabled() and (_asks(x) or _asks(context)):
            log_prob: Any = _score(self._torch).apply(self, x, context, options)[0]
            return log_prob
        return self._like(x, self._density.log_prob(_array(x), _array(context), **options))

    def forward(self, x: Any, context: Any = None, **options: Any) -> tuple[Any, Any]:
        """x to z (n, D) and log|det dz/dx| (n,)."""
        z, log_det = self._density.forward(self._values(x, "x"), self._values(context, "context"), **options)
        return self._like(x, z), self._like(x, log_det)

    def inverse(self, z: Any, context: Any = None, **options: Any) -> tuple[Any, Any]:
        """z to x (n, D) and log|det dx/dz| (n,)."""
        x, log_det = self._density.inverse(self._values(z, "z"), self._values(context, "context"), **options)
        return self._like(z, x), self._like(z, log_det)

    def sample(self, n: int, context: Any = None, seed: Any = None, **options: Any) -> Any:
        """Draws as `Model.sample` makes them. Without a seed, one is taken from the default generator of PyTorch.

        A `torch.Generator` is a seed, too. The tensors are on the device and of the type of the context, if it is one.
        """
        if seed is None or isinstance(seed, self._torch.Generator):
            high = 2**63 - 1
            seed = int(self._torch.randint(high, (), generator=seed, device=seed.device if seed is not None else "cpu"))
        found = self._density.sample(n, self._values(context, "context"), seed, **options)
        if isinstance(found, tuple):
            return tuple(self._like(context, part) for part in found)
        return self._like(context, found)

    def _values(self, values: Any, name: str) -> Any:
        """Of what has no gradient here."""
        if _asks(values) and self._torch.is_grad_enabled():
            raise Error(f"{name} asks for gradients, which only log_prob has: use torch.no_grad(), or {name}.detach()")
        return _array(values)

    def _like(self, example: Any, values: Any) -> Any:
        found = self._torch.from_numpy(values)
        if not isinstance(example, self._torch.Tensor):
            return found
        dtype = example.dtype if example.dtype.is_floating_point else found.dtype
        return found.to(device=example.device, dtype=dtype)


def _asks(values: Any) -> bool:
    """Whether this is a tensor that asks for gradients."""
    return bool(getattr(values, "requires_grad", False))


def _array(values: Any) -> Any:
    """A tensor as an array; tables and whatever else the density takes stay as they are."""
    return values.detach().cpu().float().numpy() if hasattr(values, "detach") else values


@lru_cache(maxsize=None)
def _score(torch: Any) -> Any:
    """log p as a `torch.autograd.Function`, whose class exists when PyTorch does."""

    class LogProb(torch.autograd.Function):  # type: ignore[misc]
        """log p and its gradients, which are results too: so PyTorch notices when one of them is differentiated."""

        @staticmethod
        def forward(bridge: TorchDensity, x: Any, context: Any, options: dict[str, Any]) -> tuple[Any, ...]:
            values, *gradients = bridge._density.log_prob_gradient(_array(x), _array(context), **options)
            example = x if isinstance(x, torch.Tensor) else context
            return bridge._like(example, values), *(
                part if part is None else bridge._torch.from_numpy(part) for part in gradients
            )

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
            _, x, context, _ = inputs
            ctx.set_materialize_grads(False)
            ctx.given = [_kind(x), _kind(context)]
            ctx.save_for_backward(*output[1:])

        @staticmethod
        def vmap(info: Any, in_dims: Any, bridge: TorchDensity, x: Any, context: Any, options: Any) -> Any:
            found = LogProb.apply(bridge, *_in_front((x, context), in_dims[1:3]), options)
            return found, tuple(None if part is None else 0 for part in found)

        @staticmethod
        def backward(ctx: Any, by_log_prob: Any, *by_gradients: Any) -> tuple[Any, ...]:
            if any(part is not None for part in by_gradients):
                raise Error("a second derivative of log p is asked for: libflowrt has the first alone")
            found = [
                _gathered(by_log_prob, gradient, kind) if needed else None
                for gradient, kind, needed in zip(ctx.saved_tensors, ctx.given, ctx.needs_input_grad[1:])
            ]
            return None, *found, None

    return LogProb


def _in_front(given: Any, axes: Any) -> list[Any]:
    """x and context, each with its axis of `torch.func.vmap` in front, so that they broadcast as before."""
    ranks = [getattr(part, "ndim", 2) - (axis is not None) for part, axis in zip(given, axes)]
    moved = []
    for part, axis in zip(given, axes):
        if axis is not None:
            part = part.movedim(axis, 0)
            part = part.reshape(part.shape[0], *(1,) * (max(2, *ranks) + 1 - part.ndim), *part.shape[1:])
        moved.append(part)
    return moved


def _kind(values: Any) -> Any:
    """Shape, type and device of a tensor."""
    return (values.shape, values.dtype, values.device) if hasattr(values, "detach") else None


def _gathered(by_log_prob: Any, gradient: Any, kind: Any) -> Any:
    """d loss / d (what was given), from d loss / d log p and the gradients of the rows, summed where rows share it."""
    if by_log_prob is None or gradient is None:
        return None
    shape, dtype, device = kind
    rows = by_log_prob[..., None].to(device) * gradient.to(device)  # in float32 at least
    return rows.sum_to_size(shape if len(shape) > 1 else (1, *shape)).reshape(shape).to(dtype)
