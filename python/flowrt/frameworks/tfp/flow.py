"""TensorFlow Probability 0.25: `TransformedDistribution`, or a bare bijector with a standard normal base.

Bijectors map noise to data; a `Chain` applies its last bijector first. A `MaskedAutoregressiveFlow` computes
`z = (x - shift(x)) exp(-log_scale(x))`, its `Invert` is an inverse autoregressive flow. The networks are in
`tfp_networks`.
"""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import class_names, diagonal, inverted_if, refuse, require_length
from ...errors import ExportError
from ...file.codes import Form, Reads, Scale
from ...flow import flow as ir
from ..arrays.evaluation import ArrayModel, standard_normal_log_prob
from ..torch.overrides import require_own_sampler
from . import bases as tfp_bases
from . import elementwise as tfp_elementwise
from . import images, networks
from . import linear as tfp_linear
from .networks import cast

framework = "tfp"
dtypes = (np.float32, np.float64)

_CONDITIONED = {"MaskedAutoregressiveFlow", "RealNVP"}
_INVERTED, _CHAINED = {"Invert", "_Invert"}, {"Chain", "_Chain"}
_SUPPORTED = (
    "MaskedAutoregressiveFlow, RealNVP, Permute, Shift, Scale, ScaleMatvecDiag, ScaleMatvecTriL, ScaleMatvecLU, "
    "ScaleMatvecLinearOperator, BatchNormalization, RationalQuadraticSpline, Exp, Log, Sigmoid, Tanh, Softsign, "
    "NormalCDF, Identity, Invert, Chain and Glow"
)


def accepts(model) -> bool:
    """Whether the object looks like a transformed distribution or a bijector of TensorFlow Probability."""
    return _is_transformed(model) or "Bijector" in class_names(model)


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    require_length(context_dim)
    layers, base = _parts(model)
    dim = _dim(model, layers, base)
    conditioners = [networks.of(layer, dim) for layer, _ in layers if class_names(layer) & _CONDITIONED]
    contexts = {conditioner.context_dim for conditioner in conditioners if conditioner.context_dim}
    contexts |= set() if context_dim is None else {context_dim}
    if len(contexts) > 1:
        raise ExportError(f"layers and context_dim disagree about the length of the context: {sorted(contexts)}")
    of_images, of_vectors = images.split(layers)
    steps = images.steps(of_images)
    steps += [step for layer, inverted in of_vectors for step in _step(layer, inverted, dim)]
    context = contexts.pop() if contexts else 0
    name = type(model).__name__.lstrip("_")
    base = tfp_bases.describe(base, dim)
    return ir.Flow(dim, context, steps, base, framework=framework, model=name, shape=images.shape_of(layers))


def live(model, dtype) -> ArrayModel:
    """The framework's own evaluation of a copy of the bijectors; `dtype` is a NumPy type."""
    import tensorflow as tf

    layers, base = _parts(model)
    dim = _dim(model, layers, base)
    shape = images.shape_of(layers)
    copies = [(_copied(layer, dim, dtype), inverted, _takes_context(layer, dim)) for layer, inverted in layers]

    def run(values, context, to_noise: bool):
        values, log_det = tf.convert_to_tensor(values, dtype=dtype), 0.0
        values = images.as_images(values, shape) if shape and to_noise else values
        for layer, inverted, conditional in copies if to_noise else reversed(copies):
            given = {"conditional_input": tf.convert_to_tensor(context, dtype=dtype)} if conditional else {}
            way = "forward" if inverted == to_noise else "inverse"
            axes = len(values.shape) - 1
            slope = getattr(layer, f"{way}_log_det_jacobian")(values, event_ndims=axes, **given)
            values, log_det = getattr(layer, way)(values, **given), log_det + slope
        return images.as_rows(values) if shape and not to_noise else values, log_det

    def forward(x, context):
        return run(x, context, to_noise=True)

    def inverse(z, context):
        return run(z, context, to_noise=False)

    if shape:
        forward, inverse = (images.compiled(function, dtype) for function in (forward, inverse))
    if base is None:
        return ArrayModel(forward, inverse, standard_normal_log_prob)
    flow = _copied_distribution(model, dim, dtype)

    def density(x, context):
        given = _given(model, dim, None if context is None else tf.convert_to_tensor(context, dtype=dtype))
        x = tf.convert_to_tensor(x, dtype=dtype)
        return flow.log_prob(images.as_images(x, shape) if shape else x, **given)

    return ArrayModel(forward, inverse, density=images.compiled(density, dtype) if shape else density)


# ---- walking ----


def _is_transformed(model) -> bool:
    """A multivariate normal is one too, but known as what it is."""
    kinds = class_names(model)
    normal = any(kind.startswith("MultivariateNormal") for kind in kinds)
    return "Distribution" in kinds and not normal and hasattr(model, "bijector") and hasattr(model, "distribution")


def _parts(model) -> tuple:
    """(bijector, inverted) from data to noise, and the base; None for a bare bijector."""
    if not _is_transformed(model):
        return list(_flatten(model, inverted=False)), None
    layers = []
    require_own_sampler(model)
    while _is_transformed(model):
        layers += _flatten(model.bijector, inverted=False)
        model = model.distribution
    return layers, model


def _flatten(bijector, inverted: bool):
    """(bijector, inverted) from data to noise; one that is inverted maps data to noise by its `forward`."""
    kinds = class_names(bijector)
    if kinds & _INVERTED:
        yield from _flatten(bijector.bijector, not inverted)
    elif kinds & _CHAINED:
        parts = list(bijector.bijectors)
        for part in reversed(parts) if inverted else parts:
            yield from _flatten(part, inverted)
    else:
        yield bijector, inverted


def _dim(model, layers: list, base) -> int:
    if base is not None:
        if len(base.batch_shape) or len(base.event_shape) != 1:
            raise ExportError(
                f"{type(base).__name__} with events of shape {tuple(base.event_shape)} and batches of shape "
                f"{tuple(base.batch_shape)} is not supported as base; a file holds the density of one vector"
            )
        return int(base.event_shape[0])
    if images.shape_of(layers):
        return int(np.prod(images.shape_of(layers)))
    for layer, _ in layers:
        if "Permute" in class_names(layer):
            return len(float64(layer.permutation))
        network = getattr(layer, "_shift_and_log_scale_fn", None)
        if getattr(network, "event_shape", None):
            return int(network.event_shape[-1])
    raise ExportError(f"the number of features of {type(model).__name__} cannot be determined from its layers")


def _takes_context(layer, dim: int) -> bool:
    return bool(class_names(layer) & _CONDITIONED) and networks.of(layer, dim).context_dim > 0


# ---- steps ----


def _step(layer, inverted: bool, dim: int) -> list:
    kinds, name = class_names(layer), type(layer).__name__
    if "Identity" in kinds:
        return []
    if kinds & _CONDITIONED:
        return _autoregressive(layer, inverted, dim)
    if kinds & tfp_elementwise.CLASSES:
        return [tfp_elementwise.step(layer, inverted, dim)]
    if kinds & tfp_linear.CLASSES and "ScaleMatvecDiag" not in kinds:
        return [inverted_if(tfp_linear.step(layer, dim), not inverted)]
    if "Permute" in kinds and int(layer.axis) == -1:
        index = float64(layer.permutation).astype(np.int64)
        return [ir.Permutation(index if inverted else np.argsort(index), name)]
    if "BatchNormalization" in kinds:
        norm = _built(layer.batchnorm, dim)
        scale = float64(norm.gamma) / np.sqrt(float64(norm.moving_variance) + norm.epsilon)
        shift = 0.0 if norm.beta is None else float64(norm.beta)
        return [inverted_if(diagonal(dim, name, scale, shift, 0 - float64(norm.moving_mean)), inverted)]
    scale_and_shift = tfp_linear.affine(layer)
    if scale_and_shift is None:
        refuse(layer, _SUPPORTED)
    return [inverted_if(diagonal(dim, name, *scale_and_shift), not inverted)]


def _built(norm, dim: int):
    """The Keras layer of a BatchNormalization bijector, with its variables."""
    if not norm.scale:
        raise ExportError("BatchNormalization with scale=False has no log-determinant in its framework")
    if not norm.built:
        norm.build((None, dim))
    return norm


def _autoregressive(layer, inverted: bool, dim: int) -> list:
    """data = noise * exp(log_scale) + shift, seen from the data: form 1 with the scale exp(-log_scale)."""
    conditioner = networks.of(layer, dim)
    *hidden, output = conditioner.layers()
    output = _parameter_rows(output, conditioner.shift, conditioner.log_scale)
    if output is None:
        return []
    if conditioner.log_scale is None:
        transformer = ir.Additive()
    elif conditioner.clip is None:
        transformer = ir.Affine(Scale.EXP, form=Form.SHIFT_THEN_SCALE)
    else:
        low, high = conditioner.clip
        transformer = ir.Affine(Scale.EXP_CLAMPED, (-high, -low), Form.SHIFT_THEN_SCALE)
    reads = Reads.NOISE if inverted else Reads.DATA
    return [
        ir.Autoregressive([*hidden, output], transformer, reads, conditioner.transformed, name=type(layer).__name__)
    ]


def _parameter_rows(output: ir.Layer, shift, log_scale):
    """The output layer with rows t, -log_scale of each coordinate, or -t alone; what is None is zero."""
    if shift is None and log_scale is None:
        return None
    parts = [(shift, -1.0)] if log_scale is None else [(shift, 1.0), (log_scale, -1.0)]

    def pick(values):
        count = len(shift if shift is not None else log_scale)
        rows = [np.zeros((count, *values.shape[1:])) if at is None else sign * values[at] for at, sign in parts]
        return np.stack(rows, axis=1).reshape(-1, *values.shape[1:])

    result = ir.Layer(pick(output.bias), source=output.source)
    if output.weight is not None:
        result.weight, result.mask = pick(output.weight), pick(output.mask) != 0
    if output.context_weight is not None:
        result.context_weight = pick(output.context_weight)
    return result


# ---- copies ----


def _copied_distribution(model, dim: int, dtype):
    """A transformed distribution of another floating-point type, whatever its class does with it."""
    import tensorflow as tf

    if not _is_transformed(model):
        return tfp_bases.live(model, dtype)
    flow = object.__new__(type(model))  # copy.copy calls constructors of some
    vars(flow).update(vars(model))
    flow._distribution = _copied_distribution(model.distribution, dim, dtype)
    flow._bijector = _copied(model.bijector, dim, dtype)
    flow._dtype = tf.as_dtype(dtype)
    return flow


def _given(model, dim: int, context) -> dict:
    """The arguments by which a context gets to all layers of a transformed distribution that take it."""
    if not _is_transformed(model):
        return {}
    parts = {
        "bijector_kwargs": _given_to(model.bijector, dim, context),
        "distribution_kwargs": _given(model.distribution, dim, context),
    }
    return {name: given for name, given in parts.items() if given}


def _given_to(bijector, dim: int, context) -> dict:
    kinds = class_names(bijector)
    if kinds & _INVERTED:
        return _given_to(bijector.bijector, dim, context)
    if kinds & _CHAINED:
        parts = {part.name: _given_to(part, dim, context) for part in bijector.bijectors}
        return {name: given for name, given in parts.items() if given}
    return {"conditional_input": context} if _takes_context(bijector, dim) else {}


def _copied(layer, dim: int, dtype):
    """A bijector of another floating-point type, in evaluation mode."""
    kinds, remake = class_names(layer), type(layer)
    if kinds & _INVERTED:
        return remake(_copied(layer.bijector, dim, dtype))
    if kinds & _CHAINED:
        return remake([_copied(part, dim, dtype) for part in layer.bijectors], name=layer.name)
    if kinds & _CONDITIONED:
        fields = dict(layer.parameters)
        fields["shift_and_log_scale_fn"] = networks.of(layer, dim).function_in(dtype)
        return remake(**fields)
    if "Glow" in kinds:
        return images.copied(layer, dtype)
    if "BatchNormalization" in kinds:
        norm = _built(layer.batchnorm, dim)
        copy = type(norm)(axis=norm.axis, epsilon=norm.epsilon, center=norm.center, dtype=np.dtype(dtype).name)
        copy.build((None, dim))
        copy.set_weights(norm.get_weights())
        return remake(batchnorm_layer=copy, training=False)
    if kinds & tfp_elementwise.CLASSES:
        return tfp_elementwise.copied(layer, dtype)
    if "Shift" in kinds:
        return remake(cast(layer.shift, dtype))
    if "ScaleMatvecDiag" in kinds:
        return remake(scale_diag=cast(layer.scale.diag_part(), dtype))
    if kinds & tfp_linear.CLASSES:
        return tfp_linear.copied(layer, dtype)
    if "Scale" in kinds:
        return remake(scale=cast(layer.scale, dtype), log_scale=cast(layer.log_scale, dtype))
    return layer
