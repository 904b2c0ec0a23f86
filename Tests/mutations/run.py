#!/usr/bin/env python3
"""Breaks the library in many small ways, one at a time, and shows that the tests notice each one.

    Tests/mutations/run.py                      all of them
    Tests/mutations/run.py --only Base.swift    those whose file or description contains the text
    Tests/mutations/run.py --every 8            every eighth
    Tests/mutations/run.py --check              only that every text to be replaced is there, once
    Tests/mutations/run.py --repair             rewrite the lists where sources were renamed since git last had the texts
    Tests/mutations/run.py --log FILE           remember the killed ones in FILE, and skip them in the next run

Needs swiftc, and a python3 with numpy, pytest and hypothesis.

The breaks are in kernels.py and reader.py. Each is applied to a private copy of the sources and compiled for one kernel level
(seconds, not minutes). White space, line breaks and the folder of a file do not matter (locator.py), and after a rename
--repair edits the lists (repair.py); only what it cannot explain is left to do by hand. The tests are those with an oracle of their own (golden files, finite differences, integrals, guard
pages, statuses; the NumPy evaluator in float64; the plain specification and float64 functions in Swift). SameBits, which
compares with earlier results of the library, is asked only where two kernel levels must agree. A break that no test notices
survives, and the exit status is 1.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from kernels import KERNELS
from library import C_TESTS, MARCH, PROJECT, Failure, Library, has_level
from locator import describe, find_file, places
from reader import READER
from repair import repair, unknown_names

PYTHON_TESTS = ("tests/test_library.py", "tests/test_agreement.py")
SWIFT_TESTS = "Accuracy|Tiles|Philox"
SECONDS = 60  # a test that takes longer hangs: it takes a second or two


def mutations():
    return KERNELS + READER


def check(tree):
    """Every text must be in its file once, every name in a replacement in some file, and every mutation's name unique."""
    sources, wrong, seen = tree / "Sources", [], set()
    unknown = unknown_names(sources)
    for m in mutations():
        if m.name in seen:
            wrong.append(f"two mutations have the name {m.name!r}")
        seen.add(m.name)
        try:
            why = describe(sources, find_file(sources, m.file), m.old)
        except Failure as failure:
            why = str(failure)
        missing = unknown(m.old, m.new)
        if missing and not why:
            why = f"no source file has {', '.join(sorted(missing))}, of {m.new!r}"
        if why:
            wrong.append(f"{m.name}: {why}")
    if wrong:
        raise Failure("\n".join(wrong) + f"\n{len(wrong)} mutations do not apply: Tests/mutations/run.py --repair follows renames")


class Bench(Library):
    """A private copy of the sources, the compiled tests, and the library as it is at the moment."""

    def __init__(self, swiftc, directory):
        super().__init__(swiftc, directory / "tree", directory / "out")
        for part in [
            "Sources", "include", "Tests", "python", "cmake", "examples-c", "CMakeLists.txt", "Package.swift", "LICENSE"]:
            source = PROJECT / part
            if source.is_dir():
                shutil.copytree(source, self.tree / part)
            else:
                shutil.copy(source, self.tree / part)
        self.level = None  # of the kernels that are compiled, unbroken
        self.has_api = False  # likewise

    def build(self, level, broken=""):
        """libflowrt.so of one kernel level, compiling what changed: `broken` is the file that a mutation changed."""
        breaks_kernels = broken.startswith(("FlowrtShim/", "FlowrtKernels/"))
        breaks_api = broken.startswith(("FlowrtShim/", "Flowrt/"))
        if self.level != level or breaks_kernels:
            self.level = None
            self.compile_kernels(level)
            self.level = None if breaks_kernels else level
        if not self.has_api or breaks_api:
            self.has_api = False
            self.compile_api()
            self.has_api = not breaks_api
        self.link()

    def noticed_by_c(self):
        """The first C test that fails, or None."""
        for name, arguments in C_TESTS.items():
            try:
                if self.call([self.out / name, *arguments], timeout=SECONDS).returncode:
                    return name
            except subprocess.TimeoutExpired:
                return f"{name}, which does not end"
        return None

    def noticed_by_python(self):
        done = self.call(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *PYTHON_TESTS],
            env=os.environ | {"FLOWRT_LIBRARY": str(self.out / "libflowrt.so")}, timeout=900, directory="python")
        if done.returncode in (0, 1):
            return "Python" if done.returncode else None
        if done.returncode < 0:  # a signal: the library took the process along
            return "Python, which crashes"
        raise Failure(f"pytest, with {sys.executable}, failed:\n{done.stdout[-3000:]}")

    def noticed_by_swift(self, level):
        done = self.call(
            [self.tool("swift"), "test", "-c", "release", "--scratch-path", self.out / f"swiftpm-{level}", "--filter", SWIFT_TESTS],
            env=os.environ | {"FLOWRT_MARCH": MARCH[level]}, timeout=900)
        if done.returncode == 0:
            return None
        failed = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("✘ Suite ")]
        if not failed and "✘ Test" not in done.stdout and "signal code" not in done.stdout:
            raise Failure(f"swift test failed:\n{done.stdout[-3000:]}")
        return "Swift tests " + " and ".join(sorted(set(failed)))

    def noticed_by_product(self):
        """SameBits on the library as CMake builds it, with all its kernel levels."""
        build = self.out / "product"
        if not build.exists():
            self.must([
                "cmake", "-S", ".", "-B", build, f"-DFLOWRT_SWIFTC={self.swiftc}", "-DFLOWRT_BUILD_EXAMPLES=OFF",
                "-DFLOWRT_INSTALL=OFF"])
        self.must(["cmake", "--build", build])
        return "SameBits" if self.call([build / "Tests/c/SameBits", "Tests/c/same_bits.txt"]).returncode else None

    def run(self, m):
        """Who notices a mutation, or None."""
        path = find_file(self.tree / "Sources", m.file)
        file = path.relative_to(self.tree / "Sources").as_posix()
        text = path.read_text()
        [(start, end)] = places(text, m.old)
        path.write_text(text[:start] + m.new + text[end:])
        try:
            if m.oracle == "SameBits":
                return self.noticed_by_product()
            self.build(m.level, file)
            noticed = self.noticed_by_c() or self.noticed_by_python()
            if noticed is None and not file.startswith("Flowrt/"):
                noticed = self.noticed_by_swift(m.level)
            return noticed
        finally:
            path.write_text(text)


def selected(options):
    done = set()
    if options.log and options.log.exists():
        done = set(options.log.read_text().splitlines())
    chosen = [m for m in mutations() if not options.only or options.only in m.name][:: options.every]
    return [m for m in chosen if m.name not in done]


def run(options, directory):
    bench = Bench(options.swiftc, directory)
    bench.build(2)
    bench.compile_tests()
    noticed = bench.noticed_by_c() or bench.noticed_by_python()
    if noticed:
        raise Failure(f"{noticed} fails on the unbroken library")
    todo, survivors, skipped = selected(options), [], 0
    for number, m in enumerate(todo, 1):
        if not has_level(m.level):
            print(f"{number:4}  not on this CPU  {m.name}", flush=True)
            skipped += 1
            continue
        start = time.monotonic()
        noticed = bench.run(m)
        seconds = time.monotonic() - start
        print(f"{number:4}  {'killed' if noticed else 'SURVIVED'}  {m.name}"
              f"{f'  [{noticed}]' if noticed else ''}  {seconds:.0f} s", flush=True)
        if noticed is None:
            survivors.append(m)
        elif options.log:
            with options.log.open("a") as log:
                log.write(m.name + "\n")
    print(f"{len(todo)} mutations: {len(todo) - len(survivors) - skipped} killed, {len(survivors)} survived, {skipped} skipped")
    for m in survivors:
        print(f"survived: {m.name}\n    {m.old!r}\n    {m.new!r}")
    return 1 if survivors else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="TEXT")
    parser.add_argument("--every", metavar="N", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--log", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--swiftc", default=shutil.which("swiftc") or "/opt/swift/usr/bin/swiftc")
    options = parser.parse_args()
    if options.repair:
        here = pathlib.Path(__file__).parent
        return 0 if repair(PROJECT, [here / "kernels.py", here / "reader.py"]) else 1
    try:
        check(PROJECT)
        if options.check:
            print(f"{len(mutations())} mutations apply")
            return 0
        with tempfile.TemporaryDirectory() as directory:
            return run(options, pathlib.Path(directory))
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
