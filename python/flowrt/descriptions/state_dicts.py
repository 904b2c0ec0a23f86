"""State dicts of PyTorch models without their code: names and arrays as a tree, and what every layout asks for.

A layout is a function of the `Fields` of a description that gives an `ir.Flow`. It takes `state_dict` and asks, by
name, for what a state dict does not contain.
"""

from __future__ import annotations

import re

from ..building.arrays import float64
from .fields import Fields


class Node:
    """A module of a state dict: arrays and modules in it are attributes; `children` has all by name, in order."""

    def __init__(self):
        self.children: dict = {}

    def __getattr__(self, name: str):
        try:
            return self.__dict__["children"][name]
        except KeyError:
            raise AttributeError(name) from None

    def numbered(self) -> list:
        """The modules in it whose names are numbers, in the order of these."""
        return [self.children[name] for name in sorted((n for n in self.children if n.isdigit()), key=int)]


def state_dict_of(fields: Fields) -> dict:
    """The tensors by name."""
    import torch

    arrays = fields.mapping("state_dict", "the arrays of the model by name")
    if not arrays:
        fields.refuse("'state_dict' is empty")
    tensors = {}
    for name, value in arrays.items():
        try:
            tensors[str(name)] = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            fields.refuse(f"{name} in the state dict is not an array")
    return tensors


def grouped(arrays: dict, first_names: str, fields: Fields) -> list:
    """[(path, Node)] of the modules whose own names begin with one of `first_names`, a regular expression.

    In the order in which they stand in the state dict, which is that in which they were made. Arrays that are in no
    such module are refused.
    """
    groups: dict = {}
    for name, value in arrays.items():
        match = re.match(rf"(.*?)(?:^|(?<=\.))((?:{first_names})(?:\..*)?)$", name)
        if match is None:
            fields.refuse(f"{name} in the state dict belongs to no layer that is supported")
        node = groups.setdefault(match.group(1).rstrip("."), Node())
        *modules, leaf = match.group(2).split(".")
        for module in modules:
            node = node.children.setdefault(module, Node())
        node.children[leaf] = value
    return list(groups.items())


def standardisation_of(arrays: dict, fields: Fields):
    """Scale and shift of the context that an estimator of sbi begins with, taken out of `arrays`; None without one."""
    found = {name: arrays.pop(name) for name in list(arrays) if re.search(r"(^|\.)_embedding_net\.", name)}
    parts = {name.rsplit("_embedding_net.", 1)[-1]: float64(value).reshape(-1) for name, value in found.items()}
    if not parts:
        return None
    other = [name for name in found if name.rsplit("_embedding_net.", 1)[-1] not in ("0._mean", "0._std")]
    if other:
        fields.refuse(f"{other[0]} in the state dict belongs to an embedding net; only a standardisation is supported")
    if len(parts) != 2:
        fields.refuse("the state dict has only one of _mean and _std of the standardisation of the context")
    return 1 / parts["0._std"], -parts["0._mean"] / parts["0._std"]


def activation_of(fields: Fields):
    """The function that `activation` names, or the callable that it is."""
    from torch import nn
    from torch.nn import functional as F

    functions = {
        "relu": F.relu,
        "tanh": F.tanh,
        "elu": F.elu,
        "leaky_relu": F.leaky_relu,
        "silu": F.silu,
        "gelu": F.gelu,
        "sigmoid": F.sigmoid,
        "softplus": F.softplus,
        "softsign": F.softsign,
        "identity": nn.Identity(),
    }
    function = fields.entry("activation", f"a callable, or one of {', '.join(functions)}")
    if not callable(function) and not (isinstance(function, str) and function in functions):
        fields.refuse(f"'activation' is {function!r}, neither a callable nor one of {', '.join(functions)}")
    return function if callable(function) else functions[function]
