"""Copies of live PyTorch objects, and modules whose weights are computed: by a parametrization, or by an older hook."""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

from ...building.modules import class_names
from ...errors import ExportError
from ..registry import WRAPPERS


def deep_copy(thing, instead=None):
    """A deep copy in which tensors that are results of a computation are constants.

    `instead` has what stands in the copy for some objects of the original, by their `id`.
    """
    constants = {id(tensor): tensor.detach().clone() for tensor in _tensors(thing, set()) if not tensor.is_leaf}
    try:
        return copy.deepcopy(thing, {**constants, **(instead or {})})
    except RuntimeError as error:
        raise ExportError(f"a copy of {type(thing).__name__} cannot be made: {error}") from None


def unwrapped(model: Any) -> Any:
    """A model without what torch.compile, torch.nn.DataParallel and AveragedModel put around it."""
    for wrapper in class_names(model) & set(WRAPPERS):
        return unwrapped(getattr(model, WRAPPERS[wrapper]))
    return model


def with_plain_weights(model):
    """The model itself, or a copy in evaluation mode if it computes weights or has parts in wrappers.

    The copy has such weights as parameters, and these parts without what torch.compile and others put around them.
    Reading such a weight computes it, in the type and the mode of the model, and may change what it is computed from.

    Raises `ExportError` for a part whose layers cannot be read, because torch.jit has compiled it.
    """
    if not hasattr(model, "modules"):
        return model
    require_readable(model)
    model = _with_plain_parts(model)
    if not any(_parametrized(module) or _hooks(module) for module in model.modules()):
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


def with_parts(module, **parts):
    """A module that shares everything with another one but some of its parts or attributes."""
    result = copy.copy(module)
    result.__dict__ = {**vars(module), "_modules": dict(module._modules)}
    for name, part in parts.items():
        setattr(result, name, part)
    return result


def require_readable(model) -> None:
    """Raises `ExportError` for a module that torch.jit or torch.fx has compiled, or that has one as a part."""
    for path, module in model.named_modules() if hasattr(model, "named_modules") else ():
        if class_names(module) & {"ScriptModule", "GraphModule"}:
            what = "torch.jit has compiled" if "ScriptModule" in class_names(module) else "torch.fx has traced"
            whole = f"{type(model).__name__} is a model" if not path else f"its part {path} is one"
            raise ExportError(
                f"{type(model).__name__} cannot be read: {whole} that {what}, which does not tell its layers: give the "
                "model as it was before, with these weights (load_state_dict)"
            )


def _with_plain_parts(model):
    """The model, or a copy of it where parts are in wrappers."""
    wrapped = {id(part): part for part in model.modules() if class_names(part) & set(WRAPPERS)}
    if not wrapped:
        return model
    inner = {number: deep_copy(unwrapped(part)) for number, part in wrapped.items()}
    return deep_copy(model, {number: _with_plain_parts(part) for number, part in inner.items()})


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
