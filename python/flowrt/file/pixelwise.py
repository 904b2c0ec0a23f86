"""Linear maps of the channels, the same at each pixel (docs/FORMAT.md, section 2.8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .codes import MAX_CHANNELS, Feature, Kind
from .cursor import Reader, Writer, within
from .fields import Structure, beyond

PIXELWISE = Structure(
    ("kind", "H"),
    ("reserved0", "2x"),
    ("channels", "I"),
    ("log_det", "d"),
    ("pixels", "I"),
    ("reserved", "44x"),
)


@dataclass
class PixelwiseLinearStep:
    """w = matrix v + shift and v = inverse (w - shift), v the numbers at one row of `index` (pixels, channels).

    Matrices are (channels, channels), `shift` (channels,). All other coordinates stay as they are. `log_det` is that of
    all pixels.
    """

    index: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    shift: np.ndarray
    log_det: float
    kind = Kind.PIXELWISE_LINEAR


def read_pixelwise(reader: Reader) -> PixelwiseLinearStep:
    record = reader.next(PIXELWISE, Kind.PIXELWISE_LINEAR)
    channels, pixels = record.channels, record.pixels
    reader.require(bool(np.isfinite(record.log_det)), "log_det is not finite", "log_det")
    reader.require(channels >= 1, "channels is 0", "channels")
    reader.check(beyond(MAX_CHANNELS, "channels", channels))
    fits = 1 <= pixels * channels <= reader.dim
    reader.require(fits, f"{pixels} pixels of {channels} channels for {reader.dim} coordinates", "pixels")
    start = reader.block_start
    index = reader.integers(pixels * channels)
    if np.any(index >= reader.dim) or len(np.unique(index)) != len(index):
        reader.refuse("not different coordinates", start)
    dense = np.full(channels, channels)
    matrix, inverse = reader.weights(dense, channels), reader.weights(dense, channels)
    reader.features |= Feature.PLANES
    return PixelwiseLinearStep(
        index.reshape(pixels, channels), matrix, inverse, reader.floats(channels), record.log_det
    )


def write_pixelwise(writer: Writer, step: PixelwiseLinearStep) -> None:
    pixels, channels = step.index.shape
    writer.planes()
    writer.record(
        PIXELWISE,
        kind=Kind.PIXELWISE_LINEAR,
        channels=within(MAX_CHANNELS, channels),
        log_det=step.log_det,
        pixels=pixels,
    )
    writer.integers(step.index.reshape(-1))
    dense = np.full(channels, channels)
    writer.weights(step.matrix, dense)
    writer.weights(step.inverse, dense)
    writer.floats(step.shift)
