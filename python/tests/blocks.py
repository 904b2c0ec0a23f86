"""The blocks of code of a page, run as printed, in order, in a folder that looks like the root of this repository.

    ```python      in one namespace for the whole page
    ```c           becomes the file that its first comment names (else program.c), which a later block must compile
    ```sh          each by `sh -e`
    ```console     lines after "$ " are run; what they print is compared with the other lines; "..." stands for any
    ```text        drawings, formulas, messages: nothing to run

A block that runs nowhere or elsewhere is in `test_blocks.EXCEPTIONS`, with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from flowrt.library import load

ROOT = Path(__file__).resolve().parents[2]
TEXT = "text"
COPIED = ("examples-c",)  # whose files commands of the pages write


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    @property
    def start(self) -> str:
        """What the tables know it by: the begin of its first line."""
        return self.text.split("\n")[0].strip()[:60].strip()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list:
    """Every page of the repository, by its path from the root."""
    made = {"build", "sbi-logs"}
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path.as_posix() for path in found if not any(part[0] == "." or part in made for part in path.parts))


def blocks(page: str) -> list:
    """An indented block has the language ""."""
    tokens = MarkdownIt().parse((ROOT / page).read_text())
    return [
        Block(page, token.map[0] + 1, (token.info.split() or [""])[0], token.content)
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


def checkout(folder: Path) -> Path:
    """What commands of the pages see: the repository, with the library that is tested as build/."""
    for path in ROOT.iterdir():
        if path.name in COPIED:
            shutil.copytree(path, folder / path.name)
        elif path.name != "build" and path.name[0] != ".":
            (folder / path.name).symlink_to(path)
    (folder / "build").symlink_to(Path(load()._name).resolve().parent)
    return folder


def shell(commands: str, folder: Path) -> str:
    """Standard output, without the blanks at its end."""
    environment = {
        **os.environ,
        "PATH": f"{folder}/build/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "python"),
        "FLOWRT_LIBRARY": str(Path(load()._name).resolve()),
        "LD_LIBRARY_PATH": str(folder / "build"),
    }
    done = subprocess.run(["sh", "-e", "-c", commands], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{commands}\nends with status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.rstrip()


def console(block: Block, folder: Path) -> None:
    for entry in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        lines = entry.rstrip().split("\n")
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        expected = "\n".join(lines[last + 1 :])
        printed = shell("\n".join(lines[: last + 1]), folder)
        pattern = re.escape(expected).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, printed, re.S), f"{block}: prints\n{printed}\nand not\n{expected}"


def c_file(block: Block) -> str:
    named = re.match(r"/\* ([\w-]+\.[ch])\b", block.text)
    return named.group(1) if named else "program.c"


def run(block: Block, folder: Path, names: dict) -> None:
    if block.language == "python":
        code = "\n" * block.line + block.text
        exec(compile(code, str(ROOT / block.page), "exec"), names)
    elif block.language == "c":
        (folder / c_file(block)).write_text(block.text)
    elif block.language == "sh":
        shell(block.text, folder)
    elif block.language == "console":
        console(block, folder)
    else:
        raise AssertionError(f"{block}: what is a block of '{block.language}'?")


def run_page(page: str, folder: Path, exceptions=(), names: dict | None = None, before: dict | None = None) -> dict:
    """Runs the blocks of a page, but for those that start with `exceptions`. Returns the names of its Python.

    Its Python starts with `names`. `before` has more, by the start of the block before which they are set.
    """
    checkout(folder)
    names = {} if names is None else names
    here = os.getcwd()
    os.chdir(folder)
    try:
        for block in blocks(page):
            if block.language != TEXT and block.start not in exceptions:
                names.update((before or {}).get(block.start, {}))
                run(block, folder, names)
        for block in blocks(page):  # now that the headers that it includes are made
            if block.language == "c" and block.start not in exceptions:
                shell(f"cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -Iinclude {c_file(block)}", folder)
    finally:
        os.chdir(here)
    return names
