"""libflowrt.so of one kernel level and the C tests, compiled in seconds: for tools that build many variants."""

import os
import pathlib
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parents[2]
MARCH = {1: "x86-64", 2: "x86-64-v3", 3: "x86-64-v4"}
SUPPORT = ["flow", "flow_cases"]
# Cheapest first, with their arguments. DamagedFiles takes every 64th file.
C_TESTS = {
    "Golden": ["Tests/golden"],
    "WrongStructures": [],
    "Jacobian": [],
    "Gradient": [],
    "RoundTrip": [],
    "ContextForms": [],
    "AddedLayers": [],
    "Overlap": [],
    "LongSums": [],
    "ElementwiseFunctions": [],
    "Integral": [],
    "StatusCodes": [],
    "WrongCalls": [],
    "Noise": [],
    "PaddingUnused": [],
    "ScaleFunctions": [],
    "WorkspaceExact": [],
    "KeptPlan": [],
    "Sampling": [],
    "NothingIgnored": [],
    "NonFinite": [],
    "BatchSplitInvariance": [],
    "GuardPages": [],
    "DamagedFiles": ["64"],
}


class Failure(Exception):
    """What makes a run impossible, in a sentence."""


def has_level(level):
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return level == 1 or (level == 2 and " avx2 " in flags) or (level == 3 and " avx512vl " in flags)


class Library:
    """Compiles the sources below `tree` into the folder `out`."""

    def __init__(self, swiftc, tree, out):
        self.swiftc = swiftc
        self.clang = pathlib.Path(os.path.realpath(swiftc)).with_name("clang")
        self.tree = tree
        self.out = out
        out.mkdir(parents=True, exist_ok=True)

    def tool(self, name):
        """A program that comes with the compiler."""
        return pathlib.Path(self.swiftc).with_name(name)

    def call(self, command, directory="", **options):
        return subprocess.run(
            [str(c) for c in command], cwd=self.tree / directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", check=False, **options)

    def must(self, command, **options):
        done = self.call(command, **options)
        if done.returncode:
            raise Failure(f"{command[0]} failed:\n{done.stdout[-3000:]}")
        return done.stdout

    def compile_api(self, flags=()):
        self._compile("Flowrt", ["-Osize", "-D", "FLOWRT_LEVELS_1", *flags])

    def compile_kernels(self, level, flags=()):
        """SWIFT_PACKAGE: a library of one level, which has the bases too, whatever its instructions."""
        level_flags = ["-Ounchecked", "-D", f"FLOWRT_LEVEL_{level}", "-D", "SWIFT_PACKAGE", "-Xcc", f"-march={MARCH[level]}"]
        self._compile("FlowrtKernels", [*level_flags, *flags])

    def _compile(self, module, flags):
        self.must([
            self.swiftc, "-target", "x86_64-unknown-linux-gnu", "-enable-experimental-feature", "Embedded", "-wmo",
            "-parse-as-library", "-Xfrontend", "-function-sections", "-Xfrontend", "-disable-stack-protector", "-Xcc", "-fPIC",
            "-I", "include", "-I", "Sources/FlowrtShim/include", "-module-name", module, *flags,
            "-c", *sorted((self.tree / "Sources" / module).rglob("*.swift")), "-o", self.out / f"{module}.o"])

    def link(self, flags=("-nostdlib",)):
        self.must([
            self.clang, "-shared", *flags, "-fuse-ld=lld", "-Wl,--gc-sections", "-Wl,-soname,libflowrt.so",
            self.out / "FlowrtKernels.o", self.out / "Flowrt.o", "-o", self.out / "libflowrt.so"])

    def compile_tests(self):
        """The C tests; they use the libflowrt.so that stands in `out` when they run."""
        flags = ["-std=gnu11", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE", "-Iinclude", "-ITests/c"]
        objects = []
        for name in SUPPORT:
            objects.append(self.out / f"{name}.o")
            self.must([self.clang, *flags, "-c", f"Tests/c/support/{name}.c", "-o", objects[-1]])
        for name in C_TESTS:
            self.must([
                self.clang, *flags, f"Tests/c/{name}.c", *objects, f"-L{self.out}", "-lflowrt", f"-Wl,-rpath,{self.out}",
                "-lm", "-pthread", "-o", self.out / name])
