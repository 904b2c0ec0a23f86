"""One name and one number for each code and field: Python, the library, the C tests' own copy, and the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowrt.descriptions import bases
from flowrt.file import codes
from flowrt.file.autoregressive import AUTOREGRESSIVE
from flowrt.file.base import BASE
from flowrt.file.constant import CONSTANT
from flowrt.file.encoder import ENCODER
from flowrt.file.header import HEADER
from flowrt.file.layer import LAYER
from flowrt.file.pixelwise import PIXELWISE

ROOT = Path(__file__).resolve().parents[2]
HEADERS = "\n".join(path.read_text() for path in sorted(ROOT.glob("Sources/*/include/flowrt_*.h")))
CODES_SWIFT = (ROOT / "Sources/Flowrt/File/Codes.swift").read_text()
TESTS_COPY = (ROOT / "Tests/c/support/flow.h").read_text()
FORMAT = (ROOT / "docs/FORMAT.md").read_text()
DICTIONARY = (ROOT / "docs/DESCRIPTIONS.md").read_text()


def enumerators(text: str) -> dict:
    """The enumerators of all enums of a C header that are numbers, by name."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = {}
    for body in re.findall(r"\benum\s*{([^}]*)}", text):
        number = 0
        for item in filter(None, (part.strip() for part in body.split(","))):
            name, _, value = (part.strip() for part in item.partition("="))
            if value and not value.isdigit():
                break  # offsets
            number = int(value) if value else number
            found[name] = number
            number += 1
    return found


def members(enum) -> dict:
    return {member.name: int(member) for member in enum}


# ---- the library ----

IN_SWIFT = {
    "RecordKind": codes.Kind,
    "ReadSide": codes.Reads,
    "ElementwiseFunction": codes.Function,
    "BaseDensity": codes.BaseKind,
    "Activation": codes.Activation,
    "TransformerKind": codes.Transformer,
    "AffineForm": codes.Form,
    "ScaleFunction": codes.Scale,
    "SplineWidths": codes.Widths,
    "SplineDerivatives": codes.Derivatives,
    "SplineEnds": codes.Ends,
    "SplinePieces": codes.Pieces,
    "LayerOperation": codes.LayerOperation,
}
NOT_IN_FILES = {"EXP_BELOW"}  # an inverse that only kernels run


def cases(enum: str) -> dict:
    """The cases of an enum of Codes.swift and their numbers, with the names spelt as in Python."""
    body = re.search(rf"^enum {enum}: UInt(?:16|32) {{\n(.*?)^}}", CODES_SWIFT, flags=re.DOTALL | re.MULTILINE).group(1)
    found, number = {}, 0
    for names in re.findall(r"^  case ([^:.]*?)\n(?=  \S|\n|\Z)", body, flags=re.MULTILINE):
        for item in names.split(","):
            name, _, value = (part.strip() for part in item.partition("="))
            number = int(value, 0) if value else number
            found[re.sub(r"(?=[A-Z])", "_", name).upper()] = number
            number += 1
    return {name: number for name, number in found.items() if name not in NOT_IN_FILES}


@pytest.mark.parametrize("enum", IN_SWIFT)
def test_codes_of_the_library(enum):
    assert cases(enum) == members(IN_SWIFT[enum]), f"{enum} in Sources/Flowrt/File/Codes.swift, not as in codes.py"


def test_each_enum_of_codes_is_compared():
    enums = {value for value in vars(codes).values() if isinstance(value, type) and issubclass(value, codes.IntEnum)}
    assert enums - {codes.IntEnum} == set(IN_SWIFT.values())
    assert set(re.findall(r"^enum (\w+): UInt", CODES_SWIFT, flags=re.MULTILINE)) == set(IN_SWIFT)


def test_the_form_of_a_spline_field_by_field():
    for name in codes.SplineFields._fields:
        formula = re.search(rf"flowrt_spline_{name}\(uint16_t form\) {{ return (.*?); }}", HEADERS).group(1)
        for form in range(1 << 12):
            assert getattr(codes.SplineFields.of(form), name) == eval(formula, {"form": form})
    for flag in codes.SplineForm:
        assert codes.SplineFields.of(flag).form == flag


# ---- structures ----

SIZES = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8, "float": 4, "double": 8}
RECORDS = {
    "flowrt_file_header": [HEADER],
    "flowrt_step_record": [AUTOREGRESSIVE, BASE, ENCODER],
    "flowrt_layer_record": [LAYER],
    "flowrt_constant_record": [CONSTANT],
    "flowrt_pixelwise_record": [PIXELWISE],
}


def offsets(structure: str) -> dict:
    """Where the fields of a C structure begin, by name; the members of a union begin together."""
    body = re.search(rf"typedef struct {structure} {{(.*?)}} {structure};", HEADERS, flags=re.DOTALL).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    found, offset = {}, 0
    for union, kind, names in re.findall(r"(union\s*{\s*)?(\w+)\s+([^;]+);", body):
        size = SIZES[kind]
        for name, count in re.findall(r"(\w+)(?:\[(\d+)\])?", names):
            offset = -(-offset // size) * size
            found[name] = offset
            if not union:
                offset += size * int(count or 1)
        offset += size if union else 0
    return found


@pytest.mark.parametrize("structure", RECORDS)
def test_fields_of_the_header(structure):
    in_c = offsets(structure)
    for fields in RECORDS[structure]:
        for name in fields.names:
            if not name.startswith("reserved"):
                assert fields.offset(name) == in_c[name], name
    named = {name for fields in RECORDS[structure] for name in fields.names}
    assert {name for name in in_c if not name.startswith("reserved")} <= named


# ---- the C tests' own copy ----

SPELLINGS = {
    codes.Kind: "RECORD_{}",
    codes.Reads: "READS_{}",
    codes.BaseKind: "{}",
    codes.Transformer: "{}",
    codes.Pieces: "{}_PIECES",
    codes.Form: "{}",
    codes.Scale: "SCALE_{}",
    codes.Activation: "{}",
    codes.LayerOperation: "{}",
}
LEFT_OUT = {"STANDARD_NORMAL", "RATIONAL_QUADRATIC_PIECES"}  # which are 0
NO_CODES = {
    "NONE",
    "READ_SIDE",
    "CONTEXT",
    "ACTIVATION_COUNT",
    "SCALE_COUNT",
    "MAX_LAYERS",
    "MAX_STEPS",
    "HIGHEST_LEVEL",
}


def test_codes_of_the_c_tests():
    spelled = {spelling.format(member.name): int(member) for enum, spelling in SPELLINGS.items() for member in enum}
    in_c = {name: number for name, number in enumerators(TESTS_COPY).items() if name not in NO_CODES}
    expected = {name: number for name, number in spelled.items() if name not in LEFT_OUT}
    assert in_c == expected, "the codes of Tests/c/support/flow.h are not those of codes.py"
    assert all(spelled[name] == 0 for name in LEFT_OUT)


# ---- the specification ----


@pytest.mark.parametrize(
    "head, enum",
    [
        ("kind", codes.Kind),
        ("function", codes.Function),
        ("base", codes.BaseKind),
        ("activation", codes.Activation),
        ("transformer", codes.Transformer),
        ("scale", codes.Scale),
    ],
)
def test_rows_of_the_specification(head, enum):
    table = re.search(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", FORMAT, flags=re.MULTILINE).group(1)
    assert [int(n) for n in re.findall(r"^\| (\d+)", table, flags=re.MULTILINE)] == [*enum], "rows of docs/FORMAT.md"


def test_minor_versions_of_activations():
    rows = re.findall(r"^\| (\d+) \|[^|]*since minor version (\d+)", FORMAT, flags=re.MULTILINE)
    assert {int(code): int(minor) for code, minor in rows} == codes.MINOR_OF_ACTIVATION, "rows of docs/FORMAT.md"
    first = set(codes.Activation) - set(codes.MINOR_OF_ACTIVATION)
    assert max(first) == codes.Activation.SINE, "format 1.0 ends with sine: MINOR_OF_ACTIVATION has the later ones"


# ---- the dictionary ----


@pytest.mark.parametrize(
    "enum",
    [
        codes.Reads,
        codes.Function,
        codes.BaseKind,
        codes.Activation,
        codes.Transformer,
        codes.Form,
        codes.Scale,
        codes.Ends,
        codes.Pieces,
    ],
)
def test_words_of_the_dictionary(enum):
    for member in enum:
        assert re.search(rf"[`\"]{member.name.lower()}[`\"]", DICTIONARY), f"{member!r} is not in docs/DESCRIPTIONS.md"


def test_base_densities_have_the_names_of_their_codes():
    assert {kind.name.lower() for kind in codes.BaseKind} <= set(bases._BASES)
