"""Random weights for models made of torch modules."""

from __future__ import annotations

import torch


def randomise(model, gain: float) -> None:
    """Trained-looking parameters: nothing near zero, batch norms with statistics."""
    for module in modules(model):
        for name, parameter in module.named_parameters(recurse=False):
            _randomise_parameter(module, name, parameter.data, gain)
        for name, buffer in module.named_buffers(recurse=False):
            if name in ("running_mean", "moving_mean"):
                buffer.normal_(0, 0.5)
            if name in ("running_var", "moving_variance"):
                buffer.uniform_(0.5, 2.0)


def modules(model):
    """All torch modules in a model; Pyro keeps them in lists, wrappers and inverses."""
    if isinstance(model, torch.nn.Module):
        yield from model.modules()
    elif hasattr(model, "transforms") or isinstance(model, list):
        for transform in getattr(model, "transforms", model):
            yield from modules(transform)
    elif hasattr(model, "transform"):
        yield from modules(model.transform)
    elif isinstance(getattr(model, "inv", None), torch.nn.Module):
        yield from modules(model.inv)


_CONSTANT = {  # of FrEIA
    "w_perm", "w_perm_inv", "w_0", "perm", "perm_inv", "M", "M_inv", "b", "logDetM", "weights", "haar_weights",
    "downsample_kernel",
}  # fmt: skip


def _randomise_parameter(module, name: str, values, gain: float) -> None:
    if type(module).__module__.startswith("FrEIA."):
        if name not in _CONSTANT:
            values.add_(torch.randn_like(values), alpha=0.3)
        return
    if name == "gamma" or (name == "weight" and values.dim() == 1):  # gains of batch norms
        values.uniform_(0.5, 1.5)
    elif name == "weight":
        fan_in = module.mask.sum(dim=1, keepdim=True).clamp(min=1) if hasattr(module, "mask") else values.shape[1:].numel()
        values.normal_().mul_(gain / fan_in**0.5)
    elif name == "_weight":  # a free matrix, orthogonal so far
        values.add_(torch.randn_like(values), alpha=0.1)
    elif name == "unconstrained_weight":
        values.normal_(0.5, 0.3)
    elif name in ("loc_logs", "log_scale_logs"):  # exponents, three times as large, of normflows' GlowBase
        values.normal_(0, 0.1)
    else:
        values.normal_(0, 0.3)
