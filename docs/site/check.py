"""Looks at the site as a browser would: `check.py FOLDER`.

Every link, picture and anchor leads to something in the folder, nothing is loaded from elsewhere, and no mark of
Markdown is left in the text, which is what a list or table becomes that Markdown reads another way. Links to other
sites are not followed. The Python reference has every public name of the package, and what classes inherit.
"""

from __future__ import annotations

import ast
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LEFT_OVER = re.compile(r"\n\s*(?:[*+-] |\d+\. |\|.*\||#+ )|```|^:::|\]\([\w/#-]+\.[\w./#-]+\)")
PACKAGE = Path(__file__).resolve().parents[2] / "python/flowrt"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Reader(HTMLParser):
    """What a page links to, what it loads, its anchors, and the text of its article outside of code."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.anchors, self.text, self.open = [], [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found.get("id"), found.get("name")}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a" and found.get("href") is not None:
            self.links.append(found["href"])
        if tag in ("img", "script", "source") and found.get("src"):
            self.loads.append(found["src"])
        if tag == "link" and found.get("rel") != "canonical":
            self.loads.append(found["href"])

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "article" in self.open and not {"code", "pre", "script", "style"} & set(self.open):
            self.text.append(data)


def problems(folder: Path) -> list:
    pages = {path.resolve(): Reader(path.read_text()) for path in folder.rglob("*.html")}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # whose links are from the root of a server
            continue
        here = path.relative_to(folder.resolve())
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    found.append(f"{here} loads {link}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or folder.resolve() not in target.parents:
                found.append(f"{here} links to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{here} links to {link}, which has no such anchor")
        for text in page.text:
            for left in LEFT_OVER.finditer(text):
                found.append(f"{here} shows Markdown: {text[max(0, left.start() - 20) : left.end() + 30]!r}")
    if not pages:
        found.append(f"{folder} has no pages")
    return found


# ---- the Python reference ----


def names_of(package: Path) -> list:
    """`flowrt.Model`, `flowrt.Model.sample`, ...: what `__all__` has, and what is public in its modules and classes."""
    tree = tree_of(package)
    found = []
    for name in listed(tree):
        if name.startswith("__"):
            continue
        found.append(f"flowrt.{name}")
        module, node = origin(package, tree, name)
        if isinstance(node, ast.ClassDef):
            found += [f"flowrt.{name}.{method}" for method in methods(package, module, node)]
        elif node is None:
            found += [f"flowrt.{name}.{part}" for part in listed(module)]
    return found


def tree_of(module: Path) -> ast.Module:
    return ast.parse((module / "__init__.py" if module.is_dir() else module.with_suffix(".py")).read_text())


def listed(tree: ast.Module) -> list:
    """The names in `__all__`; without one, of the functions and classes that have a docstring."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return [node.name for node in tree.body if is_public(node)]


def is_public(node: ast.stmt) -> bool:
    named = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    return named and ast.get_docstring(node) is not None


def origin(package: Path, tree: ast.Module, name: str) -> tuple:
    """Where a name of a module comes from: its module, and its definition there; None for a module itself."""
    for node in tree.body:
        if getattr(node, "name", None) == name:
            return tree, node
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    module = package.joinpath(*(node.module or alias.name).split("."))
                    if node.module is None or (module / f"{alias.name}.py").exists():
                        return tree_of(module if node.module is None else module / alias.name), None
                    return origin(package, tree_of(module), alias.name)
    return tree, ast.Pass()


def methods(package: Path, module: ast.Module, node: ast.ClassDef) -> list:
    """Of a class and those of its bases that the package defines."""
    found = [part.name for part in node.body if is_public(part)]
    for base in node.bases:
        tree, defined = origin(package, module, getattr(base, "id", ""))
        if isinstance(defined, ast.ClassDef):
            found += methods(package, tree, defined)
    return sorted(set(found))


def not_in_reference(page: Path) -> list:
    anchors = Reader(page.read_text()).anchors
    return [f"the Python reference lacks {name}" for name in names_of(PACKAGE) if name not in anchors]


if __name__ == "__main__":
    site = Path(sys.argv[1])
    wrong = problems(site) + not_in_reference(site / "docs/reference/python.html")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)
