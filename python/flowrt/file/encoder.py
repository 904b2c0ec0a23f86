"""The context encoder (docs/FORMAT.md, section 2.6)."""

from __future__ import annotations

from dataclasses import dataclass

from .codes import Kind
from .conditioner import Conditioner
from .cursor import Reader, Writer, layer_count
from .fields import Structure
from .layer import read_layers, write_layers

ENCODER = Structure(("kind", "H"), ("reserved0", "10x"), ("layer_count", "H"), ("reserved", "50x"))


@dataclass
class Encoder:
    """Layers that see the context alone; steps and base see the values of the last one instead of the context."""

    layers: list
    kind = Kind.ENCODER

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner(self.layers)


def read_encoder(reader: Reader) -> Encoder:
    """The encoder; from here on, the reader's context is what the encoder gives."""
    record = reader.next(ENCODER, Kind.ENCODER)
    reader.layer_count(record.layer_count)
    reader.require(reader.context_dim > 0, "an encoder without a context", "kind")
    encoder = Encoder([])
    read_layers(reader, encoder.conditioner, record.layer_count, None)
    reader.context_dim = encoder.layers[-1].width
    return encoder


def write_encoder(writer: Writer, encoder: Encoder) -> None:
    writer.record(ENCODER, kind=Kind.ENCODER, layer_count=layer_count(encoder))
    write_layers(writer, encoder.conditioner)
