"""The lists of mutations survive renames, moved files and re-wrapped lines."""

import pathlib
import re
import runpy
import subprocess

import pytest
import run
from library import PROJECT, Failure
from locator import describe, find_file, nearest, places, tokens
from repair import literal, repair, substitute

SOURCE = """\
func scale(_ rows: Int, _ unit: Int) -> Int {
  let end = rows &* unit
  if end > limit { return limit }
  return end
}

func sum(_ rows: Int) -> Int {
  var total = 0
  for row in 0..<rows { total += value(row) }
  return total
}
"""

LIST = """\
from mutation import in_file

A_LIST = [
    *in_file(
        "Module/Steps/Scale.swift",  # kept
        ("a wrong factor", "let end = rows &* unit", "let end = rows &* rows"),
        ("no limit", "  if end > limit { return limit }\\n", ""),
        ("the last row is left out", "0..<rows {", "0..<(rows &- 1) {"),
        ("a quote", "value(row)", '"value"'),
        level=3,
    ),
]
"""


def broken(sources, m):
    text = find_file(sources, m.file).read_text()
    [(start, end)] = places(text, m.old)
    return text[:start] + m.new + text[end:]


def words(text):
    return [token[0] for token in tokens(text)]


class Project:
    def __init__(self, root):
        self.root = root
        self.sources = root / "Sources"
        self.list = root / "a_list.py"
        self.file = self.sources / "Module/Steps/Scale.swift"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(SOURCE)
        self.list.write_text(LIST)
        self.git("init", "-q")
        self.commit()

    def git(self, *arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@n", *arguments], cwd=self.root, check=True)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "sources")

    def change(self, pattern, replacement):
        text, count = re.subn(pattern, replacement, self.file.read_text())
        assert count
        self.file.write_text(text)

    def mutations(self):
        return runpy.run_path(str(self.list))["A_LIST"]

    def wrong(self):
        return [why for m in self.mutations() if (why := describe(self.sources, find_file(self.sources, m.file), m.old))]

    def repair(self):
        return repair(self.root, [self.list])


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_the_lists_apply():
    run.check(PROJECT)


def test_rewrapped_lines_and_moved_files_need_no_repair(project):
    project.change(r"rows &\* unit", "rows\n    &*   unit")
    project.change(r"\.\.<rows \{", "..<rows\n  {")
    moved = project.sources / "Other/Scale.swift"
    moved.parent.mkdir()
    project.file.rename(moved)
    assert not project.wrong()


def test_names_do_not_run_together():
    assert places("let x", "let x") and not places("letx", "let x")


def test_a_line_break_is_the_end_of_a_line():
    assert len(places("a = 0 \n b = a = 0 && c", "a = 0\n")) == 1
    assert len(places("  var a = 0\n  a = 0\n", "  a = 0\n")) == 1


def test_two_files_of_one_name_need_a_folder(project):
    other = project.sources / "Other/Scale.swift"
    other.parent.mkdir()
    other.write_text("")
    assert find_file(project.sources, "Other/Scale.swift") == other
    assert find_file(project.sources, "Steps/Scale.swift") == project.file
    with pytest.raises(Failure, match="give the folder, Module/Steps/Scale.swift or Other/Scale.swift"):
        find_file(project.sources, "Scale.swift")
    with pytest.raises(Failure, match="there is no Shift.swift"):
        find_file(project.sources, "Module/Shift.swift")


def test_what_is_gone_is_said_with_the_nearest_line(project):
    assert nearest(SOURCE, "let stop = rows &* unit")[0] == (2, "let end = rows &* unit")
    project.change(r"  if end.*\n", "  if end >= bound { return limit }\n")
    [why] = project.wrong()
    assert "has 0 places" in why and "Sources/Module/Steps/Scale.swift:3: if end >= bound { return limit }" in why


def test_a_text_in_another_file_is_said(project):
    project.change(r"  if end.*\n", "")
    (project.sources / "Limit.swift").write_text("\n  if end > limit { return limit }\n")
    [why] = project.wrong()
    assert "in another file  Sources/Limit.swift:2" in why


def test_nothing_changes_where_nothing_is_wrong(project, capsys):
    assert project.repair()
    assert project.list.read_text() == LIST and not capsys.readouterr().out


RENAMES = [
    (r"\brows\b", "count"),
    (r"(?<=\W)rows\b(?!:)", "batch.rows"),
    (r"\bend\b", "stop"),
    (r"\bvalue\b", "values.at"),
    (r"\bvalue\b", "value.at"),
]


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("pattern, name", RENAMES)
def test_a_renamed_identifier(project, pattern, name, is_committed):
    """Breaking and then renaming gives the same as renaming, repairing and then breaking."""
    expected = [words(re.sub(pattern, name, broken(project.sources, m))) for m in project.mutations()]
    project.change(pattern, name)
    if is_committed:
        project.commit()
    assert project.wrong()
    assert project.repair() and not project.wrong()
    assert [words(broken(project.sources, m)) for m in project.mutations()] == expected
    assert "# kept" in project.list.read_text() and "level=3" in project.list.read_text()


def test_a_rename_with_new_line_breaks_in_a_moved_file(project):
    project.change(r"rows &\* unit", "batch.rows\n    &* unit")
    project.change(r"  if end > limit \{ return limit", "  if\n      end > maximum\n  { return maximum")
    (project.sources / "Module/Other").mkdir()
    project.file.rename(project.sources / "Module/Other/Scale.swift")
    assert project.repair() and not project.wrong()
    wrong_factor, no_limit, *_ = project.mutations()
    assert wrong_factor.file == "Module/Other/Scale.swift"
    assert (wrong_factor.old, wrong_factor.new) == ("let end = batch.rows &* unit", "let end = batch.rows &* batch.rows")
    assert no_limit.old == "  if end > maximum { return maximum }\n"


def test_a_renamed_file(project):
    project.file.rename(project.file.with_name("Factor.swift"))
    assert project.repair() and not project.wrong()
    assert {m.file for m in project.mutations()} == {"Module/Steps/Factor.swift"}


@pytest.mark.parametrize("other_file", ["", "let rows = 1"])
def test_a_name_that_only_the_replacement_has(project, other_file):
    project.list.write_text(LIST.replace('"0..<rows {", "0..<(rows &- 1) {"', '"var total = 0", "var total = rows"'))
    (project.sources / "Other.swift").write_text(other_file)
    project.commit()
    project.change(r"\brows\b", "count")
    assert project.repair()
    assert project.mutations()[2].new == "var total = count"


def test_a_text_that_stands_twice_is_extended(project):
    project.file.write_text("func first() { for row in 0..<rows { print(row) } }\n" + SOURCE)
    assert "has 2 places" in "".join(project.wrong())
    assert project.repair() and not project.wrong()
    mutation = project.mutations()[2]
    assert mutation.old == "0..<rows { total += value(row) }"
    assert mutation.new == "0..<(rows &- 1) { total += value(row) }"


def test_what_is_really_gone_stays_as_it_is(project, capsys):
    project.change(r"let end = .*", "let end = product(of: rows, and: unit)")
    project.change(r"limit", "maximum")
    assert not project.repair()
    said = capsys.readouterr().out
    assert "a_list.py:6: not explained: a wrong factor" in said
    assert "near  Sources/Module/Steps/Scale.swift:2: let end = product" in said
    assert project.mutations()[0].old == "let end = rows &* unit"
    assert project.mutations()[1].old == "  if end > maximum { return maximum }\n"  # the others are repaired


def test_a_name_that_was_renamed_in_one_of_its_places_is_not_guessed(project):
    project.change(r"end > limit", "end > maximum")
    assert not project.repair()
    assert project.list.read_text() == LIST


def test_another_constant_or_operator_is_no_rename(project):
    project.change(r"rows &\* unit", "rows &+ unit")
    project.change(r"0\.\.<rows", "1..<rows")
    assert not project.repair()
    assert project.list.read_text() == LIST


def test_without_history_nothing_is_guessed(project):
    project.change(r"\brows\b", "count")
    subprocess.run(["rm", "-rf", project.root / ".git"], check=True)
    assert not project.repair()
    assert project.list.read_text() == LIST


@pytest.mark.parametrize("text", ["a", 'say "a"', "'a' \"b\"", "a\n\\b"])
def test_literals(text):
    assert eval(literal(text)) == text


def test_substitution_of_whole_names():
    renames = {"rows": "n", "a": "c", "a.b": "d", ".e": ".f", ".g": "", "16": "lanes"}
    assert substitute("rows + x.rows + 0...rows", renames) == "n + x.rows + 0...n"
    assert substitute("a.b + a + aa", renames) == "d + c + aa"
    assert substitute("x.e(1).g.h + e", renames) == "x.f(1).h + e"
    assert substitute("16 + 16.5 + 0.16 + 160", renames) == "lanes + 16.5 + 0.16 + 160"


def test_tokens():
    assert words("0..<a.b!.c &+ 0.5_1 - w.0[$0]") == ["0", ".", ".", "<", "a", ".b", "!", ".c", "&", "+", "0.5_1", "-", "w", ".0", "[", "$0", "]"]


def test_the_real_lists_survive_many_renames(tmp_path):
    """As above, all at once."""
    renames = {"layer": "record", "rows": "batch.rows", "unit": "neuron", "readIsKnown": "isForward", "fma": "multiplyAdd"}
    pattern = re.compile(r"(?<![\w.])(" + "|".join(renames) + r")\b")

    def renamed(text):
        return pattern.sub(lambda match: renames[match[1]], text)

    lists = [("kernels", "KERNELS"), ("reader", "READER")]
    copy = Project.__new__(Project)
    copy.root = tmp_path
    subprocess.run(["cp", "-r", PROJECT / "Sources", tmp_path / "Sources"], check=True)
    copy.git("init", "-q")
    copy.commit()
    for path in (tmp_path / "Sources").rglob("*.[sh]*"):
        if path.is_file():
            path.write_text(renamed(path.read_text()))
    paths = []
    for name, _ in lists:
        paths.append(tmp_path / f"{name}.py")
        paths[-1].write_text(pathlib.Path(__file__).with_name(f"{name}.py").read_text())
    assert repair(tmp_path, paths)
    changed = 0
    for path, (_, name) in zip(paths, lists):
        scope = runpy.run_path(str(path))
        for before, after in zip(getattr(run, name), scope[name]):
            assert words(renamed(broken(PROJECT / "Sources", before))) == words(broken(tmp_path / "Sources", after)), after.name
            changed += before.old != after.old
    assert changed > 20
