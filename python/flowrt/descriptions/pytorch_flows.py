"""State dicts in the layout of `ikostrikov/pytorch-flows` and its many copies.

    {i}.joiner.linear.{weight,bias}, {i}.joiner.mask, {i}.joiner.cond_linear.weight, {i}.trunk.{1,3,...}.linear.*, ...
    {i}.{log_gamma,beta,running_mean,running_var}      BatchNormFlow; its variance holds epsilon already
    {i}.{weight,bias}                                  ActNorm
    {i}.W                                              InvertibleMM

u = (x - m) exp(-a), with all m before all a in the output. Neither the classes of the modules nor the activation are in
a state dict, and a module without arrays leaves no trace but a gap in the numbers.
"""

from __future__ import annotations

import re

import numpy as np

from .. import ir
from ..adapters.modules import array, context_size
from ..format.codes import Activation, Form, Scale
from .fields import Fields

_ACTIVATIONS = {"relu": Activation.RELU, "tanh": Activation.TANH, "sigmoid": Activation.SIGMOID}
_NAMES = "joiner|trunk|log_gamma|beta|running_mean|running_var|weight|bias|W"
_WITHOUT_ARRAYS = ("Reverse", "Shuffle")


def read_pytorch_flows(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, `modules` and `activation`."""
    arrays, prefix = _numbered(fields.entry("state_dict", "the arrays of the model by name"), fields)
    modules = list(fields.entry("modules", "the class of each module in order, such as MADE, BatchNormFlow, Reverse"))
    activation = fields.choice("activation", "of all MADE modules", _ACTIVATIONS)
    tanh = bool(fields.optional("pre_exp_tanh", False))
    permutations = iter(fields.optional("permutations", []))
    dim = _dim(arrays, fields)
    steps, unused = [], set(arrays)
    for i, kind in enumerate(modules):
        own = {name[len(f"{i}.") :]: array(value) for name, value in arrays.items() if name.startswith(f"{i}.")}
        unused -= {f"{i}.{name}" for name in own}
        module = _Module(f"module {prefix}{i} ({kind})", own, dim, fields)
        if kind == "Shuffle":
            steps.append(ir.Permutation(_next(permutations, module), module.name))
        elif kind in _MODULES:
            steps.append(_MODULES[kind](module, *((activation, tanh) if kind == "MADE" else ())))
        else:
            module.refuse(f"is not supported; supported are {', '.join([*_MODULES, 'Shuffle'])}")
        if kind in _WITHOUT_ARRAYS and own:
            module.refuse(f"has no arrays, but the state dict has {sorted(own)}")
    if unused:
        fields.refuse(f"'modules' has {len(modules)} entries, but the state dict has {prefix}{sorted(unused)[0]}")
    return ir.Flow(dim, context_size(steps, None), steps)


def _numbered(state_dict, fields: Fields) -> tuple:
    """The arrays with names from the number of their module on, and the prefix before it."""
    found = {name: re.match(rf"(.*?)(\d+\.(?:{_NAMES})(?:\..*)?)$", name) for name in state_dict}
    odd = [name for name, match in found.items() if match is None]
    prefixes = {match.group(1) for match in found.values() if match is not None}
    if odd or len(prefixes) != 1:
        fields.refuse(f"'state_dict' is not that of one sequence of modules: {(odd or sorted(prefixes))[:3]}")
    return {found[name].group(2): value for name, value in state_dict.items()}, prefixes.pop()


def _dim(arrays: dict, fields: Fields) -> int:
    for name, value in arrays.items():
        if name.endswith("joiner.linear.weight"):
            return array(value).shape[1]
    for name, value in arrays.items():
        if re.search(r"\.(log_gamma|W|bias)$", name):
            return len(array(value))
    return fields.refuse("'state_dict' has no module that tells how many coordinates a row has")


def _next(permutations, module) -> np.ndarray:
    index = next(permutations, None)
    if index is None:
        module.refuse("is not in a state dict: give its `perm` in 'permutations', one for each Shuffle")
    return np.asarray(index).astype(np.int64)


class _Module:
    """The arrays of one module by their names in it."""

    def __init__(self, name: str, arrays: dict, dim: int, fields: Fields):
        self.name, self.arrays, self.dim, self._fields = name, arrays, dim, fields

    def take(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            self.refuse(f"has no {name} in the state dict")
        return self.arrays[name]

    def refuse(self, message: str):
        return self._fields.refuse(f"{self.name} {message}")


def _made(module: _Module, activation: Activation, tanh: bool) -> ir.Autoregressive:
    trunk = sorted({int(name.split(".")[1]) for name in module.arrays if name.startswith("trunk.")})
    layers = [_masked_linear(module, "joiner", ir.READ)]
    layers += [_masked_linear(module, f"trunk.{number}", i) for i, number in enumerate(trunk)]
    for layer in layers[:-1]:
        layer.activation = activation
    output = layers[-1]
    if output.width != 2 * module.dim:
        module.refuse(f"has {output.width} outputs, not 2 x {module.dim}")
    rows = np.arange(output.width).reshape(2, -1).T.reshape(-1)
    sign = np.tile([1.0, -1.0], module.dim)
    output.bias, output.mask = output.bias[rows] * sign, output.mask[rows]
    output.weight = output.weight[rows] * sign[:, None]
    scale = ir.Affine(Scale.EXP_TANH, (1.0,), Form.SHIFT_THEN_SCALE) if tanh else None
    return ir.Autoregressive(layers, scale or ir.Affine(Scale.EXP, form=Form.SHIFT_THEN_SCALE), name=module.name)


def _masked_linear(module: _Module, name: str, source) -> ir.Layer:
    return ir.Layer(
        module.take(f"{name}.linear.bias"),
        module.take(f"{name}.linear.weight"),
        module.take(f"{name}.mask") != 0,
        source,
        module.arrays.get(f"{name}.cond_linear.weight"),
    )


def _batch_norm(module: _Module) -> ir.Diagonal:
    scale = np.exp(module.take("log_gamma")) / np.sqrt(module.take("running_var"))
    return ir.Diagonal(scale, module.take("beta") - module.take("running_mean") * scale, module.name)


def _act_norm(module: _Module) -> ir.Diagonal:
    scale = np.exp(module.take("weight"))
    return ir.Diagonal(scale, -module.take("bias") * scale, module.name)


def _matrix(module: _Module) -> ir.Linear:
    return ir.Linear(module.take("W").T, np.zeros(module.dim), module.name)


def _reverse(module: _Module) -> ir.Permutation:
    return ir.Permutation(np.arange(module.dim)[::-1], module.name)


_MODULES = {
    "MADE": _made,
    "BatchNormFlow": _batch_norm,
    "ActNorm": _act_norm,
    "InvertibleMM": _matrix,
    "Reverse": _reverse,
}
