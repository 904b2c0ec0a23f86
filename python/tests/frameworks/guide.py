"""A page of docs/frameworks: its Python, its commands, and the number of C beside that of the framework."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blocks import blocks, c_file, run_page, shell

FOLDER = "docs/frameworks"


def follow(name: str, folder: Path) -> None:
    page = f"{FOLDER}/{name}.md"
    for block in blocks(f"{FOLDER}/README.md"):
        if block.language == "c":
            (folder / c_file(block)).write_text(block.text)
    names = run_page(page, folder)
    (command,) = re.findall(r"^\./evaluate [^#\n]*", blocks(page)[-1].text, re.M)
    printed = shell(command, folder)
    found = float(re.match(r"log p = (\S+)\n", printed).group(1))
    np.testing.assert_allclose(found, names["expected"], rtol=1e-4, atol=1e-4)
