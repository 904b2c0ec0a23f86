"""The networks of TensorFlow Probability's flows: what `shift_and_log_scale_fn` computes, and from which layers.

It is an `AutoregressiveNetwork`, a template (`tfp_templates`), or a function of the user that takes columns of the
output of one such network or of one Keras perceptron. Kernels are (inputs, outputs). No mask is stored or applied: a
kernel is zero where it is masked.
"""

from __future__ import annotations

import inspect
import types
from contextlib import contextmanager

import numpy as np

from ...building.activations import recognise
from ...building.arrays import float64
from ...building.modules import class_names, refuse
from ...errors import ExportError
from ...flow import flow as ir
from ..arrays.keras import retyped
from . import templates

_SUPPORTED = (
    f"AutoregressiveNetwork, {templates.SUPPORTED}, and functions that return columns of the output of an "
    "AutoregressiveNetwork or of one Keras perceptron (Sequential or functional), which they have in their closure, "
    "globals or default arguments"
)
_ROWS = 32  # with which functions are probed
_NO_LIMIT = 1e6  # stands for the limit of a log scale that has none


def of(layer, dim: int) -> LiveConditioner:
    """The conditioner of a MaskedAutoregressiveFlow or RealNVP with `dim` features."""
    function = layer._shift_and_log_scale_fn
    if function is None:
        raise ExportError(f"{type(layer).__name__} with a bijector_fn is not supported; pass a shift_and_log_scale_fn")
    if "RealNVP" not in class_names(layer):
        return LiveConditioner(function, np.arange(dim), np.arange(dim), dim, None)
    masked = layer._num_masked
    if masked is None:
        masked = int(np.round(dim * layer._fraction_masked))
    split = masked % dim if masked < 0 else masked
    first, last = np.arange(split), np.arange(split, dim)
    read, transformed = (last, first) if layer._reverse_mask else (first, last)
    return LiveConditioner(function, read, transformed, dim, len(transformed))


class LiveConditioner:
    """A live `shift_and_log_scale_fn` and the network in it.

    It reads the coordinates `read` and gives parameters of the coordinates `transformed`. `shift` and `log_scale` are
    the columns of the network's output that hold them, one for each transformed coordinate, or None. `clip` is what the
    log scales are limited to, or None.
    """

    def __init__(self, function, read, transformed, dim: int, output_units):
        self.function = getattr(function, "python_function", function)  # what a tf.function was made from
        self.read = read
        self.transformed = transformed
        self.dim = dim
        self._extra = () if output_units is None else (output_units,)
        self.network = self._found()
        is_template = templates.is_template(self.network)
        if not is_template and not self.network.built:
            self.network.build((None, len(read)))
        self.context_dim = self.network._conditional_size if getattr(self.network, "_conditional", False) else 0
        self.clip = templates.clip(self.network) if is_template else None
        self.shift, self.log_scale = self._columns()

    def layers(self) -> list:
        """The layers of the network; the last one has its own order of rows."""
        if "AutoregressiveNetwork" in class_names(self.network):
            layers = _autoregressive_layers(self.network)
        elif templates.is_template(self.network):
            layers = [_layer(kernel, bias, i) for i, (kernel, bias) in enumerate(templates.kernels(self.network))]
            for layer in layers[:-1]:
                layer.activation, layer.a = recognise(templates.activation(self.network), values_of)
        else:
            layers = _perceptron_layers(self.network)
        first = layers[0]
        weight, mask = np.zeros((first.width, self.dim)), np.zeros((first.width, self.dim), dtype=bool)
        weight[:, self.read], mask[:, self.read] = first.weight, first.mask
        first.weight, first.mask = weight, mask
        return layers

    def function_in(self, dtype):
        """The function with a copy of the network that computes in another floating-point type."""
        if "AutoregressiveNetwork" in class_names(self.network):
            copy = _autoregressive_copy(self.network, dtype)
        elif templates.is_template(self.network):
            copy = templates.copied(self.network, len(self.read), self._extra, dtype)
        else:
            copy = _keras_copy(self.network, dtype)
        return copy if self.network is self.function else _with_network(self.function, self.network, copy)

    def _found(self):
        if _is_network(self.function) or templates.is_template(self.function):
            return self.function
        if not isinstance(self.function, types.FunctionType):
            return refuse(self.function, _SUPPORTED)
        found = {id(value): value for value in _references(self.function).values() if _is_network(value)}
        if len(found) != 1:
            raise ExportError(f"{self.function.__name__} uses {len(found)} networks; supported are {_SUPPORTED}")
        return next(iter(found.values()))

    def _columns(self) -> tuple:
        """Which columns of the network's output are the shifts and the log scales, or None.

        The network is made to give arbitrary numbers, and they are looked for in what the function gives. Sets `clip`
        if the function limits the log scales.
        """
        if templates.is_template(self.network):
            self.network(self._inputs(), *self._extra)  # makes the variables of a template that was never called
            return templates.columns(self.network, len(self.transformed))
        outputs, shift, log_scale = self._probed()
        of_log_scale = self._matching(log_scale, outputs)
        if of_log_scale is None and log_scale is not None:
            self.clip = _limits(log_scale)
            of_log_scale = self._matching(log_scale, np.clip(outputs, *self.clip))
        of_shift = self._matching(shift, outputs)
        if (of_shift is None, of_log_scale is None) != (shift is None, log_scale is None):
            raise ExportError(
                f"{_name(self.function)} does not return columns of the output of its network as they are, or with log "
                "scales between two limits"
            )
        return of_shift, of_log_scale

    def _inputs(self):
        """(rows, read) random coordinates."""
        import tensorflow as tf

        values = np.random.default_rng(0).normal(size=(_ROWS, len(self.read)))
        return tf.constant(values, dtype=_dtype(self.network))

    def _probed(self) -> tuple:
        """(rows, ...) outputs that the network is made to give, and the shifts and log scales of the function, or None.

        The outputs are of many magnitudes, so that a limit is noticed that the weights never reach.
        """
        import tensorflow as tf

        generator, dtype, inputs = np.random.default_rng(1), _dtype(self.network), self._inputs()
        given = {}
        if self.context_dim:
            given["conditional_input"] = tf.constant(generator.normal(size=(_ROWS, self.context_dim)), dtype=dtype)
        with self._without_context():
            shape = self.network(inputs, **given).shape
        outputs = tf.constant(generator.normal(size=shape) * 10 ** generator.uniform(-2, 4, size=shape), dtype=dtype)
        result = outputs
        if self.network is not self.function:

            def stand_in(values, *others, **options):
                if not np.array_equal(float64(values), float64(inputs)):
                    raise ExportError(f"{_name(self.function)} changes the input of its network")
                return outputs

            with self._without_context():
                result = _with_network(self.function, self.network, stand_in)(inputs, *self._extra, **given)
        if tf.is_tensor(result):
            if result.shape[-1] != 2:
                raise ExportError(f"{_name(self.function)} gives {result.shape[-1]} parameters, not 2")
            result = tf.unstack(result, num=2, axis=-1)
        shift, log_scale = (None if part is None else float64(part).reshape(_ROWS, -1) for part in result)
        return float64(outputs).reshape(_ROWS, -1), shift, log_scale

    @contextmanager
    def _without_context(self):
        """Names a function that needs more than the coordinates, where only those can be given."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise ExportError(
                f"{_name(self.function)} cannot be evaluated for rows of {len(self.read)} numbers; a context is "
                f"supported for an AutoregressiveNetwork alone: {' '.join(str(error).split())}"
            ) from None

    def _matching(self, part, outputs: np.ndarray):
        """The column of the outputs that each column of the shifts or the log scales is, or None."""
        if part is None or part.shape[1] != len(self.transformed):
            return None
        same = np.all(part[:, :, None] == outputs[:, None, :], axis=0)
        return np.argmax(same, axis=1) if np.all(same.any(axis=1)) else None


def _limits(values: np.ndarray) -> tuple:
    """The least and the largest of values that were limited to them; far away, where nothing seems to be a limit."""
    ends = np.min(values), np.max(values)
    return tuple(float(end) if np.sum(values == end) > 1 else sign * _NO_LIMIT for end, sign in zip(ends, (-1, 1)))


def _name(function) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _is_network(value) -> bool:
    return bool(class_names(value) & {"AutoregressiveNetwork", "Sequential", "Functional"}) and hasattr(
        value, "get_weights"
    )


def _references(function) -> dict:
    """What a function can see by name: its closure, the globals that it uses, and its default arguments."""
    seen = inspect.getclosurevars(function)
    arguments = inspect.signature(function).parameters.values()
    return {**seen.globals, **seen.nonlocals, **{argument.name: argument.default for argument in arguments}}


def _with_network(function, network, copy):
    """The function with another network in its closure, its globals or its default arguments."""

    def replaced(value):
        return copy if value is network else value

    cells = [types.CellType(replaced(cell.cell_contents)) for cell in function.__closure__ or ()]
    defaults = tuple(map(replaced, function.__defaults__ or ()))
    used = {name: copy for name, value in _references(function).items() if value is network}
    result = types.FunctionType(
        function.__code__, {**function.__globals__, **used}, function.__name__, defaults, tuple(cells)
    )
    result.__kwdefaults__ = {name: replaced(value) for name, value in (function.__kwdefaults__ or {}).items()}
    return result


def _dtype(network):
    return "float32" if not network.variables else network.variables[0].dtype


# ---- AutoregressiveNetwork ----


def _autoregressive_layers(network) -> list:
    inner = network._network
    dense = [layer for layer in inner.layers if "Dense" in class_names(layer)]
    conditions = {tensor.name for tensor in inner.inputs[1:]}
    of_context = [layer for layer in dense if layer.input.name in conditions]
    of_variables = [layer for layer in dense if layer.input.name not in conditions]
    layers = [_dense(layer, i) for i, layer in enumerate(of_variables)]
    for layer, context in zip(layers, of_context):  # the first alone, or all of them
        layer.context_weight = float64(context.kernel).T
    activations = [layer.activation for layer in inner.layers if "Activation" in class_names(layer)]
    for layer, activation in zip(layers, activations):
        layer.activation, layer.a = recognise(activation, values_of)
    return layers


def _autoregressive_copy(network, dtype):
    copy = type(network)(
        params=network._params,
        event_shape=network._event_shape,
        conditional=network._conditional,
        conditional_event_shape=network._conditional_event_shape,
        conditional_input_layers=network._conditional_layers,
        hidden_units=list(network._hidden_units),
        activation=_converted(network._activation, dtype),
        use_bias=network._use_bias,
        dtype=np.dtype(dtype).name,
    )
    with _floatx(dtype):  # its activations and sums are layers of the default type, whatever `dtype` says
        copy.build((None, network._event_size))
    copy.set_weights(network.get_weights())
    return copy


# ---- Keras perceptrons ----


def _perceptron_layers(network) -> list:
    """Dense layers and activations in sequence."""
    layers: list[ir.Layer] = []
    for layer in network.layers:
        kinds = class_names(layer)
        if kinds & {"InputLayer", "Dropout"}:
            continue
        if "Dense" in kinds:
            layers.append(_dense(layer, len(layers)))
            layers[-1].activation, layers[-1].a = recognise(layer.activation, values_of)
        elif layers and not layers[-1].activation and not layer.weights:
            layers[-1].activation, layers[-1].a = recognise(layer, values_of)
        else:
            return refuse(layer, "perceptrons of Dense layers and activations")
    if layers[-1].activation:
        raise ExportError(f"{type(network).__name__} with an activation after its last layer is not supported")
    return layers


def _keras_copy(network, dtype):
    copy = type(network).from_config(retyped(network.get_config(), np.dtype(dtype).name))
    if not copy.built:
        copy.build(network.input_shape)
    copy.set_weights(network.get_weights())
    return copy


# ---- parts of all of them ----


def _dense(layer, position: int) -> ir.Layer:
    return _layer(float64(layer.kernel), None if layer.bias is None else float64(layer.bias), position)


def _layer(kernel: np.ndarray, bias, position: int) -> ir.Layer:
    weight = kernel.T
    source = position - 1 if position else ir.READ
    return ir.Layer(np.zeros(len(weight)) if bias is None else bias, weight, weight != 0, source)


@contextmanager
def _floatx(dtype):
    """Keras' default floating-point type is another one for a while."""
    import tf_keras

    before = tf_keras.backend.floatx()
    tf_keras.backend.set_floatx(np.dtype(dtype).name)
    try:
        yield
    finally:
        tf_keras.backend.set_floatx(before)


def _converted(activation, dtype):
    """An activation that computes in another floating-point type; a Keras layer casts to its own."""
    if not hasattr(activation, "get_config"):
        return activation
    return type(activation).from_config(retyped(activation.get_config(), np.dtype(dtype).name))


def values_of(function, grid: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    return _converted(function, np.float64)(tf.constant(grid)).numpy()


def cast(value, dtype):
    """A tensor of another floating-point type; None stays None."""
    import tensorflow as tf

    return None if value is None else tf.cast(tf.convert_to_tensor(value), dtype)
