"""Flows of images that are measured: sizes, random weights, and the files that flowrt and its peers read.

A level squeezes (or not), then does its steps: a matrix of the channels at each pixel (actnorm and 1x1 convolution as
one), and an affine coupling whose network of convolutions reads the first half of the channels and changes the second,
z = s x + t with s = sigmoid(a + 2). Behind each level but the last the second half leaves. z are the halves that left,
flattened one after the other, then what the last level made.

    FOLDER/NAME.npz       for the peers: the arrays of each step
    FOLDER/NAME.flw
    FOLDER/NAME.x, .z     rows to evaluate, float32: images (C, H, W), flattened, and noise
    FOLDER/NAME.expected.npz    log_prob and inverse of the first of them by the float64 evaluator of files
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
import flowrt  # noqa: E402
from flowrt import ir  # noqa: E402
from flowrt.building import planes, scales  # noqa: E402

ROWS, CHECKED = 64, 2  # in the files of rows; of which the results are kept in float64
SCALE_OFFSET = 2.0


@dataclass
class Size:
    """An image (C, H, W); the steps of each level; hidden channels and kernels of the networks."""

    shape: tuple
    steps: tuple
    hidden: tuple
    kernels: tuple
    squeeze: bool = False
    matrices: bool = True

    @property
    def dim(self):
        return int(np.prod(self.shape))

    def levels(self):
        """The shape (C, H, W) that the steps of each level see."""
        channels, rows, columns = self.shape
        for level in range(len(self.steps)):
            if level:
                channels = channels // 2
            if self.squeeze:
                channels, rows, columns = 4 * channels, rows // 2, columns // 2
            yield channels, rows, columns


def coupling(channels, kernel, side, plane=12):
    """One coupling, nearly all of whose work are two convolutions from `channels` to `channels`."""
    return Size(
        (plane, side, side),
        (1,),
        (channels,) * 3,
        (1, kernel, kernel, 1),
        matrices=False,
    )


SIZES = {
    "C512_3x3_16": coupling(512, 3, 16),
    "C512_1x1_16": coupling(512, 1, 16),
    "C512_3x3_8": coupling(512, 3, 8),
    "C512_1x1_8": coupling(512, 1, 8),
    "C64_3x3_14": coupling(64, 3, 14, plane=4),
    "GlowStep": Size((12, 16, 16), (1,), (512, 512), (3, 1, 3)),
    "DigitsGlow": Size((1, 28, 28), (4, 6), (48, 48), (3, 1, 3), squeeze=True),
}
WHAT = {
    "C512_3x3_16": "coupling with two 3x3 convolutions of 512 to 512 channels, 16 x 16 pixels",
    "C512_1x1_16": "the same with 1x1 convolutions",
    "C512_3x3_8": "3x3, 512 to 512, 8 x 8 pixels",
    "C512_1x1_8": "1x1, 512 to 512, 8 x 8 pixels",
    "C64_3x3_14": "3x3, 64 to 64, 14 x 14 pixels",
    "GlowStep": "a step of Glow for CIFAR-10: 12 channels of 16 x 16 pixels, 512 hidden channels",
    "DigitsGlow": "Glow for 28 x 28 digits, of the size of models/images/glow.flw",
}


@dataclass
class Step:
    shape: tuple  # (C, H, W)
    matrix: object  # (C, C), or None
    shift: object  # (C,)
    weights: list  # (outputs, inputs, k, k); the rows of the last one are all shifts t, then all raw scales a
    biases: list


@dataclass
class Flow:
    size: Size
    levels: list  # of lists of Step

    def multiply_adds(self):
        """Of one image: each weight once for each pixel, the zeros around a plane included."""
        each = [
            int(np.prod(step.shape[1:]))
            * (sum(w.size for w in step.weights) + (step.matrix is not None) * step.shape[0] ** 2)
            for level in self.levels
            for step in level
        ]
        return sum(each)

    def log_det(self):
        """Of all matrices."""
        steps = [step for level in self.levels for step in level if step.matrix is not None]
        return sum(np.linalg.slogdet(s.matrix.astype(np.float64))[1] * s.shape[1] * s.shape[2] for s in steps)


def random_step(size, shape, random):
    channels = shape[0]
    matrix, _ = np.linalg.qr(random.standard_normal((channels, channels)))
    widths = (channels // 2, *size.hidden, 2 * (channels - channels // 2))
    weights, biases = [], []
    for layer, kernel in enumerate(size.kernels):
        fan_in = widths[layer] * kernel * kernel
        gain = 0.3 if layer + 1 == len(size.kernels) else 1.4
        weights.append(
            random.standard_normal((widths[layer + 1], widths[layer], kernel, kernel)) * gain / np.sqrt(fan_in)
        )
        biases.append(0.1 * random.standard_normal(widths[layer + 1]))
    kept = (matrix, 0.1 * random.standard_normal(channels)) if size.matrices else (None, None)
    arrays = [None if part is None else np.asarray(part, np.float32) for part in kept]
    return Step(
        shape,
        *arrays,
        *([np.asarray(part, np.float32) for part in parts] for parts in (weights, biases)),
    )


def random_flow(name):
    size, random = SIZES[name], np.random.default_rng(sum(name.encode()))
    return Flow(size, [[random_step(size, shape, random) for _ in range(count)]
                       for shape, count in zip(size.levels(), size.steps, strict=True)])  # fmt: skip


# ---- files ----


def load(folder, name):
    """The flow of NAME.npz."""
    size = SIZES[name]
    with np.load(Path(folder) / f"{name}.npz") as arrays:
        levels = []
        for level, (shape, count) in enumerate(zip(size.levels(), size.steps, strict=True)):
            levels.append([])
            for step in range(count):
                key = f"{level}.{step}."
                matrix, shift = (arrays.get(key + part) for part in ("matrix", "shift"))
                layers = range(len(size.kernels))
                parts = [[arrays[f"{key}{part}{layer}"] for layer in layers] for part in ("weight", "bias")]
                levels[-1].append(Step(shape, matrix, shift, *parts))
        return Flow(size, levels)


def rows(folder, name, kind, count):
    """The first rows of NAME.x (data) or NAME.z (noise)."""
    return np.fromfile(Path(folder) / f"{name}.{kind}", np.float32, count * SIZES[name].dim).reshape(count, -1)


def arrays_of(flow):
    for level, steps in enumerate(flow.levels):
        for number, step in enumerate(steps):
            key = f"{level}.{number}."
            if step.matrix is not None:
                yield key + "matrix", step.matrix
                yield key + "shift", step.shift
            for layer, (weight, bias) in enumerate(zip(step.weights, step.biases, strict=True)):
                yield f"{key}weight{layer}", weight
                yield f"{key}bias{layer}", bias


def network(step, coordinates):
    """The layers of a coupling that reads an image of coordinates (C, H, W); its last channels are t, a in turn."""
    layers, last = [], len(step.weights) - 1
    for number, (weight, bias) in enumerate(zip(step.weights, step.biases, strict=True)):
        order = np.arange(len(bias)).reshape(2, -1).T.reshape(-1) if number == last else np.arange(len(bias))
        layers.append(
            ir.Convolution(
                bias[order].astype(np.float64),
                weight[order].astype(np.float64),
                number - 1 if number else ir.READ,
                coordinates.shape[1:],
                padding=(weight.shape[2] // 2,) * 4,
                coordinates=None if number else planes.flat_pixels(coordinates),
                activation=ir.Activation.IDENTITY if number == last else ir.Activation.RELU,
            )
        )
    return layers


def flow_of(flow):
    """The same for `flowrt.save`."""
    coordinates, steps, left = planes.image(flow.size.shape), [], []
    scale = scales.ScaleFunction(ir.Scale.SIGMOID, offset=SCALE_OFFSET)
    for level, own in enumerate(flow.levels):
        if level:
            half = len(coordinates) // 2
            left.append(coordinates[half:].reshape(-1))
            coordinates = coordinates[:half]
        if flow.size.squeeze:
            coordinates = planes.squeeze(coordinates)
        half = len(coordinates) // 2
        for step in own:
            if step.matrix is not None:
                matrix, shift = (
                    step.matrix.astype(np.float64),
                    step.shift.astype(np.float64),
                )
                steps.append(ir.PixelwiseLinear(matrix, shift, planes.pixels(coordinates)))
            layers = network(step, coordinates[:half])
            form = ir.Form.SCALE_THEN_SHIFT
            steps.append(planes.additive_or_affine(layers, scale, form, ir.Reads.DATA, coordinates[half:], "coupling"))
    order = np.concatenate([*left, coordinates.reshape(-1)])
    return ir.Flow(flow.size.dim, 0, [*steps, ir.Permutation(order)], shape=flow.size.shape)


def write(folder, name):
    """All files of a flow, unless they are there and not older than this program."""
    folder = Path(folder)
    done = folder / f"{name}.done"
    if done.exists() and done.stat().st_mtime > Path(__file__).stat().st_mtime:
        return
    flow, random = random_flow(name), np.random.default_rng(1)
    np.savez(folder / f"{name}.npz", **dict(arrays_of(flow)))
    flowrt.save(folder / f"{name}.flw", flow_of(flow))
    for kind in "xz":
        random.standard_normal((ROWS, flow.size.dim), np.float32).tofile(folder / f"{name}.{kind}")
    x, z = (rows(folder, name, kind, CHECKED) for kind in "xz")
    file = folder / f"{name}.flw"
    log_prob, inverse = (
        flowrt.reference.log_prob(file, x),
        flowrt.reference.inverse(file, z)[0],
    )
    np.savez(folder / f"{name}.expected.npz", log_prob=log_prob, inverse=inverse)
    done.touch()
