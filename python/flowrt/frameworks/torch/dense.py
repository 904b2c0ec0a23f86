"""Networks of any wiring, read from what their forward does: residual blocks, gates, sums over trials, convolutions.

`torch.fx` traces the forward of a module that is no module of PyTorch into a list of calls. Each call that is a linear
map, an activation, a sum or a product of values becomes a layer; a value of several axes is held flat, so a linear
module that acts on T trials becomes a matrix of T equal blocks, and a reshaped value is the same layer whose units are
counted in another order. `windows.py` has the convolutions and what goes with them. What is read is compared with the
live model, like everything else, before a file is written.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass

import numpy as np

from ...building.activations import recognise
from ...building.arrays import float64
from ...building.modules import bias_of, class_names, refuse
from ...building.networks import BatchNorm
from ...building.simplify import simplified
from ...errors import ExportError
from ...file.codes import Activation
from ...flow import flow as ir
from . import sbi_modules, windows

SUPPORTED = (
    "networks of linear modules, convolutions, pooling, padding, BatchNorm, LayerNorm, activations, sums and products"
)
_LARGEST = 1 << 24  # weights of one layer
_NOTHING = {"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
_SUMS = {"add", "iadd", "add_", "sub", "isub", "sub_", "rsub"}
_PRODUCTS = {"mul", "imul", "mul_", "multiply", "truediv", "div", "div_"}
_SAME = {"contiguous", "clone", "detach", "float", "double", "to", "type_as", "dropout"}
_SHAPES = {"flatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose", "getitem", "unflatten"}


@dataclass
class Value:
    """The value of a layer, of the shape that a row has; `layer` None is the context.

    `units` (shape) says which unit each number is, in an order of its own; None if that is the order of the numbers.
    """

    layer: int | None
    shape: tuple
    units: np.ndarray | None = None

    @property
    def width(self) -> int:
        return int(np.prod(self.shape))

    @property
    def places(self) -> np.ndarray:
        """`units`, always as an array."""
        return np.arange(self.width).reshape(self.shape) if self.units is None else self.units

    def reordered(self, numbers: np.ndarray) -> Value:
        """All numbers of the value, each once, in the order and the shape of an array that counts them."""
        places = self.places.reshape(-1)[numbers]
        in_order = np.array_equal(places.reshape(-1), np.arange(self.width))
        return Value(self.layer, numbers.shape, None if in_order else places)


def dense_layers(module, shape: tuple) -> list:
    """The layers of a network that is given a context of this shape. Raises `ExportError` that names a part."""
    network = Network()
    return simplified(network.ending_with(network.module(module, Value(None, shape))))


class Network:
    """Layers, and what adds to them. `special` are functions of a network, a module and a value, by class name."""

    def __init__(self, special=None):
        self.special = special or {}
        self.layers: list[ir.AnyLayer] = []
        self.zeros: dict = {}  # what each layer that pads with zeros was made of: a value, and how it is padded

    def ending_with(self, value: Value, order=None) -> list:
        """The layers, the last of which is the value with its units in an order."""
        value = self.in_order(value, order)
        if value.layer is None or value.layer != len(self.layers) - 1:
            self.sum([(value, 1.0)])
        return self.layers

    # ---- values ----

    def linear(self, value: Value, matrix: np.ndarray, bias: np.ndarray, shape: tuple) -> Value:
        if matrix.size > _LARGEST:
            raise ExportError(
                f"a layer of the embedding net would have {matrix.size} weights, as it acts on {value.shape[0]} "
                f"trials; supported are {_LARGEST}"
            )
        if value.units is not None:
            by_unit = np.empty_like(matrix)
            by_unit[:, value.units.reshape(-1)] = matrix
            matrix = by_unit
        weights = {"context_weight": matrix} if value.layer is None else {"source": value.layer, "weight": matrix}
        return self.added(ir.Layer(bias, **weights), shape)

    def sum(self, terms: list, shift=0.0, **fields) -> Value:
        """shift + the sum of scale * value, numbers or arrays."""
        shape = np.broadcast_shapes(*(value.shape for value, _ in terms), np.shape(shift))
        terms = [(self._stored(value, shape), scale) for value, scale in terms]
        while len(terms) > 3:  # as many as a layer adds
            terms = [(self.sum(terms[:3]), 1.0), *terms[3:]]
        order = terms[0][0].units
        terms = [(self.in_order(value, order), scale) for value, scale in terms]
        add = [ir.Add(value.layer, _scale(scale, shape, order)) for value, scale in terms]
        bias = _by_unit(np.broadcast_to(np.asarray(shift, dtype=np.float64), shape), order).copy()
        return self.added(ir.Layer(bias, add=add, **fields), shape, order)

    def product(self, left: Value, right: Value) -> Value:
        shape = np.broadcast_shapes(left.shape, right.shape)
        left, right = self._stored(left, shape), self._stored(right, shape)
        return self.sum([(left, 1.0)], gate=self.in_order(right, left.units).layer)

    def in_order(self, value: Value, order: np.ndarray | None = None) -> Value:
        """The value with its units in the order of an array like `Value.units`."""
        if (value.units is None and order is None) or np.array_equal(value.places, order):
            return value
        index = np.empty(value.width, dtype=np.int64)
        index[np.arange(value.width) if order is None else order.reshape(-1)] = value.places.reshape(-1)
        source = ir.CONTEXT if value.layer is None else value.layer
        return self.added(ir.Gather(index, source), value.shape, order)

    def selected(self, value: Value, numbers: np.ndarray) -> Value:
        """The numbers of a value, counted flat, in the shape of the array."""
        if np.array_equal(np.sort(numbers, axis=None), np.arange(value.width)):
            if self.has_planes or np.array_equal(numbers.reshape(-1), np.arange(value.width)):
                return value.reordered(numbers)
        matrix = np.zeros((numbers.size, value.width))
        matrix[np.arange(numbers.size), numbers.reshape(-1)] = 1
        return self.linear(value, matrix, np.zeros(numbers.size), numbers.shape)

    @property
    def has_planes(self) -> bool:
        return ir.has_planes(self.layers)

    def added(self, layer: ir.AnyLayer, shape: tuple, units=None) -> Value:
        self.layers.append(layer)
        return Value(len(self.layers) - 1, shape, units)

    def _stored(self, value: Value, shape: tuple) -> Value:
        """The value as a layer of this shape."""
        numbers = np.broadcast_to(np.arange(value.width).reshape(value.shape), shape)
        value = self.selected(value, numbers)
        return (
            value if value.layer is not None else self.linear(value, np.eye(value.width), np.zeros(value.width), shape)
        )

    # ---- modules ----

    def module(self, module, value: Value) -> Value:
        kinds = class_names(module)
        of_torch = type(module).__module__.startswith("torch.nn")
        for kind in kinds & self.special.keys():
            return self.special[kind](self, module, value)
        if kinds & _NOTHING and of_torch:
            return value
        if "Sequential" in kinds and of_torch:
            for part in module:
                value = self.module(part, value)
            return value
        if "Flatten" in kinds and of_torch:
            return self._shaped("flatten", (value, module.start_dim, module.end_dim), {})
        if "Unflatten" in kinds and of_torch:
            return self._shaped("unflatten", (value, module.dim, tuple(module.unflattened_size)), {})
        if windows.knows(module) or ("BatchNorm1d" in kinds and of_torch and self.is_plane(value)):
            return windows.append(self, module, value)
        if "Linear" in kinds and of_torch:
            return self._linear_module(module, value)
        if "BatchNorm1d" in kinds and of_torch:
            norm, axes = BatchNorm.of(module), (-1, 1) if len(value.shape) == 2 else (-1,)
            scale, mean, shift = (part.reshape(axes) for part in (norm.scale, norm.mean, norm.shift))
            if norm.cancels():  # the difference first, as the framework has it
                return self.sum([(self.sum([(value, 1.0)], -mean), scale)], shift)
            return self.sum([(value, scale)], shift - scale * mean)
        if "LayerNorm" in kinds and of_torch:
            return self._layer_norm(module, value)
        reader = sbi_modules.reader_of(module)
        if reader is not None:
            return reader(self, module, value)
        if "Standardize" in kinds and value.layer is None:  # of sbi, which the flow as a whole is told of
            return value
        if of_torch:
            if "PReLU" in kinds and module.weight.numel() == value.shape[0] and len(value.shape) > 1:
                return self._leaky_by_channel(float64(module.weight), value)
            slopes = "PReLU" in kinds and (len(value.shape) == 1 or module.weight.numel() == 1)
            if list(module.children()) or list(module.parameters()) and not slopes:
                refuse(module, SUPPORTED)
            return self.activation(module, value)
        return self._traced(module, value)

    def is_plane(self, value: Value) -> bool:
        """Whether a value is that of pixels with channels."""
        return len(value.shape) in (2, 3) and value.layer is not None and value.units is not None

    def activation(self, function, value: Value) -> Value:
        kind, a = recognise(function)
        return value if kind == Activation.IDENTITY else self.sum([(value, 1.0)], activation=kind, a=a)

    def _leaky_by_channel(self, slopes: np.ndarray, value: Value) -> Value:
        """relu(v) - slope relu(-v), a slope for each channel."""
        above, below = (self.sum([(value, sign)], activation=Activation.RELU) for sign in (1.0, -1.0))
        slopes = slopes.reshape(-1, *[1] * (len(value.shape) - 1))
        return self.sum([(above, 1.0), (below, -slopes)])

    def _linear_module(self, module, value: Value) -> Value:
        weight, bias, count = float64(module.weight), bias_of(module), int(np.prod(value.shape[:-1]))
        if value.shape[-1] != weight.shape[1]:
            raise ExportError(f"Linear of {weight.shape[1]} numbers is given {value.shape[-1]}")
        shape = (*value.shape[:-1], len(weight))
        if count * count * weight.size > _LARGEST:
            return self.linear(value, np.broadcast_to(0.0, (count * len(weight), value.width)), bias, shape)
        return self.linear(value, np.kron(np.eye(count), weight), np.tile(bias, count), shape)

    def _layer_norm(self, module, value: Value) -> Value:
        if tuple(module.normalized_shape) != value.shape:
            raise ExportError(f"LayerNorm of shape {tuple(module.normalized_shape)} acts on values of {value.shape}")
        result = self.sum([(value, 1.0)], activation=Activation.LAYER_NORM, a=float(module.eps))
        if module.weight is None:
            return result
        return self.sum([(result, float64(module.weight))], 0.0 if module.bias is None else float64(module.bias))

    # ---- forward functions ----

    def _traced(self, module, value: Value) -> Value:
        import torch.fx

        self_special = self.special.keys()

        class Tracer(torch.fx.Tracer):
            def is_leaf_module(self, part, name):
                return type(part).__module__.startswith("torch.nn") or (
                    bool(class_names(part) & self_special) or sbi_modules.reader_of(part) is not None
                )

        left_out = _left_out(module)
        try:
            graph = Tracer().trace(module, concrete_args=left_out)
        except Exception as error:  # whatever a forward does with what is no tensor
            cause = " ".join(f"{type(error).__name__}: {error}".split())[:120]
            raise ExportError(
                f"{type(module).__name__} is not supported: its forward cannot be traced ({cause})"
            ) from None
        known: dict = {}
        for node in graph.nodes:
            given = torch.fx.node.map_arg(node.args, known.get)
            options = torch.fx.node.map_arg(node.kwargs, known.get)
            if node.op == "placeholder":
                if str(node.target).rpartition("_")[0] in left_out:
                    continue
                if value is None:
                    raise ExportError(f"{type(module).__name__} takes more than one argument")
                known[node], value = value, None
            elif node.op == "call_function" and node.target.__name__ in ("_assert_is_none", "_assert", "eq"):
                continue  # of arguments that are left out
            elif node.op == "get_attr":
                known[node] = float64(functools.reduce(getattr, node.target.split("."), module))
            elif node.op == "call_module":
                known[node] = self.module(module.get_submodule(node.target), *given)
            elif node.op == "output":
                return given[0]
            else:
                name = node.target if node.op == "call_method" else node.target.__name__
                known[node] = self._call(name, node, given, options)
        return refuse(module, SUPPORTED)

    def _call(self, name: str, node, given: tuple, options: dict):
        """What a function or a method makes of values and numbers."""
        values = [part for part in given if isinstance(part, Value)]
        if name == "getattr" and given[1] == "shape":
            return (-1, *given[0].shape)
        if name == "size":
            sizes = (-1, *given[0].shape)
            return sizes[given[1]] if len(given) > 1 else sizes
        if name == "getitem" and not values:
            return given[0][given[1]]
        if name in ("cat", "concat", "concatenate"):
            return self._concatenated(*given, **options)
        if name in _SAME and len(values) == 1:
            return values[0]
        if name in _SHAPES and len(values) == 1:
            return self._shaped(name, given, options)
        if name in ("sum", "mean") and len(values) == 1:
            return self._reduced(name, *given, **options)
        if name in _SUMS | _PRODUCTS and not options and len(given) == 2:
            return self._arithmetic(name, *given)
        if name == "neg":
            return self.sum([(given[0], -1.0)])
        if len(values) == 1 and values[0] is given[0]:
            function = node.target
            if node.op == "call_method":
                return self.activation(lambda v: getattr(v, name)(*given[1:], **options), given[0])
            return self.activation(_named(lambda v: function(v, *given[1:], **options), name), given[0])
        raise ExportError(f"{name} in the forward of an embedding net is not supported")

    def _arithmetic(self, name: str, left, right) -> Value:
        if name in _SUMS:
            signs = (1.0, -1.0) if "sub" in name else (1.0, 1.0)
            signs = signs[::-1] if name == "rsub" else signs
            parts = list(zip((left, right), signs))
            shift = sum((sign * np.asarray(part) for part, sign in parts if not isinstance(part, Value)), 0.0)
            return self.sum([pair for pair in parts if isinstance(pair[0], Value)], shift)
        if "div" in name and isinstance(right, Value):
            raise ExportError("a quotient of values in the forward of an embedding net is not supported")
        if isinstance(left, Value) and isinstance(right, Value):
            return self.product(left, right)
        value, number = (left, right) if isinstance(left, Value) else (right, left)
        return self.sum([(value, 1 / np.asarray(number, dtype=np.float64) if "div" in name else number)])

    def _concatenated(self, parts, dim: int = 0, axis=None) -> Value:
        dim = dim if axis is None else axis
        dim = dim - 1 if dim > 0 else dim
        shapes = [np.arange(part.width).reshape(part.shape) for part in parts]
        offsets = np.cumsum([0, *(part.width for part in parts)])
        numbers = np.concatenate([ids + start for ids, start in zip(shapes, offsets)], axis=dim)
        total, values = int(offsets[-1]), []
        for part, start in zip(parts, offsets):
            matrix = np.zeros((total, part.width))
            matrix[start + np.arange(part.width), np.arange(part.width)] = 1
            values.append(self.linear(part, matrix, np.zeros(total), (total,)))
        return self.selected(self.sum([(value, 1.0) for value in values]), numbers)

    def _shaped(self, name: str, given: tuple, options: dict) -> Value:
        """What changes the shape of a value, or selects from it: tried on its numbers, with an axis for the rows."""
        import torch

        value, *others = given
        numbers = torch.arange(value.width).reshape(1, *value.shape)
        if name in ("reshape", "view"):
            others = [_with_rows(sizes) for sizes in others]
        if name in ("reshape", "view") and others and others[0] == -1 and len(others) > 1:
            others[0] = 1
        result = numbers[others[0]] if name == "getitem" else getattr(numbers, name)(*others, **options)
        if result.dim() == 0 or result.shape[0] != 1:
            raise ExportError(f"{name} in the forward of an embedding net mixes rows")
        return self.selected(value, result[0].numpy())

    def _reduced(self, name: str, value: Value, dim=None, keepdim: bool = False, axis=None) -> Value:
        dims = dim if axis is None else axis
        axes = tuple(  # of a row
            (d - 1 if d > 0 else d + len(value.shape)) for d in ([dims] if isinstance(dims, int) else dims or ())
        )
        if not axes or any(not 0 <= a < len(value.shape) for a in axes):
            raise ExportError(f"{name} in the forward of an embedding net is supported over axes of a row")
        if self.is_plane(value) and axes == tuple(range(1, len(value.shape))):
            mean = windows.mean_of_plane(self, value)
            mean = mean if name == "mean" else self.sum([(mean, float(value.width // value.shape[0]))])
            return Value(mean.layer, (value.shape[0], *(1 for _ in axes if keepdim)), mean.units)
        numbers = np.arange(value.width).reshape(value.shape)
        shape = np.sum(numbers, axis=axes, keepdims=keepdim).shape
        kept = np.sum(numbers, axis=axes, keepdims=True).shape
        places = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(kept), value.shape)
        matrix = np.zeros((int(np.prod(shape)), value.width))
        matrix[places.reshape(-1), numbers.reshape(-1)] = 1.0 if name == "sum" else np.prod(shape) / value.width
        return self.linear(value, matrix, np.zeros(len(matrix)), shape)


def _left_out(module) -> dict:
    """The arguments of a forward behind the first that nobody gives, with their values."""
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is None or isinstance(p.default, (bool, int, float))}


def _with_rows(sizes):
    """The sizes of a shape for one row, where a forward has -1 for all of them; other arguments as they are."""
    if not isinstance(sizes, (tuple, list)):
        return sizes
    return tuple(1 if size == -1 and i == 0 else size for i, size in enumerate(sizes))


def _named(function, name: str):
    function.__name__ = name
    return function


def _scale(scale, shape: tuple, units=None):
    scale = np.asarray(scale, dtype=np.float64)
    return None if np.all(scale == 1) else _by_unit(np.broadcast_to(scale, shape), units).copy()


def _by_unit(numbers: np.ndarray, units) -> np.ndarray:
    """Numbers of a value in the order of its units."""
    flat = numbers.reshape(-1)
    if units is None:
        return flat
    result = np.empty_like(flat)
    result[units.reshape(-1)] = flat
    return result
