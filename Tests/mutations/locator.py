"""Where the text of a mutation stands in the sources.

A file is found by its name, wherever it lies below Sources/. A text is found whatever its white space and line breaks. An
indentation with which it begins stands for the beginning of a line, a line break with which it ends for the end of a line.
"""

import difflib
import re

from library import Failure

# A name with the dot before it, a number, or one character.
_TOKEN = re.compile(r"\d\w*(?:\.\d\w*)?|(?:(?<!\.)\.)?[$\w]+|[^\s\w]")


def source_files(sources):
    return sorted(path for path in sources.rglob("*") if path.suffix in (".swift", ".h", ".c"))


def find_file(sources, file):
    """The path of `file`, or of the only file with its name."""
    if (sources / file).is_file():
        return sources / file
    name = file.rpartition("/")[2]
    same_name = [path for path in source_files(sources) if path.name == name]
    ends_alike = [path for path in same_name if path.as_posix().endswith("/" + file)]
    found = ends_alike or same_name
    if not found:
        raise Failure(f"{file}: there is no {name} below Sources/")
    if len(found) > 1:
        names = " or ".join(str(path.relative_to(sources)) for path in found)
        raise Failure(f"{file}: give the folder, {names}")
    return found[0]


def places(text, fragment):
    """The (start, end) of each occurrence of `fragment`."""
    pattern, gap, last = "", "", ""
    for piece in re.findall(r"\s+|\w+|[^\s\w]", fragment):
        if piece.isspace():
            gap = piece
            continue
        if not last:
            pattern = r"(?m:^)[ \t]*" if len(gap) > 1 or gap == "\n" else r"\s" if gap else ""
        elif gap and re.match(r"\w", last) and re.match(r"\w", piece):
            pattern += r"\s+"
        else:
            pattern += r"\s*"
        pattern += re.escape(piece)
        gap, last = "", piece
    if gap:
        pattern += r"[ \t]*\n" if "\n" in gap else r"\s"
    return [match.span() for match in re.finditer(pattern, text)]


def tokens(text):
    """(token, start, end) of each token."""
    return [(match[0], *match.span()) for match in _TOKEN.finditer(text)]


def first_line(text, start):
    """The number of the line of the first token at or behind `start`."""
    return text.count("\n", 0, re.compile(r"\s*").match(text, start).end()) + 1


def nearest(text, fragment, count=2):
    """The `count` lines most like the first line of `fragment`: (number, line), the nearest first."""
    wanted = [t[0] for t in tokens(next(line for line in fragment.split("\n") if line.strip()))]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    scored = []
    for number, line in enumerate(text.split("\n"), 1):
        matcher.set_seq1([t[0] for t in tokens(line)])
        alike = sum(block.size for block in matcher.get_matching_blocks())
        scored.append((-alike / len(wanted), -matcher.ratio(), number, line.strip()))
    return [(number, line) for *_, number, line in sorted(scored)[:count]]


def names(text):
    return set(re.findall(r"(?<![\w$])[A-Za-z_]\w*", text))


def describe(sources, path, fragment):
    """Why `fragment` has no single place in the file `path`, and where it may be: "" if it has one."""
    text = path.read_text()
    found = places(text, fragment)
    if len(found) == 1:
        return ""
    name = path.relative_to(sources)
    lines = [f"Sources/{name} has {len(found)} places with this text, not one:\n    {fragment!r}"]
    for start, _ in found:
        number = first_line(text, start)
        lines.append(f"  here  Sources/{name}:{number}: {text.splitlines()[number - 1].strip()}")
    if found:
        return "\n".join(lines)
    for other in source_files(sources):
        there = other.read_text()
        for start, _ in places(there, fragment):
            lines.append(f"  in another file  Sources/{other.relative_to(sources)}:{first_line(there, start)}")
    lines += [f"  near  Sources/{name}:{number}: {line}" for number, line in nearest(text, fragment)]
    return "\n".join(lines)
