"""Hands the pages of the repository to MkDocs, each at its own path, so that every link of a page leads where it leads
in the repository. Adds the two references, and what pages link to: pictures and sources as they are.
"""

from __future__ import annotations

import ast
import importlib.util
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
NO_PAGES = ("build", "sbi-logs", "node_modules")  # folders of what is made; hidden ones have none either
LINK = re.compile(r"\[([^\[\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
CODE = re.compile(r"^```.*?^```", re.M | re.S)
INDICES = re.compile(r"(^```.*?^```|^ {4}[^\n]*|`[^`]+`)|\]\[", re.M | re.S)  # x[n][D] in prose is no link
KIND = re.compile(r"^( *```\w+) .*$", re.M)  # what a runner of a page is told besides the language
REFERENCE = "docs/reference/c.md"


def pages() -> list:
    """The Markdown files of the repository, by their paths from its root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(
        path.as_posix() for path in found if not any(part[0] == "." or part in NO_PAGES for part in path.parts)
    )


def target_of(page: str, link: str) -> str:
    """The path from the root that a link of a page leads to; a folder's is its README, if it has one."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    readme = posixpath.join(path, "README.md")
    return readme if (ROOT / path).is_dir() and (ROOT / readme).exists() else path


def links(page: str, text: str) -> set:
    """What a page links to within the repository."""
    found = (link for _, link, _ in LINK.findall(CODE.sub("", text)))
    return {target_of(page, link) for link in found if "://" not in link and not link.startswith("mailto:")}


def python_reference() -> str:
    """One entry for each name of `flowrt.__all__`, from its docstring."""
    tree = ast.parse((ROOT / "python/flowrt/__init__.py").read_text())
    (names,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    entries = (f"::: flowrt.{name}\n" for name in names if not name.startswith("__"))
    return "# Python reference\n\nMade from the docstrings of `flowrt`.\n\n" + "\n".join(entries)


def c_reference() -> str:
    spec = importlib.util.spec_from_file_location("header", Path(__file__).with_name("header.py"))
    header = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(header)
    return header.page(sorted((ROOT / "include").glob("*.h")))


def on_files(files: Files, config) -> Files:
    # The theme's own files stay; what MkDocs found below docs/ comes again, with its path from the root.
    result = Files([file for file in files if not Path(file.abs_src_path or "").is_relative_to(ROOT / "docs")])
    sources = set()
    for page in pages():
        result.append(File.generated(config, page, abs_src_path=str(ROOT / page)))
        sources |= links(page, (ROOT / page).read_text())
    for path in sorted(sources):
        if (ROOT / path).is_file() and not path.endswith(".md"):
            result.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    result.append(File.generated(config, "docs/site/wide.css", abs_src_path=str(ROOT / "docs/site/wide.css")))
    result.append(File.generated(config, REFERENCE, content=c_reference()))
    result.append(File.generated(config, "docs/reference/python.md", content=python_reference()))
    return result


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Links to a folder lead to its README, links to a header to its reference. A folder without README is no link."""

    def replaced(match: re.Match) -> str:
        text, link, anchor = match.groups()
        target = target_of(page.file.src_uri, link)
        if (ROOT / target).is_dir():
            return text
        if target.endswith("/README.md") and not link.endswith(".md"):
            link = posixpath.join(link, "README.md")
        if target.startswith("include/"):
            link = posixpath.relpath(REFERENCE, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{text}]({link}{anchor or ''})"

    markdown = KIND.sub(r"\1", LINK.sub(replaced, markdown))
    return INDICES.sub(lambda match: match.group(1) or r"]\[", markdown)
