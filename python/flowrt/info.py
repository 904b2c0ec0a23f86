"""A file in words: its steps, orders, sizes and metadata."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from .file import File, encode
from .file.codes import (
    STEP_KINDS,
    Activation,
    BaseKind,
    Form,
    Function,
    Kind,
    Pieces,
    Reads,
    Scale,
    Transformer,
    pieces_of,
)
from .file.metadata import metadata_of
from .tables import Table


def describe(file: File) -> str:
    """Several lines of text."""
    lines = [f"{file.dim} dimensions, context of {file.context_dim}, {len(encode(file))} bytes"]
    if file.encoder is not None:
        lines.append(f"context encoder: {_widths(file.encoder.layers)}")
    lines += [f"step {i}: {_step(step)}" for i, step in enumerate(file.steps)]
    lines.append(f"base: {_name(BaseKind(file.base.base))}")
    lines += [f"{key}: {_shown(value)}" for key, value in metadata_of(file.metadata).items()]
    return "\n".join(lines)


def _step(step: Any) -> str:
    text: str = _STEPS[step.kind](step)
    return text


def _autoregressive(step: Any) -> str:
    transformer = _name(Transformer(step.transformer)) + _TRANSFORMERS[step.transformer](step)
    coupling = f", {step.passthrough} of {len(step.data_index)} pass through" if step.passthrough else ""
    return (
        f"autoregressive, reads {_name(Reads(step.reads))}, {transformer}, {len(step.stage_end)} stages{coupling}, "
        f"order of the data {_order(step.data_index)}, of the noise {_order(step.noise_index)}, "
        f"layers {_widths(step.layers)}"
    )


def _constant(step: Any) -> str:
    return f"{_name(Kind(step.kind))}, log|det| {step.log_det:.6g}"


def _elementwise(step: Any) -> str:
    return "elementwise, " + ", ".join(_name(Function(f)) for f in np.unique(step.function))


_TRANSFORMERS = Table(
    "flowrt.info._TRANSFORMERS",
    Transformer,
    {
        Transformer.AFFINE: lambda step: f" ({_name(Form(step.form))}, {_name(Scale(step.scale))})",
        Transformer.ADDITIVE: lambda step: "",
        Transformer.SPLINE: lambda step: f" ({step.bins} bins, {_name(Pieces(pieces_of(step.form)))})",
    },
)
_STEPS = Table(
    "flowrt.info._STEPS",
    STEP_KINDS,
    {
        Kind.AUTOREGRESSIVE: _autoregressive,
        Kind.DIAGONAL: _constant,
        Kind.LINEAR: _constant,
        Kind.ELEMENTWISE: _elementwise,
        Kind.PERMUTATION: lambda step: f"permutation, {_order(step.index)}",
    },
)


def _shown(value: Any) -> str:
    """An entry of the metadata; a list of names without brackets."""
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return ", ".join(value) if names else str(value)


def _order(index: npt.NDArray[Any]) -> str:
    if np.array_equal(index, np.arange(len(index))):
        return "ascending"
    if np.array_equal(index, np.arange(len(index))[::-1]):
        return "descending"
    return " ".join(map(str, index[:8])) + (" ..." if len(index) > 8 else "")


def _widths(layers: Iterable[Any]) -> str:
    return ", ".join(f"{layer.width} {_name(Activation(layer.activation))}" for layer in layers)


def _name(code: Enum) -> str:
    return code.name.lower().replace("_", " ")
