"""Random flows with planes: couplings by convolutions, pixelwise steps, encoders."""

from __future__ import annotations

import numpy as np
from random_flows import SCALES, SMOOTH

from flowrt import ir
from flowrt.building import planes
from flowrt.file.codes import Reads


def convolution(rng, source, grid=None, channels=None, **fields):
    """Any convolution: kernels of 1 to 7, strides, dilations, paddings of each side, depthwise or not."""
    grid = grid or tuple(int(size) for size in rng.integers(1, (18, 20)))
    inputs = channels or int(rng.integers(1, 41))
    depthwise = bool(rng.random() < 0.3)
    outputs = inputs if depthwise else int(rng.integers(1, 41))
    geometry = window(rng, grid)
    kernel = geometry.pop("kernel")
    weight = rng.normal(size=(outputs, 1 if depthwise else inputs, *kernel))
    weight /= np.sqrt(weight[0].size)
    return ir.Convolution(rng.normal(size=outputs), weight, source, grid, depthwise=depthwise, **geometry, **fields)


def pooling(rng, source):
    grid = tuple(int(size) for size in rng.integers(1, (18, 20)))
    geometry = window(rng, grid)
    geometry["padding"] = tuple(
        min(p, (geometry["kernel"][i // 2] - 1) // 2) for i, p in enumerate(geometry["padding"])
    )
    geometry["dilation"] = (1, 1)
    return ir.MaxPool(channels=int(rng.integers(1, 41)), source=source, grid=grid, **geometry)


def window(rng, grid) -> dict:
    """A kernel that fits the padded plane."""
    padding = tuple(int(p) for p in rng.integers(0, 4, size=4))
    kernel, dilation = [], []
    for size, pads in zip(grid, (padding[:2], padding[2:])):
        kernel.append(int(rng.integers(1, min(7, size + sum(pads)) + 1)))
        most = (size + sum(pads) - 1) // (kernel[-1] - 1) if kernel[-1] > 1 else 3
        dilation.append(int(rng.integers(1, min(most, 3) + 1)))
    stride = tuple(int(s) for s in rng.integers(1, 4, size=2))
    return {"kernel": tuple(kernel), "dilation": tuple(dilation), "stride": stride, "padding": padding}


def same(rng, outputs, inputs, source, grid, kernel=None, gain=1.0, **fields):
    """A convolution whose output has the pixels of its input."""
    kernel = kernel or int(rng.choice([1, 3, 3, 5]))
    weight = gain * rng.normal(size=(outputs, inputs, kernel, kernel)) / np.sqrt(inputs * kernel * kernel)
    padding = (kernel // 2,) * 4
    return ir.Convolution(rng.normal(size=outputs) * gain, weight, source, grid, padding=padding, **fields)


def coupling(rng, coordinates, context_dim):
    """A coupling of a plane (C, H, W): the first channels condition the others, or the other way round."""
    channels, grid = len(coordinates), coordinates.shape[1:]
    cut = int(rng.integers(1, channels))
    halves = [coordinates[:cut], coordinates[cut:]]
    stays, moves = halves if rng.random() < 0.5 else halves[::-1]
    hidden = int(rng.integers(1, 30))
    read = {"coordinates": planes.flat_pixels(stays)}
    layers: list = [same(rng, hidden, len(stays), ir.READ, grid, activation=rng.choice(SMOOTH), **read)]
    if context_dim:
        layers[0].context_weight = rng.normal(size=(hidden, context_dim))
    if rng.random() < 0.5:  # a residual block
        layers.append(same(rng, hidden, hidden, 0, grid, activation=rng.choice(SMOOTH)))
        layers.append(same(rng, hidden, hidden, 1, grid, add=[ir.Add(0)]))
    if rng.random() < 0.3:  # a gate, from the input plane in another order
        mirrored = {"coordinates": planes.flat_pixels(stays[:, ::-1])}
        gate = same(rng, hidden, len(stays), ir.READ, grid, activation=rng.choice(SMOOTH), **mirrored)
        layers.append(gate)
        layers.append(planes.pointwise(np.ones(hidden), np.zeros(hidden), len(layers) - 2, grid, gate=len(layers) - 1))
    transformer = ir.Additive() if rng.random() < 0.2 else ir.Affine(scale := rng.choice(list(SCALES)), SCALES[scale])
    outputs = len(moves) * (1 if isinstance(transformer, ir.Additive) else 2)
    layers.append(same(rng, outputs, hidden, len(layers) - 1, grid, gain=0.3))
    reads = Reads(int(rng.integers(2)))
    return ir.Autoregressive(layers, transformer, reads, planes.flat_pixels(moves))


def encoder(rng, grid, outputs):
    """A small CNN: convolution, pooling, convolution, a dense layer behind the flattened plane."""
    first = same(rng, 3, 1, ir.CONTEXT, grid, 3, activation=ir.Activation.RELU)
    pool = ir.MaxPool((2, 2), 3, 0, grid, (2, 2))
    second = same(rng, 4, 3, 1, pool.output, 3, activation=ir.Activation.RELU)
    weight = rng.normal(size=(outputs, second.width)) / second.width
    return [first, pool, second, ir.Layer(rng.normal(size=outputs), weight, source=2)]


def flow(seed, most_pixels=60, most_channels=8):
    """Two or three Glow steps on a plane, with or without a context that comes from a picture."""
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(2, most_channels + 1))
    rows = int(rng.integers(1, most_pixels // 2))
    columns = int(rng.integers(1, most_pixels // rows + 1))
    coordinates = planes.image((channels, rows, columns))
    dim, context_dim = coordinates.size, int(rng.choice([0, 30]))
    steps: list = []
    for _ in range(int(rng.integers(2, 4))):
        matrix = np.linalg.qr(rng.normal(size=(channels, channels)))[0] * rng.uniform(0.5, 1.5, channels)
        steps.append(ir.PixelwiseLinear(matrix, rng.normal(size=channels), planes.pixels(coordinates)))
        steps.append(coupling(rng, coordinates, 4 if context_dim else 0))
        if rng.random() < 0.3:
            steps.append(ir.Permutation(rng.permutation(dim)))
    return ir.Flow(dim, context_dim, steps, encoder=encoder(rng, (5, 6), 4) if context_dim else None)
