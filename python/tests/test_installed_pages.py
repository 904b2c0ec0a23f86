"""The pages of a package lead nowhere but to what the package has (packaging/pages.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
TARBALL: tuple = ()
DEBIAN = ("CHANGELOG.md", "LICENSE")


def package(folder: Path, left_out=()) -> Path:
    """A tree with headers and pages, as a package installs it; returns the folder of the pages."""
    doc = folder / "share" / "doc" / "flowrt"
    (folder / "include").mkdir()
    for header in ROOT.glob("include/*.h"):
        (folder / "include" / header.name).write_bytes(header.read_bytes())
    subprocess.run([sys.executable, ROOT / "packaging/pages.py", doc, *left_out], check=True)
    return doc


def aims(page: Path) -> list:
    """Of the links and pictures of a page, those within the package."""
    tokens = [child for token in MarkdownIt().enable("table").parse(page.read_text()) for child in token.children or []]
    found = [token.attrGet("href" if token.type == "link_open" else "src") for token in tokens]
    return [aim for aim in found if aim and not re.match(r"[a-z]+:", aim)]


@pytest.mark.parametrize("left_out", [TARBALL, DEBIAN], ids=["tarball", "Debian"])
def test_no_link_is_dead(tmp_path, left_out):
    doc = package(tmp_path, left_out)
    pages = sorted(doc.rglob("*.md"))
    assert len(pages) > 25
    links = [(page, aim) for page in pages for aim in aims(page)]
    assert len(links) > 150
    for page, aim in links:
        path, _, anchor = aim.partition("#")
        target = (page.parent / path).resolve() if path else page
        where = f"{page.relative_to(doc)} leads to {aim}"
        assert target.exists() and target.is_relative_to(tmp_path.resolve()), where
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}, where


def test_what_a_reader_needs_is_there(tmp_path):
    doc = package(tmp_path)
    for path in ("docs/pictures/sweep.svg", "examples-c/bare-metal/Makefile", "models/iris_maf.flw", "NOTICE"):
        assert (doc / path).exists(), path
    assert "[header](../../../include/flowrt.h)" in (doc / "README.md").read_text()
    assert "[header](../../../../include/flowrt.h)" in (doc / "docs/C_GUIDE.md").read_text()


def test_a_link_that_a_package_cannot_serve_becomes_text(tmp_path):
    readme = (package(tmp_path, DEBIAN) / "README.md").read_text()
    assert "| contributing (`CONTRIBUTING.md` in the sources), changelog" in readme
    assert "](CHANGELOG.md)" not in readme and "](docs/SWEEP.md)" in readme


def test_code_is_as_in_the_sources(tmp_path):
    doc = package(tmp_path)
    blocks = re.compile(r"^```.*?^```", re.M | re.S)
    for page in doc.rglob("*.md"):
        source = (ROOT / page.relative_to(doc)).read_text()
        assert blocks.findall(page.read_text()) == blocks.findall(source), page
