"""State dicts of nflows and its forks: masked layers, couplings and what stands between them.

    _transform._transforms.{i}.autoregressive_net.{initial_layer, context_layer, blocks.{b}, final_layer}...
    _transform._transforms.{i}.{identity_features, transform_features}, ...transform_net.{initial_layer, blocks.{b}...
    ..._permutation;  ..._shift, ..._scale;  ...unconstrained_weight, ...running_mean, ...;  ...log_scale, ...shift
    _transform._transforms.{i}._transform...           an InverseTransform

The class of a layer follows from the names in it, residual or feed-forward blocks too, and from the number of outputs
for each coordinate: 1 is additive, 2 is affine, more is a spline with linear tails, where its class has tails. Not in a
state dict: activation, scale function and its epsilon; what the pieces of splines are, their bound and minima.
"""

from __future__ import annotations

import numpy as np

from ..building import splines
from ..building.arrays import float64
from ..building.conditioners import coupling_net, linear_made, made
from ..building.coordinates import acting, reading
from ..building.mixtures import made_mixture
from ..building.modules import context_size, diagonal, inverted_if
from ..building.networks import linear_output
from ..building.output_rows import reordered, scale_rows
from ..file.codes import Reads, Scale
from ..flow import flow as ir
from ..reference.functions import softplus
from .fields import Fields
from .state_dicts import Node, activation_of, behind, condition_of, grouped, perceptron_of, state_dict_of, tree_of
from .stored_networks import Stored, lu_matrix, stored_network

_LAYERS = "autoregressive_net|_permutation|_shift|_scale|unconstrained_weight|running_mean|running_var|bias|log_scale"
_LAYERS += "|shift|initialized|lower_entries|upper_entries|unconstrained_upper_diag"
_LAYERS += "|identity_features|transform_features|transform_net|unconditional_transform"
_SCALES = {"softplus": (Scale.SOFTPLUS, 0.0), "sigmoid": (Scale.SIGMOID, 2.0)}
_SPLINE = {
    "tail_bound": "where the splines end",
    "min_bin_width": "the least width of a bin, 1e-3 unless it was changed",
    "min_bin_height": "the least height of a bin, 1e-3 unless it was changed",
    "min_derivative": "the least derivative at a knot, 1e-3 unless it was changed",
}
_MINIMA = ("min_bin_width", "min_bin_height")
_PIECES = {  # classes, rows of a coordinate as a K + b, and what a state dict does not tell of a coupling
    "rational_quadratic": ("PiecewiseRationalQuadratic", (3, -1), ("tail_bound", *_MINIMA, "min_derivative")),
    "linear": ("PiecewiseLinear", (1, 0), ("tail_bound",)),
    "quadratic": ("PiecewiseQuadratic", (2, -1), ("tail_bound", *_MINIMA)),
    "cubic": ("PiecewiseCubic", (2, 2), ("tail_bound", *_MINIMA)),
}
_WITHOUT_OPTIONS = ("linear", "cubic")  # as masked layers
_BATCH_NORM_EPSILON = (
    1e-5  # of nflows' BatchNorm, added to the variance and to the gain; no argument of Flow changes it
)


def read_nflows(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, and what masked layers and couplings need."""
    arrays = state_dict_of(fields, "nflows")
    base = {name: arrays.pop(name) for name in list(arrays) if "_distribution." in name}
    standardisation, encoder = condition_of(arrays, fields)
    modules = grouped(arrays, _LAYERS, fields)
    options = _Options(fields)
    for name in ("embedding", "context_encoder"):  # entries that no layer needs are allowed
        fields.optional(name)
    steps = [step for path, node in modules for step in _steps(path, node, options, fields)]
    dim = _dim(modules, fields)
    density = _base(base, dim, options, fields)
    options.close()
    return behind(standardisation, encoder, ir.Flow(dim, context_size(steps, None, density), steps, density))


class _Options:
    """What a state dict does not contain, asked for when a layer needs it."""

    def __init__(self, fields: Fields):
        self._fields = fields
        self._found: dict = {}

    def activation(self):
        return self._once("activation", lambda: activation_of(self._fields))

    def scale(self) -> tuple:
        """The function of raw scales a: its kind, what is added to a, and its epsilon."""

        def read():
            what = "the function of the raw scale a: softplus(a), or sigmoid(a + 2)"
            function = self._fields.choice("scale", what, _SCALES)
            return *function, self._fields.number("epsilon", "what is added to the scale, 1e-3 unless it was changed")

        return self._once("scale", read)

    def pieces(self) -> tuple:
        """What the splines are made of: its name, the name in the classes, rows of a coordinate, options."""
        if "spline" not in self._fields:
            return "rational_quadratic", *_PIECES["rational_quadratic"]
        name = self._spline().choice("pieces", "what the splines are made of", list(_PIECES), "rational_quadratic")
        return name, *_PIECES[name]

    def spline(self, names: tuple) -> dict:
        """These options of the splines: their bound, the least widths, heights and derivatives."""
        return {name: self._spline().number(name, _SPLINE[name]) for name in names}

    def _spline(self) -> Fields:
        what = f"a dictionary with {', '.join(_SPLINE)} of the splines"
        return self._once("spline", lambda: self._fields.part("spline", what))

    def close(self) -> None:
        """Entries that no layer needs are allowed."""
        for name in ("activation", "scale", "epsilon", "mixture_epsilon", "spline", "dim"):
            self._fields.optional(name)
        if "spline" in self._found:
            for name in ("pieces", *_SPLINE):
                self._found["spline"].optional(name)
            self._found["spline"].close()

    def _once(self, name: str, read):
        if name not in self._found:
            self._found[name] = read()
        return self._found[name]


def _inverted(path: str) -> bool:
    """Whether an InverseTransform holds the layer: a Flow has one `_transform` itself, at its root."""
    return path.split("._transforms.")[-1].count("_transform") % 2 == 1 and "_transforms" in path


def _dim(modules: list, fields: Fields) -> int:
    for _, node in modules:
        if "autoregressive_net" in node.children:
            return node.autoregressive_net.initial_layer.weight.shape[1]
        if "transform_net" in node.children:
            return len(node.identity_features) + len(node.transform_features)
        for name in ("_permutation", "running_mean", "log_scale", "bias", "_shift"):
            if name in node.children and node.children[name].dim() and len(node.children[name]) > 1:
                return len(node.children[name])
    return fields.whole("dim", "how many coordinates a row has")


def _steps(path: str, node: Node, options: _Options, fields: Fields) -> list:
    """The steps of one module: two of a coupling whose other half has a spline of its own."""
    if "unconditional_transform" not in node.children:
        return [_step(path, node, options, fields)]
    coupling = _step(path, node, options, fields)
    inner, constant = node.unconditional_transform, float64(node.identity_features).astype(np.int64)
    count = inner.children.get("unnormalized_widths")
    if count is None or options.pieces()[0] != "rational_quadratic":
        fields.refuse(
            f"{path}.unconditional_transform in the state dict, with {', '.join(sorted(inner.children))}, is not "
            "supported; supported is PiecewiseRationalQuadraticCDF"
        )
    free = type("PiecewiseRationalQuadraticCDF", (Stored,), {})
    asked = options.spline(_PIECES["rational_quadratic"][2])
    spline = free(num_bins=count.shape[-1], tails="linear", **asked, **inner.children)
    steps = splines.unconditional(spline, len(constant), coupling.reads)
    dim = len(constant) + len(node.transform_features)
    inside = [acting(step, constant, dim) for step in steps]
    return [*inside, coupling] if _inverted(path) else [coupling, *inside]


def _step(path: str, node: Node, options: _Options, fields: Fields):
    held, inverted = set(node.children), _inverted(path)
    reads = Reads.NOISE if inverted else Reads.DATA
    if "autoregressive_net" in held:
        return _masked(path, node.autoregressive_net, options, reads, fields)
    if {"identity_features", "transform_features", "transform_net"} <= held:
        return _coupling(path, node, options, reads, fields)
    if "_permutation" in held:
        index = float64(node._permutation).astype(np.int64)
        return ir.Permutation(np.argsort(index) if inverted else index, path)
    if "lower_entries" in held:
        return inverted_if(ir.Linear(lu_matrix(node), float64(node.bias), path), inverted)
    before = 0.0
    if "_scale" in held:
        scale, shift = float64(node._scale), float64(node._shift)
    elif "unconstrained_weight" in held:
        gain = softplus(float64(node.unconstrained_weight)) + _BATCH_NORM_EPSILON
        scale = gain / np.sqrt(float64(node.running_var) + _BATCH_NORM_EPSILON)
        shift, before = float64(node.bias), 0 - float64(node.running_mean)
    elif "log_scale" in held:
        scale, shift = np.exp(float64(node.log_scale)), float64(node.shift)
    else:
        return fields.refuse(f"{path} in the state dict, with {', '.join(sorted(held))}, is not supported")
    return inverted_if(diagonal(max(scale.size, shift.size), path, scale, shift, before), inverted)


def _masked(path: str, net: Node, options: _Options, reads: Reads, fields: Fields) -> ir.Autoregressive:
    dim = net.initial_layer.weight.shape[1]
    layers = made(stored_network(net, options.activation()))
    each = _outputs(path, layers[-1], dim, False, options, fields)
    if each != 2:
        spline = _spline("Masked{}AutoregressiveTransform", each, options, autoregressive_net=None)
        return splines.autoregressive(spline, layers, reads, dim)[0]
    rows = np.arange(2 * dim).reshape(dim, 2)[:, ::-1].reshape(-1)  # raw scale, shift becomes shift, raw scale
    return _affine(path, layers, rows, options, reads)


def _coupling(path: str, node: Node, options: _Options, reads: Reads, fields: Fields) -> ir.Autoregressive:
    """A coupling. Its network gives all shifts, then all raw scales; or what a spline needs, divided as in nflows."""
    constant, transformed = (float64(i).astype(np.int64) for i in (node.identity_features, node.transform_features))
    dim, count = len(constant) + len(transformed), len(transformed)
    if sorted([*constant, *transformed]) != list(range(dim)):
        fields.refuse(f"{path} in the state dict does not have each coordinate either transformed or not")
    if not {"initial_layer", "blocks", "final_layer"} <= set(node.transform_net.children):
        fields.refuse(f"{path}.transform_net in the state dict is not a ResidualNet, which is what is supported")
    network = stored_network(node.transform_net, options.activation())
    layers = reading(coupling_net(network, len(constant)), constant, dim)
    each = _outputs(path, layers[-1], count, True, options, fields)
    if each == 1:
        return ir.Autoregressive(layers, ir.Additive(), reads, transformed, path)
    if each == 2:
        rows = np.arange(2 * count).reshape(2, count).T.reshape(-1)
        return _affine(path, layers, rows, options, reads, transformed)
    spline = _spline("{}CouplingTransform", each, options, transform_net=network)
    return splines.coupling(spline, layers, reads, transformed, dim)[0]


def _outputs(path: str, output: ir.Layer, count: int, additive: bool, options: _Options, fields: Fields) -> int:
    """The number of parameters of each of `count` coordinates; 1 only where there are `additive` layers."""
    each, rest = divmod(output.width, count)
    name, _, (per_bin, more), _ = options.pieces()
    if rest or not (each == 2 or (each == 1 and additive) or (each - more) % per_bin == 0):
        fields.refuse(
            f"{path} in the state dict has {output.width / count:g} parameters for each feature; supported are affine "
            f"layers, additive couplings and {name.replace('_', '-')} splines with linear tails"
        )
    return each


def _affine(path: str, layers: list, rows, options: _Options, reads: Reads, transformed=None) -> ir.Autoregressive:
    """`rows` are the outputs of the network in the order shift, raw scale of each coordinate."""
    kind, offset, epsilon = options.scale()
    reordered(layers[-1], rows)
    scale_rows(layers[-1], slice(1, None, 2), 1.0, offset)
    return ir.Autoregressive(layers, ir.Affine(kind, (epsilon,)), reads, transformed, path)


def _spline(kind: str, each: int, options: _Options, **network) -> Stored:
    """What the adapter reads of a live spline transform, by the name of its class."""
    name, pieces, (per_bin, more), asked = options.pieces()
    has_options = not (kind.startswith("Masked") and name in _WITHOUT_OPTIONS)
    found = {"tails": "linear", **options.spline(asked)} if has_options else {}
    return type(kind.format(pieces), (Stored,), {})(num_bins=(each - more) // per_bin, **found, **network)


def _base(arrays: dict, dim: int, options: _Options, fields: Fields) -> ir.Base:
    """Standard normal, whose state dict is empty or the logarithm of a constant; diagonal normal, also of the context;
    a MADE of mixtures.

    Of the context, the means stand before the logarithms of the standard deviations.
    """
    held = {name.rsplit("_distribution.", 1)[-1]: value for name, value in arrays.items()}
    held.pop("_log_z", None)
    if set(held) == {"mean_", "log_std_"}:
        return ir.DiagonalNormal(float64(held["mean_"]).reshape(-1), np.exp(float64(held["log_std_"]).reshape(-1)))
    if held and all(name.startswith("_context_encoder.") for name in held):
        inner = {name.partition(".")[2]: value for name, value in held.items()}
        layers = linear_output(perceptron_of(inner, "context_encoder", "_distribution._context_encoder", fields))
        if layers[-1].width != 2 * dim:
            fields.refuse(f"the context encoder of the base has {layers[-1].width} outputs, not {2 * dim}")
        reordered(layers[-1], np.arange(2 * dim).reshape(2, dim).T.reshape(-1))
        return ir.ConditionalNormal(layers)
    if held and all(name.startswith("_made.") for name in held):
        return _mixture(tree_of(held)._made, dim, options, fields)
    if held:
        fields.refuse(f"the base distribution with {', '.join(sorted(held))} is not supported in a state dict")
    return ir.StandardNormal()


def _mixture(node: Node, dim: int, options: _Options, fields: Fields) -> ir.AutoregressiveMixture:
    network = stored_network(node, options.activation())
    network.num_mixture_components = len(node.final_layer.bias) // (3 * node.initial_layer.weight.shape[1])
    network.epsilon = fields.number("mixture_epsilon", "what a MADE of mixtures adds to its stds: 1e-2 in nflows, sbi")
    return made_mixture(network, linear_made(network, "added"), dim)
