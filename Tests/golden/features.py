"""The rows of the table of docs/EXPORTERS.md: what a flow is made of, read off its file; and what no file has."""

from __future__ import annotations

import numpy as np

from flowrt.file.codes import (
    Activation,
    BaseKind,
    Form,
    Kind,
    LayerOperation,
    Pieces,
    Reads,
    SplineForm,
    Transformer,
    pieces_of,
)


def _steps(file, kind: Kind) -> list:
    return [step for step in file.steps if step.kind == kind]


def _autoregressive(file) -> list:
    return [step for step in _steps(file, Kind.AUTOREGRESSIVE) if not step.passthrough and len(step.stage_end) > 1]


def _transformers(file, kind: Transformer) -> list:
    return [step for step in _steps(file, Kind.AUTOREGRESSIVE) if step.transformer == kind]


def _has_pieces(file, *kinds: Pieces) -> bool:
    return any(pieces_of(step.form) in kinds for step in _transformers(file, Transformer.SPLINE))


def _layers(file) -> list:
    """Of all networks; a normal with full covariances has layers that are none."""
    parts = [*_steps(file, Kind.AUTOREGRESSIVE), *([] if _has_squares(file) else [file.base])]
    return [layer for part in parts for layer in getattr(part, "layers", [])]


def _is_mixture_of_made(file) -> bool:
    return file.base.base == BaseKind.AUTOREGRESSIVE_MIXTURE and not _has_squares(file)


def _has_squares(file) -> bool:
    """A layer of the base that is multiplied by another one: the distances of normals with full covariances."""
    return any(layer.gate for layer in getattr(file.base, "layers", []))


def _in_circles(file) -> bool:
    forms = [step.form for step in _transformers(file, Transformer.SPLINE)]
    sines = any(layer.activation == Activation.SINE for layer in _layers(file))
    return sines or any(form >> 4 & 3 == 2 or form & SplineForm.HALF_TURN for form in forms)


def _has_planes(part) -> bool:
    return any(layer.operation != LayerOperation.DENSE for layer in part.layers)


FEATURES = {
    "autoregressive, reads data (MAF)": lambda f: any(s.reads == Reads.DATA for s in _autoregressive(f)),
    "autoregressive, reads noise (IAF)": lambda f: any(s.reads == Reads.NOISE for s in _autoregressive(f)),
    "coupling": lambda f: any(s.passthrough for s in _steps(f, Kind.AUTOREGRESSIVE)),
    "affine": lambda f: any(s.form != Form.GATED for s in _transformers(f, Transformer.AFFINE)),
    "affine, gated": lambda f: any(s.form == Form.GATED for s in _transformers(f, Transformer.AFFINE)),
    "additive": lambda f: bool(_transformers(f, Transformer.ADDITIVE)),
    "rational-quadratic spline": lambda f: _has_pieces(f, Pieces.RATIONAL_QUADRATIC),
    "linear-rational spline": lambda f: _has_pieces(f, Pieces.LINEAR_RATIONAL),
    "spline of linear, quadratic or cubic pieces": lambda f: _has_pieces(
        f, Pieces.LINEAR, Pieces.QUADRATIC, Pieces.CUBIC
    ),
    "spline of angles": _in_circles,
    "residual network": lambda f: any(any(layer.add) for layer in _layers(f)),
    "context": lambda f: f.context_dim > 0,
    "context that gates": lambda f: any(layer.gate for layer in _layers(f)),
    "embedding net": lambda f: f.encoder is not None,
    "embedding net of convolutions": lambda f: f.encoder is not None and _has_planes(f.encoder),
    "coupling of images by convolutions": lambda f: any(_has_planes(s) for s in _steps(f, Kind.AUTOREGRESSIVE)),
    "1x1 convolution, actnorm of images": lambda f: bool(_steps(f, Kind.PIXELWISE_LINEAR)),
    "linear layer (LU, QR, 1x1, ...)": lambda f: bool(_steps(f, Kind.LINEAR)),
    "batch norm, actnorm, standardisation": lambda f: bool(_steps(f, Kind.DIAGONAL)),
    "elementwise layer, bounds": lambda f: bool(_steps(f, Kind.ELEMENTWISE)),
    "base: diagonal normal": lambda f: f.base.base == BaseKind.DIAGONAL_NORMAL,
    "base: uniform": lambda f: f.base.base == BaseKind.BOX_UNIFORM,
    "base: mixture of normals": lambda f: f.base.base == BaseKind.NORMAL_MIXTURE,
    "base: normal of the context": lambda f: f.base.base == BaseKind.CONDITIONAL_NORMAL,
    "base: normals with full covariances": _has_squares,
    "base: MADE with mixtures": _is_mixture_of_made,
    "one feature": lambda f: f.dim == 1,
}


MONOTONE_NETWORKS = "monotone networks and polynomials, planar and radial maps"
CONTINUOUS = "continuous and residual flows"
OTHER_FUNCTIONS = "other elementwise functions"
ANGLES = "shift of angles by other than half a circle"
MATRICES_OF_CONTEXT = "linear layer with a network"
BATCH = "normalisation by the batch"
IMAGES = "other layers of images"
EMBEDDINGS = "other embedding nets"
MIXTURES_OF_CONTEXT = "base: mixture of normals of the context"
OTHER_BASES = "base: other densities"
NOISE = "noise added to the data"
REFUSED_FEATURES = [
    MONOTONE_NETWORKS,
    CONTINUOUS,
    OTHER_FUNCTIONS,
    ANGLES,
    MATRICES_OF_CONTEXT,
    BATCH,
    IMAGES,
    EMBEDDINGS,
    MIXTURES_OF_CONTEXT,
    OTHER_BASES,
    NOISE,
]


def features(file) -> set:
    """The names of the features of a `flowrt.format.File`."""
    return {name for name, has in FEATURES.items() if np.any(has(file))}
