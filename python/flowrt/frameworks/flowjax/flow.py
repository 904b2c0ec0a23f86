"""flowjax 19: `masked_autoregressive_flow`, `coupling_flow`, any `Transformed` of the bijections below, or a bijection.

flowjax bijections map noise to data; `Invert` turns them around, so that `invert=True`, the default of the ready-made
flows, is a masked autoregressive flow and `invert=False` an inverse one. The context is appended to the variables at
the input of a network. Layers of a `Scan` share one object whose arrays have a leading axis.
"""

from __future__ import annotations

import numpy as np

from ...building.modules import class_names, refuse
from ...errors import ExportError
from ...flow import flow as ir
from ..arrays.evaluation import ArrayModel, standard_normal_log_prob
from ..torch.overrides import require_own_sampler
from . import bases as flowjax_bases
from .networks import is_array, parameter_count
from .steps import SUPPORTED, steps_of

framework = "flowjax"
dtypes = (np.float32, np.float64)


def accepts(model) -> bool:
    """Whether the object looks like a transformed distribution or a bijection of flowjax."""
    return bool(class_names(model) & {"AbstractTransformed", "AbstractBijection"})


def describe(model, context_dim: int | None = None) -> ir.Flow:
    """The model with its wrapped parameters resolved. Raises `ExportError` with the name of what a file cannot hold."""
    missing = _missing(model)
    if missing == "arrays" and not any(map(is_array, _leaves(model))):  # NumPy would make NaN of None
        raise _half(model, missing)
    try:
        return _describe(model, context_dim)
    except (ArithmeticError, AttributeError, IndexError, ExportError, TypeError, ValueError) as error:
        _refuse_ensembles(model, context_dim)
        if missing and not isinstance(error, ExportError):  # which names its own reason
            raise _half(model, missing) from None
        raise


def _describe(model, context_dim: int | None) -> ir.Flow:
    bijections, base = _parts(model)
    shape = tuple(bijections[0].shape)
    if len(shape) != 1:
        raise ExportError(f"{type(model).__name__} has events of shape {shape}; a file holds vectors")
    (dim,) = shape
    context = _context_features(bijections)
    if context_dim not in (None, context):
        raise ExportError(f"{type(model).__name__} has a condition of length {context}, not {context_dim}")
    with _precision(np.float64):
        layers = [layer for part in bijections for layer in _flatten(_copied(part, np.float64), inverted=False)]
        steps = [step for layer, inverted in layers for step in steps_of(layer, inverted, dim)]
        density = flowjax_bases.describe(_copied(base, np.float64), dim)
    return ir.Flow(dim, context, steps, density, framework=framework, model=type(model).__name__)


def live(model, dtype) -> ArrayModel:
    """The framework's own evaluation of a copy of the model; `dtype` is a NumPy type."""
    import jax
    import jax.numpy as jnp

    bijections, base = _parts(model)
    with _precision(dtype):
        bijections = [_copied(part, dtype) for part in bijections]

    def compiled(parts, method: str):
        def one(row, condition):
            log_det = 0.0
            for part in parts:
                row, slope = getattr(part, method)(row, condition if part.cond_shape is not None else None)
                log_det = log_det + slope
            return row, log_det

        rows = jax.jit(jax.vmap(one))

        def run(values, context):
            with _precision(dtype):
                values = jnp.asarray(values, dtype=dtype)
                context = None if context is None else jnp.asarray(context, dtype=dtype)
                return [np.asarray(part) for part in rows(values, context)]

        return run

    forward = compiled(bijections, "inverse_and_log_det")
    inverse = compiled(bijections[::-1], "transform_and_log_det")
    if base is None:
        return ArrayModel(forward, inverse, standard_normal_log_prob)
    with _precision(dtype):
        flow = _copied(model, dtype)
    log_prob = jax.jit(lambda x, condition: flow.log_prob(x, condition))

    def density(x, context):
        with _precision(dtype):
            return np.asarray(log_prob(*(None if part is None else jnp.asarray(part, dtype) for part in (x, context))))

    return ArrayModel(forward, inverse, density=density)


def _missing(model) -> str | None:
    """What a flow seems to have None for: arrays, or functions and numbers. Some flows have none of these by nature."""
    leaves = _leaves(model)
    floats, functions = any(map(_is_float_array, leaves)), any(map(callable, leaves))
    if not any(leaf is None for leaf in leaves) or floats == functions:
        return None
    return "everything but arrays" if floats else "arrays"


def _leaves(model) -> list:
    import jax

    return jax.tree_util.tree_leaves(model, is_leaf=lambda leaf: leaf is None)


def _is_float_array(leaf) -> bool:
    return is_array(leaf) and np.issubdtype(leaf.dtype, np.inexact)


def _half(model, missing: str) -> ExportError:
    name = type(model).__name__
    return ExportError(f"{name} is a half of a partition, without {missing}: give what equinox.combine makes of both")


def _refuse_ensembles(model, context_dim: int | None) -> None:
    """Raises `ExportError` for what cannot be read because it is several flows in one."""
    import jax

    name = type(model).__name__
    sizes = {leaf.shape[0] if leaf.ndim else 0 for leaf in _leaves(model) if _is_float_array(leaf)}
    if len(sizes) != 1 or sizes == {0}:
        return
    try:
        _describe(jax.tree_util.tree_map(lambda leaf: leaf[0] if is_array(leaf) else leaf, model), context_dim)
    except (ArithmeticError, AttributeError, IndexError, ExportError, TypeError, ValueError):
        return
    raise ExportError(
        f"{name} is an ensemble of {sizes.pop()} flows, whose arrays have an axis more: give one of them, "
        "jax.tree_util.tree_map(lambda leaf: leaf[0] if equinox.is_array(leaf) else leaf, flow), or save each to a "
        "file of its own"
    )


# ---- walking ----


def _parts(model) -> tuple:
    """The bijections of a (nested) transformed distribution from data to noise, and its base; None without one."""
    if "AbstractBijection" in class_names(model):
        return [model], None
    bijections = []
    require_own_sampler(model)
    while "Transformed" in class_names(model):
        bijections.append(model.bijection)
        model = model.base_dist
    if not bijections:
        return refuse(model, SUPPORTED)
    return bijections, model


def _flatten(bijection, inverted: bool):
    """(layer, inverted) from data to noise; a layer that is inverted maps data to noise by its `transform`."""
    kinds = class_names(bijection)
    if "Invert" in kinds:
        yield from _flatten(bijection.bijection, not inverted)
    elif kinds & {"Chain", "Scan"}:
        parts = list(bijection.bijections) if "Chain" in kinds else _unstacked(bijection.bijection)
        for part in parts if inverted else reversed(parts):
            yield from _flatten(part, inverted)
    else:
        yield bijection, inverted


def _unstacked(stacked) -> list:
    """The layers of a `Scan`: its arrays cut along their first axis."""
    import jax

    leaves = [leaf for leaf in jax.tree_util.tree_leaves(stacked) if is_array(leaf)]
    return [
        jax.tree_util.tree_map(lambda leaf: leaf[i] if is_array(leaf) else leaf, stacked)  # noqa: B023
        for i in range(len(leaves[0]) if leaves else 0)
    ]


def _context_features(bijections: list) -> int:
    """The length of the condition, 0 without one. flowjax has checked that all layers agree about it."""
    shapes = {tuple(part.cond_shape) for part in bijections if part.cond_shape is not None}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise ExportError(f"conditions of shape {sorted(shapes)} are not supported; a file holds one vector")
    return shapes.pop()[0] if shapes else 0


# ---- precision ----


def _precision(dtype):
    """A context in which JAX computes with a NumPy type, whatever the program around it has chosen."""
    import jax

    wide = np.dtype(dtype) == np.float64
    return jax.enable_x64(wide) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64(wide)


def _copied(tree, dtype):
    """A copy with parameters of another type, the constants in the closures of `transformer_constructor` included."""
    import jax
    import jax.numpy as jnp

    def convert(node):
        if hasattr(node, "transformer_constructor"):
            return _reconstructed(node, dtype, convert_leaf)
        return convert_leaf(node)

    def convert_leaf(leaf):
        floating = is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
        return jnp.asarray(np.asarray(leaf), dtype=dtype) if floating else leaf

    return jax.tree_util.tree_map(convert, tree, is_leaf=lambda node: hasattr(node, "transformer_constructor"))


def _reconstructed(layer, dtype, convert_leaf):
    """The layer with converted arrays and a constructor whose constants are converted too."""
    import equinox
    import jax
    import paramax
    from flowjax.utils import get_ravelled_pytree_constructor

    constants = jax.tree_util.tree_map(convert_leaf, _initial_transformer(layer))
    constructor, _ = get_ravelled_pytree_constructor(
        constants,
        filter_spec=equinox.is_inexact_array,
        is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable),
    )
    arrays = jax.tree_util.tree_map(convert_leaf, layer)
    return equinox.tree_at(lambda layer: layer.transformer_constructor, arrays, constructor)


def _initial_transformer(layer):
    """The transformer for outputs of zero; the constructor insists on the floating-point type of its constants."""
    import jax.numpy as jnp

    count = parameter_count(layer)
    try:
        return layer.transformer_constructor(jnp.zeros(count, dtype=jnp.float32))
    except TypeError:
        with _precision(np.float64):
            return layer.transformer_constructor(jnp.zeros(count))
