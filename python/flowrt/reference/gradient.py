"""The gradient of log p in float64, by forward-mode differentiation: the oracle of `flowrt_log_prob_gradient`.

The evaluator itself runs, on numbers that carry their derivatives by x and by the context (`Dual`). So the gradient is
that of the same code as `log_prob`, and shares nothing with the library, which goes backwards.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..errors import Error
from ..file import read
from ..file.codes import Kind, LayerOperation, Pieces, Reads, Transformer, pieces_of
from . import _context, _forward, _rows, base, functions
from .conditioner import evaluate


def log_prob_gradient(source, x, context=None):
    """log p (n,), its gradient by x (n, D), and by the context of each row (n, C); None for a flow without one.

    0 outside of the support, where log p = -inf. At kinks, the side that flowrt.h names.
    """
    file = read(source)
    _refuse_planes(file)
    for step in file.steps:
        if step.kind == Kind.AUTOREGRESSIVE and step.reads == Reads.NOISE and step.transformer == Transformer.SPLINE:
            if pieces_of(step.form) == Pieces.CUBIC:
                raise Error("a cubic spline that reads the noise is inverted by bisection, which has no derivative")
    x = _rows(file, x, "x")
    given = None
    if file.context_dim:
        _context(file, context, len(x))  # refuses what does not fit
        context = np.atleast_2d(np.asarray(context, dtype=np.float64))
        given = np.broadcast_to(context, (len(x), file.context_dim))
    directions = file.dim + file.context_dim
    x = _variable(x, 0, directions)
    inner = _context(file, None, len(x)) if given is None else _variable(given, file.dim, directions)
    if file.encoder is not None:
        with np.errstate(all="ignore"):
            inner = evaluate(file.encoder.layers, inner)
    z, log_det, inside = _forward(file, x, inner)
    with np.errstate(all="ignore"):
        density = Dual.of(np.where(inside, base.log_prob(file.base, z, inner) + log_det, -np.inf), directions)
    density.tangent[np.isneginf(density.value)] = 0.0  # a box adds -inf to a log-determinant that has derivatives
    by_x, by_context = density.tangent[:, : file.dim], density.tangent[:, file.dim :]
    return density.value, by_x, by_context if file.context_dim else None


def _refuse_planes(file) -> None:
    if any(step.kind == Kind.PIXELWISE_LINEAR for step in file.steps):
        raise Error("a pixelwise linear step has no gradient yet")
    parts = [part for part in (file.encoder, *file.steps) if part is not None]
    if any(layer.operation != LayerOperation.DENSE for part in parts for layer in getattr(part, "layers", ())):
        raise Error("layers of planes, such as convolutions, have no gradient yet")


def _variable(values, first: int, directions: int) -> Dual:
    tangent = np.zeros((*values.shape, directions))
    for i in range(values.shape[1]):
        tangent[:, i, first + i] = 1.0
    return Dual(values, tangent)


class Dual(NDArrayOperatorsMixin):
    """An array with its derivatives: `tangent` has one more axis, the last, for the directions."""

    __array_priority__ = 100

    def __init__(self, value, tangent):
        self.value, self.tangent = np.asarray(value, dtype=np.float64), tangent

    @classmethod
    def of(cls, value, directions: int) -> Dual:
        """A number without derivatives, unless it has some."""
        if isinstance(value, cls):
            return value
        value = np.asarray(value, dtype=np.float64)
        return cls(value, np.zeros((*value.shape, directions)))

    @property
    def shape(self):
        return self.value.shape

    @property
    def ndim(self):
        return self.value.ndim

    def __len__(self):
        return len(self.value)

    def __getitem__(self, key):
        return Dual(self.value[key], self.tangent[_extended(key)])

    def __setitem__(self, key, value):
        value = Dual.of(value, self.tangent.shape[-1])
        self.value[key] = value.value
        self.tangent[_extended(key)] = value.tangent

    def astype(self, _):
        return self

    def copy(self):
        return Dual(self.value.copy(), self.tangent.copy())

    def reshape(self, *shape):
        value = self.value.reshape(*shape)
        return Dual(value, self.tangent.reshape(*value.shape, self.tangent.shape[-1]))

    def sum(self, axis=None, keepdims=False):
        axis = axis % self.ndim
        return Dual(self.value.sum(axis=axis, keepdims=keepdims), self.tangent.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis, keepdims=False):
        return self.sum(axis, keepdims) / self.shape[axis]

    def var(self, axis, keepdims=False):
        deviation = self - self.mean(axis, keepdims=True)
        return (deviation * deviation).mean(axis, keepdims)

    def max(self, axis, keepdims=False):
        """Without derivatives: the softmax subtracts it, which changes nothing."""
        return self.value.max(axis=axis, keepdims=keepdims)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        directions = self.tangent.shape[-1]
        values = [i.value if isinstance(i, Dual) else i for i in inputs]
        if ufunc in _CONSTANT and method == "__call__":
            return ufunc(*values)
        if ufunc is np.logaddexp and method == "reduce":
            axis, keepdims = options["axis"] % self.ndim, options.get("keepdims", False)
            total = np.logaddexp.reduce(self.value, axis=axis, keepdims=True)
            tangent = (np.exp(self.value - total)[..., None] * self.tangent).sum(axis=axis, keepdims=keepdims)
            return Dual(total if keepdims else np.squeeze(total, axis), tangent)
        if ufunc is np.matmul and method == "__call__":
            if isinstance(inputs[1], Dual):
                return NotImplemented
            tangent = np.einsum("rkt,ku->rut", self.tangent, values[1])
            return Dual(self.value @ values[1], tangent)
        if ufunc not in _SLOPES or method != "__call__":
            raise Error(f"no derivative of {ufunc.__name__}.{method}")
        result = np.asarray(ufunc(*values), dtype=np.float64)
        tangent = np.zeros((*result.shape, directions))
        for given, slope in zip(inputs, _SLOPES[ufunc](result, *values)):
            if isinstance(given, Dual):
                # A slope that is infinite or NaN says nothing about what does not change.
                term = np.broadcast_to(slope, result.shape)[..., None] * _spread(given.tangent, result.ndim)
                tangent = tangent + np.where(_spread(given.tangent, result.ndim) == 0, 0.0, term)
        return Dual(result, tangent)

    def __array_function__(self, function, types, arguments, options):
        if function not in _FUNCTIONS:
            raise Error(f"no derivative of {function.__name__}")
        return _FUNCTIONS[function](self.tangent.shape[-1], *arguments, **options)


def _extended(key):
    """An index of values as one of tangents: the last axis is not meant."""
    if isinstance(key, tuple) and any(k is Ellipsis for k in key):
        return (*key, slice(None))
    return key


def _spread(tangent, ndim):
    """A tangent whose values have fewer axes than the result: NumPy adds them in front."""
    return tangent.reshape((1,) * (ndim + 1 - tangent.ndim) + tangent.shape)


_CONSTANT = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isnan, np.isfinite, np.sign,
}  # fmt: skip

_SLOPES = {  # of the result and the arguments: the derivative by each argument
    np.add: lambda r, a, b: (1.0, 1.0),
    np.subtract: lambda r, a, b: (1.0, -1.0),
    np.multiply: lambda r, a, b: (b, a),
    np.true_divide: lambda r, a, b: (1 / np.asarray(b), -r / b),
    np.power: lambda r, a, b: (b * np.power(a, np.asarray(b) - 1.0), np.nan),
    np.negative: lambda r, a: (-1.0,),
    np.positive: lambda r, a: (1.0,),
    np.absolute: lambda r, a: (np.sign(a),),
    np.sqrt: lambda r, a: (0.5 / r,),
    np.exp: lambda r, a: (r,),
    np.expm1: lambda r, a: (r + 1.0,),
    np.log: lambda r, a: (1 / a,),
    np.log1p: lambda r, a: (1 / (1 + a),),
    np.tanh: lambda r, a: (1 - r * r,),
    np.arctanh: lambda r, a: (1 / (1 - a * a),),
    np.sin: lambda r, a: (np.cos(a),),
    np.arctan: lambda r, a: (1 / (1 + a * a),),
    np.arcsinh: lambda r, a: (1 / np.sqrt(1 + a * a),),
    np.maximum: lambda r, a, b: (np.greater(a, b), np.greater_equal(b, a)),
    np.minimum: lambda r, a, b: (np.less(a, b), np.less_equal(b, a)),
    np.logaddexp: lambda r, a, b: (np.exp(a - r), np.exp(b - r)),
    functions.erfc: lambda r, a: (-2 / np.sqrt(np.pi) * np.exp(-np.square(np.asarray(a, dtype=np.float64))),),
    functions.inverse_cdf: lambda r, a: (np.exp(-functions.log_normal_density(r)),),
}


def _joined(function):
    def joined(directions, arrays, axis=0):
        duals = [Dual.of(array, directions) for array in arrays]
        axis = axis % (duals[0].ndim + (function is np.stack))
        return Dual(function([d.value for d in duals], axis), function([d.tangent for d in duals], axis))

    return joined


def _where(directions, condition, yes, no):
    yes, no = Dual.of(yes, directions), Dual.of(no, directions)
    value = np.where(condition, yes.value, no.value)
    parts = [np.broadcast_to(_spread(d.tangent, value.ndim), (*value.shape, directions)) for d in (yes, no)]
    return Dual(value, np.where(np.broadcast_to(condition, value.shape)[..., None], *parts))


def _clip(directions, a, low, high):
    inside = (a.value >= low) & (a.value <= high)
    return Dual(np.clip(a.value, low, high), np.where(inside[..., None], a.tangent, 0.0))


def _split(directions, a, places, axis):
    axis = axis % a.ndim
    return [Dual(v, t) for v, t in zip(np.split(a.value, places, axis), np.split(a.tangent, places, axis))]


def _take(directions, a, index, axis):
    axis = axis % a.ndim
    return Dual(
        np.take_along_axis(a.value, index, axis), np.take_along_axis(a.tangent, np.asarray(index)[..., None], axis)
    )


def _cumsum(directions, a, axis):
    axis = axis % a.ndim
    return Dual(np.cumsum(a.value, axis), np.cumsum(a.tangent, axis))


_FUNCTIONS = {
    np.where: _where,
    np.clip: _clip,
    np.split: _split,
    np.cumsum: _cumsum,
    np.take_along_axis: _take,
    np.concatenate: _joined(np.concatenate),
    np.stack: _joined(np.stack),
    np.sum: lambda directions, a, axis, keepdims=False: a.sum(axis, keepdims),
    np.empty_like: lambda directions, a: Dual.of(np.zeros(a.shape), directions),
    np.zeros_like: lambda directions, a: Dual.of(np.zeros(a.shape), directions),
    np.full_like: lambda directions, a, fill: Dual.of(np.full(a.shape, fill), directions),
}
