"""State dicts of PyTorch models without their code: names and arrays as a tree, and what every layout asks for.

A layout is a function of the `Fields` of a description that gives an `ir.Flow`. It takes `state_dict` and asks, by
name, for what a state dict does not contain.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ..building.arrays import float64
from ..building.modules import activated
from ..building.standardisation import for_each_number, of_standardised_context
from ..errors import ExportError
from ..flow import flow as ir
from .checkpoints import arrays_of
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

    def arrays(self, prefix: str = "") -> dict:
        """The arrays in it and in its modules by name."""
        found: dict = {}
        for name, child in self.children.items():
            found.update(child.arrays(f"{prefix}{name}.") if isinstance(child, Node) else {prefix + name: child})
        return found

    def numbered(self) -> list:
        """The modules in it whose names are numbers, in the order of these."""
        return [self.children[name] for name in sorted((n for n in self.children if n.isdigit()), key=int)]


def state_dict_of(fields: Fields, layout: str) -> dict:
    """The tensors by name."""
    import torch

    tensors = {}
    for name, value in arrays_of(fields, layout).items():
        try:
            tensors[name] = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            fields.refuse(f"{name} in the state dict is not an array")
    return tensors


def tree_of(arrays: dict) -> Node:
    """All arrays as one module."""
    root = Node()
    for name, value in arrays.items():
        *modules, leaf = name.split(".")
        node = root
        for module in modules:
            node = node.children.setdefault(module, Node())
        node.children[leaf] = value
    return root


def grouped(arrays: dict, first_names: str, fields: Fields) -> list:
    """[(path, Node)] of the modules whose own names begin with one of `first_names`, a regular expression.

    In the order in which they stand in the state dict, which is that in which they were made. Arrays that are in no
    such module are refused.
    """
    groups: dict = {}
    for name, value in arrays.items():
        match = re.match(rf"(.*?)(?:^|(?<=\.))((?:{first_names})(?:\..*)?)$", name)
        if match is None:
            fields.refuse(
                f"{name} in the state dict belongs to no layer that is supported (where a flow is a part of a model, "
                "'prefix' is what the names of its arrays begin with)"
            )
        groups.setdefault(match.group(1).rstrip("."), {})[match.group(2)] = value
    return [(path, tree_of(own)) for path, own in groups.items()]


def condition_of(arrays: dict, fields: Fields) -> tuple:
    """What an estimator of sbi does to its condition first, taken out of `arrays`.

    (scale, shift) of a standardisation, None without one, and the layers of an embedding net, none without one.
    """
    found = {name: arrays.pop(name) for name in list(arrays) if re.search(r"(^|\.)_embedding_net\.", name)}
    parts = {name.rsplit("_embedding_net.", 1)[-1]: value for name, value in found.items()}
    moments = [parts.pop(name, None) for name in ("0._mean", "0._std")]
    if (moments[0] is None) != (moments[1] is None):
        fields.refuse("the state dict has only one of _mean and _std of the standardisation of the context")
    standardisation = None
    if moments[0] is not None:
        mean, std = (float64(values) for values in moments)
        standardisation = 1 / std, -mean / std
        parts = {name.partition(".")[2] if name.startswith("1.") else name: value for name, value in parts.items()}
    return standardisation, perceptron_of(parts, "embedding", "_embedding_net", fields) if parts else []


def behind(standardisation, encoder: list, flow: ir.Flow) -> ir.Flow:
    """The flow of a context that is standardised and embedded first."""
    if encoder:
        if encoder[-1].width != flow.context_dim:
            raise ExportError(
                f"the embedding net gives {encoder[-1].width} numbers, but the flow takes {flow.context_dim}"
            )
        flow = replace(flow, encoder=encoder, context_dim=encoder[0].context_weight.shape[1])
    if standardisation is None:
        return flow
    return of_standardised_context(flow, *for_each_number(*standardisation, flow.context_dim))


def of_context(weight: np.ndarray, bias: np.ndarray) -> ir.Layer:
    """The first layer of a network of the context."""
    return ir.Layer(bias, context_weight=weight)


def perceptron_of(arrays: dict, option: str, path: str, fields: Fields, first=of_context) -> list:
    """The layers of a network: linear modules, with one activation in each gap between their numbers.

    It is one linear module, or a sequence, inside of other modules or not. `first` makes the layer of the first one of
    a matrix and a bias. What a state dict does not tell is asked for by `option`: its activation, and what follows the
    last linear module.
    """
    found = {name: re.match(r"(?:(.*)\.)?(weight|bias)$", name) for name in arrays}
    axes = {"weight": 2, "bias": 1}
    odd = [name for name, match in found.items() if match is None or arrays[name].dim() != axes[match.group(2)]]
    prefixes = {re.sub(r"(^|\.)\d+$", "", match.group(1) or "") for match in found.values() if match is not None}
    if odd or len(prefixes) != 1:
        name = odd[0] if odd else sorted(prefixes)[-1]
        fields.refuse(f"{path}.{name} in the state dict belongs to no linear module of one sequence, which is what is "
                      "supported: give the live model")  # fmt: skip
    modules: dict = {}
    for name, match in found.items():
        number = (match.group(1) or "0").rpartition(".")[2]
        modules.setdefault(int(number) if number.isdigit() else 0, Node()).children[match.group(2)] = arrays[name]
    layers = [
        _linear(modules[number], i, f"{path}.{number}", fields, first) for i, number in enumerate(sorted(modules))
    ]
    if len(layers) == 1 and option not in fields:
        return layers
    options = fields.part(option, f"a dictionary with 'activation' and 'last_activation' of {path}")
    for layer in layers[:-1]:
        activated(layer, activation_of(options))
    activated(layers[-1], activation_of(options, "last_activation", "identity"))
    options.optional("activation")
    options.close()
    return layers


def _linear(node: Node, i: int, path: str, fields: Fields, first) -> ir.Layer:
    if "weight" not in node.children:
        fields.refuse(f"{path} in the state dict has no weight")
    weight = float64(node.weight)
    bias = float64(node.bias) if "bias" in node.children else np.zeros(len(weight))
    return ir.Layer(bias, weight, source=i - 1) if i else first(weight, bias)


def activation_of(fields: Fields, name: str = "activation", default=None):
    """The function that an entry names, or the callable that it is."""
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
        "selu": F.selu,
        "celu": F.celu,
        "relu6": F.relu6,
        "mish": F.mish,
        "hardswish": F.hardswish,
    }
    function = fields.entry(name, f"a callable, or one of {', '.join(functions)}", default)
    if not callable(function) and not (isinstance(function, str) and function in functions):
        fields.refuse(f"{name!r} is {function!r}, neither a callable nor one of {', '.join(functions)}")
    return function if callable(function) else functions[function]
