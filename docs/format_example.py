"""Writes section 9 of docs/FORMAT.md: the bytes of the smallest autoregressive file, field by field.

    PYTHONPATH=python python docs/format_example.py

The writer of the Python package makes the bytes. The types and labels are typed here from the page, not taken from the
writer: if the writer moves a field, the last column becomes nonsense. `python/tests/test_pages.py` fails if the page
holds other bytes than the writer makes.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

import flowrt
from flowrt import ir
from flowrt.file import encode
from flowrt.file.codes import Scale

PAGE = Path(__file__).parent / "FORMAT.md"
BEGIN, END = "<!-- example, by docs/format_example.py -->\n", "<!-- end of example -->"
X = np.array([[1.0, -2.0]])

# Type and label of each field, in the order of the file. Fields of u8 are shown as bytes alone. None begins a new part.
FIELDS = [
    (None, "header"),
    ("u8[8]", "magic"), ("u16", "major"), ("u16", "minor"), ("u32", "crc32"), ("u64", "file_size"), ("u32", "features"),
    ("u32", "dim: D"), ("u32", "context_dim: C"), ("u32", "record_count"), ("u64", "metadata_size"),
    ("u8[16]", "reserved"),
    (None, "record 0: autoregressive step"),
    ("u16", "kind"), ("u16", "reads: the data side"), ("u32", "stage_count: S"), ("u32", "passthrough"),
    ("u16", "layer_count"), ("u16", "transformer: affine"), ("u16", "form: q = s r + t"), ("u16", "scale: exp"),
    ("u32", "bins"), ("f32[8]", "p"), ("u8[8]", "reserved"),
    (None, "record 1: layer, the output layer of the step"),
    ("u16", "kind"), ("u16", "activation: none"), ("u32", "width: t and a of two ranks"),
    ("u16", "source: the read side"), ("u16", "context"), ("u16", "gate"), ("u16[3]", "add"), ("u16", "scaled"),
    ("u16", "reserved"), ("f32", "a"), ("u8[36]", "reserved"),
    (None, "record 2: base density"),
    ("u16", "kind"), ("u16", "base: standard normal"), ("u8[60]", "unused and reserved"),
    (None, "blocks of the step"),
    ("u32[2]", "data_index"), ("u8[56]", "padding"),
    ("u32[2]", "noise_index"), ("u8[56]", "padding"),
    ("u32[2]", "stage_end"), ("u8[56]", "padding"),
    (None, "blocks of the layer"),
    ("f32[4]", "bias: t, a of rank 0, then of rank 1"), ("u8[48]", "padding"),
    ("f32[16]", "w[k = 0]: of panel 0, from rank 0 to 16 units"),
]  # fmt: skip


def main() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + section() + END + rest.partition(END)[2])


def data() -> bytes:
    """MAF of one step: z[0] = exp(0.5) x[0] - 1, z[1] = exp(-0.25 x[0]) x[1] + 2 x[0]."""
    output = ir.Layer(
        bias=np.array([-1.0, 0.5, 0.0, 0.0]),  # t, a of coordinate 0, then of coordinate 1
        weight=np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0], [-0.25, 0.0]]),
        mask=np.array([[False, False], [False, False], [True, False], [True, False]]),
        source=ir.READ,
    )
    step = ir.Autoregressive([output], ir.Affine(Scale.EXP))
    return encode(replace(flowrt.compile(ir.Flow(2, 0, [step])), metadata=b""))


def section() -> str:
    (z,), _ = flowrt.reference.forward(data(), X)
    (log_p,) = flowrt.reference.log_prob(data(), X)
    x = ", ".join(f"{value:g}" for value in X[0])
    return (
        f"```text\n{dump(data())}```\n\n"
        f"With x = ({x}), z = ({z[0]:.6f}, {z[1]:.6f}) and log p = {log_p:.6f}.\n"
    )  # fmt: skip


def dump(file: bytes) -> str:
    """A line for each field: offset, bytes, value and label."""
    lines, offset = [], 0
    for kind, label in FIELDS:
        if kind is None:
            lines.append(f"{'' if offset == 0 else chr(10)}---- {label}\n")
            continue
        size = _size(kind)
        lines.append(_line(offset, kind, file[offset : offset + size], label))
        offset += size
    if offset != len(file):
        raise SystemExit(f"the fields of this script are {offset} bytes, the file has {len(file)}")
    return "".join(lines)


def _size(kind: str) -> int:
    name, _, count = kind.partition("[")
    return int(name[1:]) // 8 * int(count.rstrip("]") or 1)


def _line(offset: int, kind: str, field: bytes, label: str) -> str:
    """One line, and one more for every eight bytes until only zeros are left."""
    name, _, note = label.partition(": ")
    what = f"{kind:<8} {name}{_values(kind, field)}{f' ({note})' if note else ''}"
    lines = []
    for start in range(0, len(field), 8):
        rest = field[start:]
        zeros = len(rest) > 8 and not any(rest)
        shown = f"00 x {len(rest)}" if zeros else rest[:8].hex(" ").upper()
        lines.append(f"{offset + start:04X}  {shown:<26}{'' if lines else what}".rstrip() + "\n")
        if zeros:
            break
    return "".join(lines)


def _values(kind: str, field: bytes) -> str:
    """` = value`; nothing for bytes and for many zeros, which speak for themselves."""
    code = {"u8": "", "u16": "H", "u32": "I", "u64": "Q", "f32": "f"}[kind.partition("[")[0]]
    if not code or (len(field) > 8 and not any(field)):
        return ""
    values = list(struct.unpack(f"<{len(field) // struct.calcsize(f'<{code}')}{code}", field))
    while len(values) > 4 and values[-1] == 0:
        values.pop()
    return " = " + ", ".join(f"{value:g}" if code == "f" else str(value) for value in values)


if __name__ == "__main__":
    main()
