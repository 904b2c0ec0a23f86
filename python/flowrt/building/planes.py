"""Images as planes: which coordinate is which channel of which pixel, and what pads, pools and normalises them.

An image x is (C, H, W), flattened; `Image` keeps its coordinates as an array of that shape, so that squeezing,
splitting and flipping are what NumPy does with such an array. Planes in a file are pixel by pixel.
"""

from __future__ import annotations

import numpy as np

from ..errors import ExportError
from ..flow import flow as ir
from .networks import BatchNorm
from .scales import fold


def image(shape) -> np.ndarray:
    """(C, H, W) the coordinates of an image that is flattened."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def pixels(coordinates: np.ndarray) -> np.ndarray:
    """(pixels, channels) from (C, H, W)."""
    return coordinates.reshape(len(coordinates), -1).T


def flat_pixels(coordinates: np.ndarray) -> np.ndarray:
    """The units of a plane, pixel by pixel, from (C, H, W)."""
    return pixels(coordinates).reshape(-1)


def units_of_pixels(shape) -> np.ndarray:
    """(C, H, W) the unit of a plane that each number of an image is."""
    channels, rows, columns = shape
    return np.arange(channels * rows * columns).reshape(rows, columns, channels).transpose(2, 0, 1)


def squeeze(coordinates: np.ndarray, factor: int = 2) -> np.ndarray:
    """(C, H, W) to (C f f, H / f, W / f): channel c, row i and column j of a block become channel (c f + i) f + j."""
    channels, rows, columns = coordinates.shape
    if rows % factor or columns % factor:
        raise ExportError(f"a plane of {rows} x {columns} pixels does not squeeze by {factor}")
    blocks = coordinates.reshape(channels, rows // factor, factor, columns // factor, factor)
    return blocks.transpose(0, 2, 4, 1, 3).reshape(-1, rows // factor, columns // factor)


def unsqueeze(coordinates: np.ndarray, factor: int = 2) -> np.ndarray:
    """What undoes `squeeze`."""
    channels, rows, columns = coordinates.shape
    if channels % factor**2:
        raise ExportError(f"{channels} channels do not unsqueeze by {factor}")
    blocks = coordinates.reshape(channels // factor**2, factor, factor, rows, columns)
    return blocks.transpose(0, 3, 1, 4, 2).reshape(-1, rows * factor, columns * factor)


# ---- steps ----


def channelwise(coordinates: np.ndarray, scale, shift, name: str, before=0.0) -> ir.PixelwiseLinear:
    """w = scale (v + before) + shift of each channel of an image (C, H, W): actnorm."""
    channels = len(coordinates)
    scale, shift, before = (np.broadcast_to(values, (channels,)) for values in (scale, shift, before))
    return ir.PixelwiseLinear(np.diag(scale), shift, pixels(coordinates), name, before)


def joined(steps: list) -> list:
    """The steps, with pixelwise maps of the same pixels that follow each other as one, made in float64."""
    result: list = []
    for step in steps:
        last = result[-1] if result else None
        if isinstance(step, ir.PixelwiseLinear) and isinstance(last, ir.PixelwiseLinear):
            order = _channels_of(step.coordinates, last.coordinates)
            if order is not None:
                result[-1] = _product(step, last, order)
                continue
        result.append(step)
    return result


def _channels_of(coordinates: np.ndarray, others: np.ndarray):
    """Which channel of `others` each channel of `coordinates` is, if both are the same pixels."""
    if coordinates.shape != others.shape:
        return None
    order = [np.flatnonzero(others[0] == first) for first in coordinates[0]]
    if any(len(found) != 1 for found in order):
        return None
    order = np.concatenate(order)
    return order if np.array_equal(others[:, order], coordinates) else None


def _product(step: ir.PixelwiseLinear, first: ir.PixelwiseLinear, order: np.ndarray) -> ir.PixelwiseLinear:
    """What two maps do, one after the other; channel `order[i]` of the first is channel i of the second."""
    matrix, before, shift = np.empty_like(step.matrix), np.empty_like(first.shift), np.empty_like(first.shift)
    matrix[np.ix_(order, order)], before[order], shift[order] = step.matrix, step.before, step.shift
    return ir.PixelwiseLinear(
        matrix @ first.matrix, matrix @ (first.shift + before) + shift, first.coordinates, step.name, first.before
    )


def additive_or_affine(layers: list, scale, form, reads, coordinates: np.ndarray, name: str) -> ir.Autoregressive:
    """A coupling that changes an image (C, H, W). The channels of the output are t, a of each channel, or t alone.

    `scale` is a `ScaleFunction`, None for an additive coupling.
    """
    each = 1 if scale is None else 2
    require_outputs(layers, (each * len(coordinates), *coordinates.shape[1:]), name)
    transformed = flat_pixels(coordinates)
    if scale is None:
        return ir.Autoregressive(layers, ir.Additive(), reads, transformed, name)
    fold(scale, layers[-1])
    return ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p, form), reads, transformed, name)


def require_outputs(layers: list, shape: tuple, name: str) -> None:
    """Raises `ExportError` unless the last layer of a network is a plane of this shape."""
    found = (layers[-1].channels, *layers[-1].output)
    if found != tuple(shape):
        raise ExportError(f"{name}: the network gives {_sizes(found)} numbers, not {_sizes(shape)}")


def _sizes(shape: tuple) -> str:
    return " x ".join(map(str, shape))


# ---- layers ----


def linear_plane(layers: list, shape: tuple) -> list:
    """The network, with a map of each channel at its end if it does not end with a convolution, which can be folded."""
    last = layers[-1]
    if isinstance(last, ir.Convolution) and not last.activation and not last.partners and not last.depthwise:
        return layers
    channels = shape[0]
    same = np.eye(channels)[:, :, None, None]
    return [*layers, ir.Convolution(np.zeros(channels), same, len(layers) - 1, tuple(shape[1:]))]


def from_channels_first(shape, source=ir.CONTEXT) -> ir.Gather:
    """The plane of an image (C, H, W) that a layer or the context holds flattened."""
    return ir.Gather(flat_pixels(image(shape)), source)


def flattened_columns(weight: np.ndarray, channels: int) -> np.ndarray:
    """The weight of a dense layer behind an image that was flattened channel by channel, as one behind the plane."""
    return weight.reshape(len(weight), channels, -1).transpose(0, 2, 1).reshape(len(weight), -1)


def flattened_rows(values: np.ndarray, channels: int) -> np.ndarray:
    """Rows (C H W, ...) in the order of the units of a plane."""
    return np.swapaxes(values.reshape(channels, -1, *values.shape[1:]), 0, 1).reshape(values.shape)


def pointwise(scale, shift, source: int, grid: tuple, **fields) -> ir.Convolution:
    """scale * value + shift of each channel."""
    scale, shift = (np.asarray(values, dtype=np.float64) for values in (scale, shift))
    return ir.Convolution(shift, scale.reshape(-1, 1, 1, 1), source, grid, depthwise=True, **fields)


def folded_behind(convolution: ir.Convolution, scale, shift) -> ir.Convolution:
    """The convolution whose value is `scale * value + shift` of each of its channels; it has no activation yet."""
    convolution.bias = scale * convolution.bias + shift
    convolution.weight = np.asarray(scale).reshape(-1, 1, 1, 1) * convolution.weight
    if convolution.context_weight is not None:
        convolution.context_weight = np.asarray(scale).reshape(-1, 1) * convolution.context_weight
    return convolution


def append_batch_norm(layers: list, norm) -> None:
    """Normalises the channels of the last layer, a plane, in evaluation mode."""
    norm = BatchNorm.of(norm)
    last = layers[-1]
    plain = isinstance(last, ir.Convolution) and not last.activation and not last.partners
    if plain and not last.depthwise:
        shift = norm.shift - norm.scale * norm.mean
        folded_behind(last, norm.scale, shift)
        return
    source, grid = len(layers) - 1, last.output
    if norm.cancels():
        layers.append(pointwise(np.ones(len(norm.mean)), -norm.mean, source, grid))
        layers.append(pointwise(norm.scale, norm.shift, source + 1, grid))
    else:
        layers.append(pointwise(norm.scale, norm.shift - norm.scale * norm.mean, source, grid))


def average_pool(channels: int, kernel: tuple, source, grid: tuple, **fields) -> ir.Convolution:
    """The mean of a window of each channel, zeros of the padding included."""
    size = kernel[0] * kernel[1]
    weight = np.full((channels, 1, *kernel), 1 / size)
    return ir.Convolution(np.zeros(channels), weight, source, grid, depthwise=True, **fields)


def average_without_padding(layers: list, channels: int, kernel: tuple, grid: tuple, source, **fields) -> None:
    """Appends the mean of what a window has inside of the plane: a sum, gated by one over the number of its pixels."""
    ones = np.ones((channels, 1, *kernel))
    total = ir.Convolution(np.zeros(channels), ones, source, grid, depthwise=True, **fields)
    inside = _inside(total.window)
    layers.append(ir.Layer(np.repeat((1 / inside).reshape(-1), channels)))
    total.gate = len(layers) - 1
    layers.append(total)


def _inside(window) -> np.ndarray:
    """(rows, columns) how many pixels of the plane each output pixel sees."""
    counts = []
    for axis in range(2):
        starts = np.arange(window.output[axis]) * window.stride[axis] - window.pad[2 * axis]
        seen = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        counts.append(((seen >= 0) & (seen < window.plane[axis])).sum(axis=1))
    return np.outer(*counts)


def padded(coordinates: np.ndarray, padding: tuple, mode: str) -> np.ndarray:
    """(C, H', W') from (C, H, W) with pixels that are copies: "circular", "reflect" or "replicate" (`np.pad`)."""
    modes = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}
    top, bottom, left, right = padding
    return np.pad(coordinates, ((0, 0), (top, bottom), (left, right)), mode=modes[mode])
