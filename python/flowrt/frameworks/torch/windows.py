"""Convolutions, pooling, padding and batch norm of PyTorch, of one or two axes, as layers of planes.

A value (C, L) or (C, H, W) of a network (`dense.py`) whose numbers are counted pixel by pixel.
"""

from __future__ import annotations

import numpy as np

from ...building import planes
from ...building.arrays import float64
from ...building.modules import bias_of
from ...building.networks import BatchNorm
from ...errors import ExportError
from ...flow import flow as ir

_PADS = {"ZeroPad": "zeros", "ConstantPad": "zeros", "CircularPad": "circular", "ReflectionPad": "reflect",
         "ReplicationPad": "replicate"}  # fmt: skip
_LAYERS = {"Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "BatchNorm", *_PADS}


def knows(module) -> bool:
    """Whether this is a module of PyTorch that acts on planes; BatchNorm1d may as well act on vectors."""
    kind = type(module).__name__
    return (
        type(module).__module__.startswith("torch.nn")
        and kind[-2:] in ("1d", "2d")
        and kind[:-2] in (_LAYERS - {"BatchNorm"} | ({"BatchNorm"} if kind == "BatchNorm2d" else set()))
    )


def append(network, module, value):
    """What a module makes of a value of the network."""
    kind = type(module).__name__
    axes = int(kind[-2])
    if len(value.shape) != axes + 1:
        raise ExportError(f"{kind} is given values of the shape {value.shape}, not of {axes + 1} axes")
    result = _MODULES[_PADS.get(kind[:-2]) and "Pad" or kind[:-2]](network, module, _two_axes(value))
    return result if axes == 2 else _one_axis(result)


def mean_of_plane(network, value):
    """(C,) the mean of each channel."""
    value = _two_axes(value)
    channels, *grid = value.shape
    layer = planes.average_pool(channels, tuple(grid), _plane(network, value), tuple(grid))
    return network.added(layer, (channels,))


def batch_norm(network, module, value):
    """BatchNorm in evaluation mode, of each channel."""
    norm, (channels, *grid) = BatchNorm.of(module), value.shape
    source = _plane(network, value)
    shift = norm.shift - norm.scale * norm.mean
    if norm.cancels() and not _folds(network, source):
        network.added(planes.pointwise(np.ones(channels), -norm.mean, source, tuple(grid)), value.shape)
        source, shift = len(network.layers) - 1, norm.shift
    return _of_pixels(network, planes.pointwise(norm.scale, shift, source, tuple(grid)))


def channelwise(network, value, scale, shift):
    """scale * value + shift of each channel."""
    return _of_pixels(network, planes.pointwise(scale, shift, _plane(network, value), tuple(value.shape[1:])))


def _folds(network, source) -> bool:
    """Whether a map of each channel disappears in the weights of the layer before it."""
    return isinstance(source, int) and isinstance(network.layers[source], ir.Convolution)


# ---- values as planes ----


def _two_axes(value):
    """(C, L) as (C, 1, L)."""
    if len(value.shape) == 3:
        return value
    channels, length = value.shape
    return type(value)(value.layer, (channels, 1, length), value.places.reshape(channels, 1, length))


def _one_axis(value):
    channels, rows, columns = value.shape
    return type(value)(value.layer, (channels, rows * columns), value.places.reshape(channels, rows * columns))


def _plane(network, value):
    """The source of a layer that takes a value (C, H, W) as a plane."""
    order = planes.units_of_pixels(value.shape)
    value = network.in_order(value, order)
    return ir.CONTEXT if value.layer is None else value.layer


def _of_pixels(network, layer):
    """The value of a layer that was added."""
    shape = (layer.channels, *layer.output)
    return network.added(layer, shape, planes.units_of_pixels(shape))


# ---- modules ----


def _convolution(network, module, value):
    weight, groups = float64(module.weight), module.groups
    weight = weight if weight.ndim == 4 else weight[:, :, None]
    channels = value.shape[0]
    if channels != module.in_channels:
        raise ExportError(f"{type(module).__name__} of {module.in_channels} channels is given {channels}")
    depthwise = groups == channels == module.out_channels and groups > 1
    if groups > 1 and not depthwise:
        weight = _of_groups(weight, groups)
    stride, dilation = _pair(module.stride), _pair(module.dilation)
    padding = _padding_of(module, weight.shape[2:], dilation)
    if module.padding_mode != "zeros" and any(padding):
        value = _copied(network, value, padding, module.padding_mode)
        padding = (0, 0, 0, 0)
    value, more = _without_zeros(network, value)
    padding = tuple(a + b for a, b in zip(padding, more))
    source = _plane(network, value)
    return _of_pixels(
        network,
        ir.Convolution(bias_of(module), weight, source, value.shape[1:], stride, dilation, padding, depthwise),
    )


def _of_groups(weight: np.ndarray, groups: int) -> np.ndarray:
    """The weight of a convolution of groups as one of all channels, with zeros between groups."""
    outputs, inputs = weight.shape[:2]
    full = np.zeros((outputs, inputs * groups, *weight.shape[2:]))
    for g in range(groups):
        rows, columns = slice(g * outputs // groups, (g + 1) * outputs // groups), slice(g * inputs, (g + 1) * inputs)
        full[rows, columns] = weight[rows]
    return full


def _padding_of(module, kernel: tuple, dilation: tuple) -> tuple:
    """Above, below, left and right; "same" has the odd one of them at the end."""
    if module.padding == "valid":
        return (0, 0, 0, 0)
    if module.padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2
    rows, columns = _pair(module.padding, 0)
    return rows, rows, columns, columns


def _pair(numbers, first: int = 1) -> tuple:
    """(rows, columns) of what a module of one axis has once, and of what it may have for all axes."""
    numbers = numbers if isinstance(numbers, (tuple, list)) else (numbers,)
    if len(numbers) == 2:
        return int(numbers[0]), int(numbers[1])
    return first, int(numbers[0])


def _window_of(module, value) -> dict:
    """Kernel, stride and padding of a pooling module."""
    axes = int(type(module).__name__[-2])

    def pair(numbers, first):
        if isinstance(numbers, int) and axes == 2:
            numbers = (numbers, numbers)
        return _pair(numbers, first)

    kernel = pair(module.kernel_size, 1)
    stride = kernel if module.stride is None else pair(module.stride, 1)
    rows, columns = pair(module.padding, 0)
    padding = (rows, rows, columns, columns)
    dilation = pair(getattr(module, "dilation", 1), 1)
    geometry = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    if module.ceil_mode:
        geometry["padding"] = _rounded_up(geometry, value.shape[1:])
    return geometry


def _rounded_up(geometry: dict, grid: tuple) -> tuple:
    """The padding with which rounding down gives what PyTorch's `ceil_mode` does."""
    padding = list(geometry["padding"])
    for axis, size in enumerate(grid):
        before, after = padding[2 * axis : 2 * axis + 2]
        stride, extent = geometry["stride"][axis], geometry["dilation"][axis] * (geometry["kernel"][axis] - 1) + 1
        count = -(-(size + before + after - extent) // stride) + 1
        if (count - 1) * stride >= size + before:  # the last window must begin inside, or in the padding before
            count -= 1
        padding[2 * axis + 1] = max(after, (count - 1) * stride + extent - size - before)
    return tuple(padding)


def _max_pool(network, module, value):
    if module.return_indices:
        raise ExportError(f"{type(module).__name__} with return_indices=True is not supported")
    geometry = _window_of(module, value)
    source = _plane(network, value)
    layer = ir.MaxPool(channels=value.shape[0], source=source, grid=value.shape[1:], **geometry)
    return _of_pixels(network, layer)


def _average_pool(network, module, value):
    geometry = _window_of(module, value)
    channels, grid, kernel = value.shape[0], value.shape[1:], geometry.pop("kernel")
    divisor = getattr(module, "divisor_override", None)
    plain = _window_of_floor(module, value)["padding"]
    if geometry["padding"] != plain and (module.count_include_pad or divisor is not None) and any(plain):
        raise ExportError(f"{type(module).__name__} with padding and ceil_mode=True is not supported")
    source = _plane(network, value)
    if divisor is None and any(geometry["padding"]) and (geometry["padding"] != plain or not module.count_include_pad):
        planes.average_without_padding(network.layers, channels, kernel, grid, source, **geometry)
        layer = network.layers.pop()
        return _of_pixels(network, layer)
    layer = planes.average_pool(channels, kernel, source, grid, **geometry)
    if divisor is not None:
        layer.weight = layer.weight * (kernel[0] * kernel[1] / divisor)
    return _of_pixels(network, layer)


def _window_of_floor(module, value) -> dict:
    ceil_mode, module.ceil_mode = module.ceil_mode, False
    try:
        return _window_of(module, value)
    finally:
        module.ceil_mode = ceil_mode


def _adaptive(network, module, value):
    """Pooling of which the output size is given: windows of equal sizes, side by side."""
    channels, *grid = value.shape
    sizes = module.output_size if isinstance(module.output_size, (tuple, list)) else [module.output_size] * 2
    sizes = list(sizes)[-2:] if type(module).__name__.endswith("2d") else [1, sizes[0]]
    sizes = [size if wanted is None else wanted for size, wanted in zip(grid, sizes)]
    if any(size % wanted for size, wanted in zip(grid, sizes)):
        raise ExportError(
            f"{type(module).__name__} from {grid[0]} x {grid[1]} to {sizes[0]} x {sizes[1]} pixels has windows of "
            "different sizes; supported are sizes that divide"
        )
    kernel = tuple(size // wanted for size, wanted in zip(grid, sizes))
    source = _plane(network, value)
    if "Max" in type(module).__name__:
        return _of_pixels(network, ir.MaxPool(kernel, channels, source, tuple(grid), kernel))
    return _of_pixels(network, planes.average_pool(channels, kernel, source, tuple(grid), stride=kernel))


def _pad(network, module, value):
    kind = type(module).__name__
    padding = list(module.padding) if isinstance(module.padding, (tuple, list)) else [module.padding] * 4
    left, right, top, bottom = padding if kind.endswith("2d") else [*padding[:2], 0, 0]
    padding = (top, bottom, left, right)
    mode = _PADS[kind[:-2]]
    outside = float(getattr(module, "value", 0.0)) if mode == "zeros" else 0.0
    if min(padding) < 0:
        raise ExportError(f"{kind} with negative padding is not supported")
    if mode != "zeros":
        return _copied(network, value, padding, mode)
    before = value
    places = np.pad(planes.image(value.shape), ((0, 0), (top, bottom), (left, right)), constant_values=-1)
    result = _gathered(network, value, places)
    if outside:
        return network.sum([(result, 1.0)], np.where(places < 0, outside, 0.0))
    network.zeros[result.layer] = before, padding
    return result


def _without_zeros(network, value) -> tuple:
    """The value that zeros were put around, and how many above, below, left and right; for a convolution to do so."""
    return network.zeros.get(value.layer, (value, (0, 0, 0, 0)))


def _copied(network, value, padding: tuple, mode: str):
    return _gathered(network, value, planes.padded(planes.image(value.shape), padding, mode))


def _gathered(network, value, numbers: np.ndarray):
    """A plane (C, H, W) of the numbers of a value, or zero where that is -1."""
    places = np.append(value.places.reshape(-1), -1)[numbers]
    source = ir.CONTEXT if value.layer is None else value.layer
    layer = ir.Gather(planes.flat_pixels(places), source)
    return network.added(layer, numbers.shape, planes.units_of_pixels(numbers.shape))


_MODULES = {
    "Conv": _convolution,
    "MaxPool": _max_pool,
    "AvgPool": _average_pool,
    "AdaptiveAvgPool": _adaptive,
    "AdaptiveMaxPool": _adaptive,
    "BatchNorm": batch_norm,
    "Pad": _pad,
}
