"""Glow of TensorFlow Probability: a bijector from a vector z to an image (H, W, C).

x is (C, H, W), flattened, in a file; z is the vector of the framework. Each block of Glow is a squeeze, steps of
actnorm, 1x1 convolution and coupling, and an exit: a coupling that changes the channels that go no further. Other
bijectors may stand on the side of the image, if they act on each number alone, or on the side of the vector.
"""

from __future__ import annotations

import numpy as np

from ...building import planes, scales
from ...building.arrays import float64
from ...building.modules import class_names, diagonal, inverted_if, refuse
from ...errors import ExportError
from ...file.codes import Form, Reads, Scale
from ...flow import flow as ir
from . import convolutions, elementwise, linear
from .networks import cast

_STEP = scales.ScaleFunction(Scale.SIGMOID, offset=2.0)
_EXIT = scales.ScaleFunction(Scale.EXP, offset=2.0)
_BLOCK = 64  # rows
_ON_IMAGES = "Shift, Scale, Sigmoid, Exp, Tanh, Softsign, NormalCDF, Identity, Invert and Chain between Glow and images"


def shape_of(layers: list):
    """(C, H, W) of the images of the Glow among (bijector, inverted) from data to noise; None without one."""
    found = [(layer, inverted) for layer, inverted in layers if "Glow" in class_names(layer)]
    if not found:
        return None
    if len(found) > 1 or found[0][1]:
        raise ExportError(f"{'a second' if len(found) > 1 else 'the inverse of'} Glow in a flow is not supported")
    rows, columns, channels = (int(size) for size in found[0][0].parameters["output_shape"])
    return channels, rows, columns


def split(layers: list) -> tuple:
    """The (bijector, inverted) from data to noise that act on images, Glow the last of them, and those behind it."""
    behind = next((i + 1 for i, (layer, _) in enumerate(layers) if "Glow" in class_names(layer)), 0)
    return layers[:behind], layers[behind:]


def steps(layers: list) -> list:
    """What bijectors of images do, Glow the last of them, with z in the order of the framework."""
    if not layers:
        return []
    *before, (glow, _) = layers
    shape = shape_of(layers)
    found = [step for layer, inverted in before for step in _on_image(layer, inverted, shape)]
    coordinates = planes.image(shape)
    for part in glow.bijectors:
        kinds = class_names(part)
        if "Expand" in kinds:
            coordinates = planes.squeeze(coordinates, int(part._block_size))
        elif "Reshape" in kinds:
            found.append(ir.Permutation(planes.flat_pixels(coordinates), "levels"))
        else:
            found += _block(part, coordinates)
    return planes.joined(found)


def as_images(rows, shape: tuple):
    """(n, H, W, C) of the framework from rows (n, D) of a file."""
    import tensorflow as tf

    return tf.transpose(tf.reshape(rows, (-1, *shape)), (0, 2, 3, 1))


def as_rows(values):
    """What undoes `as_images`."""
    import tensorflow as tf

    return tf.reshape(tf.transpose(values, (0, 3, 1, 2)), (-1, int(np.prod(values.shape[1:]))))


def compiled(function, dtype):
    """A function of rows and contexts (or None) as a graph: TFP takes seconds for each call of Glow without one.

    Glow takes as many rows as its graph was made for, and each graph takes seconds: it is called with blocks of rows.
    """
    import tensorflow as tf

    graph = tf.function(function)

    def block(values, context, rows):
        given = (None if part is None else tf.constant(part[rows], dtype=dtype) for part in (values, context))
        results = graph(*given)
        results = [results] if tf.is_tensor(results) else list(results)
        return [*(part.numpy() for part in results[:-1]), np.broadcast_to(results[-1], len(rows))]

    def called(values, context):
        count = len(values)
        context = None if context is None else np.broadcast_to(context, (count, np.shape(context)[-1]))
        starts = range(0, max(count, 1), _BLOCK)
        blocks = [block(values, context, np.minimum(np.arange(start, start + _BLOCK), count - 1)) for start in starts]
        results = [np.concatenate(parts)[:count] for parts in zip(*blocks)]
        return results if len(results) > 1 else results[0]

    return called


def copied(glow, dtype):
    """Glow with weights of another floating-point type: made anew, with copies of its networks in their order."""
    couplings = iter([convolutions.copied(layer, dtype) for layer in _networks(glow, "coupling_bijector_layer")])
    exits = iter([convolutions.copied(layer, dtype) for layer in _networks(glow, "exit_layer")])
    fields = dict(glow.parameters)
    fields["coupling_bijector_fn"] = lambda shape: next(couplings)
    fields["exit_bijector_fn"] = lambda shape, output_chan: next(exits)
    copy = _class_of(glow)(**fields)
    for mine, other in zip(_constants(copy), _constants(glow)):
        if "OneByOneConv" in class_names(other):
            mine._bijector.lower_upper.assign(cast(other._bijector.lower_upper, dtype))
            mine._bijector.permutation.assign(other._bijector.permutation)
        else:
            mine._initialized.assign(True)
            mine._m.assign(cast(other._m, dtype))
            mine._s.assign(cast(other._s, dtype))
    return copy


# ---- on the image ----


def _on_image(layer, inverted: bool, shape: tuple) -> list:
    kinds, name, dim = class_names(layer), type(layer).__name__, int(np.prod(shape))
    if not kinds & {"Shift", "Scale", "Identity", *elementwise.CLASSES} or "RationalQuadraticSpline" in kinds:
        refuse(layer, _ON_IMAGES)
    if "Identity" in kinds:
        return []
    if kinds & elementwise.CLASSES:
        for bound in (getattr(layer, "low", None), getattr(layer, "high", None)):
            if bound is not None and float64(bound).size > 1:
                raise ExportError(f"{name} with several bounds is not supported on images")
        return [elementwise.step(layer, inverted, dim)]
    scale, shift = linear.affine(layer)
    scale, shift = (_flat(values, shape) for values in (scale, shift))
    return [inverted_if(diagonal(dim, name, scale, shift), not inverted)]


def _flat(values: np.ndarray, shape: tuple) -> np.ndarray:
    """Numbers that broadcast to (H, W, C), as those of an image (C, H, W), flattened."""
    channels, *grid = shape
    try:
        return np.broadcast_to(values, (*grid, channels)).transpose(2, 0, 1).reshape(-1)
    except ValueError:
        raise ExportError(
            f"a Shift or Scale of the shape {values.shape} does not fit images of the shape {(*grid, channels)}"
        ) from None


# ---- Glow ----


def _block(part, coordinates: np.ndarray) -> list:
    """A block of steps or an exit, or one of these beside channels that stay as they are."""
    kinds = class_names(part)
    if "GlowBlock" in kinds:
        return [step for layer in part.bijectors for step in _step(layer, coordinates)]
    if kinds & {"Invert", "_Invert"} and "ExitBijector" in class_names(part.bijector):
        return _exit(part.bijector, coordinates)
    if kinds & {"Blockwise", "_Blockwise"}:
        first, *others = part.bijectors
        if all("Identity" in class_names(other) for other in others):
            return _block(first, coordinates[: int(part.block_sizes[0])])
    return refuse(part, "the parts that Glow makes itself")


def _step(layer, coordinates: np.ndarray) -> list:
    """An actnorm, a 1x1 convolution or a coupling."""
    kinds, name = class_names(layer), type(layer).__name__
    if "Identity" in kinds:
        return []
    if "ActivationNormalization" in kinds:
        if not bool(layer._initialized):
            raise ExportError(f"{name} has seen no data yet: it takes its scale from the first batch")
        return [planes.channelwise(coordinates, float64(layer._s), 0.0, name, float64(layer._m))]
    inner = layer.bijector if kinds & {"Invert", "_Invert"} else layer
    if "OneByOneConv" in class_names(inner) and inner is not layer:
        matrix = linear.step(inner._bijector, len(coordinates)).matrix
        return [ir.PixelwiseLinear(matrix, np.zeros(len(matrix)), planes.pixels(coordinates), type(inner).__name__)]
    if "RealNVP" in class_names(inner) and inner is not layer:
        return [_coupling(layer.coupling_bijector_layer, int(inner._num_masked), coordinates, _STEP)]
    return refuse(layer, "the parts that Glow makes itself")


def _exit(layer, coordinates: np.ndarray) -> list:
    """The channels that go on parametrise a change of those that do not; none where either is none."""
    if layer.exit_layer is None:
        return []
    going_on, leaving, _ = (int(count) for count in layer.parameters["blockwise_splits"])
    return [_coupling(layer.exit_layer, going_on, coordinates[: going_on + leaving], _EXIT)]


def _coupling(network, masked: int, coordinates: np.ndarray, scale) -> ir.Autoregressive:
    """z2 = s(a) x2 + t. a are as many channels of the output as parametrise, t those behind them, or t alone."""
    name = type(network).__name__
    constant, transformed = coordinates[:masked], coordinates[masked:]
    layers = convolutions.network(network, constant)
    outputs, count = layers[-1].channels, len(transformed)
    layers = planes.linear_plane(layers, (outputs, *layers[-1].output))
    if outputs == 2 * count and count == masked:
        order = np.arange(outputs).reshape(2, count)[::-1].T.reshape(-1)  # t, a of each channel
    elif outputs == count and masked >= count:
        order, scale = np.arange(count), None
    else:
        raise ExportError(
            f"{name} gives {outputs} channels from {masked} for {count}: Glow shifts with as many channels as it "
            "changes, or shifts and scales with twice as many if half of all parametrise"
        )
    output = layers[-1]
    output.bias, output.weight = output.bias[order], output.weight[order]
    return planes.additive_or_affine(layers, scale, Form.SCALE_THEN_SHIFT, Reads.DATA, transformed, name)


# ---- copies ----


def _class_of(glow):
    """Glow itself: a subclass may have another constructor."""
    return next(cls for cls in type(glow).__mro__ if cls.__name__ == "Glow")


def _inside(part):
    """A bijector and all those in it, in the order in which Glow lists them."""
    yield part
    for inner in list(getattr(part, "bijectors", [])) or [getattr(part, "bijector", None)]:
        if inner is not None:
            yield from _inside(inner)


def _networks(glow, name: str) -> list:
    """The networks of the couplings, or of the exits, in the order in which the constructor asks for them."""
    found = [(getattr(part, name, None), part) for part in _inside(glow)]
    return [network for network, _ in reversed(found) if network is not None]


def _constants(glow) -> list:
    return [part for part in _inside(glow) if class_names(part) & {"OneByOneConv", "ActivationNormalization"}]
