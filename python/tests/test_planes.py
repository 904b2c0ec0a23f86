"""Planes: layers against a naive loop, files there and back, what the reader refuses, couplings and pixelwise steps."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from random_planes import convolution, coupling, encoder, flow, pooling, same
from test_format import changed, record_of, refused

import flowrt
from flowrt import ExportError, ir
from flowrt.building import planes
from flowrt.compiler.compositions import expand
from flowrt.errors import Status
from flowrt.file import File, encode, read
from flowrt.file.codes import Activation, Feature, LayerOperation, Scale
from flowrt.reference.conditioner import evaluate
from flowrt.reference.gradient import log_prob_gradient

SEEDS = range(40)


def value_of(layers: list, context: np.ndarray) -> np.ndarray:
    """What a network of the context gives, from the bytes of a file that was not rounded."""
    compiled = flowrt.compile(ir.Flow(1, context.shape[1], [], encoder=layers))
    return evaluate(compiled.encoder.layers, context)


def naive(layer, planes_in: np.ndarray) -> np.ndarray:
    """Section 4.3 of docs/FORMAT.md in loops, pixel by pixel; planes (H, W, C)."""
    window, is_pool = layer.window, isinstance(layer, ir.MaxPool)
    result = np.zeros((*window.output, window.channels))
    for y, x, o in np.ndindex(*result.shape):
        terms = []
        for i, j in np.ndindex(*window.kernel):
            row = y * window.stride[0] + i * window.dilation[0] - window.pad[0]
            column = x * window.stride[1] + j * window.dilation[1] - window.pad[2]
            if not (0 <= row < window.plane[0] and 0 <= column < window.plane[1]):
                continue
            seen = planes_in[row, column]
            if is_pool:
                terms.append(seen[o])
            elif layer.depthwise:
                terms.append(layer.weight[o, 0, i, j] * seen[o])
            else:
                terms.append(layer.weight[o, :, i, j] @ seen)
        result[y, x, o] = max(terms, default=-np.inf) if is_pool else sum(terms) + layer.bias[o]
    return result


@pytest.mark.parametrize("seed", SEEDS)
def test_layers_are_those_of_a_naive_loop(seed):
    rng = np.random.default_rng(seed)
    layer = (pooling if seed % 4 == 0 else convolution)(rng, ir.CONTEXT)
    window = layer.window
    context = rng.normal(size=(2, window.inputs))
    expected = [naive(layer, row.reshape(*window.plane, window.in_channels)).reshape(-1) for row in context]
    np.testing.assert_allclose(value_of([layer], context), expected, rtol=1e-12, atol=1e-12)


def test_a_pool_passes_on_what_is_not_a_number():
    pool = ir.MaxPool((2, 2), 1, ir.CONTEXT, (2, 4), (2, 2))
    context = np.array([[1.0, 2, 3, np.nan, 5, 6, 7, 8]])
    np.testing.assert_array_equal(value_of([pool], context), [[6, np.nan]])


def test_a_gather_picks_units_or_gives_zero():
    gathered = value_of([ir.Gather(np.array([2, -1, 0, 2]), ir.CONTEXT)], np.array([[5.0, 6, 7]]))
    np.testing.assert_array_equal(gathered, [[7, 0, 5, 7]])


def test_the_context_of_a_convolution_is_the_same_at_each_pixel():
    """A layer of the context beside a plane of it: one number for each channel."""
    rng = np.random.default_rng(0)
    bias, weight, columns = rng.normal(size=3), rng.normal(size=(3, 2, 1, 1)), rng.normal(size=(3, 12))
    layers = [
        ir.Gather(np.arange(12), ir.CONTEXT),
        ir.Convolution(bias, weight, 0, (2, 3), context_weight=columns),
    ]
    context = rng.normal(size=(4, 12))
    expected = context.reshape(4, 6, 2) @ weight[:, :, 0, 0].T + bias + (context @ columns.T)[:, None]
    np.testing.assert_allclose(value_of(layers, context), expected.reshape(4, -1), rtol=1e-12)


@pytest.mark.parametrize("name", ["hardswish", "relu6", "mish", "prelu"])
def test_activations_of_several_layers_on_planes(name):
    from flowrt.building import compositions

    rng = np.random.default_rng(1)
    slopes = rng.uniform(0.1, 0.5, 3)
    composition = compositions.leaky_relu_of_units(slopes) if name == "prelu" else compositions.NAMED[name]
    plain = same(rng, 3, 2, ir.CONTEXT, (4, 3))
    context = rng.normal(size=(3, plain.window.inputs))
    before = value_of([plain], context)
    if name == "prelu":
        expected = np.where(before > 0, before, before * np.tile(slopes, before.shape[1] // 3))
    else:
        expected = compositions.evaluate(composition, before)
    plain.activation, plain.gate = composition, None
    assert not any(isinstance(layer, ir.Layer) for layer in expand([plain]))  # no numbers for each pixel
    np.testing.assert_allclose(value_of([plain], context), expected, rtol=1e-12, atol=1e-12)


# ---- files ----


@pytest.mark.parametrize("seed", range(12))
def test_a_file_gives_back_what_was_written(seed):
    written = flowrt.compile(flow(seed))
    data = encode(written)
    found = read(data)
    assert encode(found) == data
    assert struct.unpack_from("<HI", data, 10)[0] == 2 and struct.unpack_from("<I", data, 24)[0] == Feature.PLANES
    x = np.random.default_rng(seed).normal(size=(2, written.dim))
    context = None if not written.context_dim else np.random.default_rng(seed).normal(size=(2, written.context_dim))
    np.testing.assert_allclose(
        flowrt.reference.forward(found, x, context)[0], flowrt.reference.forward(written, x, context)[0], atol=2e-4
    )


def small() -> bytes:
    """A coupling with a convolution of 3 x 3, the second of two channels changed, behind a pixelwise step."""
    a, b = planes.image((2, 2, 3))
    rng = np.random.default_rng(0)
    layers = [
        ir.Convolution(rng.normal(size=5), rng.normal(size=(5, 1, 3, 3)), ir.READ, (2, 3), padding=(1, 1, 1, 1),
                       coordinates=a.reshape(-1), activation=Activation.RELU),
        ir.MaxPool((1, 1), 5, 0, (2, 3)),
        ir.Gather(np.arange(30)[::-1], 1),
        ir.Convolution(rng.normal(size=2), rng.normal(size=(2, 5, 1, 1)), 2, (2, 3)),
    ]  # fmt: skip
    steps = [
        ir.PixelwiseLinear(np.eye(2) * 2, np.zeros(2), planes.pixels(planes.image((2, 2, 3)))),
        ir.Autoregressive(layers, ir.Affine(Scale.EXP), transformed=b.reshape(-1)),
    ]
    return encode(flowrt.compile(ir.Flow(12, 0, steps)))


def layer_records(data: bytes) -> list:
    first = record_of(data, 2)
    return [first + 64 * i for i in range(4)]


LAYER_FIELDS = [  # layer, byte of its record, value, status
    (0, 2, struct.pack("<H", 11), Status.MALFORMED),  # layer norm
    (0, 4, struct.pack("<I", 31), Status.MALFORMED),  # width
    (0, 8, struct.pack("<H", 0), Status.MALFORMED),  # no input
    (0, 22, struct.pack("<H", 5), Status.FEATURE),
    (0, 28, struct.pack("<H", 0), Status.MALFORMED),
    (0, 30, struct.pack("<H", 0), Status.MALFORMED),
    (0, 28, struct.pack("<H", 65535), Status.MALFORMED),  # more than is visible, and another width
    (0, 32, struct.pack("<I", 0), Status.MALFORMED),
    (0, 32, struct.pack("<I", 2**31), Status.LIMIT),
    (0, 36, struct.pack("<I", 0), Status.MALFORMED),
    (0, 36, struct.pack("<I", 2**31), Status.LIMIT),
    (0, 40, struct.pack("<H", 0), Status.MALFORMED),
    (0, 42, struct.pack("<H", 6), Status.MALFORMED),  # a kernel that is larger than the plane
    (0, 44, struct.pack("<H", 0), Status.MALFORMED),
    (0, 48, struct.pack("<H", 0), Status.MALFORMED),
    (0, 52, struct.pack("<H", 65535), Status.MALFORMED),
    (0, 60, b"\x01", Status.MALFORMED),
    (1, 10, struct.pack("<H", 2), Status.MALFORMED),  # pooling with a context, which is not of the context either
    (1, 36, struct.pack("<I", 4), Status.MALFORMED),  # pooling with other channels
    (1, 20, struct.pack("<H", 1), Status.MALFORMED),
    (2, 28, struct.pack("<H", 2), Status.MALFORMED),  # a gather with a plane
    (2, 52, struct.pack("<H", 1), Status.MALFORMED),
]


@pytest.mark.parametrize("layer, offset, value, status", LAYER_FIELDS)
def test_records_of_planes(layer, offset, value, status):
    data = small()
    start = layer_records(data)[layer]
    error = refused(changed(data, start + offset, value))
    assert error.status == status and error.record == start // 64 - 1


PIXELWISE_FIELDS = [
    (2, b"\x01", Status.MALFORMED),
    (4, struct.pack("<I", 0), Status.MALFORMED),
    (4, struct.pack("<I", 65537), Status.LIMIT),
    (8, struct.pack("<d", np.inf), Status.MALFORMED),
    (16, struct.pack("<I", 0), Status.MALFORMED),
    (16, struct.pack("<I", 7), Status.MALFORMED),  # more than there are coordinates
    (20, b"\x01", Status.MALFORMED),
]


@pytest.mark.parametrize("offset, value, status", PIXELWISE_FIELDS)
def test_record_of_a_pixelwise_step(offset, value, status):
    data = small()
    error = refused(changed(data, record_of(data, 9) + offset, value))
    assert error.status == status and error.record == 0


def test_a_pixelwise_step_changes_different_coordinates():
    data = small()
    start = 64 * (1 + struct.unpack_from("<I", data, 36)[0])
    assert refused(changed(data, start, data[start + 4 : start + 8])).status == Status.MALFORMED
    assert refused(changed(data, start, struct.pack("<I", 12))).status == Status.MALFORMED


def test_the_header_says_whether_there_are_planes():
    data = small()
    error = refused(changed(data, 24, bytes(4)))
    assert error.status == Status.MALFORMED and (error.record, error.offset) == (-1, 24)


def test_a_gather_takes_what_it_sees():
    file = read(small())
    layer = file.steps[1].layers[2]
    assert layer.operation == LayerOperation.GATHER
    layer.index = np.where(layer.index == 0, 30, layer.index)
    with pytest.raises(flowrt.FormatError, match="an index is not below 30"):
        encode(file)


def test_the_units_of_a_plane_have_one_degree():
    file = read(small())
    file.steps[1].layers[0].degree_end = np.array([1, 30])
    with pytest.raises(flowrt.FormatError, match="several degrees"):
        encode(file)


def test_a_base_density_has_no_planes():
    layer = flowrt.compile(ir.Flow(1, 6, [], encoder=[ir.Gather(np.arange(2), ir.CONTEXT)])).encoder.layers[0]
    file = File(1, 6, [], flowrt.file.ConditionalNormalBase([layer]))
    with pytest.raises(flowrt.FormatError, match="a plane layer in a base density of the context"):
        encode(file)


# ---- steps ----


@pytest.mark.parametrize("seed", range(8))
def test_log_det_is_that_of_the_jacobian(seed):
    """Steps as Glow has them: couplings by planes, invertible maps of the channels, permutations between them."""
    made = flowrt.compile(flow(seed, most_pixels=12, most_channels=4))
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(1, made.context_dim)) if made.context_dim else None
    x, step = rng.normal(size=(1, made.dim)), 1e-5
    moved = step * np.eye(made.dim)
    up, down = (flowrt.reference.forward(made, x + sign * moved, context)[0] for sign in (1, -1))
    z, log_det = flowrt.reference.forward(made, x, context)
    np.testing.assert_allclose(np.linalg.slogdet((up - down).T / (2 * step))[1], log_det[0], atol=1e-5)
    back, of_inverse = flowrt.reference.inverse(made, z, context)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(of_inverse, -log_det, atol=1e-9)


def test_permutations_and_pixelwise_steps_change_places():
    """A permutation behind the last coupling moves back over the pixelwise step into its indices."""
    rng = np.random.default_rng(0)
    dim, index = 24, rng.permutation(24)
    step = coupling(rng, planes.image((4, 2, 3)), 0)
    linear = ir.PixelwiseLinear(rng.normal(size=(4, 4)), rng.normal(size=4), planes.pixels(planes.image((4, 2, 3))))
    made = flowrt.compile(ir.Flow(dim, 0, [step, linear, ir.Permutation(index)]))
    assert [type(found).__name__ for found in made.steps] == ["AutoregressiveStep", "PixelwiseLinearStep"]
    apart = flowrt.compile(ir.Flow(dim, 0, [step, linear]))
    x = rng.normal(size=(3, dim))
    np.testing.assert_allclose(
        flowrt.reference.forward(made, x)[0], flowrt.reference.forward(apart, x)[0][:, index], rtol=1e-12
    )


def test_a_shift_that_would_cancel_stays_before_a_pixelwise_map():
    coordinates = planes.pixels(planes.image((2, 1, 2)))
    step = ir.PixelwiseLinear(np.array([[1.0, 2], [0, 1]]), np.zeros(2), coordinates, before=np.array([1000.0, 0]))
    made = flowrt.compile(ir.Flow(4, 0, [step]))
    assert [type(found).__name__ for found in made.steps] == ["DiagonalStep", "PixelwiseLinearStep"]
    np.testing.assert_allclose(flowrt.reference.forward(made, [[1, 2, 3, 4]])[0], [[1007, 1010, 3, 4]])


# ---- what is refused by name ----


def planes_of(**fields) -> ir.Convolution:
    fields = {"bias": np.zeros(2), "weight": np.zeros((2, 1, 1, 1)), "source": ir.READ, "grid": (1, 2),
              "coordinates": np.arange(2), **fields}  # fmt: skip
    return ir.Convolution(**fields)


REFUSED = [
    (planes_of(coordinates=np.array([0, 2])), "is not a coupling: its network with planes reads what it transforms"),
    (planes_of(coordinates=None), "that there are coordinates"),
    (planes_of(coordinates=np.array([0, 0])), "coordinates are not different ones of 4"),
    (planes_of(grid=(2, 2)), "units of the input plane is 4, not 2"),
    (planes_of(weight=np.zeros((2, 1, 1))), "number of axes of the weight is 3, not 4"),
    (planes_of(weight=np.zeros((2, 1, 1, 3))), "layer 0: the kernel is larger than the plane"),
    (planes_of(bias=np.zeros(3)), r"layer 0: bias is \(3,\), not \(2,\)"),
    (planes_of(stride=(0, 1)), r"layer 0: stride is \(0, 1\)"),
    (planes_of(source=ir.CONTEXT, coordinates=None, grid=(1, 2)), "is for the encoder of the flow, not for a step"),
    (ir.Gather(np.array([0, 1, 0, 7]), ir.READ), "index is not one of units 0 .. 3"),
]


@pytest.mark.parametrize("layer, message", REFUSED)
def test_what_is_no_coupling_of_planes_is_refused_by_name(layer, message):
    step = ir.Autoregressive([layer], ir.Affine(Scale.EXP), transformed=np.array([2, 3]), name="coupling")
    with pytest.raises(ExportError, match=message):
        flowrt.compile(ir.Flow(4, 2, [step]))


def test_gradients_of_planes_are_refused():
    with pytest.raises(flowrt.Error, match="no gradient yet"):
        log_prob_gradient(small(), np.zeros((1, 12)))


# ---- lists of coordinates ----


def test_squeeze_and_back():
    coordinates = planes.image((3, 4, 6))
    squeezed = planes.squeeze(coordinates)
    assert squeezed.shape == (12, 2, 3) and squeezed[4 + 2 + 1, 1, 2] == coordinates[1, 3, 5]
    np.testing.assert_array_equal(planes.unsqueeze(squeezed), coordinates)
    with pytest.raises(ExportError, match="a plane of 3 x 4 pixels does not squeeze by 2"):
        planes.squeeze(planes.image((1, 3, 4)))


def test_mean_pooling_leaves_out_the_padding():
    layers: list = [ir.Gather(np.arange(16), ir.CONTEXT)]
    planes.average_without_padding(layers, 2, (3, 3), (2, 4), 0, stride=(2, 2), padding=(1, 1, 1, 1))
    row = np.random.default_rng(0).normal(size=(1, 16))
    image = row.reshape(2, 4, 2)
    expected = [image[:2, :2].mean((0, 1)), image[:2, 1:4].mean((0, 1))]
    np.testing.assert_allclose(value_of(layers, row)[0], np.concatenate(expected), rtol=1e-12)


def test_an_encoder_of_planes_feeds_the_steps():
    made = flowrt.compile(ir.Flow(1, 30, [], encoder=encoder(np.random.default_rng(0), (5, 6), 4)))
    assert made.encoded_context_dim == 4
