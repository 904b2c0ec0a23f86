"""The manual pages of section 3, from the headers, which are the manual.

    manual.py FOLDER VERSION DATE     flowrt.3, flowrt_file.3, flowrt_check.3; one for each function, which leads there

What a header says is read as for the web site (docs/site/header.py): comments become paragraphs, indented lines with
two columns become lists, members with comments too. No line of code is wider than a terminal.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "flowrt": "density, samples and gradients of trained normalizing flows",
    "flowrt_file": "models from files, for flowrt(3)",
    "flowrt_check": "what a CPU lacks, and which row has no finite answer, for flowrt(3)",
}
WIDEST = 68  # columns of code, in a terminal of 80
ENTRY = re.compile(r"^(\S.*?)(?: {2,}|(?<=;) +)(\S.*)$")
MEMBER = re.compile(r"^ +([^/\n]*?[^/\n ]) */\*(.*?)\*/$", re.MULTILINE | re.DOTALL)
GROUP = re.compile(r"^ +/\*(.*?)\*/$", re.MULTILINE | re.DOTALL)


def load_header():
    spec = importlib.util.spec_from_file_location("header", ROOT / "docs/site/header.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


header = load_header()


def escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def marked(text: str) -> str:
    """A paragraph with the names of the interface in bold."""
    text = re.sub(r"`([^`]*)`", r"\1", " ".join(text.split()))
    return re.sub(r"\b(?:FLOWRT_\w+|flowrt_\w+)", lambda match: f"\\fB{match.group()}\\fR", escaped(text))


def code(text: str) -> list:
    """Lines as they are; longer ones are broken, behind a comma if there is one."""
    lines = []
    for line in text.split("\n"):
        blanks = " " * (len(line) - len(line.lstrip()))
        joined = re.sub(r"(?<![,]) ", "\0", line[len(blanks) :]) if "," in line else line[len(blanks) :]
        broken = textwrap.wrap(joined, WIDEST - len(blanks), subsequent_indent="    ", break_long_words=False)
        lines += [blanks + part.replace("\0", " ") for part in broken] or [""]
    return [".PP", ".nf", ".RS 4", *map(escaped, lines), ".RE", ".fi"]


def listed(term: str, text: str) -> list:
    return [".TP 4", f"\\fB{escaped(term)}\\fR", marked(text)]


def indented(lines: list) -> list:
    """Two columns become a list, anything else stays as it is."""
    entries: list = []
    for line in lines:
        match = ENTRY.match(line)
        if match:
            entries.append([match[1], match[2]])
        elif line.startswith(" ") and entries:
            entries[-1][1] += " " + line.strip()
        else:
            return code("\n".join(lines))
    return [line for term, text in entries for line in listed(term, text)]


def prose(lines: list) -> list:
    out: list = []
    block: list = []  # lines of one kind
    for line in [*lines, None]:
        kind = None if not line else line.startswith("  ")
        before = block[0].startswith("  ") if block else None
        if block and kind != before:
            out += indented([text[2:] for text in block]) if before else [".PP", marked(" ".join(block))]
            block = []
        if line:
            block.append(line)
    return out


def comment(text: str) -> list:
    lines = header.words(text)
    banner = header.BANNER.match(lines[0])
    if banner is None:
        return prose(lines)
    title, _, more = re.sub(r"^[0-9]+[.] ", "", banner.group(1)).partition(": ")
    if more:
        lines = [lines[0], f"{more[0].upper()}{more[1:]}.", "", *lines[1:]]
    return [f".SH {escaped(title.upper())}", *prose(lines[1:])]


def declaration(text: str) -> list:
    """Code; the members of a type that have comments as a list."""
    out, end = [], 0
    if not text.startswith("typedef") or "/*" not in text:
        whole = re.sub(r"\n\s+(?=\S)", " ", text) if text.endswith(");") else text
        return code(whole)
    for match in re.finditer(f"{MEMBER.pattern}|{GROUP.pattern}", text, re.MULTILINE | re.DOTALL):
        out += code(text[end : match.start()].strip("\n")) if text[end : match.start()].strip() else []
        name, said, group = match.groups()
        said = re.sub(r"\n *\*? *", " ", said or group or "")
        out += listed(name, said) if name else [".PP", marked(said.strip().removesuffix(".") + ":")]
        end = match.end()
    return out + code(text[end:].strip("\n"))


def functions(text: str) -> list:
    return sorted(set(re.findall(r"^(?!#|typedef)[\w ]*?\w[ *]+(flowrt_\w+)\(", header.public(text), re.MULTILINE)))


def page(name: str, version: str, date: str) -> tuple:
    """The page, and the functions that it has."""
    text = (ROOT / f"include/{name}.h").read_text()
    first, *pieces = header.PIECE.findall(header.public(text))
    names = functions(text)
    out = [
        f'.TH {name.upper()} 3 "{date}" "flowrt {version}" "Library Functions Manual"',
        ".SH NAME",
        escaped(f"{', '.join([name, *names])}").replace("\\-", "-") + " \\- " + PAGES[name],
        ".SH LIBRARY",
        "libflowrt (\\fB\\-lflowrt\\fR, or \\fBpkg\\-config \\-\\-cflags \\-\\-libs flowrt\\fR)",
        ".SH SYNOPSIS",
        f".B #include <{name}.h>",
        ".SH DESCRIPTION",
        *comment(first)[1:],
    ]
    waiting: list = []
    for piece in pieces:
        if piece.startswith("/*"):
            out += waiting
            waiting = comment(piece)
            if waiting[0].startswith(".SH"):
                out += waiting
                waiting = []
        else:
            out += declaration(piece) + waiting
            waiting = []
    out = [line for i, line in enumerate(out) if line != ".PP" or not out[i - 1].startswith(".SH")]
    others = [f"\\fB{other}\\fR(3)" for other in PAGES if other != name]
    out += [
        *waiting,
        ".SH SEE ALSO",
        f"\\fBflowrt\\fR(1), {', '.join(others)}",
        ".PP",
        "The guide, docs/C_GUIDE.md, the format of files, docs/FORMAT.md, and the examples stand in",
        "/usr/share/doc/libflowrt\\-dev, or share/doc/flowrt of a release.",
    ]
    return "\n".join(out) + "\n", names


def main(folder: Path, version: str, date: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        text, names = page(name, version, date)
        (folder / f"{name}.3").write_text(text)
        for function in names:
            (folder / f"{function}.3").write_text(f".so man3/{name}.3\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
