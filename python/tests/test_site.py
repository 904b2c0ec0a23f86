"""The web site of the pages: every page has a place, the C reference has the whole header, broken sites are noticed.

`make site` builds it. These tests need nothing but the scripts of docs/site.
"""

from __future__ import annotations

import importlib.util
import re

import pytest
from blocks import ROOT, pages

SITE = ROOT / "docs" / "site"
MADE = {"docs/reference/c.md", "docs/reference/python.md"}
HEADERS = sorted((ROOT / "include").glob("*.h"))


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_has_a_place():
    listed = re.findall(r"^ +- (?:.*: )?(\S+\.md)$", (SITE / "mkdocs.yml").read_text(), re.M)
    missing, gone = set(pages()) - set(listed), set(listed) - set(pages()) - MADE
    assert not missing, f"no entry in `nav` of docs/site/mkdocs.yml: {sorted(missing)}"
    assert not gone, f"docs/site/mkdocs.yml lists what is not there: {sorted(gone)}"
    assert len(listed) == len(set(listed))


# ---- the C reference ----


def tokens(text: str) -> list:
    """Words, numbers and signs of C and of prose, in order; not the marks of comments, nor those of Markdown."""
    return re.findall(r"\w+|[^\w\s*/`-]", text.replace("\\", ""))


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_the_reference_has_every_word_of_the_header(header):
    """As a bag of words: a comment stands above its declaration in the header, and below it on the page."""
    left = tokens(script("header").page([header]))
    text = re.sub(r"^\{\n(.*\n)*?\}$", ";", header.read_text(), flags=re.M)  # bodies of functions
    text = re.sub(r"/\* Private: [^/]*/[^;]*;", "", text)
    kept = [line for line in text.split("\n") if not re.match(r'#(?!define)|extern "C"|\}$', line)]
    text = "\n".join(line for line in kept if not re.fullmatch(r"#define \w+_H", line))
    for word in tokens(text):
        assert word in left, f"{word!r} of {header.name} is missing, or there less often"
        left.remove(word)


def test_the_reference_has_a_heading_for_every_function():
    page = script("header").page(HEADERS)
    functions = re.findall(r"\bflowrt_\w+", (ROOT / "cmake/api_symbols.txt").read_text())
    headings = ", ".join(re.findall(r"^### (.*)$", page, re.M)).split(", ")
    assert len(functions) >= 11 and set(functions) <= set(headings)
    assert page.count("```") % 2 == 0


def test_prose_of_a_comment_is_not_markdown():
    header = script("header")
    assert header.escaped("x[count][dim] -> z, *detail, a * b") == r"`x[count][dim]` -\> z, `*detail`, a \* b"
    assert header.prose(["One.", "  a   b", "Two."]) == "One.\n\n```text\na   b\n```\n\nTwo."


# ---- what `make site` refuses ----

GOOD = '<body><article><h1 id="top">A</h1><p>text <code>| a |</code></p><a href="#top">up</a></article></body>'


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda page: page.replace("#top", "#bottom"), "no such anchor"),
        (lambda page: page.replace("#top", "b.html"), "which is not there"),
        (lambda page: page.replace("#top", "../a.html"), "which is not there"),
        (lambda page: page.replace("text ", "text:\n* one"), "shows Markdown"),
        (lambda page: page.replace("text ", "see [a](b.md)"), "shows Markdown"),
        (lambda page: page.replace("<body>", '<body><script src="https://example.org/a.js"></script>'), "loads https"),
    ],
)
def test_a_broken_page_is_noticed(change, message, tmp_path):
    check = script("check")
    (tmp_path / "a.html").write_text(GOOD)
    assert check.problems(tmp_path) == []
    (tmp_path / "a.html").write_text(change(GOOD))
    (problem,) = check.problems(tmp_path)
    assert message in problem


def test_the_python_reference_has_what_a_user_calls(tmp_path):
    check = script("check")
    names = check.names_of(check.PACKAGE)
    assert len(names) == len(set(names))
    for name in ("Model.log_prob", "Model.sample", "Mixture.sample", "Status", "plot.plot", "save", "ir.Affine"):
        assert f"flowrt.{name}" in names
    for name in ("Model._batch", "plot.Shown", "Model.__repr__"):
        assert f"flowrt.{name}" not in names
    page = tmp_path / "python.html"
    page.write_text("".join(f'<h2 id="{name}">' for name in names if name != "flowrt.Model.sample"))
    assert check.not_in_reference(page) == ["the Python reference lacks flowrt.Model.sample"]


def test_a_folder_without_pages_is_noticed(tmp_path):
    assert script("check").problems(tmp_path)
