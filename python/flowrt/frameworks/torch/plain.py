"""Copies of live PyTorch objects, and modules whose weights are computed: by a parametrization, or by an older hook."""

from __future__ import annotations

import copy
from types import ModuleType

from ...errors import ExportError


def deep_copy(thing, instead=None):
    """A deep copy in which tensors that are results of a computation are constants.

    `instead` has what stands in the copy for some objects of the original, by their `id`.
    """
    constants = {id(tensor): tensor.detach().clone() for tensor in _tensors(thing, set()) if not tensor.is_leaf}
    try:
        return copy.deepcopy(thing, {**constants, **(instead or {})})
    except RuntimeError as error:
        raise ExportError(f"a copy of {type(thing).__name__} cannot be made: {error}") from None


def with_plain_weights(model):
    """The model itself, or, if it computes weights, a copy in evaluation mode that has them as parameters.

    Reading such a weight computes it, in the type and the mode of the model, and may change what it is computed from.
    """
    if not hasattr(model, "modules") or not any(_parametrized(module) or _hooks(module) for module in model.modules()):
        return model
    import torch

    result = deep_copy(model).cpu().eval()
    with torch.no_grad():
        for module in list(result.modules()):
            if _parametrized(module):
                _without_parametrizations(module)
            for number, hook in _hooks(module).items():
                hook.remove(module)
                del module._forward_pre_hooks[number]
    return result


def _parametrized(module) -> list:
    """The names of the weights that torch.nn.utils.parametrize computes."""
    return list(getattr(module, "parametrizations", ()))


def _without_parametrizations(module) -> None:
    """What torch does to remove them changes the class of the module, which is that of its original too."""
    from torch.nn import Parameter
    from torch.nn.utils.parametrize import type_before_parametrizations

    values = {name: getattr(module, name).clone() for name in _parametrized(module)}
    module.__class__ = type_before_parametrizations(module)
    del module.parametrizations
    for name, value in values.items():
        module.register_parameter(name, Parameter(value, requires_grad=False))


def _hooks(module) -> dict:
    """What computes a weight before each call: weight_norm, spectral_norm and prune of torch.nn.utils, by number."""
    return {number: hook for number, hook in module._forward_pre_hooks.items() if _computes_weights(hook)}


def _computes_weights(hook) -> bool:
    return type(hook).__module__.startswith("torch.nn.utils.") and hasattr(hook, "remove")


def _tensors(thing, seen: set):
    """The tensors in the attributes of an object, and in those of what is in them."""
    import torch

    if id(thing) in seen:
        return
    seen.add(id(thing))
    if torch.is_tensor(thing):
        yield thing
    elif isinstance(thing, (list, tuple, dict)):
        for part in thing.values() if isinstance(thing, dict) else thing:
            yield from _tensors(part, seen)
    elif not isinstance(thing, (type, ModuleType)):
        yield from _tensors(getattr(thing, "__dict__", None), seen)
