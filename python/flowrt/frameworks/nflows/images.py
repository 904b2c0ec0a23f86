"""nflows on images: squeezing, 1x1 convolutions, couplings by channels, multi-scale flows and reshaping.

x is what the flow is given, flattened, most often (C, H, W); z is what its transform gives, flattened. Squeezing,
splitting and reshaping only say anew which coordinate is which.
"""

from __future__ import annotations

import numpy as np

from ...building import planes, scales, splines
from ...building.arrays import float64
from ...building.coordinates import acting
from ...building.modules import affine_map, class_names, diagonal, inverted_if, refuse
from ...errors import ExportError
from ...file.codes import Form
from ...flow import flow as ir
from ..torch import images
from ..torch.encoders import modules_of
from ..torch.live import TorchModel
from .bases import base
from .steps import SUPPORTED as OF_VECTORS
from .steps import copied, flatten, reads_of, steps_of

_SHAPING = {"SqueezeTransform", "OneByOneConvolution", "MultiscaleCompositeTransform", "ReshapeTransform"}
_EVERYWHERE = {"Tanh", "LeakyReLU", "Sigmoid", "Exp"}
SUPPORTED = (
    "SqueezeTransform, OneByOneConvolution, MultiscaleCompositeTransform, ReshapeTransform, ActNorm, permutations, "
    "couplings by channels, PointwiseAffineTransform, Sigmoid, Logit, Tanh, LeakyReLU, Exp and, of vectors, "
    + OF_VECTORS
)


def is_of_images(transform, distribution) -> bool:
    """Whether a flow has layers that change the shape of its rows, or a base of images."""
    if len(getattr(distribution, "_shape", ())) == 3:
        return True
    return transform is not None and any(class_names(part) & _SHAPING for part in transform.modules())


def describe(transform, distribution, embedding, context_dim, name: str) -> ir.Flow:
    if context_dim or list(modules_of(embedding)):
        raise ExportError(f"{name}: a context beside an image is not supported")
    shape = _shape_before(transform, getattr(distribution, "_shape", None), name)
    walk = _Walk(np.arange(int(np.prod(shape))).reshape(shape))
    walk.append(transform, inverted=False)
    order = walk.coordinates.reshape(-1)
    if not np.array_equal(order, np.arange(walk.dim)):
        walk.steps.append(ir.Permutation(order, "order of the noise"))
    density = base(distribution, walk.dim, SUPPORTED)
    image = tuple(map(int, shape)) if len(shape) == 3 else None
    return ir.Flow(walk.dim, 0, planes.joined(walk.steps), density, framework="nflows", model=name, shape=image)


def live(transform, distribution, name: str, density, dtype) -> TorchModel:
    """The evaluation of a live transform and base, both of type `dtype` already; `density(z)` is that of the base."""
    shape = _shape_before(transform, getattr(distribution, "_shape", None), name)
    walk = _Walk(np.arange(int(np.prod(shape))).reshape(shape))
    walk.append(transform, inverted=False)
    noise = walk.coordinates.shape

    def flat(results):
        values, log_det = results
        return values.reshape(len(values), -1), log_det

    return TorchModel(
        dtype,
        lambda x, context: flat(transform(x.reshape(-1, *shape))),
        lambda z, context: flat(transform.inverse(z.reshape(-1, *noise))),
        lambda z, context: density(z.reshape(-1, *noise), None),
    )


# ---- shapes ----


def _shape_before(transform, after, name: str) -> tuple:
    """The shape of what a transform is given, from that of what it gives, which may be None."""
    shape = None if after is None else tuple(after)
    for layer, inverted in reversed(list(flatten(transform, False))):
        kinds = class_names(layer)
        if "MultiscaleCompositeTransform" in kinds and not inverted:
            shape = _before_multiscale(layer, name)
        elif "ReshapeTransform" in kinds:
            shape = tuple(layer.output_shape if inverted else layer.input_shape)
        elif "SqueezeTransform" in kinds and shape is not None and len(shape) == 3:
            shape = (planes.squeeze if inverted else planes.unsqueeze)(planes.image(shape), layer.factor).shape
    if shape is None:
        raise ExportError(f"the shape of the images of {name} cannot be determined from its layers and its base")
    return shape


def _before_multiscale(layer, name: str) -> tuple:
    axis, hidden = layer._split_dim - 1, None
    for part, output in reversed(list(zip(layer._transforms, layer._output_shapes))):
        output = list(output)
        if hidden is not None:
            output[axis] += hidden[axis]
        hidden = _shape_before(part, output, name)
    return tuple(hidden)


# ---- from data to noise ----


class _Walk:
    """Which coordinates the values are, as an array of their shape, and the steps so far."""

    def __init__(self, coordinates: np.ndarray):
        self.coordinates = coordinates
        self.dim = coordinates.size
        self.steps: list = []

    def append(self, transform, inverted: bool) -> None:
        for layer, flipped in flatten(transform, inverted):
            self._layer(layer, flipped)

    def _layer(self, layer, inverted: bool) -> None:
        kinds, name, coordinates = class_names(layer), type(layer).__name__, self.coordinates
        if "MultiscaleCompositeTransform" in kinds:
            self._multiscale(layer, inverted)
        elif "ReshapeTransform" in kinds:
            self.coordinates = coordinates.reshape(layer.input_shape if inverted else layer.output_shape)
        elif "Permutation" in kinds:
            index = float64(layer._permutation).astype(np.int64)
            self.coordinates = np.take(coordinates, np.argsort(index) if inverted else index, axis=layer._dim - 1)
        elif coordinates.ndim == 1:
            for step in steps_of(layer, inverted, len(coordinates)):
                self.steps.append(acting(step, coordinates, self.dim))
        elif coordinates.ndim != 3:
            raise ExportError(f"{name} is given values of the shape {coordinates.shape}, neither vectors nor images")
        elif "SqueezeTransform" in kinds:
            self.coordinates = (planes.unsqueeze if inverted else planes.squeeze)(coordinates, layer.factor)
        elif "CouplingTransform" in kinds:
            self.steps += _coupling(layer, inverted, coordinates, self.dim)
        else:
            for step in _constant(layer, coordinates, inverted, self.dim):
                self.steps.append(step)

    def _multiscale(self, layer, inverted: bool) -> None:
        if inverted:
            raise ExportError(f"{type(layer).__name__} inverted is not supported")
        outputs = []
        for part in layer._transforms[:-1]:
            self.append(part, False)
            kept = -(-self.coordinates.shape[layer._split_dim - 1] // 2)  # as torch.chunk does
            out, self.coordinates = np.split(self.coordinates, [kept], axis=layer._split_dim - 1)
            outputs.append(out.reshape(-1))
        self.append(layer._transforms[-1], False)
        self.coordinates = np.concatenate([*outputs, self.coordinates.reshape(-1)])


def _constant(layer, coordinates: np.ndarray, inverted: bool, dim: int) -> list:
    """The steps of a layer of images whose parameters depend on nothing."""
    kinds, name, flat = class_names(layer), type(layer).__name__, coordinates.reshape(-1)
    if "IdentityTransform" in kinds:
        return []
    if "OneByOneConvolution" in kinds:
        return [inverted_if(_one_by_one(layer, coordinates), inverted)]
    if "ActNorm" in kinds:
        scale, shift = np.exp(float64(layer.log_scale)), float64(layer.shift)
        return [inverted_if(planes.channelwise(coordinates, scale, shift, name), inverted)]
    if "PointwiseAffineTransform" in kinds:
        scale, shift = (np.broadcast_to(float64(part), coordinates.shape) for part in (layer._scale, layer._shift))
        step = inverted_if(diagonal(len(flat), name, scale.reshape(-1), shift.reshape(-1)), inverted)
        return [acting(step, flat, dim)]
    if kinds & _EVERYWHERE:
        return [acting(step, flat, dim) for step in steps_of(layer, inverted, len(flat))]
    if kinds & splines.UNCONDITIONAL:
        return [acting(step, flat, dim) for step in splines.unconditional(layer, len(flat), reads_of(inverted))]
    return refuse(layer, SUPPORTED)


def _one_by_one(layer, coordinates: np.ndarray) -> ir.PixelwiseLinear:
    import torch

    live = copied(layer, torch.float64)
    of_one_pixel = affine_map(lambda rows: live(rows[:, :, None, None])[0][:, :, 0, 0], len(coordinates))
    return ir.PixelwiseLinear(*of_one_pixel, planes.pixels(coordinates), type(layer).__name__)


def _coupling(layer, inverted: bool, coordinates: np.ndarray, dim: int) -> list:
    """The coupling, then (data to noise) what happens to the channels that parametrise it."""
    kinds = class_names(layer)
    constant, transformed = (
        coordinates[float64(i).astype(np.int64)] for i in (layer.identity_features, layer.transform_features)
    )
    net = layer.transform_net
    if getattr(net, "context_channels", None):
        raise ExportError(f"{type(net).__name__} with a context that is an image is not supported")
    inner: list = []
    if layer.unconditional_transform is not None:
        for part, flipped in flatten(layer.unconditional_transform, inverted):
            inner += _constant(part, constant, flipped, dim)
    if kinds & splines.COUPLINGS:
        layers = images.network(net, constant, order=np.arange)
        coupling = splines.coupling(layer, layers, reads_of(inverted), planes.flat_pixels(transformed), dim)
    elif "AffineCouplingTransform" in kinds:
        coupling = [_affine(layer, constant, transformed, inverted)]
    else:
        coupling = refuse(layer, SUPPORTED)
    return inner + coupling if inverted else coupling + inner


def _affine(layer, constant: np.ndarray, transformed: np.ndarray, inverted: bool) -> ir.Autoregressive:
    """The network gives all shifts, then all raw scales."""
    scale = scales.of_nflows_coupling(layer, len(transformed))
    each = layer._transform_dim_multiplier()
    layers = images.network(
        layer.transform_net, constant, order=lambda channels: np.arange(channels).reshape(each, -1).T.reshape(-1)
    )
    return planes.additive_or_affine(
        layers, scale, Form.SCALE_THEN_SHIFT, reads_of(inverted), transformed, type(layer).__name__
    )
