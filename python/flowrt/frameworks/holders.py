"""What users put around a flow: modules, dictionaries and lists that hold one."""

from __future__ import annotations

from collections.abc import Mapping

_DEPTH = 5  # attributes of attributes
_MOST = 1000  # objects that are looked at


def held_flows(thing, is_flow) -> dict:
    """The outermost flows that a module, a dictionary or a list holds, by the way to them: `.flow`, `['ema']`."""
    found: dict = {}
    seen = {id(thing)}
    level = list(_parts(thing))
    for _ in range(_DEPTH):
        inner = []
        for path, part in level[:_MOST]:
            if id(part) in seen:
                continue
            seen.add(id(part))
            if is_flow(part):
                found[path] = part
            else:
                inner += [(path + name, value) for name, value in _parts(part)]
        level = inner
    return found


def _parts(thing):
    """What an object holds, with how it is reached."""
    if isinstance(thing, Mapping):
        yield from ((f"[{name!r}]", value) for name, value in thing.items() if _may_hold(value))
    elif isinstance(thing, (list, tuple)):
        yield from ((f"[{i}]", value) for i, value in enumerate(thing) if _may_hold(value))
    else:
        values = {**getattr(thing, "__dict__", {}), **getattr(thing, "_modules", {})}
        if "ModuleList" in {cls.__name__ for cls in type(thing).__mro__}:
            yield from ((f"[{name}]", value) for name, value in thing._modules.items())
            return
        for name, value in values.items():
            if not name.startswith("__") and name not in ("_modules", "_parameters", "_buffers") and _may_hold(value):
                yield f".{name}", value


def _may_hold(value) -> bool:
    """Whether a value is an object with attributes, or a collection: no number, text, array, class or function."""
    if isinstance(value, (Mapping, list, tuple)):
        return True
    is_array = hasattr(value, "shape") and hasattr(value, "dtype")  # a distribution has a shape as well
    return hasattr(value, "__dict__") and not is_array and not isinstance(value, type)
