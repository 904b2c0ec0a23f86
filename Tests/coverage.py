#!/usr/bin/env python3
"""Which lines and regions of Sources/ the C tests and the Swift tests reach, at every kernel level of this CPU.

    Tests/coverage.py              the table, and every line that is never reached
    Tests/coverage.py --no-swift   of the C tests alone

A region is a piece of a line or more that runs as a whole: both sides of every branch are regions. Each line that is never
reached must stand in coverage_unreached.txt with a reason, and no other line may; else the exit status is 1.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "mutations"))
from library import C_TESTS, MARCH, PROJECT, Failure, Library, has_level  # noqa: E402

REASONS = PROJECT / "Tests" / "coverage_unreached.txt"
LESS = {  # of what is long: lines are counted, not values
    "BatchSplitInvariance": ["2"], "ContextForms": ["17"], "DamagedFiles": ["128"], "GuardPages": ["48"],
    "NonFinite": ["47"], "WorkspaceExact": ["43"],
}
PROFILE = ["-profile-generate", "-profile-coverage-mapping"]


def run_c_tests(swiftc, directory, level):
    """Profiles of the C tests on one kernel level, and the library they ran on."""
    library = Library(swiftc, PROJECT, directory / f"level{level}")
    library.compile_kernels(level, PROFILE)
    library.compile_api(PROFILE)
    library.link(["-fprofile-instr-generate"])
    library.compile_tests()
    for name, arguments in C_TESTS.items():
        library.must(
            [library.out / name, *LESS.get(name, arguments)],
            env=os.environ | {"LLVM_PROFILE_FILE": str(library.out / f"{name}.profraw")}, timeout=900)
    return list(library.out.glob("*.profraw")), library.out / "libflowrt.so"


def run_swift_tests(library, directory):
    options = ["-c", "release", "--scratch-path", directory / "swiftpm"]
    level = max(level for level in MARCH if has_level(level))
    environment = os.environ | {"FLOWRT_MARCH": MARCH[level]}
    library.must([library.tool("swift"), "test", *options, "--enable-code-coverage"], env=environment, timeout=1800)
    codecov = library.must([library.tool("swift"), "test", *options, "--show-codecov-path"], env=environment).split()[-1]
    program = next((directory / "swiftpm").glob("*/release/*.xctest"))
    return [pathlib.Path(codecov).with_name("default.profdata")], program


def covered(library, profiles, objects, merged):
    """By file: counts of its lines {number: times}, and regions (reached, all)."""
    library.must([library.tool("llvm-profdata"), "merge", "-sparse", *profiles, "-o", merged])
    first, *others = objects
    command = [library.tool("llvm-cov"), "export", first, "-instr-profile", merged]
    for other in others:
        command += ["-object", other]
    text = library.must([*command, "-format=lcov"])
    summary = json.loads(library.must([*command, "-summary-only"]))
    regions = {e["filename"]: e["summary"]["regions"] for e in summary["data"][0]["files"]}
    files = collections.defaultdict(lambda: [{}, (0, 0)])
    name = None
    for line in text.splitlines():
        if line.startswith("SF:"):
            name = source_name(line[3:])
            if name:
                r = regions[line[3:]]
                files[name][1] = max(files[name][1], (r["covered"], r["count"]))  # a file of both modules: the fuller one
        elif line.startswith("DA:") and name:
            number, times = (int(part) for part in line[3:].split(",")[:2])
            lines = files[name][0]
            lines[number] = max(lines.get(number, 0), times)
    return files


def source_name(path):
    """Module/file.swift of a file in Sources/, None for any other. A link is the file that it leads to."""
    path = os.path.realpath(path)
    marker = "/Sources/"
    return path.split(marker)[-1] if marker in path and path.endswith(".swift") else None


def reasons():
    """{(file, text of a line): reason}."""
    found = {}
    for entry in REASONS.read_text().splitlines():
        if entry and not entry.startswith("#"):
            file, text, reason = (part.strip() for part in entry.split(" | "))
            found[file, text] = reason
    return found


def report(files):
    print(f"{'file':44} {'lines':>12} {'regions':>14}")
    sums = [0, 0, 0, 0]
    unreached = {}
    for name in sorted(files):
        lines, (reached, regions) = files[name]
        text = (PROJECT / "Sources" / name).read_text().splitlines()
        hit = sum(times > 0 for times in lines.values())
        print(f"{name:44} {hit:5} of {len(lines):4} {reached:6} of {regions:4}")
        sums = [a + b for a, b in zip(sums, (hit, len(lines), reached, regions))]
        for number, times in sorted(lines.items()):
            if times == 0 and text[number - 1].strip(" }"):
                unreached[name, text[number - 1].strip()] = number
    print(f"{'all':44} {sums[0]:5} of {sums[1]:4} {sums[2]:6} of {sums[3]:4}")
    print(f"lines: {100 * sums[0] / sums[1]:.1f} %, regions: {100 * sums[2] / sums[3]:.1f} %")
    return unreached


def compare(unreached, known):
    wrong = 0
    for (name, text), number in unreached.items():
        reason = known.get((name, text))
        print(f"never reached: Sources/{name}:{number}: {text}\n    {reason or 'NO REASON GIVEN'}")
        wrong += reason is None
    for name, text in known.keys() - unreached.keys():
        print(f"reached, or gone, but in {REASONS.name}: {name}: {text}")
        wrong += 1
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-swift", action="store_true")
    parser.add_argument("--swiftc", default=shutil.which("swiftc") or "/opt/swift/usr/bin/swiftc")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder)
            profiles, objects = [], []
            for level in (level for level in MARCH if has_level(level)):
                more, library_file = run_c_tests(options.swiftc, directory, level)
                profiles += more
                objects.append(library_file)
            library = Library(options.swiftc, PROJECT, directory)
            if not options.no_swift:
                more, program = run_swift_tests(library, directory)
                profiles += more
                objects.append(program)
            unreached = report(covered(library, profiles, objects, directory / "all.profdata"))
        return 1 if compare(unreached, reasons()) else 0
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
