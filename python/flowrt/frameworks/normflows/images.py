"""normflows on images: `MultiscaleFlow`, and `NormalizingFlow` whose base has an image's shape.

x is (C, H, W), flattened. z are the levels of the bases, one after the other, each flattened in the same way. Squeezing
and splitting only say anew which coordinate is which channel of which pixel.
"""

from __future__ import annotations

import numpy as np

from ...building import planes, scales
from ...building.arrays import float64
from ...building.coordinates import acting
from ...building.modules import class_names, diagonal, inverted_if, refuse
from ...errors import ExportError
from ...file.codes import Form, Reads, Scale
from ...flow import flow as ir
from ..torch import images, windows
from ..torch.live import TorchModel
from ..torch.plain import with_plain_weights
from . import image_bases

SUPPORTED = (
    "GlowBlock, AffineCouplingBlock, AffineCoupling between Split and Merge, MaskedAffineFlow, Invertible1x1Conv, "
    "ActNorm, AffineConstFlow, Permute, Squeeze, Reverse and Composite, with DiagGaussian, ClassCondDiagGaussian and "
    "GlowBase as bases, and Logit and Shift as transforms"
)
_COMPOSITE = {"GlowBlock", "AffineCouplingBlock", "Composite"}
GLOW = scales.ScaleFunction(Scale.SIGMOID, offset=2.0)
SCALE_MAPS = {
    "exp": (scales.ScaleFunction(Scale.EXP), Form.SCALE_THEN_SHIFT, Reads.NOISE),  # x = s z + t
    "sigmoid": (GLOW, Form.SHIFT_THEN_SCALE, Reads.DATA),  # x = z / s + t, so z = s (x - t)
    "sigmoid_inv": (GLOW, Form.SCALE_THEN_SHIFT, Reads.NOISE),  # x = s z + t
}


def is_of_images(model) -> bool:
    """Whether this is a flow of images."""
    if "MultiscaleFlow" in class_names(model):
        return True
    return len(getattr(model.q0, "shape", ())) == 3


def describe(model, context_dim: int | None) -> ir.Flow:
    model = with_plain_weights(model)
    bases, shape = _bases(model), _data_shape(model)
    steps = list(image_bases.transform_steps(getattr(model, "transform", None), shape, SUPPORTED))
    coordinates, levels = planes.image(shape), []
    for level in reversed(range(len(bases))):
        walk = _Walk(coordinates)
        for layer, reverse in (pair for flow in reversed(_level(model, level)) for pair in _flatten(flow, False)):
            walk.append(layer, reverse)
        steps += walk.finished()
        coordinates = walk.coordinates
        out = coordinates
        if level:
            coordinates, out = _parts(model.merges[level - 1], coordinates, splits=True)
        if out.shape != tuple(bases[level].shape):
            raise ExportError(
                f"level {level} of {type(model).__name__} has the shape {tuple(out.shape)}, its base "
                f"{tuple(bases[level].shape)}"
            )
        levels.insert(0, out)
    order = np.concatenate([level.reshape(-1) for level in levels])
    if not np.array_equal(order, np.arange(len(order))):
        steps.append(ir.Permutation(order, "levels"))
    base, context = image_bases.describe(type(model).__name__, bases, SUPPORTED)
    if context_dim not in (None, context):
        raise ExportError(f"context_dim is {context_dim}, but {type(model).__name__} takes {context} numbers")
    return ir.Flow(
        len(order), context, planes.joined(steps), base, framework="normflows", model=type(model).__name__, shape=shape
    )


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    import torch

    shape = _data_shape(model)
    flow = TorchModel.copy_of(with_plain_weights(model), dtype)
    several = "MultiscaleFlow" in class_names(flow)
    shapes = [tuple(base.shape) for base in _bases(flow)]
    sizes = [int(np.prod(level)) for level in shapes]

    def forward(x, context):
        z, log_det = flow.inverse_and_log_det(x.reshape(-1, *shape).clone())
        levels = z if several else [z]
        return torch.cat([level.reshape(len(x), -1) for level in levels], dim=1), log_det

    def inverse(z, context):
        levels = [part.reshape(-1, *level) for part, level in zip(z.split(sizes, dim=1), shapes)]
        x, log_det = flow.forward_and_log_det(levels if several else levels[0])
        return x.reshape(len(z), -1), log_det

    def base_log_prob(z, context):
        parts = zip(_bases(flow), z.split(sizes, dim=1), shapes)
        given = {} if context is None else {"y": context}
        return sum(
            base.log_prob(part.reshape(-1, *level), **(given if image_bases.is_of_classes(base) else {}))
            for base, part, level in parts
        )

    def density(x, context):
        x = x.reshape(-1, *shape).clone()
        return flow.log_prob(x, context) if several else flow.log_prob(x)

    return TorchModel(dtype, forward, inverse, base_log_prob, density)


def _bases(model) -> list:
    return list(model.q0) if "MultiscaleFlow" in class_names(model) else [model.q0]


def _level(model, level: int) -> list:
    return list(model.flows[level]) if "MultiscaleFlow" in class_names(model) else list(model.flows)


def _data_shape(model) -> tuple:
    """(C, H, W) of x: what the live splits and squeezes make of the shapes of the bases."""
    bases = _bases(model)
    for base in bases:
        if len(getattr(base, "shape", ())) != 3:
            refuse(base, SUPPORTED)
    shape = tuple(bases[0].shape)
    for level, base in enumerate(bases):
        if level:
            _, coordinates = _merged(model.merges[level - 1], shape, tuple(base.shape))
            shape = coordinates
        for flow in _level(model, level):
            for layer, reverse in reversed(list(_flatten(flow, False))):
                if "Squeeze" in class_names(layer):
                    shape = _unsqueezed(shape) if not reverse else _squeezed(shape)
    return tuple(int(size) for size in shape)


def _squeezed(shape: tuple) -> tuple:
    return planes.squeeze(planes.image(shape)).shape


def _unsqueezed(shape: tuple) -> tuple:
    return planes.unsqueeze(planes.image(shape)).shape


def _merged(merge, first: tuple, second: tuple):
    import torch

    try:
        joined, _ = merge([torch.zeros(1, *first), torch.zeros(1, *second)])
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise ExportError(f"{type(merge).__name__} does not join levels of the shapes {first} and {second}") from error
    return merge, tuple(joined.shape[1:])


def _flatten(layer, reverse: bool):
    """(layer, reverse) from data to noise. `reverse` is whether the layer's `forward` maps data to noise."""
    kinds = class_names(layer)
    if "Reverse" in kinds:
        yield from _flatten(layer.flow, not reverse)
    elif kinds & _COMPOSITE:
        parts = list(layer._flows if "Composite" in kinds else layer.flows)
        for part in parts if reverse else reversed(parts):
            yield from _flatten(part, reverse)
    else:
        yield layer, reverse


class _Walk:
    """From data to noise over layers of one level: which coordinates the values are, and the steps so far."""

    def __init__(self, coordinates: np.ndarray):
        self.coordinates = coordinates
        self.dim = None
        self.halves = None
        self.steps: list = []

    def append(self, layer, reverse: bool) -> None:
        kinds, name = class_names(layer), type(layer).__name__
        if "Split" in kinds:
            self._split(layer, ("Merge" in kinds) != reverse)
        elif "AffineCoupling" in kinds and self.halves is not None:
            self.steps.append(_coupling(layer, reverse, *self.halves))
        elif self.halves is not None:
            refuse(layer, "AffineCoupling between Split and Merge")
        elif "Squeeze" in kinds:
            self.coordinates = (planes.unsqueeze if reverse else planes.squeeze)(self.coordinates)
        elif "Permute" in kinds:
            self._permute(layer, reverse)
        elif "Invertible1x1Conv" in kinds:
            matrix = _matrix(layer)
            matrix = np.linalg.inv(matrix) if reverse else matrix
            count = len(matrix)
            step = ir.PixelwiseLinear(matrix, np.zeros(count), planes.pixels(self.coordinates), name)
            self.steps.append(step)
        elif "AffineConstFlow" in kinds:
            self.steps.append(_constant(layer, reverse, self.coordinates))
        elif "MaskedAffineFlow" in kinds:
            self.steps.append(_masked(layer, reverse, self.coordinates))
        else:
            refuse(layer, SUPPORTED)

    def _split(self, layer, splits: bool) -> None:
        if splits == (self.halves is not None):
            raise ExportError(f"{type(layer).__name__} does not undo the split before it")
        found = _parts(layer, self.coordinates, "Merge" in class_names(layer))
        if not splits and not np.array_equal(found[0], self.halves[0]):
            raise ExportError(f"{type(layer).__name__} does not undo the split before it")
        self.halves = found if splits else None

    def _permute(self, layer, reverse: bool) -> None:
        import torch

        channels = torch.arange(len(self.coordinates))[None]
        index = float64((layer.forward if reverse else layer.inverse)(channels)[0])[0].astype(np.int64)
        self.coordinates = self.coordinates[index]

    def finished(self) -> list:
        if self.halves is not None:
            raise ExportError("a Split is not followed by its Merge")
        return self.steps


def _parts(split, coordinates: np.ndarray, splits: bool) -> tuple:
    """The coordinates of z1 and of z2, by asking the live layer; `splits` says whether its inverse does."""
    import torch

    try:
        (first, second), _ = (split.inverse if splits else split.forward)(torch.arange(coordinates.size).reshape(
            1, *coordinates.shape))  # fmt: skip
    except (RuntimeError, ValueError, NotImplementedError):
        shape = tuple(coordinates.shape)
        raise ExportError(f"{type(split).__name__} of mode {split.mode!r} does not split {shape}") from None
    flat = coordinates.reshape(-1)
    return flat[float64(first)[0].astype(np.int64)], flat[float64(second)[0].astype(np.int64)]


# ---- layers ----


def _matrix(layer) -> np.ndarray:
    """The matrix (C, C) from data to noise, in float64."""
    import torch

    copy = TorchModel.copy_of(layer, torch.float64)
    with torch.no_grad():
        return float64(copy._assemble_W() if copy.use_lu else copy.W)


def _constant(layer, reverse: bool, coordinates: np.ndarray) -> ir.Step:
    """x = exp(s) z + t, numbers of channels or of single coordinates; with `reverse`, z and x change places."""
    name = type(layer).__name__
    if "ActNorm" in class_names(layer) and not layer.data_dep_init_done:
        raise ExportError(f"{name} has seen no data yet: it takes its scale from the first batch")
    scale, shift = np.exp(float64(layer.s)[0]), float64(layer.t)[0]
    if scale.shape == (len(coordinates), 1, 1):
        step = planes.channelwise(coordinates, scale.reshape(-1), shift.reshape(-1), name)
        return inverted_if(step, not reverse)
    scale, shift = (np.broadcast_to(values, coordinates.shape).reshape(-1) for values in (scale, shift))
    step = inverted_if(diagonal(coordinates.size, name, scale, shift), not reverse)
    return acting(step, coordinates.reshape(-1), coordinates.size)


def network(module, coordinates: np.ndarray, **options) -> list:
    return images.network(module, coordinates, {"ActNorm": _actnorm, "BatchNorm2d": windows.batch_norm}, **options)


def _actnorm(found, module, value):
    """ActNorm inside of a network, which maps z to exp(s) z + t."""
    inner = getattr(module, "actNorm", module)
    if not inner.data_dep_init_done:
        raise ExportError(f"{type(module).__name__} has seen no data yet: it takes its scale from the first batch")
    return windows.channelwise(found, value, np.exp(float64(inner.s)).reshape(-1), float64(inner.t).reshape(-1))


def _coupling(layer, reverse: bool, constant: np.ndarray, transformed: np.ndarray) -> ir.Autoregressive:
    """z1 stays as it is and parametrises z2. A coupling may be said to read either side, whichever has the formula."""
    name = type(layer).__name__
    layers = network(layer.param_map, constant, order=np.arange)
    if not layer.scale:
        scale, form, side = None, None, Reads.NOISE
    elif layer.scale_map in SCALE_MAPS:
        scale, form, side = SCALE_MAPS[layer.scale_map]
    else:
        raise ExportError(f"{name}: scale map {layer.scale_map!r} is not supported; supported are exp, sigmoid[_inv]")
    return planes.additive_or_affine(layers, scale, form, Reads(1 - side) if reverse else side, transformed, name)


def _masked(layer, reverse: bool, coordinates: np.ndarray) -> ir.Step:
    """x = exp(s(b z)) z + t(b z) where the mask b is 0, x = z where it is 1."""
    name, shape = type(layer).__name__, coordinates.shape
    mask = float64(layer.b)
    if mask.size != coordinates.size and mask.shape[1:] != shape:
        try:
            mask = np.broadcast_to(mask[0], shape)
        except ValueError:
            raise ExportError(f"{name}: the mask has the shape {mask.shape[1:]}, not {shape}") from None
    mask = mask.reshape(shape)
    if not np.all((mask == 0) | (mask == 1)):
        raise ExportError(f"{name}: the mask must be zeros and ones")
    if np.all(mask == 1):
        return diagonal(coordinates.size, name)
    seen, changed = np.where(mask == 1, coordinates, -1), planes.units_of_pixels(shape)[mask == 0]
    nets = [network(module, seen) if hasattr(module, "parameters") else None for module in (layer.t, layer.s)]
    for found in nets:
        if found is not None and found[-1].width != coordinates.size:
            raise ExportError(f"{name}: a network gives {found[-1].width} numbers, not {coordinates.size}")
    layers = images.interleaved(nets, changed)
    side = Reads(1 - Reads.NOISE) if reverse else Reads.NOISE
    transformed = coordinates[mask == 0]
    if not layers:
        return diagonal(coordinates.size, name)
    return ir.Autoregressive(layers, ir.Affine(Scale.EXP), side, transformed, name)
