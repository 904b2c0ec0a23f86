"""For the Python reference: examples, `>>> ...`, and drawings, `+---`, become blocks of code; f[i](x) is no link."""

from __future__ import annotations

import griffe

EXAMPLE, DRAWING = ">>> ", "+--"


def fenced(text: str) -> str:
    """Examples and drawings in fences; calls of elements kept from being links in other paragraphs."""
    return "\n\n".join(map(_paragraph, text.split("\n\n")))


def _paragraph(text: str) -> str:
    for start, language in ((EXAMPLE, "pycon"), (DRAWING, "text")):
        if text.startswith(start):
            return f"```{language}\n{text}\n```"
    return text.replace("](", "]\\(")


class Doctests(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
