"""The fixed-size structures of docs/FORMAT.md, sections 1, 2 and 4, as `struct` formats. Bytes `x` are reserved."""

from struct import Struct

HEADER = Struct("<8sHHIQIIIIQ16x")  # magic, version, crc32, file_size, features, dim, context_dim, records, metadata
AUTOREGRESSIVE = Struct("<HHIIHHHHI8f8x")  # kind, reads, S, passthrough, layers, transformer, form, scale, bins, p
LAYER = Struct("<HHIHHH3HH2xf36x")  # kind, activation, width, source, context, gate, add, scaled, a
VOLUME = Struct("<H6xd48x")  # kind, log_det: diagonal and linear steps
PLAIN = Struct("<H62x")  # kind: elementwise and permutation steps
ENCODER = Struct("<H10xH50x")  # kind, layers
BASE = Struct("<HHI4xH4xHI8f8x")  # kind, base, S, layers, scale, bins, p

CRC_OFFSET = 12
LAYER_REFERENCES = {"source": 8, "context": 10, "gate": 12, "add": 14, "scaled": 20}  # byte offsets in a layer record
