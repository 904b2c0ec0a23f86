"""The reader of Python and the library open the same files, and refuse the others with the same status."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_flows import flow as random_flow
from random_planes import flow as random_flow_of_planes
from test_format import (
    LIMITS,
    at_and_beyond,
    autoregressive,
    autoregressive_mixture,
    blocks_start,
    chain,
    changed,
    unchecked,
)

import flowrt
from flowrt import FormatError, LibraryError, Model
from flowrt.errors import Status
from flowrt.file import (
    AutoregressiveMixtureBase,
    BoxUniform,
    ConditionalNormalBase,
    DiagonalNormal,
    DiagonalStep,
    ElementwiseStep,
    Encoder,
    File,
    NormalMixture,
    SortedLayer,
    encode,
)
from flowrt.file.codes import Activation, Function, Pieces, Scale, SplineForm, Transformer, pieces_of, spline_parameters


def library_status(data, verify) -> Status:
    try:
        Model(data, verify=verify)
    except LibraryError as error:
        return Status(error.status)
    return Status.OK


def verdict(data) -> Status:
    """The status of library and reader, which must be the same: without FLOWRT_OPEN_VERIFY or else with it."""
    expected = library_status(data, verify=False) or library_status(data, verify=True)
    try:
        flowrt.format.read(data)
        assert expected == Status.OK
    except FormatError as error:
        assert expected == error.status, error
    return expected


EDGES = [0, -0.0, 1, -1, 0.5, 1e-45, 3.4028235e38, -3.4028235e38, 1.7014118e38, -1.7014118e38, np.inf, -np.inf, np.nan]
FLOATS = st.one_of(st.sampled_from(EDGES), st.floats(width=32))
INTEGERS = [0, 1, 2, 127, 128, 129, 1023, 1024, 1025, 65535, 65536, 65537, 2**24, 2**24 + 1, 2**31, 2**32 - 1]


def f32(value) -> bytes:
    return np.float32(value).tobytes()


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32), dim=st.integers(1, 5), context_dim=st.integers(0, 2), data=st.data())
def test_library_and_reader_refuse_the_same_files(seed, dim, context_dim, data):
    """A byte or a word is changed and the checksum mended."""
    change_somewhere(encode(flowrt.compile(random_flow(seed, dim, context_dim))), data)


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_library_and_reader_refuse_the_same_files_of_planes(seed, data):
    change_somewhere(encode(flowrt.compile(random_flow_of_planes(seed, most_pixels=6, most_channels=3))), data)


def change_somewhere(whole: bytes, data) -> None:
    end = data.draw(st.sampled_from([blocks_start(whole), len(whole) - 3])) - 1
    if data.draw(st.booleans()):
        offset = data.draw(st.integers(0, end))
        changes = bytes([whole[offset] ^ data.draw(st.integers(1, 255))])
    else:
        offset = 4 * data.draw(st.integers(0, end // 4))
        changes = data.draw(st.sampled_from([np.uint32(n).tobytes() for n in INTEGERS] + [f32(x) for x in EDGES]))
    verdict(changed(whole, offset, changes))


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_of_the_library(limit):
    data, beyond = at_and_beyond(limit)
    assert library_status(data, verify=True) == Status.OK
    assert library_status(beyond, verify=False) == Status.LIMIT


INTERVALS = {  # files with an interval, and where its bounds stand
    "box": (File(1, 0, [], BoxUniform(np.zeros(1), np.ones(1))), 128, 192),
    "spline": (File(1, 0, [autoregressive(bins=2)]), 88, 92),
    **{
        function.name: (File(1, 0, [ElementwiseStep(np.array([function]), np.zeros(1), np.ones(1))]), 256, 320)
        for function in (Function.LOGIT, Function.SIGMOID, Function.PROBIT, Function.NORMAL_CDF)
    },
}


@pytest.mark.parametrize("place", INTERVALS)
@example(lower=-3e38, upper=3e38)
@given(lower=FLOATS, upper=FLOATS)
def test_intervals(place, lower, upper):
    file, at_lower, at_upper = INTERVALS[place]
    whole = encode(file)
    status = verdict(changed(changed(whole, at_lower, f32(lower)), at_upper, f32(upper)))
    with np.errstate(all="ignore"):
        assert (status == Status.OK) == (0 < np.float32(upper) - np.float32(lower) < np.inf)


@given(value=FLOATS)
def test_scales_and_standard_deviations(value):
    two = np.full(1, 2.0)
    for file, at in [
        (File(1, 0, [DiagonalStep(two, two)]), 192),
        (File(1, 0, [], DiagonalNormal(two, two)), 192),
        (File(1, 0, [], NormalMixture(two, two[None], two[None])), 256),
    ]:
        status = verdict(changed(encode(file), at, f32(value)))
        assert status in (Status.OK, Status.VALUE)


@pytest.mark.parametrize("size", [0, 6])
def test_bytes_between_blocks_and_metadata(size):
    data = encode(File(1, 0, [], metadata=b'{"a":1}'))
    assert verdict(changed(data, 40, bytes([size]))) == Status.MALFORMED


def test_a_layer_without_units():
    empty = Encoder([SortedLayer(np.zeros(0), degree_end=np.array([0]))])
    assert verdict(unchecked(File(1, 1, [], encoder=empty))) == Status.MALFORMED


@given(function=st.integers(0, len(Function)), a=FLOATS, b=st.one_of(st.just(0.0), FLOATS))
def test_constants_of_elementwise_functions(function, a, b):
    whole = encode(File(1, 0, [ElementwiseStep(np.zeros(1), np.zeros(1), np.zeros(1))]))
    for offset, value in [(192, np.uint32(function).tobytes()), (256, f32(a)), (320, f32(b))]:
        whole = changed(whole, offset, value)
    verdict(whole)


@given(activation=st.integers(0, len(Activation)), a=FLOATS)
def test_constants_of_activations(activation, a):
    whole = encode(File(1, 1, [], encoder=Encoder(chain(1))))
    verdict(changed(changed(whole, 130, bytes([activation])), 152, f32(a)))


@given(form=st.integers(0, 3), scale=st.integers(0, len(Scale)), p=st.tuples(*3 * [st.one_of(st.just(0.0), FLOATS)]))
def test_constants_of_scale_functions(form, scale, p):
    step, base = (encode(file) for file in (File(1, 0, [autoregressive()]), File(1, 0, [], autoregressive_mixture(2))))
    values = bytes([scale]), b"".join(map(f32, p))
    verdict(changed(changed(base, 82, values[0]), 88, values[1]))
    verdict(changed(changed(changed(step, 80, bytes([form])), 82, values[0]), 88, values[1]))


def is_form(form) -> bool:
    """Section 5.1."""
    widths, derivatives, ends, pieces = form & 3, form >> 2 & 3, form >> 4 & 3, pieces_of(form)
    rational = pieces in (Pieces.RATIONAL_QUADRATIC, Pieces.LINEAR_RATIONAL)
    known = 3 if rational else 2 if pieces == Pieces.QUADRATIC else 1
    return pieces in set(Pieces) and widths < 2 and derivatives < (2 if rational else 1) and ends < known


FORMS = [form for form in range(1024) if is_form(form) and not form & SplineForm.HALF_TURN]


def spline(form, p=(-1, 1, 0, 0, 0, 0, 1, 0), bins=3) -> bytes:
    """A file with a spline, whatever its form and constants are."""
    width = sum(spline_parameters(form, bins)) if is_form(form) else 1
    data = unchecked(
        File(1, 0, [autoregressive([SortedLayer(np.zeros(width))], transformer=Transformer.SPLINE, bins=bins)])
    )
    return changed(changed(data, 80, np.uint16(form).tobytes()), 88, b"".join(map(f32, p)))


def test_forms_of_splines():
    for form in range(1 << 11):
        assert (verdict(spline(form)) == Status.FEATURE) == (not is_form(form))


@lru_cache(maxsize=None)
def constants_of(form) -> tuple:
    """The constants of a spline of this form, where each must be used or zero."""
    used = (0.1, 0.1, 1e-3, 3.0, 1.0, 0.1)
    found = [(-1, 1, *p) for p in product(*zip(used, [0] * 6)) if verdict(spline(form, (-1, 1, *p))) == Status.OK]
    return found[0]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30)
@given(index=st.integers(0, 7), value=FLOATS)
def test_constants_of_splines(form, index, value):
    p = list(constants_of(form))
    p[index] = value
    verdict(spline(form, p))


@pytest.mark.parametrize("index", [2, 3])
def test_minima_of_bins_are_summed_in_float32(index):
    """Near 1 / K, where p K may be 1 in float32 and less in float64."""
    found = set()
    for bins in [*range(2, 80), 1000, 1024]:
        for direction in (0, 1 / bins, 1):
            p = [-1, 1, 0, 0, 0, 0, 1, 0]
            p[index] = np.nextafter(np.float32(1 / bins), np.float32(direction))
            found.add((verdict(spline(0, p, bins)) == Status.OK, float(p[index]) * bins < 1))
    assert found == {(True, True), (False, True), (False, False)}


NORM = SortedLayer(np.zeros(2), Activation.LAYER_NORM, 1e-5)
ALONE = SortedLayer(np.zeros(2), Activation.LAYER_NORM, 1e-5, degree_end=np.array([2]))
READS = SortedLayer(np.zeros(2), Activation.LAYER_NORM, 1e-5, np.array([2]), source=1, weight=np.zeros((2, 1)))
OUTPUT = SortedLayer(np.zeros(2), source=2, weight=np.zeros((2, 2)))
MIXTURE = AutoregressiveMixtureBase(
    np.array([0]), np.array([1]), [SortedLayer(np.zeros(3), Activation.LAYER_NORM, 1e-5)], 1
)


@pytest.mark.parametrize(
    "file, status",
    [
        (File(1, 0, [autoregressive([ALONE, OUTPUT])]), Status.OK),
        (File(1, 0, [autoregressive([READS, OUTPUT])]), Status.MALFORMED),
        (File(1, 0, [autoregressive([NORM])]), Status.MALFORMED),
        (File(1, 0, [], MIXTURE), Status.MALFORMED),
        (File(1, 0, [], ConditionalNormalBase([ALONE])), Status.OK),
        (File(1, 1, [], encoder=Encoder([ALONE])), Status.OK),
    ],
)
def test_layer_norm_is_for_layers_of_the_context_alone_with_stored_degrees(file, status):
    assert verdict(unchecked(file)) == status
