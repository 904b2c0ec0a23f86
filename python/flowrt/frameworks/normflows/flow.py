"""normflows 1.7: `NormalizingFlow` and `ConditionalNormalizingFlow` of vectors; `images.py` has those of images.

normflows layers map noise to data, and `MaskedAffineAutoregressive` reads the noise: its density is the sequential
direction. `Reverse` exchanges the two directions of a layer.
"""

from __future__ import annotations

import numpy as np

from ...building import scales, splines
from ...building.arrays import float64
from ...building.constant_splines import half_turn
from ...building.coordinates import reading
from ...building.modules import affine_map, class_names, context_size, diagonal, inverted_if, refuse
from ...building.networks import linear_output
from ...building.output_rows import reordered
from ...building.pairs import shift_and_scale
from ...errors import ExportError
from ...file.codes import Reads, Scale
from ...flow import flow as ir
from ..nflows.live_networks import coupling_net, linear_made
from ..nflows.steps import steps_of
from ..torch.live import TorchModel
from ..torch.overrides import require_own
from ..torch.plain import with_plain_weights
from . import bases, images

framework = "normflows"

_SUPPORTED = (
    "MaskedAffineAutoregressive, AutoregressiveRationalQuadraticSpline, CoupledRationalQuadraticSpline and the "
    "circular forms of both, AffineCouplingBlock, AffineCoupling between Split and Merge, MaskedAffineFlow, "
    "AffineConstFlow, ActNorm, Permute, InvertibleAffine, LULinearPermute, PeriodicShift by half of the circle, "
    f"Reverse and Composite, with {bases.SUPPORTED} as base"
)
_LINEAR = {"InvertibleAffine", "LULinearPermute"}


def accepts(model) -> bool:
    """Whether the object looks like a flow model of normflows."""
    return hasattr(model, "q0") and hasattr(model, "flows")


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    if not class_names(model) & {"NormalizingFlow", "MultiscaleFlow"}:
        refuse(model, "NormalizingFlow, ConditionalNormalizingFlow and MultiscaleFlow")
    if images.is_of_images(model):
        return images.describe(model, context_dim)
    model = with_plain_weights(model)
    dim = bases.dim(model.q0, _SUPPORTED)
    steps = list(_steps(model, dim))
    last, base = bases.describe(model.q0, dim, _SUPPORTED)
    steps += last
    context = context_size(steps, context_dim, base)
    return ir.Flow(dim, context, steps, base, framework=framework, model=type(model).__name__)


def live(model, dtype) -> TorchModel:
    """The framework's own evaluation of a copy of the model."""
    if images.is_of_images(model):
        return images.live(model, dtype)
    flow = TorchModel.copy_of(with_plain_weights(model), dtype)

    def given(context) -> dict:
        return {"context": context} if _is_conditional(flow) else {}

    def forward(x, context):
        z, log_det = flow.inverse_and_log_det(x, **given(context))
        z, more = bases.to_file(flow.q0, z)
        return z, log_det + more

    def inverse(z, context):
        z, log_det = bases.from_file(flow.q0, z)
        x, more = flow.forward_and_log_det(z, **given(context))
        return x, log_det + more

    def base_log_prob(z, context):
        z, log_det = bases.from_file(flow.q0, z)
        return bases.log_prob(flow.q0, z, given(context)) + log_det

    if "Uniform" in class_names(flow.q0):  # normflows rounds its density to float32
        require_own(model, "log_prob")
        require_own(model.q0, "log_prob")
        return TorchModel(dtype, forward, inverse, base_log_prob)
    return TorchModel(dtype, forward, inverse, base_log_prob, lambda x, c: flow.log_prob(x, **given(c)))


def _is_conditional(model) -> bool:
    return "ConditionalNormalizingFlow" in class_names(model)


# ---- steps ----


def _flatten(layer, reverse: bool):
    """(layer, reverse) from data to noise. `reverse` is whether the layer's `forward` maps data to noise."""
    kinds = class_names(layer)
    if "Reverse" in kinds:
        yield from _flatten(layer.flow, not reverse)
    elif kinds & {"Composite", "AffineCouplingBlock"}:
        parts = list(layer._flows if "Composite" in kinds else layer.flows)
        for part in parts if reverse else reversed(parts):
            yield from _flatten(part, reverse)
    else:
        yield layer, reverse


def _steps(model, dim: int):
    """The steps from data to noise. Between a split and a merge, `halves` are the coordinates of z1 and z2."""
    halves = None
    for layer, reverse in (pair for flow in reversed(model.flows) for pair in _flatten(flow, False)):
        kinds = class_names(layer)
        if "Split" in kinds:
            found, splits = _halves(layer, dim), ("Merge" in kinds) != reverse
            if splits == (halves is not None) or not (splits or np.array_equal(found[0], halves[0])):
                raise ExportError(f"{type(layer).__name__} does not undo the split before it")
            halves = found if splits else None
        elif "AffineCoupling" in kinds and halves is not None:
            yield _coupling(layer, reverse, halves)
        elif halves is not None:
            refuse(layer, "AffineCoupling between Split and Merge")
        elif "MaskedAffineAutoregressive" in kinds:
            yield _affine_autoregressive(layer, reverse, dim, _is_conditional(model))
        elif "MaskedAffineFlow" in kinds:
            yield _masked_affine(layer, reverse, dim)
        elif _spline_of(layer) is not None:
            yield from _splines(layer, reverse, dim, _is_conditional(model))
        elif "PeriodicShift" in kinds:
            yield from _half_turns(layer, dim)
        else:
            yield _constant(layer, reverse, dim)
    if halves is not None:
        raise ExportError("a Split is not followed by its Merge")


def _reads(side: Reads, reverse: bool) -> Reads:
    return Reads(1 - side) if reverse else side


def _constant(layer, reverse: bool, dim: int) -> ir.Step:
    """A layer whose parameters depend on nothing. Without `reverse`, its `forward` maps noise to data."""
    import torch

    kinds, name = class_names(layer), type(layer).__name__
    if "BatchNorm" in kinds:
        raise ExportError(f"{name} is not supported: it normalises by the batch; that is not a flow of single rows")
    if "Permute" in kinds:
        index = float64(layer(torch.arange(dim)[None])[0])[0].astype(np.int64)
        return ir.Permutation(index if reverse else np.argsort(index), name)
    if "AffineConstFlow" in kinds:
        if "ActNorm" in kinds and not layer.data_dep_init_done:
            raise ExportError(f"{name} has seen no data yet: it takes its scale from the first batch")
        return inverted_if(diagonal(dim, name, np.exp(float64(layer.s)[0]), float64(layer.t)[0]), not reverse)
    if kinds & _LINEAR:
        copy = TorchModel.copy_of(layer, torch.float64)
        to_noise = copy.forward if reverse else copy.inverse
        return ir.Linear(*affine_map(lambda rows: to_noise(rows)[0], dim), name)
    return refuse(layer, _SUPPORTED)


def _half_turns(layer, dim: int):
    """A shift of angles by half of their circle, in either direction: a step for all circles of one size."""
    angles = float64(layer.ind).reshape(-1).astype(np.int64)
    shift, bound = (np.broadcast_to(float64(values), angles.shape) for values in (layer.shift, layer.bound))
    turns = np.remainder(shift / (2 * bound), 1)
    if np.any(np.abs(turns - 0.5) > 1e-9):
        raise ExportError(
            f"{type(layer).__name__} is not supported where it shifts circles of the bounds {bound.tolist()} by "
            f"{shift.tolist()}; supported are shifts by half of the circle, that is by its bound"
        )
    for size in np.unique(bound):
        yield half_turn(float(size), angles[bound == size], dim, type(layer).__name__)


def _affine_autoregressive(layer, reverse: bool, dim: int, conditional: bool) -> ir.Autoregressive:
    import torch

    name = type(layer).__name__
    raw = torch.as_tensor(scales.RAW)
    parameters = torch.stack([raw, torch.full_like(raw, scales.SHIFT)], dim=-1).repeat(1, dim)
    candidates = scales.nflows_candidates(1e-3)
    scale = scales.of_affine(lambda r: layer._elementwise_forward(r, parameters), dim, candidates, name)
    layers = linear_made(layer.autoregressive_net, "gate" if conditional else None)
    reordered(layers[-1], np.arange(2 * dim).reshape(dim, 2)[:, ::-1].reshape(-1))  # [a, t] becomes [t, a]
    scales.fold(scale, layers[-1])
    return ir.Autoregressive(layers, ir.Affine(scale.scale, scale.p), _reads(Reads.NOISE, reverse), name=name)


# ---- splines ----


def _spline_of(layer):
    """The live spline transform that a layer wraps or is; None for other layers."""
    inner = getattr(layer, "mprqat", getattr(layer, "prqct", layer))
    return inner if class_names(inner) & (splines.AUTOREGRESSIVE | splines.COUPLINGS | splines.UNCONDITIONAL) else None


def _splines(layer, reverse: bool, dim: int, conditional: bool) -> list:
    """The wrappers map noise to data by the inverse of what they wrap: they read the data."""
    inner = _spline_of(layer)
    inverted = reverse if inner is not layer else not reverse
    if class_names(inner) & splines.AUTOREGRESSIVE:
        layers = linear_made(inner.autoregressive_net, "gate" if conditional else None)
        return splines.autoregressive(inner, layers, _reads(Reads.DATA, inverted), dim)
    return steps_of(inner, inverted, dim)


# ---- couplings ----


def _halves(split, dim: int) -> tuple:
    """The coordinates of z1 and of z2, by asking the live layer."""
    import torch

    forward = split.inverse if "Merge" in class_names(split) else split.forward
    try:
        (first, second), _ = forward(torch.arange(dim)[None])
    except (RuntimeError, ValueError, NotImplementedError):
        raise ExportError(f"{type(split).__name__} of mode {split.mode!r} does not split {dim} features") from None
    return float64(first)[0].astype(np.int64), float64(second)[0].astype(np.int64)


def _coupling(layer, reverse: bool, halves: tuple) -> ir.Autoregressive:
    """z1 stays as it is and parametrises z2. A coupling may be said to read either side, whichever has the formula."""
    constant, transformed = halves
    name = type(layer).__name__
    dim = len(constant) + len(transformed)
    layers = linear_output(reading(coupling_net(layer.param_map, len(constant)), constant, dim))
    _require_outputs(layers, (2 if layer.scale else 1) * len(transformed), name)
    if not layer.scale:
        return ir.Autoregressive(layers, ir.Additive(), _reads(Reads.NOISE, reverse), transformed, name)
    if layer.scale_map not in images.SCALE_MAPS:
        raise ExportError(f"{name}: scale map {layer.scale_map!r} is not supported; supported are exp, sigmoid[_inv]")
    scale, form, side = images.SCALE_MAPS[layer.scale_map]
    scales.fold(scale, layers[-1])
    transformer = ir.Affine(scale.scale, scale.p, form)
    return ir.Autoregressive(layers, transformer, _reads(side, reverse), transformed, name)


def _masked_affine(layer, reverse: bool, dim: int) -> ir.Step:
    """x = exp(s(b z)) z + t(b z) where the mask b is 0, x = z where it is 1."""
    name = type(layer).__name__
    mask = float64(layer.b).reshape(-1)
    if mask.shape != (dim,) or not np.all((mask == 0) | (mask == 1)):
        raise ExportError(f"{name}: the mask must be {dim} zeros and ones")
    networks = [coupling_net(net, dim) if hasattr(net, "parameters") else None for net in (layer.t, layer.s)]
    for layers in networks:
        if layers is not None:
            _require_outputs(layers, dim, name)
    transformed = np.flatnonzero(mask == 0)
    if not len(transformed):
        return diagonal(dim, name)
    layers = shift_and_scale(*networks, mask, transformed)
    return ir.Autoregressive(layers, ir.Affine(Scale.EXP), _reads(Reads.NOISE, reverse), transformed, name)


def _require_outputs(layers: list, expected: int, name: str) -> None:
    if layers[-1].width != expected:
        raise ExportError(f"{name}: the network has {layers[-1].width} outputs, not {expected}")
