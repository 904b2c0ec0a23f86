"""State dicts in the layout of `ikostrikov/pytorch-flows` and its many copies.

    {i}.joiner.linear.{weight,bias}, {i}.joiner.mask, {i}.joiner.cond_linear.weight, {i}.trunk.{1,3,...}.linear.*, ...
    {i}.{log_gamma,beta,running_mean,running_var}      BatchNormFlow; its variance holds epsilon already
    {i}.{weight,bias}                                  ActNorm
    {i}.W                                              InvertibleMM
    {i}.{L,U,log_S}                                    LUInvertibleMM
    {i}.{s,t}_{joiner,trunk}.*                         MADESplit
    {i}.{scale,translate}_net.{0,2,4}.{weight,bias}    CouplingLayer
    {i}.{perm,inv_perm}                                Shuffle, in copies that register them

MADE: u = (x - m) exp(-a), with all m before all a in the output; in MADESplit, `s_trunk` gives m and `t_trunk` gives a.
CouplingLayer: u = exp(s) x + t where the mask is 0. Neither the classes of the modules nor their activations are in a
state dict, nor masks of couplings, permutations and signs; a module without arrays leaves no trace but a gap in the
numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ..building.modules import context_size
from ..building.pairs import shift_and_scale
from ..file.codes import Activation, Form, Scale
from ..flow import flow as ir
from .checkpoints import arrays_of
from .fields import Fields

_ACTIVATIONS = {"relu": Activation.RELU, "tanh": Activation.TANH, "sigmoid": Activation.SIGMOID}
_NETWORKS = "(?:[st]_)?(?:joiner|trunk)|(?:scale|translate)_net"
_NAMES = f"{_NETWORKS}|log_gamma|beta|running_mean|running_var|weight|bias|[WLU]|log_S|perm|inv_perm"
_TWO_NETWORKS = {"MADESplit", "CouplingLayer"}
_PERMUTATIONS = ("Reverse", "Shuffle")  # whose state dict is empty in older copies


def read_pytorch_flows(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, `modules` and what else these need."""
    arrays, prefix = _numbered(arrays_of(fields, "pytorch-flows"), fields)
    kinds = fields.items("modules", "the class of each module in order, such as MADE, BatchNormFlow, Reverse")
    options = _Options(fields, kinds)
    dim = _dim(arrays, fields)
    steps, unused = [], set(arrays)
    for i, kind in enumerate(kinds):
        own = {name[len(f"{i}.") :]: values for name, values in arrays.items() if name.startswith(f"{i}.")}
        unused -= {f"{i}.{name}" for name in own}
        module = _Module(f"module {prefix}{i} ({kind})", own, dim, fields)
        if not isinstance(kind, str) or kind not in _MODULES:
            module.refuse(f"is not supported; supported are {', '.join(_MODULES)}")
        steps.append(_MODULES[kind](module, options))
        if kind in _PERMUTATIONS and set(own) - {"perm", "inv_perm"}:
            module.refuse(f"has no arrays, but the state dict has {sorted(own)}")
    options.close()
    if unused:
        fields.refuse(f"'modules' has {len(kinds)} entries, but the state dict has {prefix}{sorted(unused)[0]}")
    return ir.Flow(dim, context_size(steps, None), steps)


class _Options:
    """What a state dict does not contain. What only some modules need is asked for where there is one of them."""

    def __init__(self, fields: Fields, kinds: list):
        def activation(name: str, of: str, users):
            used = any(kind in kinds for kind in users)
            return fields.choice(name, of, _ACTIVATIONS) if used else fields.optional(name)

        self.activation = activation("activation", "of all MADE modules", {"MADE"})
        for letter, network in (("s", "scale"), ("t", "translate")):
            of = f"of {letter}_trunk of MADESplit, {network}_net of CouplingLayer"
            setattr(self, f"{letter}_activation", activation(f"{letter}_activation", of, _TWO_NETWORKS))
        self.tanh = fields.flag("pre_exp_tanh")
        self._fields = fields
        self._lists = {name: iter(fields.items(name, "", ())) for name in ("permutations", "masks", "factors")}

    def given(self, name: str):
        """The next entry of a list that has one for each module of a kind, or None."""
        return next(self._lists[name], None)

    def next(self, name: str, module: _Module, what: str):
        """The next entry of such a list, which must be there."""
        value = self.given(name)
        return module.refuse(f"is not in a state dict: give its {what} in {name!r}") if value is None else value

    def close(self) -> None:
        for name, values in self._lists.items():
            if next(values, None) is not None:
                self._fields.refuse(f"{name!r} has more entries than there are modules that need one")


def _numbered(state_dict: Mapping, fields: Fields) -> tuple:
    """The arrays with names from the number of their module on, and the prefix before it."""
    found = {name: re.match(rf"(.*?)(\d+\.(?:{_NAMES})(?:\..*)?)$", str(name)) for name in state_dict}
    odd = [name for name, match in found.items() if match is None]
    prefixes = {match.group(1) for match in found.values() if match is not None}
    if odd or len(prefixes) != 1:
        fields.refuse(f"'state_dict' is not that of one sequence of modules: {(odd or sorted(prefixes))[:3]}")
    arrays = {found[name].group(2): fields.as_array(name, value) for name, value in state_dict.items()}
    return arrays, prefixes.pop()


def _dim(arrays: dict, fields: Fields) -> int:
    for name, value in arrays.items():
        if name.endswith("joiner.linear.weight"):
            return value.shape[1]
    for name, value in arrays.items():
        if re.search(r"^\d+\.(log_gamma|W|L|bias)$|\.scale_net\.4\.bias$", name):
            return len(value)
    return fields.refuse("'state_dict' has no module with the number of coordinates of a row")


class _Module:
    """The arrays of one module by their names in it."""

    def __init__(self, name: str, arrays: dict, dim: int, fields: Fields):
        self.name, self.arrays, self.dim, self.fields = name, arrays, dim, fields

    def take(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            self.refuse(f"has no {name} in the state dict")
        return self.arrays[name]

    def require_outputs(self, layer: ir.Layer, expected: int) -> None:
        if layer.width != expected:
            self.refuse(f"has {layer.width} outputs, not {expected}")

    def refuse(self, message: str):
        return self.fields.refuse(f"{self.name} {message}")


def _network(module: _Module, prefix: str, activation: Activation) -> list:
    """The masked layers of a joiner and its trunk."""
    numbers = sorted({int(name.split(".")[1]) for name in module.arrays if name.startswith(f"{prefix}trunk.")})
    layers = [_masked_linear(module, f"{prefix}joiner", ir.READ)]
    layers += [_masked_linear(module, f"{prefix}trunk.{number}", i) for i, number in enumerate(numbers)]
    for layer in layers[:-1]:
        layer.activation = activation
    return layers


def _inverse_scale(tanh: bool) -> ir.Affine:
    """The transformer u = (x - m) exp(-a), or exp(-tanh a), from rows m and -a."""
    if tanh:
        return ir.Affine(Scale.EXP_TANH, (1.0,), Form.SHIFT_THEN_SCALE)
    return ir.Affine(Scale.EXP, form=Form.SHIFT_THEN_SCALE)


def _made(module: _Module, options: _Options) -> ir.Autoregressive:
    layers = _network(module, "", options.activation)
    output = layers[-1]
    module.require_outputs(output, 2 * module.dim)
    rows = np.arange(output.width).reshape(2, -1).T.reshape(-1)
    sign = np.tile([1.0, -1.0], module.dim)
    output.bias, output.mask = output.bias[rows] * sign, output.mask[rows]
    output.weight = output.weight[rows] * sign[:, None]
    return ir.Autoregressive(layers, _inverse_scale(options.tanh), name=module.name)


def _made_split(module: _Module, options: _Options) -> ir.Autoregressive:
    means = _network(module, "s_", options.s_activation)
    scales = _network(module, "t_", options.t_activation)
    for layers in (means, scales):
        module.require_outputs(layers[-1], module.dim)
    scales[-1].bias, scales[-1].weight = -scales[-1].bias, -scales[-1].weight
    layers = shift_and_scale(means, scales, np.ones(module.dim), np.arange(module.dim))
    return ir.Autoregressive(layers, _inverse_scale(options.tanh), name=module.name)


def _coupling(module: _Module, options: _Options) -> ir.Autoregressive:
    mask = module.fields.as_array("masks", options.next("masks", module, "`mask`, one for each CouplingLayer,"))
    if mask.shape != (module.dim,) or not np.all((mask == 0) | (mask == 1)) or np.all(mask == 1):
        module.refuse(f"has a mask that is not {module.dim} zeros and ones, with a zero among them")
    networks = []
    for name, activation in (("translate_net", options.t_activation), ("scale_net", options.s_activation)):
        numbers = sorted({int(key.split(".")[1]) for key in module.arrays if key.startswith(f"{name}.")})
        layers = []
        for i, number in enumerate(numbers):
            weight, bias = (module.take(f"{name}.{number}.{part}") for part in ("weight", "bias"))
            layers.append(ir.Layer(bias, weight, None, i - 1, activation=activation))
        if not layers:
            module.refuse(f"has no {name} in the state dict")
        first = layers[0]
        read, context = np.split(first.weight, [module.dim], axis=1)
        layers[0] = ir.Layer(first.bias, read, None, ir.READ, context if context.size else None, activation=activation)
        layers[-1].activation = Activation.IDENTITY
        module.require_outputs(layers[-1], module.dim)
        networks.append(layers)
    transformed = np.flatnonzero(mask == 0)
    layers = shift_and_scale(*networks, mask, transformed)
    return ir.Autoregressive(layers, ir.Affine(Scale.EXP), transformed=transformed, name=module.name)


def _masked_linear(module: _Module, name: str, source) -> ir.Layer:
    return ir.Layer(
        module.take(f"{name}.linear.bias"),
        module.take(f"{name}.linear.weight"),
        module.take(f"{name}.mask") != 0,
        source,
        module.arrays.get(f"{name}.cond_linear.weight"),
    )


def _batch_norm(module: _Module, options: _Options) -> ir.Diagonal:
    scale = np.exp(module.take("log_gamma")) / np.sqrt(module.take("running_var"))
    return ir.Diagonal(scale, module.take("beta"), module.name, 0 - module.take("running_mean"))


def _act_norm(module: _Module, options: _Options) -> ir.Diagonal:
    scale = np.exp(module.take("weight"))
    return ir.Diagonal(scale, np.zeros(len(scale)), module.name, 0 - module.take("bias"))


def _matrix(module: _Module, options: _Options) -> ir.Linear:
    return ir.Linear(module.take("W").T, np.zeros(module.dim), module.name)


def _factors(module: _Module, options: _Options) -> ir.Linear:
    """Rows times W = P L U. L and U hold more than their triangles; the diagonal of U is sign_S exp(log_S)."""
    given = options.next("factors", module, "`P` and `sign_S`, a dictionary for each LUInvertibleMM,")
    if not isinstance(given, Mapping) or not {"P", "sign_S"} <= set(given):
        module.refuse("has an entry of 'factors' that is not a dictionary with `P` and `sign_S`")
    permutation, sign = (module.fields.as_array(name, given[name]) for name in ("P", "sign_S"))
    if permutation.shape != (module.dim, module.dim) or sign.shape != (module.dim,):
        module.refuse(f"has a `P` of the shape {permutation.shape} and a `sign_S` of the shape {sign.shape}")
    lower = np.tril(module.take("L"), -1) + np.eye(module.dim)
    upper = np.triu(module.take("U"), 1) + np.diag(sign * np.exp(module.take("log_S")))
    return ir.Linear((permutation @ lower @ upper).T, np.zeros(module.dim), module.name)


def _reverse(module: _Module, options: _Options) -> ir.Permutation:
    reversal = np.arange(module.dim)[::-1]
    if not np.array_equal(_stored(module, reversal), reversal):
        module.refuse("has a permutation in the state dict that is no reversal: it is a Shuffle")
    return ir.Permutation(reversal, module.name)


def _shuffle(module: _Module, options: _Options) -> ir.Permutation:
    stored, given = _stored(module, None), options.given("permutations")
    if stored is None and given is None:
        module.refuse("is not in a state dict: give its `perm`, one for each Shuffle, in 'permutations'")
    index = stored if given is None else module.fields.as_indices("permutations", given)
    if stored is not None and not np.array_equal(index, stored):
        module.refuse(
            f"has the permutation {stored.tolist()} in the state dict, but 'permutations' has {index.tolist()}"
        )
    return ir.Permutation(index, module.name)


def _stored(module: _Module, default):
    """The permutation of a module, if its state dict has it."""
    if "perm" not in module.arrays:
        return default
    index = module.fields.as_indices(f"{module.name} perm", module.take("perm"))
    if "inv_perm" in module.arrays and not np.array_equal(np.argsort(index), module.take("inv_perm")):
        module.refuse("has an inv_perm that does not undo its perm")
    return index


_MODULES = {
    "MADE": _made,
    "MADESplit": _made_split,
    "CouplingLayer": _coupling,
    "BatchNormFlow": _batch_norm,
    "ActNorm": _act_norm,
    "InvertibleMM": _matrix,
    "LUInvertibleMM": _factors,
    "Reverse": _reverse,
    "Shuffle": _shuffle,
}
