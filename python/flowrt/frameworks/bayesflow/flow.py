"""bayesflow 2: a `CouplingFlow`, a `ContinuousApproximator` around one, or the `BasicWorkflow` that holds it.

`CouplingFlow` maps data to noise. An approximator standardises the variables, the conditions, or both; its adapter is
not part of a file, whose data and context are `inference_variables` and `inference_conditions`, as the adapter gives
them. The framework's own evaluation is a second model, made of the first one's configuration in the precision that is
asked for, with its weights.
"""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.coordinates import reading
from ...building.modules import class_names, diagonal, refuse
from ...building.networks import linear_output
from ...building.output_rows import reordered
from ...building.raw_scales import through_units
from ...building.standardisation import of_standardised_context
from ...errors import ExportError
from ...file.codes import Activation, Scale
from ...flow import flow as ir
from ..arrays.evaluation import ArrayModel, standard_normal_log_prob
from ..torch.overrides import require_own
from .copies import copied, floatx
from .networks import dense, network_layers
from .splines import spline_steps

framework = "bayesflow"
dtypes = (np.float32, np.float64)

_SHIFT = float(np.log(np.e - 1))  # softplus(_SHIFT) = 1
_SUPPORTED = (
    "CouplingFlow of affine or spline transforms, with ActNorm, permutations and DiagonalNormal as base, alone or in a "
    "ContinuousApproximator without a summary network, or in a BasicWorkflow"
)


def accepts(model) -> bool:
    """Whether the object looks like an inference network, an approximator or a workflow of bayesflow."""
    return bool(class_names(model) & {"InferenceNetwork", "Approximator", "Workflow"})


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model in evaluation mode. Raises `ExportError` with the name of whatever a file cannot hold."""
    network, variables, conditions = _parts(model)
    dim = int(network.base_distribution.dim)
    steps: list[ir.Step] = (
        [] if variables is None else [diagonal(dim, "Standardize", 1 / variables[1], before=-variables[0])]
    )
    for layer in network.invertible_layers:
        steps += _steps(layer, dim)
    found = _context_dim(network)
    if context_dim not in (None, found):
        raise ExportError(
            f"the conditions of {type(model).__name__} have {found} numbers; context_dim is {context_dim}"
        )
    base = _base(network.base_distribution, dim)
    flow = ir.Flow(dim, found, steps, base, framework=framework, model=type(model).__name__)
    if conditions is None or not found:
        return flow
    mean, std = conditions
    return of_standardised_context(flow, 1 / std, -mean / std)


def live(model, dtype) -> ArrayModel:
    """The framework's own evaluation of a copy of the model; `dtype` is a NumPy type."""
    import keras

    network, variables, conditions = _parts(model)
    own = copied(network, _context_dim(network), dtype)
    dim = int(network.base_distribution.dim)
    mean, std = (np.zeros(dim), np.ones(dim)) if variables is None else variables
    mean, std = mean.astype(dtype), std.astype(dtype)

    def run(values, context, inverse: bool):
        """What all layers make of values, and the log-determinant; `_forward` gives a density instead."""
        with floatx(dtype):
            log_det = 0.0
            for layer in reversed(own.invertible_layers) if inverse else own.invertible_layers:
                values, change = layer(values, conditions=context, inverse=inverse, training=False)
                log_det = log_det + float64(change)
            return float64(values).astype(dtype), np.broadcast_to(log_det, len(values)).astype(dtype)

    def given(values, context):
        if context is not None:
            context = np.asarray(context, dtype=dtype)
            if conditions is not None:
                context = (context - conditions[0].astype(dtype)) / conditions[1].astype(dtype)
            context = keras.ops.convert_to_tensor(context, dtype=np.dtype(dtype).name)
        return keras.ops.convert_to_tensor(np.asarray(values, dtype=dtype), dtype=np.dtype(dtype).name), context

    def forward(x, context):
        z, log_det = run(*given((np.asarray(x, dtype) - mean) / std, context), False)
        return z, log_det - np.sum(np.log(std))

    def inverse(z, context):
        x, log_det = run(*given(z, context), True)
        return x * std + mean, log_det + np.sum(np.log(std))

    def density(x, context):
        with floatx(dtype):
            values, context = given((np.asarray(x, dtype) - mean) / std, context)
            return float64(own.log_prob(values, conditions=context)) - np.sum(np.log(std))

    base_mean, base_std = _moments(network.base_distribution, dim)

    def base_log_prob(z):
        return standard_normal_log_prob((z - base_mean) / base_std) - np.sum(np.log(base_std))

    exact = np.dtype(dtype) == np.float64  # bayesflow rounds the constant of its density to float32
    units = conditions if _context_dim(network) else None
    return ArrayModel(forward, inverse, base_log_prob, None if exact else density, units)


# ---- walking ----


def _parts(model) -> tuple:
    """The coupling flow, and mean and standard deviation of the variables and of the conditions, or None."""
    if "Workflow" in class_names(model):
        if getattr(model, "approximator", None) is None:
            raise ExportError(f"{type(model).__name__} has no approximator yet: train it first")
        model = model.approximator
    network, standardizer = model, None
    if "Approximator" in class_names(model):
        if "ContinuousApproximator" not in class_names(model):
            refuse(model, _SUPPORTED)
        require_own(model, "log_prob", "sample")
        if model.summary_network is not None:
            raise ExportError(
                f"{type(model).__name__} has the summary network {type(model.summary_network).__name__}, which is not "
                "supported: save its inference_network, whose context is the standardised conditions and then the "
                "summaries, and run the summary network elsewhere"
            )
        network, standardizer = model.inference_network, model.standardizer
    if "CouplingFlow" not in class_names(network):
        refuse(network, _SUPPORTED)
    require_own(network, "_forward", "_inverse", "call", "log_prob", "sample")
    if network.base_distribution.dim is None:
        raise ExportError(f"{type(network).__name__} has no weights yet: build it, or train it first")
    return network, *(_standardised(standardizer, key) for key in ("inference_variables", "inference_conditions"))


def _standardised(standardizer, key: str):
    layers = getattr(standardizer, "standardize_layers", None) or {}
    if key not in layers or layers[key].moving_mean is None:
        return None
    layer = layers[key]
    if len(layer.moving_mean) != 1:
        raise ExportError(f"Standardize of {key} has {len(layer.moving_mean)} parts; supported is one")
    mean, squares, count = float64(layer.moving_mean[0]), float64(layer.moving_m2[0]), float64(layer.count[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, np.where(squares > 0, np.sqrt(squares / count), 1.0)


def _context_dim(network) -> int:
    """The length of the conditions: what the networks of the couplings take beside the coordinates."""
    for layer in network.invertible_layers:
        if "DualCoupling" in class_names(layer):
            for first in _dense_layers(layer.coupling1.subnet):
                return int(first.kernel.shape[0]) - int(layer.pivot)
    return 0


def _dense_layers(network):
    for layer in network._flatten_layers():
        if "Dense" in class_names(layer):
            yield layer


def _base(base, dim: int) -> ir.Base:
    if "DiagonalNormal" not in class_names(base):
        return refuse(base, "the base distribution DiagonalNormal")
    require_own(base, "log_prob", "sample")
    mean, std = _moments(base, dim)
    return ir.StandardNormal() if np.all(mean == 0) and np.all(std == 1) else ir.DiagonalNormal(mean, std)


def _moments(base, dim: int) -> tuple:
    return tuple(np.broadcast_to(float64(values), (dim,)) for values in (base._mean, base._std))


def _steps(layer, dim: int) -> list:
    kinds, name = class_names(layer), type(layer).__name__
    if "ActNorm" in kinds:
        return [diagonal(dim, name, float64(layer.scale), float64(layer.bias))]
    if "FixedPermutation" in kinds:
        return [ir.Permutation(float64(layer.forward_indices).astype(np.int64), name)]
    if "OrthogonalPermutation" in kinds:
        return [ir.Linear(float64(layer.weight).T, np.zeros(dim), name)]
    if "DualCoupling" not in kinds:
        return refuse(layer, _SUPPORTED)
    first, second = np.arange(layer.pivot), np.arange(layer.pivot, dim)
    return [*_coupling(layer.coupling1, first, second, dim), *_coupling(layer.coupling2, second, first, dim)]


def _coupling(coupling, seen: np.ndarray, changed: np.ndarray, dim: int) -> list:
    """z = softplus(arsinh(a) + log(e - 1)) x + t, without the arsinh where the option `clamp` is false; or a spline."""
    transform, count, name = coupling.transform, len(changed), type(coupling).__name__
    if not class_names(transform) & {"AffineTransform", "SplineTransform"}:
        refuse(transform, "AffineTransform and SplineTransform")
    require_own(coupling, "call", "get_parameters")
    if not count:
        return []
    layers = network_layers(coupling.subnet, len(seen))
    layers = linear_output([*layers, dense(coupling.output_projector, layers, len(seen))])
    if "SplineTransform" in class_names(transform):
        return spline_steps(transform, layers, seen, changed, dim, name)
    require_own(transform, "call", "constrain_parameters", "_forward", "_inverse")
    reordered(layers[-1], np.arange(2 * count).reshape(2, count)[::-1].T.reshape(-1))  # t, a of each in turn
    if transform.clamp:
        layers = through_units(layers, Activation.INVERSE_HYPERBOLIC_SINE, np.eye(count), offset=_SHIFT)
    else:
        layers[-1].bias[1::2] += _SHIFT
    affine = ir.Affine(Scale.SOFTPLUS, (0.0,))
    return [ir.Autoregressive(reading(layers, seen, dim), affine, transformed=changed, name=name)]
