#!/usr/bin/env python3
"""Runs the blocks of a page as they are printed there, and compares what they print with the page.

    run.py PAGE...            says what differs, and fails
    run.py --write PAGE...    writes what was printed into the page

A page has blocks of these kinds, which run in their order, in an empty folder and as one program:

    ```python     a part of the program; what it prints is the ```text block behind it
    ```sh         a command; the same
    ```c NAME     a file

Of a ```text block, words must be the same, and numbers nearly: training differs from CPU to CPU. Of ```text measured
only the words count. Commands find flowrt.h, libflowrt and the `models` of this repository as if they were installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.M)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
_MARK = "\x1e"  # between what the blocks print
_NEARLY = 0.3


class Block(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def blocks_of(page: str) -> list[Block]:
    return [Block(found[1].strip(), found[2], *found.span()) for found in _FENCE.finditer(page)]


def program_of(blocks: list[Block]) -> str:
    """Everything but the ```text blocks as one Python program, with a mark behind each part."""
    parts = []
    for block in blocks:
        kind, _, name = block.kind.partition(" ")
        if kind == "python":
            parts.append(block.text)
        elif kind == "sh":
            parts.append(f"__import__('subprocess').run({block.text!r}, shell=True, check=True)\n")
        elif kind == "c":
            parts.append(f"open({name!r}, 'w').write({block.text!r})\n")
        else:
            continue
        parts.append(f"print({_MARK!r}, end='', flush=True)\n")
    return "".join(parts)


def printed_by(page: str) -> list[str]:
    """What each part of the program prints."""
    library = Path(os.environ.get("FLOWRT_LIBRARY", ROOT / "build" / "libflowrt.so")).resolve()
    paths = {
        "PYTHONPATH": f"{ROOT / 'python'}:{os.environ.get('PYTHONPATH', '')}",
        "CPATH": str(ROOT / "include"),
        "LIBRARY_PATH": str(library.parent),
        "LD_LIBRARY_PATH": str(library.parent),
        "FLOWRT_LIBRARY": str(library),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(ROOT / "models")
        result = subprocess.run(  # a program without a file, so that processes which it starts do not run it again
            [sys.executable, "-W", "ignore", "-c", program_of(blocks_of(page))],
            cwd=folder,
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
        )
    if result.returncode != 0:
        raise SystemExit(f"{result.stdout}\n{result.stderr}")
    return result.stdout.split(_MARK)


def with_output(page: str, printed: list[str]) -> str:
    """The page with what was printed in its ```text blocks."""
    number, edits = -1, []
    for block in blocks_of(page):
        if block.kind.startswith("text"):
            edits.append((block, f"```{block.kind}\n{_tidy(printed[number])}```"))
        elif block.kind.split(" ")[0] in ("python", "sh", "c"):
            number += 1
    for block, text in reversed(edits):
        page = page[: block.start] + text + page[block.end :]
    return page


def _tidy(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def differences(page: str, printed: list[str]) -> list[str]:
    """A line for each ```text block that says something else than what was printed."""
    found = []
    for written, new in zip(blocks_of(page), blocks_of(with_output(page, printed))):
        if written.kind.startswith("text") and not same(written.text, new.text, written.kind == "text"):
            found.append(f"the page says\n{written.text}but this was printed:\n{new.text}")
    return found


def same(written: str, new: str, compare_numbers: bool) -> bool:
    words = [re.sub(r"\s+", " ", _NUMBER.sub("#", text)).strip() for text in (written, new)]
    numbers = [[float(number.replace(",", "")) for number in _NUMBER.findall(text)] for text in (written, new)]
    if words[0] != words[1]:
        return False
    return not compare_numbers or all(abs(a - b) <= _NEARLY * max(abs(a), abs(b), 1) for a, b in zip(*numbers))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write what was printed into the page")
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    options = parser.parse_args()
    failed = False
    for path in options.pages:
        page = path.read_text()
        printed = printed_by(page)
        if options.write:
            path.write_text(with_output(page, printed))
            continue
        for text in differences(page, printed):
            failed = True
            print(f"{path.name}: {text}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
