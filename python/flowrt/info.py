"""A file in words: its steps, orders, sizes and metadata."""

from __future__ import annotations

import json
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
    LayerOperation,
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


def facts(file: File, sizes: dict[str, Any]) -> dict[str, Any]:
    """The same and more, for programs: what `flowrt info --json` prints, with the `sizes` that libflowrt tells."""
    data = encode(file)
    major, minor = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    encoder = {} if file.encoder is None else {"encoder": _layers(file.encoder.layers)}
    return {
        "dim": file.dim,
        "context_dim": file.context_dim,
        "bytes": len(data),
        "format": f"{major}.{minor}",
        **sizes,
        **encoder,
        "steps": [{"kind": _name(Kind(step.kind)), **_FACTS[step.kind](step)} for step in file.steps],
        "base": _name(BaseKind(file.base.base)),
        "metadata": metadata_of(file.metadata),
    }


def _autoregressive_facts(step: Any) -> dict[str, Any]:
    transformer: dict[str, Any] = {"transformer": _name(Transformer(step.transformer))}
    if step.transformer == Transformer.AFFINE:
        transformer |= {"form": _name(Form(step.form)), "scale": _name(Scale(step.scale))}
    if step.transformer == Transformer.SPLINE:
        transformer |= {"bins": step.bins, "pieces": _name(Pieces(pieces_of(step.form)))}
    return {
        "reads": _name(Reads(step.reads)),
        **transformer,
        "stages": len(step.stage_end),
        "pass_through": step.passthrough,
        "data_order": _numbers(step.data_index),
        "noise_order": _numbers(step.noise_index),
        "layers": _layers(step.layers),
    }


def _numbers(index: npt.NDArray[Any]) -> list[int]:
    return [int(i) for i in index]


def _layers(layers: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {"width": int(layer.width), "activation": _name(Activation(layer.activation)), **_plane_facts(layer)}
        for layer in layers
    ]


def _plane_facts(layer: Any) -> dict[str, Any]:
    """What a layer of planes is; nothing of a dense one."""
    if layer.operation == LayerOperation.DENSE:
        return {}
    facts: dict[str, Any] = {"operation": _name(LayerOperation(layer.operation))}
    if layer.window is not None:
        facts |= {key: _listed(value) for key, value in vars(layer.window).items()}
    return facts


def _listed(value: Any) -> Any:
    return [int(number) for number in value] if isinstance(value, tuple) else int(value)


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


def _pixelwise(step: Any) -> str:
    pixels, channels = step.index.shape
    return f"{_constant(step)}, {pixels} pixels of {channels} channels"


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
        Kind.PIXELWISE_LINEAR: _pixelwise,
    },
)


_FACTS = Table(
    "flowrt.info._FACTS",
    STEP_KINDS,
    {
        Kind.AUTOREGRESSIVE: _autoregressive_facts,
        Kind.DIAGONAL: lambda step: {"log_det": float(step.log_det)},
        Kind.LINEAR: lambda step: {"log_det": float(step.log_det)},
        Kind.ELEMENTWISE: lambda step: {"functions": [_name(Function(f)) for f in step.function]},
        Kind.PERMUTATION: lambda step: {"order": _numbers(step.index)},
        Kind.PIXELWISE_LINEAR: lambda step: {
            "pixels": len(step.index),
            "channels": step.index.shape[1],
            "log_det": float(step.log_det),
        },
    },
)


def _shown(value: Any) -> str:
    """An entry of the metadata; a list of names without brackets. Control characters must not reach a terminal."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return ", ".join(map(_shown, value))
    plain = isinstance(value, str) and not any(ord(c) < 32 or ord(c) == 127 for c in value)
    return value if plain else json.dumps(value, ensure_ascii=True)


def _order(index: npt.NDArray[Any]) -> str:
    if np.array_equal(index, np.arange(len(index))):
        return "ascending"
    if np.array_equal(index, np.arange(len(index))[::-1]):
        return "descending"
    return " ".join(map(str, index[:8])) + (" ..." if len(index) > 8 else "")


def _widths(layers: Iterable[Any]) -> str:
    return ", ".join(f"{_size(layer)} {_name(Activation(layer.activation))}" for layer in layers)


def _size(layer: Any) -> str:
    """Units of a dense layer; of one with a window its output plane, what it does there, and the kernel."""
    if layer.operation == LayerOperation.DENSE:
        return str(layer.width)
    name = _name(LayerOperation(layer.operation))
    if layer.window is None:
        return f"{layer.width} {name}"
    plane = " x ".join(map(str, (layer.window.channels, *layer.window.output)))
    return f"{plane} {name} {layer.window.kernel[0]} x {layer.window.kernel[1]}"


def _name(code: Enum) -> str:
    return code.name.lower().replace("_", " ")
