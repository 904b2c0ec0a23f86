"""Looks at the site as a browser would: `check.py FOLDER`.

Every link, picture and anchor leads to something in the folder, nothing is loaded from elsewhere, and no mark of
Markdown is left in the text, which is what a list or table becomes that Markdown reads another way. Links to other
sites are not followed.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LEFT_OVER = re.compile(r"\n\s*(?:[*+-] |\d+\. |\|.*\||#+ )|```|^:::|\]\([\w/#-]+\.[\w./#-]+\)")
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


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]))
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)
