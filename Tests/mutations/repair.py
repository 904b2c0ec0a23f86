"""Makes the lists follow the sources: `run.py --repair`.

    text of a mutation ----found in----> the file as git last had it
                                                    |
    new text of the mutation <--renames--  aligned with the file as it is

The two files are aligned line by line, then token by token. Where names differ they were renamed: `rows` became `batch.rows`.
A mutation is repaired if such renames explain all that differs in its text. Names that only the replacement has are renamed
as in the rest of the file. A text that now stands twice is extended by its line or the next. Anything else is left alone.
"""

import ast
import collections
import difflib
import functools
import itertools
import re
import subprocess
from dataclasses import dataclass, field

from library import Failure
from locator import describe, find_file, names, places, source_files, tokens

VERSIONS = 40  # of a file, the newest first: one of them has the text


def repair(project, lists):
    """Rewrites the list files and prints what it changed. Returns whether every mutation applies."""
    unknown, git, complete = unknown_names(project / "Sources"), _git(project), True
    for path in lists:
        edits = []
        for group in _groups(path):
            unexplained = _repair_group(project / "Sources", git, unknown, group, edits)
            complete = complete and not unexplained
            for line, why in unexplained:
                print(f"{path.name}:{line}: not explained: {why}")
        _rewrite(path, edits)
    return complete


def unknown_names(sources):
    """A function of a mutation's two texts: the names that only the replacement has and no source file."""
    known = names("\n".join(path.read_text() for path in source_files(sources)))
    return lambda old, new: names(new) - names(old) - known


# The lists

@dataclass
class Entry:
    line: int
    breaks: str
    old: str
    new: str
    nodes: list  # of `old` and `new`


@dataclass
class Group:
    """One in_file(...)."""
    list_name: str
    file: str
    node: ast.Constant  # of `file`
    entries: list = field(default_factory=list)


def _groups(path):
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "in_file":
            file, *changes = call.args
            entries = [Entry(c.lineno, *(e.value for e in c.elts), c.elts[1:]) for c in changes]
            yield Group(path.name, file.value, file, entries)


def literal(text):
    """`text` as the lists write it."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n") + quote


def _rewrite(path, edits):
    """Replaces constants: (node, text)."""
    lines = path.read_bytes().splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    content = b"".join(lines)
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        content = content[:start] + literal(text).encode() + content[end:]
    if edits:
        path.write_bytes(content)


# One file

def _repair_group(sources, git, unknown, group, edits):
    """Adds to `edits`. Returns what it cannot explain: (line, why)."""
    try:
        path = find_file(sources, group.file)
    except Failure as failure:
        path = _renamed_file(sources, group)
        if path is None:
            return [(group.node.lineno, str(failure))]
    current = path.relative_to(sources).as_posix()
    if current != group.file:
        print(f"{group.list_name}:{group.node.lineno}: {group.file} -> {current}")
        edits.append((group.node, current))

    text, unexplained = path.read_text(), []
    history = _History(git, {group.file.rpartition("/")[2], path.name}, text)
    in_file = next((dict(alignment.of_file) for _, alignment in history), {})  # renames since the last commit, and of repairs

    def broken(entry):
        return len(places(text, entry.old)) != 1 or unknown(entry.old, entry.new)

    for entry in sorted(group.entries, key=lambda entry: not broken(entry)):
        if broken(entry):
            found = _repaired(history, text, entry, unknown(entry.old, entry.new))
            if found is None or unknown(*found[:2]):
                missing = ", ".join(sorted(unknown(entry.old, entry.new)))
                why = describe(sources, path, entry.old) or f"no source file has {missing}, of {entry.new!r}"
                unexplained.append((entry.line, f"{entry.breaks}: {why}"))
                continue
            old, new, renames = found
            in_file.update(renames)
        else:
            old, new = entry.old, substitute(entry.new, in_file)
        _note(group, entry, old, new, edits)
    return unexplained


def _note(group, entry, old, new, edits):
    for node, before, after in zip(entry.nodes, (entry.old, entry.new), (old, new)):
        if before != after:
            print(f"{group.list_name}:{entry.line}: {before!r} -> {after!r}")
            edits.append((node, after))


def _renamed_file(sources, group):
    """The file that has most of the group's texts, if that is more than half of them."""
    def count(path):
        text = path.read_text()
        return sum(len(places(text, entry.old)) == 1 for entry in group.entries)
    best = max(source_files(sources), key=count)
    return best if 2 * count(best) > len(group.entries) else None


# One mutation

def _repaired(history, text, entry, unknown):
    """(old, new, the renames of the whole file), or None."""
    for before, alignment in history:
        found = places(before, entry.old)
        if len(found) != 1 or not unknown <= names(before):
            continue
        explained = alignment.explain(*found[0])
        if explained is None:
            return None
        renames, (start, end) = explained
        old = substitute(entry.old, renames)
        new = substitute(entry.new, alignment.of_file | renames)
        here = [place for place in places(text, old) if place[0] < end and start < place[1]]
        if len(here) != 1:
            return None
        unique = _extended(text, *here[0], old, new)
        return unique and (*unique, alignment.of_file)
    return None


def _extended(text, start, end, old, new):
    """Both texts with as much of what stands around the place as makes `old` the only one, or None."""
    line_end = re.compile(r"\s*[^\n]*").match(text, end).end()
    next_end = re.compile(r"\s*[^\n]*").match(text, line_end).end()
    line_start = text.rfind("\n", 0, len(text[:start].rstrip())) + 1
    behind, further, ahead = text[end:line_end].rstrip(), text[end:next_end].rstrip(), text[line_start:start].lstrip()
    for prefix, suffix in [("", ""), ("", behind), (ahead, ""), (ahead, behind), ("", further), (ahead, further)]:
        if len(places(text, prefix + old + suffix)) == 1:
            return prefix + old + suffix, prefix + new + suffix
    return None


def substitute(text, renames):
    if not renames:
        return text
    word = r"(?<![\w$])(?<!(?<!\.)\.)"  # not the end of a longer name, nor a member
    keys = sorted(renames, key=len, reverse=True)
    pattern = "|".join((r"(?<!\.)" if key[0] == "." else word) + re.escape(key) for key in keys)
    return re.sub(rf"(?:{pattern})(?!\w|\.\d)", lambda match: renames[match[0]], text)


def _git(project):
    """A function that returns what a git command prints, "" if it fails."""
    @functools.cache
    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""
    return git


class _History:
    """The versions of a file that git has, the newest first, each with its alignment to the file as it is."""

    def __init__(self, git, file_names, text):
        self.git, self.file_names, self.text = git, file_names, text
        self.known = []
        self.unread = self._read()

    def __iter__(self):
        yield from self.known
        for before in self.unread:
            self.known.append((before, Alignment(before, self.text)))
            yield self.known[-1]

    def _read(self):
        heads = [name for name in ("HEAD", "MERGE_HEAD") if self.git("rev-parse", "-q", "--verify", name)]
        for head in heads:
            yield from self._texts(head)
        if heads:
            anywhere = [f":(glob)Sources/**/{name}" for name in sorted(self.file_names)]
            for commit in self.git("log", "--full-history", f"-n{VERSIONS}", "--format=%H", *heads, "--", *anywhere).split():
                yield from self._texts(commit)

    def _texts(self, commit):
        for path in self.git("ls-tree", "-r", "--name-only", commit, "Sources").splitlines():
            if path.rpartition("/")[2] in self.file_names:
                yield self.git("show", f"{commit}:{path}")


class Alignment:
    """Which tokens of a file now stand for those of before."""

    def __init__(self, before, after):
        self.before, before_lines = _by_line(before)
        self.after, after_lines = _by_line(after)
        self.segments = []  # (renamed or equal or None, a1, a2, b1, b2): after[b1:b2] stands for before[a1:a2]
        a = b = 0
        for same, lines_a, lines_b in _opcodes(before_lines, after_lines):
            words_a, words_b = list(itertools.chain(*lines_a)), list(itertools.chain(*lines_b))
            parts = [(True, words_a, words_b)] if same else _opcodes(words_a, words_b)
            for equal, part_a, part_b in parts:
                self._add(equal, part_a, part_b, a, b)
                a, b = a + len(part_a), b + len(part_b)
        self.of_file = self._renames_of_file()

    def _add(self, equal, words_a, words_b, a, b):
        pairs = [(words_a, words_b)] if equal else _pairs(words_a, words_b)
        for one, other in pairs:
            kind = "equal" if equal else "renamed" if _is_rename(one, other) else None
            self.segments.append((kind, a, a + len(one), b, b + len(other)))
            a, b = a + len(one), b + len(other)

    def _words(self, side, start, end):
        return "".join(token[0] for token in side[start:end])

    def _renames_of_file(self):
        """Names that the file has no more, each of which was renamed in one way alone."""
        ways = collections.defaultdict(set)
        for kind, a1, a2, b1, b2 in self.segments:
            if kind == "renamed":
                ways[self._words(self.before, a1, a2)].add(self._words(self.after, b1, b2))
        left = {token[0] for token in self.after}
        return {name: to.pop() for name, to in ways.items() if len(to) == 1 and name not in left}

    def explain(self, start, end):
        """The renames that make before[start:end] the text of now, and the latter's (start, end); or None."""
        first = next(i for i, token in enumerate(self.before) if token[2] > start)
        last = max(i for i, token in enumerate(self.before) if token[1] < end)
        renames, stands = {}, []
        for kind, a1, a2, b1, b2 in self.segments:
            if not (a1 <= last and a2 > first and (a1 < a2 or a1 > first)):
                continue
            if kind == "equal":
                stands += [b1 + max(0, first - a1), b2 - max(0, a2 - 1 - last)]
                continue
            name, to = self._words(self.before, a1, a2), self._words(self.after, b1, b2)
            if not name and to.startswith(".") and _is_rename([self.before[a1 - 1][0]], [to]):  # x -> x.y
                name = self.before[a1 - 1][0]
                to = name + to
            elif kind != "renamed" or a1 < first or a2 - 1 > last:
                return None
            renames[name] = to  # if it has another in another place, the text is not found
            stands += [b1, b2]
        if not stands or min(stands) == max(stands):
            return None
        return renames, (self.after[min(stands)][1], self.after[max(stands) - 1][2])


def _by_line(text):
    """All tokens, and those of each line that has some, without their places."""
    all_tokens, lines, start = tokens(text), [], 0
    ends = [match.end() for match in re.finditer(r"\n|\Z", text)]
    position = 0
    for end in ends:
        while position < len(all_tokens) and all_tokens[position][1] < end:
            position += 1
        if position > start:
            lines.append(tuple(token[0] for token in all_tokens[start:position]))
        start = position
    return all_tokens, lines


def _opcodes(a, b):
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    return [(tag == "equal", a[i1:i2], b[j1:j2]) for tag, i1, i2, j1, j2 in matcher.get_opcodes()]


def _pairs(a, b):
    """Tokens that were replaced by others, pair by pair: token by token, or name by name with its members, or as a whole."""
    if len(a) == len(b):
        return [([one], [other]) for one, other in zip(a, b)]
    chains_a, chains_b = _chains(a), _chains(b)
    return list(zip(chains_a, chains_b)) if len(chains_a) == len(chains_b) else [(a, b)]


def _chains(words):
    chains = []
    for word in words:
        if chains and word[0] == "." and len(word) > 1:
            chains[-1].append(word)
        else:
            chains.append([word])
    return chains


def _is_rename(a, b):
    """Of names or numbers, where the result is a name. A member may vanish: x.y -> x."""
    if not all(re.fullmatch(r"\.?[\w$]+(\.\w+)*", word) for word in [*a, *b]) or not a:
        return False
    if not b:
        return all(word[0] == "." for word in a)
    return not b[0][0].isdigit()
