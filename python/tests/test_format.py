"""The reader accepts what docs/FORMAT.md allows and refuses everything else, with the status of the C library."""

from __future__ import annotations

import importlib
import struct
import zlib

import numpy as np
import pytest
from random_flows import flow as random_flow
from random_flows import network

import flowrt
from flowrt import ExportError, FormatError, ir
from flowrt.errors import Status
from flowrt.file import (
    AutoregressiveMixtureBase,
    AutoregressiveStep,
    BoxUniform,
    ConditionalNormalBase,
    ElementwiseStep,
    Encoder,
    File,
    LinearStep,
    NormalMixture,
    PermutationStep,
    SortedLayer,
    encode,
    read,
)
from flowrt.file.codes import Activation, Function, Limit, Scale, Transformer
from flowrt.file.file import unchecked


def with_checksum(data: bytes) -> bytes:
    """The bytes with a checksum that fits."""
    blank = data[:12] + bytes(4) + data[16:]
    return data[:12] + struct.pack("<I", zlib.crc32(blank)) + data[16:]


def changed(data: bytes, offset: int, replacement: bytes, checksum=True) -> bytes:
    result = data[:offset] + replacement + data[offset + len(replacement) :]
    return with_checksum(result) if checksum else result


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(data)
    return caught.value


@pytest.fixture(scope="module")
def small() -> bytes:
    """Two autoregressive steps of three coordinates with a diagonal step between them."""
    rng = np.random.default_rng(0)
    steps = []
    for _ in range(2):
        layers = network(rng, 3, 2, 2, rng.permutation(3))
        steps += [
            ir.Autoregressive(layers, ir.Affine(Scale.SOFTPLUS, (0.125,))),
            ir.Diagonal(np.full(3, 2.0), np.ones(3)),
        ]
    return encode(flowrt.compile(ir.Flow(3, 2, steps)))


def records(data: bytes) -> list:
    count = struct.unpack_from("<I", data, 36)[0]
    return [64 * (1 + i) for i in range(count)]


def record_of(data: bytes, kind: int) -> int:
    """Offset of the first record of a kind."""
    return next(start for start in records(data) if data[start] == kind)


def test_every_changed_byte_is_noticed(small):
    structure, body = range(blocks_start(small)), range(blocks_start(small), len(small), 13)
    for offset in [*structure, *body]:
        assert refused(changed(small, offset, bytes([small[offset] ^ 1 << offset % 8]), checksum=False))


def test_every_length_but_the_right_one_is_truncated(small):
    for length in [*range(200), *range(200, len(small), 17), len(small) - 1]:
        assert refused(small[:length]).status == Status.TRUNCATED
    assert refused(small + b"\0").status == Status.TRUNCATED


HEADER_FIELDS = [
    (0, b"\x88", Status.MAGIC),
    (6, b"\n\n", Status.MAGIC),
    (8, b"\x02", Status.VERSION),
    (16, struct.pack("<Q", 1 << 40), Status.TRUNCATED),
    (24, b"\x01", Status.MALFORMED),  # planes, of which there are none
    (24, b"\x02", Status.FEATURE),
    (28, struct.pack("<I", 0), Status.MALFORMED),
    (28, struct.pack("<I", 2**24 + 1), Status.LIMIT),
    (32, struct.pack("<I", 2**24 + 1), Status.LIMIT),
    (36, struct.pack("<I", 0), Status.MALFORMED),
    (36, struct.pack("<I", 65536), Status.MALFORMED),
    (36, struct.pack("<I", 65537), Status.LIMIT),
    (40, struct.pack("<Q", 1 << 40), Status.MALFORMED),
    (48, b"\x01", Status.MALFORMED),
    (63, b"\x01", Status.MALFORMED),
]


@pytest.mark.parametrize("offset, value, status", HEADER_FIELDS)
def test_header(small, offset, value, status):
    error = refused(changed(small, offset, value))
    assert error.status == status and error.record == -1


def test_a_later_minor_version_is_read(small):
    assert read(changed(small, 10, struct.pack("<H", 7))).dim == 3


def test_checksum(small):
    assert refused(changed(small, 12, b"\0\0\0\0", checksum=False)).status == Status.CHECKSUM


STEP_FIELDS = [
    (0, struct.pack("<H", 99), Status.FEATURE),
    (0, struct.pack("<H", 2), Status.MALFORMED),
    (2, struct.pack("<H", 2), Status.MALFORMED),
    (4, struct.pack("<I", 0), Status.MALFORMED),
    (4, struct.pack("<I", 4), Status.MALFORMED),
    (8, struct.pack("<I", 3), Status.MALFORMED),
    (12, struct.pack("<H", 0), Status.MALFORMED),
    (12, struct.pack("<H", 128), Status.MALFORMED),  # more than there are records
    (12, struct.pack("<H", 129), Status.LIMIT),
    (14, struct.pack("<H", 9), Status.FEATURE),
    (16, struct.pack("<H", 9), Status.FEATURE),
    (16, struct.pack("<H", 2), Status.MALFORMED),  # the gated form with a softplus scale
    (18, struct.pack("<H", 99), Status.FEATURE),
    (20, struct.pack("<I", 4), Status.MALFORMED),
    (24, struct.pack("<f", -1.0), Status.MALFORMED),
    (24, struct.pack("<f", np.nan), Status.MALFORMED),
    (28, struct.pack("<f", 1.0), Status.MALFORMED),
    (63, b"\x01", Status.MALFORMED),
]


@pytest.mark.parametrize("offset, value, status", STEP_FIELDS)
def test_autoregressive_record(small, offset, value, status):
    start = record_of(small, 1)
    error = refused(changed(small, start + offset, value))
    assert error.status == status and error.record == (start - 64) // 64


LAYER_FIELDS = [
    (0, struct.pack("<H", 3), Status.MALFORMED),
    (2, struct.pack("<H", 99), Status.FEATURE),
    (4, struct.pack("<I", 0), Status.MALFORMED),
    (4, struct.pack("<I", 2**24 + 1), Status.LIMIT),
    (8, struct.pack("<H", 900), Status.MALFORMED),
    (10, struct.pack("<H", 900), Status.MALFORMED),
    (12, struct.pack("<H", 1), Status.MALFORMED),
    (14, struct.pack("<H", 2), Status.MALFORMED),  # the layer itself
    (20, struct.pack("<H", 1), Status.MALFORMED),
    (20, struct.pack("<H", 8), Status.MALFORMED),
    (22, struct.pack("<H", 1), Status.MALFORMED),
    (22, struct.pack("<H", 5), Status.FEATURE),
    (28, struct.pack("<H", 1), Status.MALFORMED),
    (24, struct.pack("<f", np.inf), Status.MALFORMED),
    (60, b"\x01", Status.MALFORMED),
]


@pytest.mark.parametrize("offset, value, status", LAYER_FIELDS)
def test_layer_record(small, offset, value, status):
    start = record_of(small, 2)
    assert refused(changed(small, start + offset, value)).status == status


def blocks_start(data: bytes) -> int:
    return 64 * (1 + len(records(data)))


@pytest.mark.parametrize("block", [0, 1, 2])
def test_index_blocks(small, block):
    """data_index, noise_index and stage_end of the first step."""
    start = blocks_start(small) + 64 * block
    assert refused(changed(small, start, struct.pack("<I", 77))).status == Status.MALFORMED
    assert refused(changed(small, start, small[start + 4 : start + 8])).status == Status.MALFORMED
    padding = refused(changed(small, start + 16, b"\x01"))
    assert padding.status == Status.MALFORMED and padding.offset == start + 16


def test_passthrough_must_end_on_a_stage():
    step = AutoregressiveStep(np.arange(3), np.arange(3), np.array([2, 3]), [SortedLayer(np.zeros(2))], passthrough=1)
    step.transformer = Transformer.ADDITIVE
    with pytest.raises(FormatError, match="passthrough does not end on a stage"):
        encode(File(3, 0, [step]))
    step.stage_end = np.array([1, 3])
    assert read(encode(File(3, 0, [step]))).steps[0].passthrough == 1


def test_values(small):
    """Every float of the blocks must be finite; a zero scale is no bijection."""
    bias = blocks_start(small) + 3 * 64 + 64  # after the indices and the degrees of the first layer
    error = refused(changed(small, bias, struct.pack("<f", np.nan)))
    assert error.status == Status.VALUE and error.offset == bias
    file = read(small)
    data = encode(File(3, 2, [file.steps[1]]))
    scale = blocks_start(data)
    assert refused(changed(data, scale, struct.pack("<f", 0.0))).status == Status.VALUE


def test_padding_of_panels_is_zero():
    layers = [ir.Layer(np.zeros(2), np.ones((2, 2)), np.array([[0, 0], [1, 0]]) == 1, ir.READ)]
    data = encode(flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive(layers, ir.Additive())])))
    panel = len(data) - len(read(data).metadata) - 64
    assert struct.unpack_from("<3f", data, panel) == (0.0, 1.0, 0.0)
    for lane in (0, 2, 15):  # what unit 0 may not see, and units that do not exist
        assert refused(changed(data, panel + 4 * lane, struct.pack("<f", 1.0))).status == Status.VALUE


def test_an_added_layer_of_larger_degree_is_refused():
    mask = np.array([[0, 0], [1, 0]]) == 1
    late = ir.Layer(np.zeros(1), np.ones((1, 2)), np.array([[1, 0]]) == 1, ir.READ)
    same = ir.Layer(np.zeros(1), np.ones((1, 2)), np.array([[1, 0]]) == 1, ir.READ, add=[ir.Add(0)])
    output = ir.Layer(np.zeros(2), np.ones((2, 1)), np.array([[0], [1]]) == 1, 1)
    data = encode(flowrt.compile(ir.Flow(2, 0, [ir.Autoregressive([late, same, output], ir.Additive())])))
    degrees = blocks_start(data) + 3 * 64 + 3 * 64  # of the second layer: after degrees, bias and weights of the first
    assert struct.unpack_from("<2I", data, degrees) == (0, 1)
    assert mask.any() and refused(changed(data, degrees, struct.pack("<2I", 1, 1))).status in (
        Status.MALFORMED,
        Status.TRUNCATED,
    )


@pytest.mark.parametrize(
    "function, lower, upper",
    [
        (Function.IDENTITY, 1.0, 0.0),
        (Function.LOGIT, 1.0, 1.0),
        (Function.LOGIT, -2e38, 2e38),
        (Function.LOG_ABOVE, 0.0, 2.0),
        (Function.LEAKY, 0.0, 0.0),
        (Function.SOFTSIGN, -1.0, 0.0),
        (Function.PROBIT, 2.0, 1.0),
        (14, 0.0, 0.0),
    ],
)
def test_elementwise_parameters(function, lower, upper):
    step = ElementwiseStep(np.array([function]), np.array([lower]), np.array([upper]))
    with pytest.raises(FormatError):
        encode(File(1, 0, [step]))


def autoregressive(layers=None, bins=0, **fields) -> AutoregressiveStep:
    """A step of one coordinate; a spline if it has bins."""
    if bins:
        fields.update(transformer=Transformer.SPLINE, bins=bins, p=(-1.0, 1.0, 0, 0, 0, 0, 1.0, 0))
    layers = layers or [SortedLayer(np.zeros(3 * bins - 1 if bins else 2))]
    return AutoregressiveStep(np.array([0]), np.array([0]), np.array([1]), layers, **fields)


def chain(count) -> list:
    """Layers of the context alone, each of which adds the one before the last: between two there are many paths."""
    layers = [SortedLayer(np.zeros(2), degree_end=np.array([2]), context=1, context_weight=np.ones((2, 1)))]
    for i in range(1, count):
        add = (i,) if i > 1 else ()
        layers.append(SortedLayer(np.zeros(2), degree_end=np.array([2]), source=1 + i, weight=np.eye(2), add=add))
    return layers


def mixture(components) -> NormalMixture:
    return NormalMixture(np.zeros(components), np.zeros((components, 1)), np.ones((components, 1)))


def autoregressive_mixture(components, layers=(), **fields) -> AutoregressiveMixtureBase:
    layers = [*layers, SortedLayer(np.zeros(3 * components))]
    return AutoregressiveMixtureBase(np.array([0]), np.array([1]), layers, components, **fields)


def wide(units) -> Encoder:
    return Encoder([SortedLayer(np.zeros(units), degree_end=np.array([units]))])


# What there is at most, a file with so many, and where the number stands.
LIMITS = {
    "dim": (2**24, lambda n: File(n, 0, []), 28, "<I"),
    "context_dim": (2**24, lambda n: File(1, n, []), 32, "<I"),
    "records": (65536, lambda n: File(1, 0, [PermutationStep(np.array([0]))] * (n - 1)), 36, "<I"),
    "layers of a step": (
        128,
        lambda n: File(1, 1, [autoregressive([*chain(n - 1), SortedLayer(np.zeros(2))])]),
        76,
        "<H",
    ),
    "layers of an encoder": (128, lambda n: File(1, 1, [], encoder=Encoder(chain(n))), 76, "<H"),
    "layers of a base": (128, lambda n: File(1, 1, [], ConditionalNormalBase(chain(n))), 76, "<H"),
    "layers of a mixture": (128, lambda n: File(1, 1, [], autoregressive_mixture(1, chain(n - 1))), 76, "<H"),
    "width": (2**24, lambda n: File(1, 1, [], encoder=wide(n)), 132, "<I"),
    "bins": (1024, lambda n: File(1, 0, [autoregressive(bins=n)]), 84, "<I"),
    "components": (1024, lambda n: File(1, 0, [], mixture(n)), 84, "<I"),
    "components of each rank": (1024, lambda n: File(1, 0, [], autoregressive_mixture(n)), 84, "<I"),
}


def at_and_beyond(limit) -> tuple:
    """A file with as many as the limit allows, and the same one that says it has one more."""
    most, make, offset, form = LIMITS[limit]
    data = encode(make(most))
    return data, changed(data, offset, struct.pack(form, most + 1))


@pytest.mark.parametrize("limit", LIMITS)
def test_limits(limit):
    most, make, offset, _ = LIMITS[limit]
    _, beyond = at_and_beyond(limit)
    error = refused(beyond)
    assert error.status == Status.LIMIT and error.offset == offset
    with pytest.raises(ExportError, match=rf"^{most + 1} .+; a file holds at most {most}$"):
        encode(make(most + 1))


def test_more_layers_than_the_field_holds_are_refused_alike():
    with pytest.raises(ExportError, match="^65536 layers"):
        encode(File(1, 0, [], encoder=Encoder([SortedLayer(np.zeros(1))] * 65536)))


def test_panels_have_a_limit(monkeypatch):
    """A small one here: the real one is 256 GiB."""
    data = unchecked(File(4, 0, [LinearStep(np.eye(4), np.eye(4), np.zeros(4), 0.0)]))
    for lines in (4, 3):
        monkeypatch.setattr(importlib.import_module("flowrt.file.cursor"), "MAX_PANEL_LINES", Limit(lines, "lines"))
        if lines == 4:
            read(data)
        else:
            assert refused(data).status == Status.LIMIT


@pytest.mark.parametrize(
    "what",
    [
        lambda: File(1, 0, [autoregressive(p=(1e39,) * 8)]),
        lambda: File(1, 0, [autoregressive(p=(np.nan,) * 8)]),
        lambda: File(1, 0, [autoregressive([SortedLayer(np.zeros(2), Activation.ELU, 1e39)])]),
        lambda: File(1, 0, [], autoregressive_mixture(1, p=(1e39,) * 8)),
        lambda: File(1, 0, [], BoxUniform(np.array([0.0]), np.array([1e39]))),
    ],
)
def test_a_number_too_large_for_float32_is_refused(what):
    with pytest.raises(ExportError, match="too large for float32"):
        encode(what())


def test_what_it_means_is_not_guessed():
    """Files with each kind of step and base, seen in all their bytes: no other byte is equally good."""
    for seed in range(6):
        data = encode(flowrt.compile(random_flow(seed, 3, 2)))
        for offset in range(64, blocks_start(data)):
            mutated = changed(data, offset, bytes([data[offset] ^ 0x55]))
            try:
                other = read(mutated)
            except FormatError:
                continue
            assert encode(other) == with_checksum(mutated)  # accepted: then it must be kept to the byte


def test_paths_and_buffers(tmp_path, small):
    path = tmp_path / "m.flw"
    path.write_bytes(small)
    for source in (path, str(path), small, bytearray(small), memoryview(small)):
        assert read(source).dim == 3
    with pytest.raises(OSError):
        read(tmp_path / "missing.flw")


def test_not_a_flow_says_so():
    with pytest.raises(FormatError, match="not a .flw file"):
        read(b"PK\x03\x04" + bytes(200))
