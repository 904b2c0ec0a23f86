"""The C reference: headers of include/ as a Markdown page, in their order and with their words.

A comment before a declaration becomes its text; comments inside of a declaration stay in its code. Of a
function that the header defines, the page has the declaration, and of what is private nothing. A banner,
`/* ---- 3. Model ---- */`, becomes a heading, and so does every name that a declaration makes. Indented lines of a
comment are tables of words and stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path

# A comment that starts a line, or a declaration: all lines up to the next blank line or such a comment.
PIECE = re.compile(r"^/\*.*?\*/$|^(?!/\*)\S.*?(?=\n\s*\n|\n/\*|\s*\Z)", re.M | re.S)
BANNER = re.compile(r"^-{4} *(.*?) *-{4,}")
NAME = re.compile(r"^#define (\w+)|^\} (\w+);|^(?!#)[\w ]*?\w[ *]+(\w+)\(", re.M)
# What tells a compiler how to read the file, and a reader nothing.
FRAME = re.compile(r'^(?:#\s*(?:if|ifdef|ifndef|else|elif|endif|include|undef)\b.*|#define \w+_H|extern "C" \{|\})$\n', re.M)
BODY = re.compile(r"(^static inline [^;{]*?)\n\{\n.*?^\}$", re.M | re.S)
PRIVATE = re.compile(r"^/\* Private: .*?\*/\n[^;]*;\n", re.M | re.S)


def words(comment: str) -> list:
    """The lines of a comment without its marks."""
    lines = comment.removeprefix("/*").removesuffix("*/").rstrip().split("\n")
    return [lines[0].strip()] + [re.sub(r"^ \* ?", "", line).rstrip() for line in lines[1:]]


def escaped(text: str) -> str:
    """A line of prose: names of C as code, other marks of Markdown as they are."""
    code = re.compile(r"`[^`]*`|\bFLOWRT_\w+(?:\(\w*\))?|\b[a-z]\w*_\w+(?:\.\w+)?|\*\w+\b|\w+(?:\[[^\]]*\])+")
    done, end = "", 0
    for match in code.finditer(text):
        done += re.sub(r"([*_|<>])", r"\\\1", text[end : match.start()]) + f"`{match.group().strip('`')}`"
        end = match.end()
    return done + re.sub(r"([*_|<>])", r"\\\1", text[end:])


def prose(lines: list) -> str:
    """Paragraphs; indented lines in fences."""
    out, fenced = [], False
    for line in lines:
        inside = line.startswith("  ")
        if inside != fenced:
            out += ["", "```text"] if inside else ["```", ""]
            fenced = inside
        out.append(line[2:] if inside else escaped(line))
    return "\n".join(out + ["```"] * fenced).strip("\n")


def comment_of(text: str) -> str:
    lines = words(text)
    banner = BANNER.match(lines[0])
    if banner is None:
        return prose(lines)
    # The line of dashes may go on to the end of the comment, or the comment below it.
    return f"## {banner.group(1)}\n\n{prose(lines[1:])}".rstrip()


def declaration(text: str) -> str:
    names = ["".join(groups) for groups in NAME.findall(text)]
    return f"### {', '.join(names)}\n\n```c\n{text}\n```"


def public(text: str) -> str:
    """A header without bodies of functions and without what is private."""
    return PRIVATE.sub("", FRAME.sub("", BODY.sub(r"\1;", text)))


def chapter(text: str) -> str:
    """One header. A comment stands above its declaration in the file, and below the heading and code on the page."""
    first, *pieces = PIECE.findall(public(text))
    out, waiting = [comment_of(first)], ""
    for piece in pieces:
        if piece.startswith("/*"):
            out += [waiting] if waiting else []
            waiting = comment_of(piece)
            if waiting.startswith("## "):
                out.append(waiting)
                waiting = ""
        else:
            out += [declaration(piece)] + ([waiting] if waiting else [])
            waiting = ""
    return "\n\n".join(out + ([waiting] if waiting else []))


def page(headers: list[Path]) -> str:
    parts = ["# C reference", "Made from the comments of the headers, which are the manual."]
    for header in headers:
        parts.append(f"**`{header.name}`**\n\n{chapter(header.read_text())}")
    return "\n\n".join(parts) + "\n"
