"""The header of a file (docs/FORMAT.md, section 1)."""

from __future__ import annotations

import zlib

from ..errors import FormatError, Status
from ..foreign import kind_of_model
from .codes import LINE, MAGIC, MAJOR, MAX_CONTEXT_DIM, MAX_DIM, MAX_RECORDS, Feature
from .cursor import Reader, Writer, within
from .fields import Structure, beyond

HEADER = Structure(
    ("magic", "8s"),
    ("major", "H"),
    ("minor", "H"),
    ("crc32", "I"),
    ("file_size", "Q"),
    ("features", "I"),
    ("dim", "I"),
    ("context_dim", "I"),
    ("record_count", "I"),
    ("metadata_size", "Q"),
    ("reserved", "16x"),
)


def read_header(data: bytes) -> Reader:
    """A reader that stands before the first record. Raises `FormatError`; the checksum is checked by `checksum`."""
    if len(data) < LINE:
        raise FormatError(Status.TRUNCATED, f"{len(data)} bytes are less than a header", -1, len(data))
    header, reader = HEADER.unpack(data), Reader(data, HEADER)
    size, features = header.file_size, header.features
    kind = kind_of_model(data)
    found = "" if kind is None else f", but {kind}"
    reader.require(header.magic == MAGIC, f"this is not a .flw file{found}", "magic", Status.MAGIC)
    reader.require(header.major == MAJOR, f"format version {header.major} is not {MAJOR}", "major", Status.VERSION)
    unknown = features & ~sum(Feature)
    reader.require(not unknown, f"unknown required features {unknown:#x}", "features", Status.FEATURE)
    reader.require(size == len(data), f"{len(data)} bytes instead of {size}", "file_size", Status.TRUNCATED)
    reader.require(header.dim >= 1, "dim is 0", "dim")
    reader.check(beyond(MAX_DIM, "dim", header.dim))
    reader.check(beyond(MAX_CONTEXT_DIM, "context_dim", header.context_dim))
    reader.require(header.record_count >= 1, "record_count is 0", "record_count")
    reader.check(beyond(MAX_RECORDS, "record_count", header.record_count))
    reader.block_start = LINE * (1 + header.record_count)
    room = len(data) - reader.block_start
    reader.require(room >= 0, "the records do not fit into the file", "record_count")
    reader.require(header.metadata_size <= room, "the metadata does not fit into the file", "metadata_size")
    reader.require(not any(data[HEADER.offset("reserved") : LINE]), "reserved bytes are not zero", "reserved")
    reader.block_limit = len(data) - header.metadata_size
    reader.dim, reader.context_dim, reader.record_count = header.dim, header.context_dim, header.record_count
    return reader


def check_features(reader: Reader) -> None:
    """Raises `FormatError` unless the features of the header are those of the records, which were all read."""
    stated = HEADER.unpack(reader.data).features
    if stated != reader.features:
        message = f"features are {stated:#x}, but those of the records are {int(reader.features):#x}"
        raise FormatError(Status.MALFORMED, message, -1, HEADER.offset("features"))


def checksum(data: bytes) -> None:
    """Raises `FormatError` if the bytes are not those that the checksum was made of."""
    start = HEADER.offset("crc32")
    end = HEADER.offset("file_size")
    if zlib.crc32(data[:start] + bytes(end - start) + data[end:]) != HEADER.unpack(data).crc32:
        raise FormatError(Status.CHECKSUM, "the checksum does not match the bytes", -1, start)


def write_header(writer: Writer, context_dim: int, metadata: bytes) -> bytes:
    """All bytes of the file: the header, then what the writer has, then the metadata."""
    body = b"".join(writer.records) + b"".join(writer.blocks) + metadata

    def header(crc32: int) -> bytes:
        return HEADER.pack(
            magic=MAGIC,
            major=MAJOR,
            minor=writer.minor,
            crc32=crc32,
            file_size=LINE + len(body),
            features=writer.features,
            dim=within(MAX_DIM, writer.dim),
            context_dim=within(MAX_CONTEXT_DIM, context_dim),
            record_count=within(MAX_RECORDS, len(writer.records)),
            metadata_size=len(metadata),
        )

    return header(zlib.crc32(header(0) + body)) + body
