"""The state dict inside of what `torch.load` gives: a trainer's checkpoint, an average of weights, part of a model.

A trainer keeps the state dict under a name (`state_dict`, `model_state_dict`, ...) beside its own values. A module that
holds the flow puts its name before those of the arrays; `torch.compile` puts `_orig_mod.` anywhere into them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ExportError
from .fields import Fields

LAYOUTS = {  # how the names of a layout begin, behind the prefix; the first layout that fits has it
    "normflows": r"flows\.\d+\.|q0\.",
    "nflows": r"_transforms?\.|_distribution\.|(?:\d+\.)?(?:autoregressive_net|transform_net)\.",
    "zuko": r"transform\.(?:transforms?\.|hyper\.|phi\.)",
    "pytorch-flows": r"\d+\.(?:(?:[st]_)?joiner|(?:scale|translate)_net)\.",
    "pyro": r"(?:\w+\.)?(?:arn|nn|spline\.nn|upper_spline\.nn)\.layers\.",
}
_ASKED = {  # what a layout asks for
    "nflows": "'activation', 'scale', 'epsilon', ...",
    "zuko": "'activation', 'slope'",
    "pytorch-flows": "'modules', 'activation', ...",
    "normflows": "'modules', 'activation', ...",
    "pyro": "'modules', 'activation', ...",
}
_COUNTERS = r"(?:.*\.)?(?:n_averaged|initted|step)$"  # of weight averages, beside the arrays that they average


def layout_of(names) -> str | None:
    """The layout that the names of arrays are those of, or None."""
    for layout, begin in LAYOUTS.items():
        if any(re.match(rf"(?:.*\.)?(?:{begin})", name.replace("_orig_mod.", "")) for name in names):
            return layout
    return None


def state_dicts_in(values: Mapping, path: str = "") -> dict:
    """The mappings with the names of a known layout in nested dictionaries, by the way to them (`['model']`)."""
    names = [name for name in values if isinstance(name, str)]
    if layout_of([name for name in names if hasattr(values[name], "shape")]):
        return {path: values}
    found = {}
    for name in names:
        if isinstance(values[name], Mapping):
            found.update(state_dicts_in(values[name], f"{path}[{name!r}]"))
    return found


def arrays_of(fields: Fields, layout: str) -> dict:
    """The arrays of the entry `state_dict` by name, those below `prefix` if there is one, of one flow of `layout`."""
    given = fields.mapping("state_dict", "the arrays of the model by name")
    prefix = fields.optional("prefix", "")
    if not given:
        fields.refuse("'state_dict' is empty")
    found = state_dicts_in(given)
    if len(found) > 1:
        fields.refuse(f"'state_dict' has several in it: give that of {' or of '.join(sorted(found))}")
    arrays = {str(name).replace("_orig_mod.", ""): value for name, value in next(iter(found.values()), given).items()}
    arrays = {name: value for name, value in arrays.items() if not _is_counter(name, value)}
    if not isinstance(prefix, str) or not any(name.startswith(prefix) for name in arrays):
        fields.refuse(f"no array has a name that begins with the 'prefix' {prefix!r}; they are {_some(arrays)}")
    arrays = {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}
    _require_one_flow(arrays, layout, fields)
    return arrays


def refuse_without_layout(description: Mapping) -> None:
    """Raises `ExportError` for what has state dicts in it but does not say how to read them."""
    found = state_dicts_in(description)
    for path, values in found.items():
        layout = layout_of([name for name in values if isinstance(name, str)])
        where = f"its entry {path} holds" if path else "it is"
        raise ExportError(
            f"the dictionary is no description: {where} the state dict of a flow in the layout of {layout}, which does "
            f"not tell everything that the flow computes: load it into the model and give that, or give "
            f"{{'layout': {layout!r}, 'state_dict': ..., {_ASKED[layout]}}} as docs/DESCRIPTIONS.md says"
        )


def _require_one_flow(arrays: dict, layout: str, fields: Fields) -> None:
    begin = LAYOUTS[layout]
    matches = [re.match(rf"(.*?)(?:^|(?<=\.))(?:{begin})", name) for name in arrays]
    roots = {match.group(1) for match in matches if match is not None}
    if len(roots) > 1:
        fields.refuse(
            f"'state_dict' has several flows, below {', '.join(map(repr, sorted(roots)))}: say which by 'prefix'"
        )


def _is_counter(name: str, value) -> bool:
    return re.match(_COUNTERS, name) is not None and all(length == 1 for length in getattr(value, "shape", ()))


def _some(arrays: dict) -> str:
    names = list(arrays)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
