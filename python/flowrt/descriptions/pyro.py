"""State dicts of Pyro's transforms, in a list of modules or inside of a model.

    {i}.arn.layers.{k}.{weight, bias, mask}, {i}.arn.permutation, {i}.arn.skip_layer...    AffineAutoregressive; with
                                                          the same below {i}.spline.nn, SplineAutoregressive
    {i}.nn.layers..., {i}.nn.permutation                  the conditional forms of both
    {i}.nn.layers..., without permutation                 AffineCoupling, ConditionalAffineCoupling, ConditionalSpline
    {i}.unnormalized_{widths, heights, ...}               Spline
    {i}.lower_spline.unnormalized_..., {i}.upper_spline.nn.layers...    SplineCoupling
    {i}.{gamma, beta, moving_mean, moving_variance}       BatchNorm
    {i}.u_unnormed                                        Householder

Transforms map noise to data and are listed from the base on. Not in a state dict: transforms without arrays, such as
Permute, and whether one is inverted; the base; activations, clips and bounds.
"""

from __future__ import annotations

import numpy as np

from ..building.arrays import float64
from ..building.coordinates import reading
from ..building.modules import concatenated_linear, context_size, diagonal, inverted_if
from ..building.networks import alternating, perceptron
from ..building.output_rows import reordered
from ..file.codes import Form, Function, Reads, Scale, SplineForm, spline_parameters
from ..flow import flow as ir
from .bases import read_base
from .fields import Fields
from .state_dicts import Node, activation_of, grouped, state_dict_of
from .stored_networks import stored_linear

_NAMES = "arn|nn|spline|lower_spline|upper_spline|unnormalized_(?:widths|heights|derivatives|lambdas)"
_NAMES += "|gamma|beta|moving_mean|moving_variance|u_unnormed"
_PARAMETERS = ("unnormalized_widths", "unnormalized_heights", "unnormalized_derivatives", "unnormalized_lambdas")
_MINIMUM, _LEAST_SHARE = 1e-3, 0.025  # of bins and derivatives, which no transform of Pyro changes
_LEAKY_SLOPE = 0.01
_ORDERS = {"linear": SplineForm.LINEAR_RATIONAL, "quadratic": SplineForm(0)}
_OPTIONS = {
    "log_scale_min_clip": "the least raw scale, -5 unless it was changed",
    "log_scale_max_clip": "the greatest raw scale, 3 unless it was changed",
    "sigmoid_bias": "what is added to the raw scale, 2 unless it was changed",
    "bound": "where the splines end, 3 unless it was changed",
    "epsilon": "what BatchNorm adds to the variance, 1e-5 unless it was changed",
}
_TOLD = {
    "stable": "whether the affine autoregressive transforms are of the `stable` form, true or false",
    "identity": "whether the first half of a SplineCoupling stays as it is, true or false",
}


def read_pyro(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, `modules` and what else these need."""
    groups = grouped(state_dict_of(fields, "pyro"), _NAMES, fields)
    kinds = fields.items(
        "modules", "the class of each transform from the base on, with .inv behind it if it is inverted, Permute too"
    )
    options = _Options(fields)
    dim = next((found for found in map(_dim, (node for _, node in groups)) if found), None)
    transforms = _transforms(groups, kinds, options, fields)
    if dim is None:
        dim = _coupling_dim(transforms, options) or fields.whole("dim", "how many coordinates a row has")
    steps: list = []
    for transform in transforms:
        transform.dim = dim
        steps[:0] = _TRANSFORMS[transform.kind][1](transform)
    options.close()
    base = read_base(fields.part("base", "", {"kind": "standard_normal"}), dim)
    return ir.Flow(dim, context_size(steps, None, base), steps, base)


class _Options:
    """What a state dict does not contain, asked for when a transform needs it."""

    def __init__(self, fields: Fields):
        self.fields = fields
        self._permutations = iter(fields.items("permutations", "", ()))

    def activation(self):
        return activation_of(self.fields)

    def number(self, name: str) -> float:
        return self.fields.number(name, _OPTIONS[name])

    def told(self, name: str) -> bool:
        """A flag that must be there."""
        self.fields.entry(name, _TOLD[name])
        return self.fields.flag(name)

    def context_dim(self) -> int:
        return self.fields.whole("context_dim", "floats of the context, which stand before the coordinates")

    def order(self) -> str:
        return self.fields.choice("order", "of the splines", list(_ORDERS))

    def permutation(self, dim: int) -> np.ndarray:
        given = next(self._permutations, None)
        if given is None:
            self.fields.refuse("a Permute is not in a state dict: give the permutation of each in 'permutations'")
        index = self.fields.as_indices("permutations", given)
        if not np.array_equal(np.sort(index), np.arange(dim)):
            self.fields.refuse(f"'permutations' has {index.tolist()}, which is no order of {dim} coordinates")
        return index

    def close(self) -> None:
        if next(self._permutations, None) is not None:
            self.fields.refuse("'permutations' has more entries than 'modules' has Permute")
        for name in ("activation", "context_dim", "order", *_OPTIONS, *_TOLD):  # entries that nothing needs are allowed
            self.fields.optional(name)


class _Transform:
    """One transform: its class, whether it is inverted, and its arrays."""

    def __init__(self, path: str, kind: str, inverted: bool, node: Node, options: _Options, fields: Fields):
        self.path, self.kind, self.inverted, self.node = path, kind, inverted, node
        self.options, self.fields, self.dim = options, fields, 0
        self.reads = Reads.DATA if inverted else Reads.NOISE

    def refuse(self, message: str):
        return self.fields.refuse(f"{self.path} ({self.kind}) in the state dict {message}")

    @property
    def network(self) -> Node:
        return self.node.arn if "arn" in self.node.children else self.node.nn


def _transforms(groups: list, kinds: list, options: _Options, fields: Fields) -> list:
    """The transforms in order; those with arrays take these in the order of the state dict."""
    groups, found = list(groups), []
    for i, given in enumerate(kinds):
        kind, _, end = given.partition(".") if isinstance(given, str) else (given, "", "")
        if not isinstance(kind, str) or kind not in _TRANSFORMS or end not in ("", "inv"):
            fields.refuse(
                f"{given!r} of 'modules' is not read from a state dict: load it into the model and give that; read are "
                f"{', '.join(_TRANSFORMS)}, and each with .inv behind it"
            )
        path, node = f"modules[{i}]", Node()
        sets = _TRANSFORMS[kind][0]
        if sets:
            if not groups:
                fields.refuse(f"'modules' has {given} at {i}, but the state dict has no more arrays")
            path, node = groups.pop(0)
            if not _fits(node, sets):
                fields.refuse(
                    f"{path or 'the state dict'} is {kind} in 'modules', which has {' or '.join(map(_and, sets))}; the "
                    f"state dict has {_and(node.children)}"
                )
        found.append(_Transform(path, kind, end == "inv", node, options, fields))
    if groups:
        fields.refuse(f"'modules' has {len(kinds)} entries, and the state dict has arrays of more: {groups[0][0]}")
    return found


def _and(names) -> str:
    return ", ".join(sorted(names))


def _fits(node: Node, sets: list) -> bool:
    return any(set(node.children) == names for names in sets)


def _dim(node: Node) -> int | None:
    """The number of coordinates, as far as the arrays of one transform tell it."""
    held = node.children
    for name in ("arn", "nn"):
        if name in held and "permutation" in held[name].children:
            return len(held[name].permutation)
    if "unnormalized_widths" in held:
        return len(held["unnormalized_widths"])
    if "gamma" in held:
        return len(held["gamma"])
    if "u_unnormed" in held:
        return held["u_unnormed"].shape[1]
    if "lower_spline" in held:
        first = held["lower_spline"].children
        each = sum(first[name].shape[1] for name in _PARAMETERS if name in first)
        return len(first["unnormalized_widths"]) + _outputs(held["upper_spline"].nn) // each
    return None


def _coupling_dim(transforms: list, options: _Options) -> int | None:
    """The number of coordinates, as far as an affine coupling tells it."""
    for transform in transforms:
        if transform.kind.endswith("AffineCoupling"):
            layers = transform.network.layers.numbered()
            return _split(transform) + len(layers[-1].weight) // 2
    return None


def _split(transform: _Transform) -> int:
    """How many coordinates an affine coupling leaves as they are."""
    context = transform.options.context_dim() if transform.kind.startswith("Conditional") else 0
    return transform.network.layers.numbered()[0].weight.shape[1] - context


# ---- transforms ----


def _layers(transform: _Transform, network: Node, contexts: int, rows) -> list:
    """A perceptron, and optionally a linear map from its input to its output; the context comes first."""
    linears = [stored_linear(node) for node in network.layers.numbered()]
    variables, context = slice(contexts, None), slice(0, contexts)
    activation = transform.options.activation() if len(linears) > 1 else None
    layers = perceptron(alternating(linears, activation), variables, context)
    reordered(layers[-1], rows)
    if "skip_layer" in network.children:
        skip = concatenated_linear(stored_linear(network.skip_layer), variables, context)
        reordered(skip, rows)
        layers.insert(-1, skip)
        layers[-1].add.append(ir.Add(len(layers) - 2))
    return layers


def _outputs(network: Node) -> int:
    return len(network.layers.numbered()[-1].weight)


def _inputs(network: Node) -> int:
    return network.layers.numbered()[0].weight.shape[1]


def _interleaved(transform: _Transform, count: int) -> np.ndarray:
    """All t, then all a, becomes t, a of each coordinate."""
    if _outputs(transform.network) != 2 * count:
        transform.refuse(f"has {_outputs(transform.network)} outputs, not {2 * count}")
    return np.arange(2 * count).reshape(2, count).T.reshape(-1)


def _clamped(transform: _Transform) -> ir.Affine:
    clips = tuple(transform.options.number(f"log_scale_{end}_clip") for end in ("min", "max"))
    return ir.Affine(Scale.EXP_CLAMPED, clips)


def _affine_autoregressive(transform: _Transform) -> list:
    network, dim = transform.network, transform.dim
    layers = _layers(transform, network, _inputs(network) - dim, _interleaved(transform, dim))
    if transform.options.told("stable"):
        transformer = ir.Affine(Scale.SIGMOID, form=Form.GATED)
        layers[-1].bias[1::2] += transform.options.number("sigmoid_bias")
    else:
        transformer = _clamped(transform)
    return [ir.Autoregressive(layers, transformer, transform.reads, name=transform.path)]


def _affine_coupling(transform: _Transform) -> list:
    split = _split(transform)
    constant, transformed = np.split(np.arange(transform.dim), [split])
    contexts = _inputs(transform.network) - split
    layers = _layers(transform, transform.network, contexts, _interleaved(transform, len(transformed)))
    layers = reading(layers, constant, transform.dim)
    return [ir.Autoregressive(layers, _clamped(transform), transform.reads, transformed, transform.path)]


def _free_spline(transform: _Transform) -> list:
    layer, spline = _free(transform, transform.node)
    return [ir.Autoregressive([layer], spline, transform.reads, name=transform.path)]


def _free(transform: _Transform, node: Node) -> tuple:
    """The layer of parameters that depend on nothing, and the spline."""
    parts = [float64(node.children[name]) for name in _PARAMETERS if name in node.children]
    spline = _spline(transform, parts[0].shape[1])
    if [part.shape[1] for part in parts] != _sizes(spline):
        transform.refuse(f"has the parameters of another 'order' than {transform.options.order()!r}")
    return ir.Layer(np.concatenate(parts, axis=1).reshape(-1)), spline


def _conditional_spline(transform: _Transform) -> list:
    network = transform.network
    spline = _spline_of_outputs(transform, network, transform.dim)
    layers = _layers(transform, network, _inputs(network), _parameter_rows(spline, transform.dim))
    return [ir.Autoregressive(layers, spline, transform.reads, name=transform.path)]


def _spline_autoregressive(transform: _Transform) -> list:
    network, dim = transform.network, transform.dim
    spline = _spline_of_outputs(transform, network, dim)
    rows = np.arange(_outputs(network)).reshape(-1, dim).T.reshape(-1)
    layers = _layers(transform, network, _inputs(network) - dim, rows)
    return [ir.Autoregressive(layers, spline, transform.reads, name=transform.path)]


def _spline_coupling(transform: _Transform) -> list:
    """The first half parametrises the second one and, unless `identity`, has a spline of its own, on the noise side."""
    lower, upper = transform.node.lower_spline, transform.node.upper_spline
    free, free_spline = _free(transform, lower)
    first, last = np.split(np.arange(transform.dim), [len(lower.unnormalized_widths)])
    spline = _spline_of_outputs(transform, upper.nn, len(last))
    layers = reading(_layers(transform, upper.nn, 0, _parameter_rows(spline, len(last))), first, transform.dim)
    steps = [ir.Autoregressive(layers, spline, transform.reads, last, transform.path)]
    if not transform.options.told("identity"):
        steps.append(ir.Autoregressive([free], free_spline, transform.reads, first, transform.path))
    return steps if transform.inverted else steps[::-1]


def _spline(transform: _Transform, bins: int) -> ir.Spline:
    form, bound = _ORDERS[transform.options.order()], transform.options.number("bound")
    p = (-bound, bound, _MINIMUM, _MINIMUM, _MINIMUM, 0.0, 1.0 - _MINIMUM)
    return ir.Spline(bins, form, (*p, _LEAST_SHARE) if form else p)


def _spline_of_outputs(transform: _Transform, network: Node, count: int) -> ir.Spline:
    """The spline whose parameters of `count` coordinates a network gives."""
    order, outputs = transform.options.order(), _outputs(network)
    each, per_bin = outputs / count, {"linear": 4, "quadratic": 3}[order]
    if (each + 1) % per_bin:
        transform.refuse(f"has {each:g} outputs for each coordinate, which no spline of order {order!r} has")
    return _spline(transform, round(each + 1) // per_bin)


def _sizes(spline: ir.Spline) -> list:
    """How many widths, heights, derivatives and, of linear order, shares a coordinate has."""
    return [size for size in spline_parameters(spline.form, spline.bins) if size]


def _parameter_rows(spline: ir.Spline, count: int) -> np.ndarray:
    """All widths of the first coordinate, of the second, ...; then all heights, as a DenseNN gives them."""
    sizes = [count * size for size in _sizes(spline)]
    starts = np.cumsum([0, *sizes])
    parts = [np.arange(start, end).reshape(count, -1) for start, end in zip(starts, starts[1:])]
    return np.concatenate(parts, axis=1).reshape(-1)


def _batch_norm(transform: _Transform) -> list:
    """Its inverse is the normalising direction."""
    node = transform.node
    scale = (np.maximum(float64(node.gamma), 0) + 1e-6) / np.sqrt(
        float64(node.moving_variance) + transform.options.number("epsilon")
    )
    step = diagonal(transform.dim, transform.path, scale, float64(node.beta), 0 - float64(node.moving_mean))
    return [inverted_if(step, transform.inverted)]


def _householder(transform: _Transform) -> list:
    matrix = np.eye(transform.dim)
    for vector in float64(transform.node.u_unnormed):
        unit = vector / np.linalg.norm(vector)
        matrix = matrix - 2 * np.outer(unit, unit @ matrix)
    return [inverted_if(ir.Linear(matrix, np.zeros(transform.dim), transform.path), not transform.inverted)]


def _permute(transform: _Transform) -> list:
    index = transform.options.permutation(transform.dim)
    return [ir.Permutation(index if transform.inverted else np.argsort(index), transform.path)]


def _leaky_relu(transform: _Transform) -> list:
    function = Function.LEAKY if transform.inverted else Function.LEAKY_INVERSE
    zeros = np.zeros(transform.dim)
    return [ir.Elementwise(np.full(transform.dim, int(function)), zeros + _LEAKY_SLOPE, zeros, transform.path)]


_SPLINE_NAMES = [set(_PARAMETERS), set(_PARAMETERS[:3])]
_TRANSFORMS: dict = {  # the sets of names that a class has in a state dict, if it has any, and its reader
    "AffineAutoregressive": ([{"arn"}], _affine_autoregressive),
    "ConditionalAffineAutoregressive": ([{"nn"}], _affine_autoregressive),
    "AffineCoupling": ([{"nn"}], _affine_coupling),
    "ConditionalAffineCoupling": ([{"nn"}], _affine_coupling),
    "Spline": (_SPLINE_NAMES, _free_spline),
    "ConditionalSpline": ([{"nn"}], _conditional_spline),
    "SplineAutoregressive": ([{"arn", "spline"}], _spline_autoregressive),
    "ConditionalSplineAutoregressive": ([{"nn"}], _spline_autoregressive),
    "SplineCoupling": ([{"lower_spline", "upper_spline"}], _spline_coupling),
    "BatchNorm": ([{"gamma", "beta", "moving_mean", "moving_variance"}], _batch_norm),
    "Householder": ([{"u_unnormed"}], _householder),
    "Permute": ([], _permute),
    "LeakyReLUTransform": ([], _leaky_relu),
}
