"""The bijectors of pzflow: chains flattened to leaves, and the steps of each."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.modules import concatenated, diagonal
from ...building.output_rows import reordered
from ...errors import ExportError
from ...file.codes import Activation, SplineForm
from ...flow import flow as ir

_SUPPORTED = (
    "Chain, NeuralSplineCoupling, RollingSplineCoupling, ShiftBounds, StandardScaler, Scale, Roll, Reverse, Shuffle "
    "and ColorTransform"
)
_SLOPE = 0.01  # of the leaky relu of jax


class Leaf(NamedTuple):
    """A bijector that is no chain: its name, its arguments, its parameters, and the live function of a `Shuffle`."""

    name: str
    arguments: tuple
    params: Any
    shuffle: Optional[Callable] = None

    def functions(self, dim: int, dtype) -> tuple:
        """pzflow's own forward and inverse functions, with constants of type `dtype`."""
        import jax
        from pzflow import bijectors

        if self.shuffle is not None:
            order = _drawn(self, dim)
            return _permuting(order), _permuting(np.argsort(order))
        arguments = [_converted(argument, dtype) for argument in self.arguments]
        init, _ = getattr(bijectors, self.name)(*arguments)
        _, forward, inverse = init(jax.random.PRNGKey(0), dim)
        return forward, inverse


def leaves(info, params, function=None) -> list:
    """The leaves of a `bijector_info` with their `params`; `function` is the live forward function, if there is one."""
    name, arguments = info
    if name == "Chain":
        functions = [None] * len(arguments) if function is None else _parts_of_chain(function)
        if len(functions) != len(arguments) or len(params) != len(arguments):
            raise ExportError("the parts of a Chain of pzflow are not those of its bijector_info")
        return [leaf for part in zip(arguments, params, functions) for leaf in leaves(*part)]
    if name == "Shuffle" and function is None:
        raise ExportError(
            "Shuffle of a pickled dictionary is not supported: its order is drawn from the seed of the flow, which is "
            "not stored; give the live Flow"
        )
    return [Leaf(str(name), tuple(arguments), params, function if name == "Shuffle" else None)]


def _parts_of_chain(function) -> list:
    """The forward functions that a chain's forward function calls: they stand in its closure."""
    inner = getattr(function, "_func", function)
    for cell in inner.__closure__ or ():
        value = cell.cell_contents
        if isinstance(value, list) and all(callable(part) for part in value):
            return value
    raise ExportError("a Chain of pzflow without the functions of its parts is not supported")


def _permuting(order):
    import jax.numpy as jnp

    return lambda params, inputs, **given: (inputs[:, order], jnp.zeros(len(inputs), inputs.dtype))


def _converted(argument, dtype):
    if isinstance(argument, (bool, int, str, tuple, list)) or argument is None:
        return argument
    if np.ndim(argument) == 0:
        return float(argument)
    import jax.numpy as jnp

    return jnp.asarray(argument, dtype)


def steps_of(leaf: Leaf, dim: int, conditions: int) -> list:
    """The steps of a leaf. Raises `ExportError` that names it if a file cannot hold it."""
    name, arguments = leaf.name, leaf.arguments
    if name == "NeuralSplineCoupling":
        return [_coupling(leaf, dim, conditions)]
    if name == "ShiftBounds":
        low, high, bound = (float64(value) for value in arguments)
        mean, half = (high + low) / 2, (high - low) / 2
        return [diagonal(dim, name, bound / half, before=-mean)]
    if name == "StandardScaler":
        mean, std = (float64(value) for value in arguments)
        return [diagonal(dim, name, 1 / std, before=-mean)]
    if name == "Scale":
        return [diagonal(dim, name, float64(arguments[0]))]
    if name == "Roll":
        return [ir.Permutation(np.roll(np.arange(dim), arguments[0]), name)]
    if name == "Reverse":
        return [ir.Permutation(np.arange(dim)[::-1], name)]
    if name == "Shuffle":
        return [ir.Permutation(_drawn(leaf, dim), name)]
    if name == "ColorTransform":
        return [_colors(*arguments, dim)]
    if name in ("UniformDequantizer", "Beta13Dequantizer"):
        raise ExportError(
            f"{name} is not supported: it adds noise, so it is no flow; train without it on data with the noise added, "
            "and round the samples"
        )
    raise ExportError(f"{name} is not supported; supported are {_SUPPORTED}")


def _drawn(leaf: Leaf, dim: int) -> np.ndarray:
    return float64(leaf.shuffle((), np.arange(dim, dtype=np.float32)[None])[0])[0].astype(np.int64)


def _colors(reference: int, magnitudes, dim: int) -> ir.Linear:
    """Other columns, the reference magnitude, and the differences of neighbouring magnitudes."""
    magnitudes = [int(i) for i in np.asarray(magnitudes)]
    matrix = np.zeros((dim, dim))
    others = [i for i in range(dim) if i not in magnitudes]
    for row, column in enumerate([*others, int(reference)]):
        matrix[row, column] = 1
    for row, (first, second) in enumerate(zip(magnitudes, magnitudes[1:]), len(others) + 1):
        matrix[row, first], matrix[row, second] = 1, -1
    return ir.Linear(matrix, np.zeros(dim), "ColorTransform")


def _coupling(leaf: Leaf, dim: int, conditions: int) -> ir.Autoregressive:
    """The first coordinates, and the conditions, parametrise the splines of the others."""
    bins, bound, _, _, changed, given, periodic = (*leaf.arguments, False)[:7]
    changed = dim - dim // 2 if changed is None else int(changed)
    seen = dim - changed
    layers = _layers(leaf.params, seen, int(given), conditions)
    each = 3 * bins - 1 + int(periodic)
    if layers[-1].width != each * changed:
        raise ExportError(f"{leaf.name}: the network has {layers[-1].width} outputs, not {each * changed}")
    if periodic:  # the derivative at both ends comes last
        rows = np.arange(each * changed).reshape(changed, each)
        reordered(layers[-1], np.concatenate([rows[:, : 2 * bins], np.roll(rows[:, 2 * bins :], 1, 1)], 1).reshape(-1))
    form = SplineForm.CIRCULAR if periodic else SplineForm(0)
    tails = () if periodic else (0.0, 1.0)
    spline = ir.Spline(bins, form, (-float(bound), float(bound), 0.0, 0.0, 0.0, *tails), bounded=bool(periodic))
    layers = reading(layers, np.arange(seen), dim)
    return ir.Autoregressive(layers, spline, transformed=np.arange(seen, dim), name=leaf.name)


def _layers(params, seen: int, given: int, conditions: int) -> list:
    """The layers of a network of dense layers, with leaky relus between them, which have no parameters."""
    dense = [part for part in params if len(part)]
    layers: list[ir.Layer] = []
    for position, (kernel, bias) in enumerate(dense):
        weight, bias = float64(kernel).T, float64(bias)
        if position:
            layer = ir.Layer(bias, weight, None, position - 1)
        else:
            all_given = np.zeros((len(weight), seen + conditions))
            all_given[:, : seen + given] = weight
            layer = concatenated(all_given, bias, seen)
        if position < len(dense) - 1:
            layer.activation, layer.a = Activation.LEAKY_RELU, _SLOPE
        layers.append(layer)
    return layers
