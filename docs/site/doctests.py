"""For the Python reference: the examples of docstrings, `>>> ...`, become blocks of code; f[i](x) is no link."""

from __future__ import annotations

import griffe

EXAMPLE = ">>> "


def fenced(text: str) -> str:
    """Paragraphs that start with `>>> ` in fences; calls of elements kept from being links in the others."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        f"```pycon\n{part}\n```" if part.startswith(EXAMPLE) else part.replace("](", "]\\(") for part in paragraphs
    )


class Doctests(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
