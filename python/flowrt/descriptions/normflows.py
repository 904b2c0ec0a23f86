"""State dicts of normflows: what `save` of a `NormalizingFlow` or a `ConditionalNormalizingFlow` writes.

    flows.{i}.autoregressive_net.{initial_layer, context_layer, blocks.{b}, final_layer}    MaskedAffineAutoregressive
    flows.{i}.mprqat.autoregressive_net...                            AutoregressiveRationalQuadraticSpline
    flows.{i}.prqct.{identity_features, transform_features, transform_net, unconditional_transform}
                                                                      CoupledRationalQuadraticSpline
    flows.{i}.flows.1.param_map...                                    AffineCouplingBlock
    flows.{i}.{b, s, t}...                                            MaskedAffineFlow
    flows.{i}.{s, t}, flows.{i}.data_dep_init_done                    AffineConstFlow, ActNorm
    flows.{i}.{perm, inv_perm}                                        Permute of mode shuffle; of mode swap, nothing
    flows.{i}.{W}, flows.{i}.{P, L, U, sign_S, log_S}                 InvertibleAffine
    flows.{i}.{permutation._permutation, linear...}                   LULinearPermute
    q0.{loc, log_scale}, q0.weight_scores, q0.context_encoder...      the base

Layers map noise to data. Not in a state dict: the classes of modules without arrays, activations, what couplings do
with the raw scale and how they split, and the bound of splines.
"""

from __future__ import annotations

import re

import numpy as np

from ..building import splines
from ..building.arrays import float64
from ..building.conditioners import coupling_net, linear_made
from ..building.coordinates import acting, reading
from ..building.modules import context_size, diagonal, inverted_if
from ..building.networks import linear_output
from ..building.output_rows import reordered, scale_rows
from ..building.pairs import shift_and_scale
from ..errors import ExportError
from ..file.codes import Form, Reads, Scale
from ..flow import flow as ir
from .fields import Fields
from .state_dicts import Node, activation_of, perceptron_of, state_dict_of, tree_of
from .stored_networks import Stored, lu_matrix, stored_network

_EPSILON = 1e-3  # added to the scale of MaskedAffineAutoregressive
_SCALE_MAPS = {
    "exp": (Scale.EXP, 0.0, Form.SCALE_THEN_SHIFT, Reads.NOISE),  # x = s z + t
    "sigmoid": (Scale.SIGMOID, 2.0, Form.SHIFT_THEN_SCALE, Reads.DATA),  # x = z / s + t, so z = s (x - t)
    "sigmoid_inv": (Scale.SIGMOID, 2.0, Form.SCALE_THEN_SHIFT, Reads.NOISE),  # x = s z + t
}
_SPLITS = {  # the coordinates that parametrise a coupling, and those that it changes
    "channel": lambda dim: (np.arange((dim + 1) // 2), np.arange((dim + 1) // 2, dim)),
    "channel_inv": lambda dim: (np.arange((dim + 1) // 2, dim), np.arange((dim + 1) // 2)),
    "checkerboard": lambda dim: (np.arange(1, dim, 2), np.arange(0, dim, 2)),
    "checkerboard_inv": lambda dim: (np.arange(0, dim, 2), np.arange(1, dim, 2)),
}
_NOT_READ = "is not read from a state dict: load it into the model and give that"


def read_normflows(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, `modules` and what else these need."""
    tree = _tree(state_dict_of(fields, "normflows"), fields)
    numbers = {int(name): node for name, node in tree.children.get("flows", Node()).children.items()}
    kinds = fields.items("modules", f"the class of each module of 'flows' in order; {_told(numbers)}")
    options = _Options(fields)
    dim = _dim(tree, fields)
    modules = [_Module(i, kind, numbers.pop(i, Node()), dim, options, fields) for i, kind in enumerate(kinds)]
    if numbers:
        fields.refuse(f"'modules' has {len(kinds)} entries, but the state dict has flows.{min(numbers)}")
    steps = [step for module in reversed(modules) for step in _MODULES[module.kind][1](module)]
    base = _base(tree.children.get("q0", Node()), dim, fields)
    options.close()
    return ir.Flow(dim, context_size(steps, None, base), steps, base)


def _tree(arrays: dict, fields: Fields) -> Node:
    """The modules of one model, whatever stands before their names."""
    found = [re.match(r"(.*?)(?:^|(?<=\.))(?:flows\.\d+|q0)\.", name) for name in arrays]
    root = next((match.group(1) for match in found if match is not None), "")
    own = {}
    for name, value in arrays.items():
        inner = name.removeprefix(root) if name.startswith(root) else ""
        if not inner.startswith(("flows.", "q0.", "p.")):
            fields.refuse(
                f"{name} in the state dict belongs neither to 'flows' nor to 'q0' of a normflows model (where a flow "
                "is a part of a model, 'prefix' is what the names of its arrays begin with)"
            )
        if not inner.startswith("p."):  # the target of the training
            own[inner] = value
    return tree_of(own)


class _Options:
    """What a state dict does not contain, asked for when a module needs it."""

    def __init__(self, fields: Fields):
        self.fields = fields
        self._splits: list | None = None

    def activation(self):
        return activation_of(self.fields)

    def bound(self) -> float:
        return self.fields.number("tail_bound", "where the splines end, 3 unless it was changed")

    def scale_map(self) -> tuple:
        return self.fields.choice("scale_map", "what couplings make of the raw scale", _SCALE_MAPS)

    def split(self, dim: int) -> tuple:
        """The halves of the next coupling: all are split alike, or there is an entry for each."""
        what = f"how couplings split, or a list with an entry for each of them: {', '.join(_SPLITS)}"
        given = self.fields.entry("split_mode", what)
        if self._splits is None and not isinstance(given, str):
            self._splits = self.fields.items("split_mode", what)
        if self._splits is not None:
            given = self._splits.pop(0) if self._splits else None
        if not isinstance(given, str) or given not in _SPLITS:
            self.fields.refuse(f"'split_mode' has {given!r} for a coupling, not one of {', '.join(_SPLITS)}")
        return _SPLITS[given](dim)

    def close(self) -> None:
        if self._splits:
            self.fields.refuse("'split_mode' has more entries than there are couplings")
        for name in ("activation", "tail_bound", "scale_map", "split_mode", "param_map", "s", "t", "context_encoder"):
            self.fields.optional(name)  # entries that no module needs are allowed


class _Module:
    """One of `flows`: its class, and its arrays."""

    def __init__(self, number: int, kind, node: Node, dim: int, options: _Options, fields: Fields):
        self.path, self.kind, self.node, self.dim = f"flows.{number}", kind, node, dim
        self.options, self.fields = options, fields
        if not isinstance(kind, str) or kind not in _MODULES:
            fields.refuse(f"{kind!r} of 'modules' {_NOT_READ}; read are {', '.join(_MODULES)}")
        held, sets = set(node.children), _MODULES[kind][0]
        if held not in sets:
            wanted = " or ".join(", ".join(sorted(names)) or "no arrays" for names in sets)
            fields.refuse(
                f"{self.path} is {kind} in 'modules', which has {wanted}; the state dict has "
                f"{', '.join(sorted(held)) or 'no arrays'}"
            )

    def network(self, name: str, node: Node, inputs: int) -> list:
        """The layers of a network that takes `inputs` coordinates and nothing else."""
        if {"initial_layer", "blocks", "final_layer"} <= set(node.children):
            return coupling_net(stored_network(node, self.options.activation()), inputs)
        return perceptron_of(node.arrays(), name, f"{self.path}.{name}", self.fields, _of_variables)


def _of_variables(weight: np.ndarray, bias: np.ndarray) -> ir.Layer:
    return ir.Layer(bias, weight, source=ir.READ)


def _told(numbers: dict) -> str:
    """What a state dict tells of the classes of its modules."""
    told = []
    for i in range(max(numbers, default=-1) + 1):
        held = set(numbers[i].children) if i in numbers else set()
        told.append(f"{i} {' or '.join(kind for kind, (sets, _) in _MODULES.items() if held in sets) or 'unknown'}")
    return f"by their arrays, {', '.join(told)}; a Permute of mode swap has none, at the end neither"


def _dim(tree: Node, fields: Fields) -> int:
    base = tree.children.get("q0", Node()).children
    if "loc" in base:
        return base["loc"].shape[-1]
    if "scale" in base and "ind" in base:
        return len(base["scale"])
    return fields.whole("dim", "how many coordinates a row has")


# ---- modules ----


def _affine_autoregressive(module: _Module) -> list:
    dim = module.dim
    layers = _made(module.node.autoregressive_net, module)
    _require_outputs(layers, 2 * dim, module)
    reordered(layers[-1], np.arange(2 * dim).reshape(dim, 2)[:, ::-1].reshape(-1))  # [a, t] becomes [t, a]
    scale_rows(layers[-1], slice(1, None, 2), 1.0, 2.0)
    return [ir.Autoregressive(layers, ir.Affine(Scale.SIGMOID, (_EPSILON,)), Reads.NOISE, name=module.path)]


def _made(node: Node, module: _Module) -> list:
    if "preprocessing" in node.children:
        module.fields.refuse(f"{module.path} with periodic features {_NOT_READ}")
    return linear_made(stored_network(node, module.options.activation()), "gate")


def _autoregressive_spline(module: _Module) -> list:
    node = module.node.mprqat
    layers = _made(node.autoregressive_net, module)
    spline = _spline("MaskedPiecewiseRationalQuadraticAutoregressive", node, layers, module.dim, module)
    spline.autoregressive_net = None
    return splines.autoregressive(spline, layers, Reads.DATA, module.dim)


def _coupled_spline(module: _Module) -> list:
    """From data to noise: the coupling, then the free splines of the coordinates that parametrise it."""
    node = module.node.prqct
    constant, transformed = (float64(i).astype(np.int64) for i in (node.identity_features, node.transform_features))
    if "preprocessing" in node.transform_net.children:
        module.fields.refuse(f"{module.path} with periodic features {_NOT_READ}")
    network = stored_network(node.transform_net, module.options.activation())
    layers = linear_output(reading(coupling_net(network, len(constant)), constant, module.dim))
    spline = _spline("PiecewiseRationalQuadraticCoupling", node, layers, len(transformed), module)
    spline.transform_net = network
    steps = splines.coupling(spline, layers, Reads.DATA, transformed, module.dim)
    free = type("PiecewiseRationalQuadraticCDF", (Stored,), {})(**{**vars(spline), **_free(node, spline, module)})
    inside = splines.unconditional(free, len(constant), Reads.DATA)
    return [*steps, *(acting(step, constant, module.dim) for step in inside)]


def _free(node: Node, spline: Stored, module: _Module) -> dict:
    held = node.children["unconditional_transform"].children
    count = held["unnormalized_derivatives"].shape[-1]
    if count != spline.num_bins - 1:
        module.fields.refuse(f"{module.path} with tails that are not linear {_NOT_READ}")
    return held


def _spline(kind: str, node: Node, layers: list, count: int, module: _Module) -> Stored:
    """What `building.splines` reads of a live spline, by the name of its class."""
    each, rest = divmod(layers[-1].width, count)
    if rest or each % 3 != 2:
        module.fields.refuse(f"{module.path} with tails that are not linear {_NOT_READ}")
    bound = node.children.get("tail_bound")
    bound = module.options.bound() if bound is None else bound
    return type(kind, (Stored,), {})(num_bins=(each + 1) // 3, tails="linear", tail_bound=bound)


def _coupling_block(module: _Module) -> list:
    """The first half stays as it is and parametrises the second one."""
    constant, transformed = module.options.split(module.dim)
    parts = module.node.flows
    if set(parts.children) != {"1"} or set(parts.numbered()[0].children) != {"param_map"}:
        module.fields.refuse(f"{module.path}.flows has more than flows.1.param_map, which an AffineCouplingBlock has")
    layers = module.network("param_map", parts.numbered()[0].param_map, len(constant))
    if layers[0].weight.shape[1] != len(constant):
        module.fields.refuse(
            f"{module.path} reads {layers[0].weight.shape[1]} coordinates, but its 'split_mode' leaves "
            f"{len(constant)} of {module.dim} as they are"
        )
    layers = linear_output(reading(layers, constant, module.dim))
    if layers[-1].width == len(transformed):
        return [ir.Autoregressive(layers, ir.Additive(), Reads.NOISE, transformed, module.path)]
    _require_outputs(layers, 2 * len(transformed), module)
    scale, offset, form, side = module.options.scale_map()
    scale_rows(layers[-1], slice(1, None, 2), 1.0, offset)
    return [ir.Autoregressive(layers, ir.Affine(scale, (), form), side, transformed, module.path)]


def _masked_affine(module: _Module) -> list:
    """x = exp(s(b z)) z + t(b z) where the mask b is 0, x = z where it is 1."""
    mask, networks = float64(module.node.b).reshape(-1), []
    if mask.shape != (module.dim,) or not np.all((mask == 0) | (mask == 1)):
        raise ExportError(f"{module.path}: the mask must be {module.dim} zeros and ones")
    for name in ("t", "s"):
        node = module.node.children.get(name)
        networks.append(None if node is None else module.network(name, node, module.dim))
        if node is not None:
            _require_outputs(networks[-1], module.dim, module)
    transformed = np.flatnonzero(mask == 0)
    if not len(transformed):
        return [diagonal(module.dim, module.path)]
    layers = shift_and_scale(*networks, mask, transformed)
    return [ir.Autoregressive(layers, ir.Affine(Scale.EXP), Reads.NOISE, transformed, module.path)]


def _constant(module: _Module) -> list:
    node = module.node
    if not float64(node.children.get("data_dep_init_done", np.ones(1))).all():
        raise ExportError(f"{module.path} has seen no data yet: it takes its scale from the first batch")
    scale, shift = np.exp(float64(node.s)[0]), float64(node.t)[0]
    return [inverted_if(diagonal(module.dim, module.path, scale, shift), True)]


def _permute(module: _Module) -> list:
    """A `forward` of mode swap puts the first half, the shorter one, behind the second."""
    perm = module.node.children.get("perm")
    index = np.roll(np.arange(module.dim), -(module.dim // 2)) if perm is None else float64(perm).astype(np.int64)
    return [ir.Permutation(np.argsort(index), module.path)]


def _invertible_affine(module: _Module) -> list:
    """z = x W with W = P L U, and signs times exp(log_S) on the diagonal of U."""
    node, dim = module.node, module.dim
    if "W" in node.children:
        matrix = float64(node.W)
    else:
        lower = np.tril(float64(node.L), -1) + np.eye(dim)
        upper = np.triu(float64(node.U), 1) + np.diag(float64(node.sign_S) * np.exp(float64(node.log_S)))
        matrix = float64(node.P) @ lower @ upper
    return [ir.Linear(matrix.T, np.zeros(dim), module.path)]


def _lu_permute(module: _Module) -> list:
    """z = L U x[permutation] + bias."""
    matrix = np.zeros((module.dim, module.dim))
    matrix[:, float64(module.node.permutation._permutation).astype(np.int64)] = lu_matrix(module.node.linear)
    return [ir.Linear(matrix, float64(module.node.linear.bias), module.path)]


def _require_outputs(layers: list, expected: int, module: _Module) -> None:
    if layers[-1].width != expected:
        raise ExportError(f"{module.path}: the network has {layers[-1].width} outputs, not {expected}")


_MODULES: dict = {  # the sets of names that a class has in a state dict, and its reader
    "MaskedAffineAutoregressive": ([{"autoregressive_net"}], _affine_autoregressive),
    "AutoregressiveRationalQuadraticSpline": ([{"mprqat"}], _autoregressive_spline),
    "CoupledRationalQuadraticSpline": ([{"prqct"}], _coupled_spline),
    "AffineCouplingBlock": ([{"flows"}], _coupling_block),
    "MaskedAffineFlow": ([{"b", "s", "t"}, {"b", "s"}, {"b", "t"}, {"b"}], _masked_affine),
    "AffineConstFlow": ([{"s", "t"}], _constant),
    "ActNorm": ([{"s", "t", "data_dep_init_done"}], _constant),
    "Permute": ([{"perm", "inv_perm"}, set()], _permute),
    "InvertibleAffine": ([{"W"}, {"P", "L", "U", "sign_S", "log_S", "eye"}], _invertible_affine),
    "LULinearPermute": ([{"permutation", "linear"}], _lu_permute),
}


# ---- bases ----


def _base(node: Node, dim: int, fields: Fields) -> ir.Base:
    held = node.children
    if set(held) == {"loc", "log_scale"}:
        mean, std = float64(held["loc"])[0], np.exp(float64(held["log_scale"])[0])
        return ir.StandardNormal() if np.all(mean == 0) and np.all(std == 1) else ir.DiagonalNormal(mean, std)
    if set(held) == {"loc", "log_scale", "weight_scores"}:
        mean, std = float64(held["loc"])[0], np.exp(float64(held["log_scale"])[0])
        return ir.NormalMixture(float64(held["weight_scores"])[0], mean, std)
    if set(held) == {"context_encoder"}:
        inner = held["context_encoder"].arrays()
        layers = linear_output(perceptron_of(inner, "context_encoder", "q0.context_encoder", fields))
        if layers[-1].width != 2 * dim:
            fields.refuse(f"the context encoder of q0 has {layers[-1].width} outputs, not {2 * dim}")
        reordered(layers[-1], np.arange(2 * dim).reshape(2, dim).T.reshape(-1))
        return ir.ConditionalNormal(layers)
    if not held:
        box = fields.part("uniform", "q0 has no arrays; of a Uniform, give a dictionary with 'lower' and 'upper'")
        corners = [box.array(name, f"the {name} corner of the box", (dim,)) for name in ("lower", "upper")]
        box.close()
        return ir.BoxUniform(*corners)
    return fields.refuse(f"q0 with {', '.join(sorted(held))} {_NOT_READ}")
