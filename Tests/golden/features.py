"""What a flow is made of, read off its file: the rows of the table of docs/EXPORTERS.md."""

from __future__ import annotations

import numpy as np

from flowrt.format.codes import Activation, BaseKind, Form, Kind, Reads, SplineForm, Transformer


def _steps(file, kind: Kind) -> list:
    return [step for step in file.steps if step.kind == kind]


def _autoregressive(file) -> list:
    return [step for step in _steps(file, Kind.AUTOREGRESSIVE) if not step.passthrough and len(step.stage_end) > 1]


def _transformers(file, kind: Transformer) -> list:
    return [step for step in _steps(file, Kind.AUTOREGRESSIVE) if step.transformer == kind]


def _layers(file) -> list:
    parts = [*_steps(file, Kind.AUTOREGRESSIVE), file.base]
    return [layer for part in parts for layer in getattr(part, "layers", [])]


def _in_circles(file) -> bool:
    forms = [step.form for step in _transformers(file, Transformer.RATIONAL_QUADRATIC)]
    sines = any(layer.activation == Activation.SINE for layer in _layers(file))
    return sines or any(form >> 4 & 3 == 2 or form & SplineForm.HALF_TURN for form in forms)


FEATURES = {
    "autoregressive, reads data (MAF)": lambda f: any(s.reads == Reads.DATA for s in _autoregressive(f)),
    "autoregressive, reads noise (IAF)": lambda f: any(s.reads == Reads.NOISE for s in _autoregressive(f)),
    "coupling": lambda f: any(s.passthrough for s in _steps(f, Kind.AUTOREGRESSIVE)),
    "affine": lambda f: any(s.form != Form.GATED for s in _transformers(f, Transformer.AFFINE)),
    "affine, gated": lambda f: any(s.form == Form.GATED for s in _transformers(f, Transformer.AFFINE)),
    "additive": lambda f: bool(_transformers(f, Transformer.ADDITIVE)),
    "rational-quadratic spline": lambda f: bool(_transformers(f, Transformer.RATIONAL_QUADRATIC)),
    "spline of angles": _in_circles,
    "residual network": lambda f: any(any(layer.add) for layer in _layers(f)),
    "context": lambda f: f.context_dim > 0,
    "context that gates": lambda f: any(layer.gate for layer in _layers(f)),
    "embedding net": lambda f: f.encoder is not None,
    "linear layer (LU, QR, 1x1, ...)": lambda f: bool(_steps(f, Kind.LINEAR)),
    "batch norm, actnorm, standardisation": lambda f: bool(_steps(f, Kind.DIAGONAL)),
    "elementwise layer, bounds": lambda f: bool(_steps(f, Kind.ELEMENTWISE)),
    "base: diagonal normal": lambda f: f.base.base == BaseKind.DIAGONAL_NORMAL,
    "base: uniform": lambda f: f.base.base == BaseKind.BOX_UNIFORM,
    "base: mixture of normals": lambda f: f.base.base == BaseKind.NORMAL_MIXTURE,
    "base: normal of the context": lambda f: f.base.base == BaseKind.CONDITIONAL_NORMAL,
    "base: MADE with mixtures": lambda f: f.base.base == BaseKind.AUTOREGRESSIVE_MIXTURE,
    "one feature": lambda f: f.dim == 1,
}


def features(file) -> set:
    """The names of the features of a `flowrt.format.File`."""
    return {name for name, has in FEATURES.items() if np.any(has(file))}
