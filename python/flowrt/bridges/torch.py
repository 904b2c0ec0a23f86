"""A density for PyTorch: tensors in and out, on their device and in their type. Values, no gradients."""

from __future__ import annotations

from typing import Any

from ..errors import Error


class TorchDensity:
    """`log_prob`, `sample`, `forward` and `inverse` of tensors. The work is done on the CPU, in float32.

    A tensor that asks for gradients is refused while gradients are recorded: none come back from libflowrt.
    """

    def __init__(self, density: Any):
        import torch

        self._density, self._torch = density, torch

    def __repr__(self) -> str:
        return f"TorchDensity({self._density!r})"

    def log_prob(self, x: Any, context: Any = None, **options: Any) -> Any:
        """(n,) log p(x | context), a tensor like x."""
        return self._like(x, self._density.log_prob(self._array(x, "x"), self._array(context, "context"), **options))

    def forward(self, x: Any, context: Any = None, **options: Any) -> tuple[Any, Any]:
        """x to z (n, D) and log|det dz/dx| (n,)."""
        z, log_det = self._density.forward(self._array(x, "x"), self._array(context, "context"), **options)
        return self._like(x, z), self._like(x, log_det)

    def inverse(self, z: Any, context: Any = None, **options: Any) -> tuple[Any, Any]:
        """z to x (n, D) and log|det dx/dz| (n,)."""
        x, log_det = self._density.inverse(self._array(z, "z"), self._array(context, "context"), **options)
        return self._like(z, x), self._like(z, log_det)

    def sample(self, n: int, context: Any = None, seed: Any = None, **options: Any) -> Any:
        """Draws as `Model.sample` makes them. Without a seed, one is taken from the default generator of PyTorch.

        A `torch.Generator` is a seed, too. The tensors are on the device and of the type of the context, if it is one.
        """
        if seed is None or isinstance(seed, self._torch.Generator):
            high = 2**63 - 1
            seed = int(self._torch.randint(high, (), generator=seed, device=seed.device if seed is not None else "cpu"))
        found = self._density.sample(n, self._array(context, "context"), seed, **options)
        if isinstance(found, tuple):
            return tuple(self._like(context, part) for part in found)
        return self._like(context, found)

    def _array(self, values: Any, name: str) -> Any:
        if not isinstance(values, self._torch.Tensor):
            return values
        if values.requires_grad and self._torch.is_grad_enabled():
            raise Error(f"{name} asks for gradients, which libflowrt does not give: use torch.no_grad(), or x.detach()")
        return values.detach().cpu().float().numpy()

    def _like(self, example: Any, values: Any) -> Any:
        found = self._torch.from_numpy(values)
        if not isinstance(example, self._torch.Tensor):
            return found
        dtype = example.dtype if example.dtype.is_floating_point else found.dtype
        return found.to(device=example.device, dtype=dtype)
