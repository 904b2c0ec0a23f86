#!/usr/bin/env python3
"""Holds the walls between the folders of Sources/: Swift has none inside of a module.

A folder may use what is defined in itself and in the folders that stand before it in ORDER. Files of one folder may not
use each other in a circle. What a file defines and uses is read from its text: names at the top level, and members that
it adds to types of other files. A name that several files define is left out where the files of one folder are compared.

    Tests/walls.py [SOURCES]     says which use points up and which files form a circle; exit status 1 if there is any
"""

import pathlib
import re
import sys

# Lowest first. "" is the module's own folder.
ORDER = {
    "FlowrtKernels": ["", "Vectors", "Functions", "Products", "Noise", "Splines", "Steps", "Base", "Evaluate"],
    "Flowrt": ["File", "Call", "API"],
}
KINDS = r"(?:struct|enum|protocol|typealias|func|let|var|class)"
WORDS = r"(?:@\w+(?:\([^)]*\))?\s+|public\s+|mutating\s+|static\s+|internal\s+|indirect\s+)*"
DEFINITION = re.compile(rf"^{WORDS}({KINDS})\s+(\w+)")
EXTENSION = re.compile(r"^extension\s+(\w+)")
BLANKS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', re.S)


class File:
    """A Swift file: the names that it defines for others, and the words of its code."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.code = BLANKS.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), path.read_text(encoding="utf-8"))
        self.functions, self.names, self.members = set(), set(), set()
        self.own = set(re.findall(rf"\b{KINDS}\s+(\w+)", self.code))
        self.extended = None
        depth = 0
        for line in self.code.splitlines():
            if not line.lstrip().startswith("#"):
                self._read(line.strip(), depth)
                depth += line.count("{") - line.count("}")

    def _read(self, line, depth):
        if depth == 0:
            extension = EXTENSION.match(line)
            self.extended = extension.group(1) if extension else None
        found = DEFINITION.match(line)
        if not found or "private " in line.split("{")[0].split("(set)")[-1]:
            return
        kind, name = found.groups()
        if depth == 0:
            (self.functions if kind == "func" else self.names).add(name)
        elif depth == 1 and self.extended:
            self.members.add((self.extended, name, "method" if kind == "func" else "member"))

    def uses(self, name, kind):
        """Whether the code has the name, as a function that is called, as a word, or as a member."""
        if kind == "function":
            pattern = rf"(?<![.\w]){name}\(|(?:Flowrt|FlowrtKernels)\.{name}\("
            return any(not re.search(r"func\s+$", self.code[: m.start()]) for m in re.finditer(pattern, self.code))
        if kind == "name":
            return re.search(rf"(?<![.\w]){name}\b(?!\s*:(?!:))", self.code) is not None
        pattern = rf"\b{name}\(" if kind == "method" else rf"\.{name}\b"
        return re.search(pattern, self.code) is not None


def definitions(files):
    """(name, kind) -> the files that define it. A member counts if its type is another file's and no other has it."""
    types = {name for f in files for name in f.names}
    declared = [name for f in files for name in f.own]
    table = {}
    for f in files:
        found = {(n, "function") for n in f.functions} | {(n, "name") for n in f.names}
        found |= {(n, kind) for t, n, kind in f.members if t in types and t not in f.names and declared.count(n) == 1}
        for key in found:
            table.setdefault(key, []).append(f)
    return table


def arrows(files):
    """(user, owner, name, whether no other file defines it) for every use of a name that one folder alone defines."""
    for (name, kind), owners in definitions(files).items():
        folders = {f.folder for f in owners}
        if len(folders) > 1:
            continue
        for f in files:
            if f not in owners and f.uses(name, kind):
                yield f, owners[0], name, len(owners) == 1


def circle(graph):
    """A list of files that lead back to the first, or None."""
    state = {}

    def visit(node, way):
        state[node] = 1
        for other in sorted(graph.get(node, {}), key=lambda f: f.path):
            if state.get(other) == 1:
                return [*way[way.index(other):], other] if other in way else [node, other]
            if other not in state and (found := visit(other, [*way, other])):
                return found
        state[node] = 2
        return None

    for node in sorted(graph, key=lambda f: f.path):
        if node not in state and (found := visit(node, [node])):
            return found
    return None


def check(sources):
    """The broken walls, as sentences."""
    for module, order in ORDER.items():
        files = []
        for path in sorted((sources / module).rglob("*.swift")):
            parts = path.relative_to(sources / module).parts
            folder = parts[0] if len(parts) > 1 else ""
            if folder not in order:
                yield f"{path}: the folder {folder!r} has no place in the order of {module} (Tests/walls.py)"
                continue
            files.append(File(path, folder))
        graph = {}
        for f, owner, name, is_alone in arrows(files):
            if order.index(owner.folder) > order.index(f.folder):
                yield f"{f.path} uses {name} of {owner.path}: {owner.folder} stands above {f.folder or module}"
            elif owner.folder == f.folder and is_alone:
                graph.setdefault(f, {}).setdefault(owner, name)
        if way := circle(graph):
            steps = [f"{a.path.name} uses {graph[a][b]} of {b.path.name}" for a, b in zip(way, way[1:])]
            yield f"a circle in {way[0].path.parent}: " + ", ".join(steps)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "Sources"
    broken = list(check(root))
    print("\n".join(broken) or "all arrows point downwards, no circles")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
