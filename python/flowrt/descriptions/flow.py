"""From a dictionary to a flow (`ir.Flow`): docs/DESCRIPTIONS.md has every entry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..building.coordinates import reading
from ..building.networks import linear_output
from ..building.pairs import shift_and_scale
from ..building.planes import flat_pixels, pixels
from ..building.standardisation import of_standardised_context
from ..errors import ExportError
from ..file.codes import MAX_DIM, Function, Reads
from ..flow import flow as ir
from ..flow import shapes
from .bases import read_base
from .checkpoints import refuse_without_layout
from .fields import Fields
from .networks import read_context_layers, read_layers
from .nflows import read_nflows
from .normflows import read_normflows
from .planes import reading_image
from .pyro import read_pyro
from .pytorch_flows import read_pytorch_flows
from .transformers import read_transformer
from .zuko import read_zuko

_READS = {kind.name.lower(): kind for kind in Reads}
_FUNCTIONS = {kind.name.lower(): kind for kind in Function}
_FROM_STATE_DICT = {
    "pytorch-flows": read_pytorch_flows,
    "nflows": read_nflows,
    "zuko": read_zuko,
    "normflows": read_normflows,
    "pyro": read_pyro,
}


def read(description: Mapping) -> tuple:
    """(`ir.Flow`, results that the description says the model gives, or None).

    Raises `ExportError` that names the entry which is missing, unknown or contradictory.
    """
    if not {"dim", "layout"} & set(description):
        refuse_without_layout(description)
    if description and "dim" not in description and all(hasattr(value, "shape") for value in description.values()):
        layouts = ", ".join(_FROM_STATE_DICT)
        raise ExportError(
            "the description has only arrays: give a state dict as {'layout': ..., 'state_dict': ...} if its "
            f"layout is one of {layouts}, else as the 'arrays' of a description with 'steps'"
        )
    fields = Fields(description, "the description", {})
    fields.arrays = fields.mapping("arrays", "", {})
    flow = _from_state_dict(fields) if "layout" in fields else _read_flow(fields)
    flow.framework = "description"
    flow.notes = "; ".join(dict.fromkeys(fields.notes))
    flow.model = str(fields.optional("name", "flow"))
    expected = None if fields.optional("expected") is None else _read_expected(fields.part("expected", ""), flow.dim)
    fields.close()
    return flow, expected


def _from_state_dict(fields: Fields) -> ir.Flow:
    """The flow of a state dict.

    The reader of a layout takes for granted that all arrays of a layer are there and fit together. What it raises if
    they are not becomes an `ExportError`.
    """
    read = fields.choice("layout", "", _FROM_STATE_DICT)
    try:
        flow = read(fields)
        shapes.check(flow)
        return flow
    except (ExportError, ImportError, MemoryError):
        raise
    except Exception as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ExportError(f"the description: 'state_dict' has arrays that do not fit its layout: {cause}") from error


def _read_flow(fields: Fields) -> ir.Flow:
    dim = fields.whole("dim", "how many coordinates a row has")
    if dim > MAX_DIM.most:
        fields.refuse(MAX_DIM.message(dim))
    context_dim = fields.whole("context_dim", "", 0)
    encoder = None if fields.optional("encoder") is None else read_context_layers(fields, "encoder", "")
    moments = _context_moments(fields, context_dim)
    steps = [_step(part, dim) for part in fields.parts("steps", "the steps from data to noise")]
    base = read_base(fields.part("base", "", {"kind": "standard_normal"}), dim)
    flow = ir.Flow(dim, context_dim, steps, base, encoder)
    flow.shape, flow.context_shape = (_shape(fields, name) for name in ("shape", "context_shape"))
    if moments is None:
        return flow
    shapes.check(flow)
    mean, std = moments
    return of_standardised_context(flow, 1 / std, -mean / std)


def _shape(fields: Fields, name: str):
    """(channels, rows, columns) of what is an image, or None."""
    given = fields.optional_indices(name)
    return None if given is None else tuple(int(size) for size in given)


def _context_moments(fields: Fields, context_dim: int):
    """Mean and standard deviation (C,) that the context is standardised with, or None."""
    if "context_mean" not in fields and "context_std" not in fields:
        for name in ("context_mean", "context_std"):
            fields.optional(name)
        return None
    if not context_dim:
        fields.refuse("'context_mean' and 'context_std' are for a flow with a context, and 'context_dim' is 0")
    mean, std = (fields.array(f"context_{name}", f"the {name} that the context is standardised with", (context_dim,))
                 for name in ("mean", "std"))  # fmt: skip
    if np.any(std <= 0):
        fields.refuse("'context_std' is not positive")
    return mean, std


def _read_expected(fields: Fields, dim: int) -> dict:
    """Rows x, their context, and what the model makes of them: z, log_det, log_prob, as far as they are given."""
    x = np.atleast_2d(fields.array("x", "rows of data for which the results are"))
    if x.ndim != 2 or x.shape[1] != dim or not len(x):
        fields.refuse(f"'x' has the shape {x.shape}, not (rows, {dim}) with at least one row")
    result = {"x": x}
    for name in ("context", "z", "log_det", "log_prob"):
        result[name] = fields.optional_array(name)
    fields.close()
    if all(result[name] is None for name in ("z", "log_det", "log_prob")):
        fields.refuse("'log_prob', 'z' and 'log_det' are all missing: one of them is to be compared")
    return result


# ---- steps ----


def _step(fields: Fields, dim: int):
    kind = fields.choice("kind", "what the step does", _STEPS)
    step = kind(fields, dim)
    fields.close()
    return step


def _autoregressive(fields: Fields, dim: int) -> ir.Autoregressive:
    reads = fields.choice("reads", "the side that the network is given, data (MAF) or noise (IAF)", _READS)
    if _is_image(fields, "transformed") or _is_image(fields, "inputs"):
        return _coupling_of_images(fields, dim, reads)
    transformed = fields.optional_indices("transformed")
    inputs = fields.optional_indices("inputs")
    for name, given in (("transformed", transformed), ("inputs", inputs)):
        if given is not None and not shapes.are_coordinates(given, dim):
            fields.refuse(f"{name!r} are {given.tolist()}, not different coordinates of {dim}")
    separate = "shift_layers" in fields or "scale_layers" in fields
    if separate:
        layers = _separate(fields, dim, transformed)
    else:
        layers = linear_output(read_layers(fields, "layers", "the layers of the network, the output layer last"))
    if inputs is not None:
        layers = _given(layers, inputs, dim, fields)
    coordinates = dim if transformed is None else len(transformed)
    what = "what joins the two sides with the outputs of the network"
    transformer = read_transformer(fields.part("transformer", what), layers[-1], coordinates, separate)
    return ir.Autoregressive(layers, transformer, reads, transformed, fields.place)


def _is_image(fields: Fields, name: str) -> bool:
    """Whether an entry is an array (channels, rows, columns)."""
    values = fields.optional_array(name)
    return values is not None and values.ndim == 3


def _coupling_of_images(fields: Fields, dim: int, reads: Reads) -> ir.Autoregressive:
    """A coupling whose network has planes; the rows of its output are channels."""
    inputs, transformed = (_image(fields, name, what, dim) for name, what in (
        ("inputs", "the coordinates that the network reads"), ("transformed", "the coordinates that the step changes")
    ))  # fmt: skip
    layers = read_layers(fields, "layers", "the layers of the network, the output layer last")
    layers = reading_image(layers, inputs, fields)
    what = "what joins the two sides with the outputs of the network"
    transformer = read_transformer(fields.part("transformer", what), layers[-1], len(transformed))
    return ir.Autoregressive(layers, transformer, reads, flat_pixels(transformed), fields.place)


def _image(fields: Fields, name: str, what: str, dim: int) -> np.ndarray:
    """An array (channels, rows, columns) of coordinates."""
    values = fields.array(name, f"{what}, as an image (channels, rows, columns)")
    if values.ndim != 3 or np.any(values != np.round(values)):
        fields.refuse(f"{name!r} has the shape {values.shape}, not (channels, rows, columns) of coordinates")
    values = values.astype(np.int64)
    if not shapes.are_coordinates(values.reshape(-1), dim):
        fields.refuse(f"{name!r} are not different coordinates of {dim}")
    return values


def _pixelwise(fields: Fields, dim: int) -> ir.PixelwiseLinear:
    """w = matrix v + shift of the channels of each pixel."""
    coordinates = _image(fields, "coordinates", "the coordinates that the step changes", dim)
    channels = len(coordinates)
    matrix = fields.array("matrix", "w = matrix v + shift of the channels", (channels, channels))
    shift = fields.optional_array("shift", (channels,))
    return ir.PixelwiseLinear(matrix, np.zeros(channels) if shift is None else shift, pixels(coordinates), fields.place)


def _separate(fields: Fields, dim: int, transformed) -> list:
    """One network out of two that give the shifts and the raw scales, of all coordinates or of those `transformed`."""
    transformed = np.arange(dim) if transformed is None else transformed
    networks = []
    for name in ("shift_layers", "scale_layers"):
        layers = linear_output(read_layers(fields, name, f"the network of the {name[:5]}s"))
        if layers[-1].width == dim != len(transformed):
            layers = [*layers, _picking(transformed, len(layers) - 1, dim)]
        if layers[-1].width != len(transformed):
            fields.refuse(
                f"{name!r} have {layers[-1].width} outputs, neither {len(transformed)}, one for each transformed "
                f"coordinate, nor {dim}"
            )
        networks.append(layers)
    return shift_and_scale(*networks, np.ones(1), np.arange(len(transformed)))


def _picking(rows: np.ndarray, source: int, count: int) -> ir.Layer:
    weight = np.eye(count)[rows]
    return ir.Layer(np.zeros(len(rows)), weight, weight > 0, source)


def _given(layers: list, inputs: np.ndarray, dim: int, fields: Fields) -> list:
    """The layers of a network whose input are some coordinates, as layers that are given all of them."""
    for layer in layers:
        if layer.source == ir.READ and layer.weight.shape[1] != len(inputs):
            fields.refuse(f"a layer has weights of {layer.weight.shape[1]} coordinates, but 'inputs' are {len(inputs)}")
    return reading(layers, inputs, dim)


def _diagonal(fields: Fields, dim: int) -> ir.Diagonal:
    scale, shift = fields.array("scale", "w = scale * v + shift", (dim,)), fields.optional_array("shift", (dim,))
    return ir.Diagonal(scale, np.zeros(dim) if shift is None else shift, fields.place)


def _batch_norm(fields: Fields, dim: int) -> ir.Diagonal:
    """w = gain (v - mean) / sqrt(variance + epsilon) + shift."""
    mean, variance = (fields.array(name, f"the running {name}", (dim,)) for name in ("mean", "variance"))
    epsilon = fields.number("epsilon", "what is added to the variance, 0 if it is in there already")
    gain, shift = fields.optional_array("gain", (dim,)), fields.optional_array("shift", (dim,))
    if np.any(variance + epsilon <= 0):
        fields.refuse("'variance' plus 'epsilon' is not positive")
    scale = (1.0 if gain is None else gain) / np.sqrt(variance + epsilon)
    return ir.Diagonal(scale, np.zeros(dim) if shift is None else shift, fields.place, 0 - mean)


def _permutation(fields: Fields, dim: int) -> ir.Permutation:
    return ir.Permutation(fields.indices("index", "w[i] = v[index[i]]"), fields.place)


def _reverse(fields: Fields, dim: int) -> ir.Permutation:
    return ir.Permutation(np.arange(dim)[::-1], fields.place)


def _linear(fields: Fields, dim: int) -> ir.Linear:
    shift = fields.optional_array("shift", (dim,))
    matrix = fields.array("matrix", "w = matrix v + shift", (dim, dim))
    return ir.Linear(matrix, np.zeros(dim) if shift is None else shift, fields.place)


def _elementwise(fields: Fields, dim: int) -> ir.Elementwise:
    names = fields.entry("function", f"one name or {dim} of {', '.join(_FUNCTIONS)}")
    names = [names] * dim if isinstance(names, str) else fields.items("function", "")
    if len(names) != dim or not all(isinstance(name, str) and name in _FUNCTIONS for name in names):
        fields.refuse(f"'function' is {names}, not {dim} of {', '.join(_FUNCTIONS)}")
    for function, asked in _ASKED.items():
        for name, what in asked.items():
            if function in names:
                fields.entry(name, f"{what} of {function}")
    lower, upper = (fields.optional_array(name, (dim,)) for name in ("lower", "upper"))
    lower, upper = (np.zeros(dim) if values is None else values for values in (lower, upper))
    return ir.Elementwise(np.array([_FUNCTIONS[name] for name in names]), lower, upper, fields.place)


_INTERVAL = {"lower": "the lower end of the interval", "upper": "the upper end of the interval"}
_ASKED = {
    **{name: _INTERVAL for name in ("logit", "sigmoid", "probit", "normal_cdf")},
    **{name: {"lower": "the parameter a, the slope below 0,"} for name in ("leaky", "leaky_inverse")},
    **{name: {"lower": "the parameter a, the bound,"} for name in ("softsign", "softsign_inverse")},
    **{name: {"lower": "the end a of the half line"} for name in ("log_above", "log_below", "exp_above")},
}
_STEPS = {
    "autoregressive": _autoregressive,
    "diagonal": _diagonal,
    "batch_norm": _batch_norm,
    "permutation": _permutation,
    "reverse": _reverse,
    "linear": _linear,
    "elementwise": _elementwise,
    "pixelwise_linear": _pixelwise,
}
