"""Every block of code of every page runs as printed, or stands here with the reason why it does not."""

from __future__ import annotations

import os
import re

import pytest
from blocks import ROOT, TEXT, Block, blocks, c_file, console, pages, run_page

# Pages whose code needs a framework, and the test that runs it in that framework's environment.
ELSEWHERE = {
    "README.md": "python/tests/frameworks/test_pages_of_torch.py",
    "python/README.md": "python/tests/frameworks/test_pages_of_torch.py",
    "docs/DESCRIPTIONS.md": "python/tests/frameworks/test_pages_of_torch.py",
    "docs/CLI.md": "Tests/cli/Examples.sh",
    "docs/MIXTURES.md": "python/tests/frameworks/test_pages_of_torch.py",
    "docs/IMAGES.md": "python/tests/frameworks/test_pages_of_torch.py",
}

GUIDES_OF_TORCH = ("nflows", "zuko", "sbi", "pyro", "normflows", "glasflow", "freia")
GUIDES_ALONE = ("tfp", "flowjax", "bayesflow", "pzflow", "margarine")
FRAMEWORKS = "python/tests/frameworks"
ELSEWHERE |= {f"docs/frameworks/{name}.md": f"{FRAMEWORKS}/test_guides.py" for name in GUIDES_OF_TORCH}
ELSEWHERE |= {f"docs/frameworks/{name}.md": f"{FRAMEWORKS}/{name}/test_{name}_guide.py" for name in GUIDES_ALONE}

# Walk-throughs, which python/examples/run.py runs.
WALKS = {
    "python/tests/test_walkthroughs.py": ("anomalies",),
    "python/tests/frameworks/test_walkthroughs_torch.py": (
        "posterior_to_c",
        "likelihood_emcee",
        "nuts_pyro",
        "tabular_zuko",
    ),
    "python/tests/frameworks/flowjax/test_walkthroughs_jax.py": ("nuts_numpyro",),
    "python/tests/extras/test_engines.py": ("duckdb", "polars", "dask"),
    "python/examples/README.md": ("pyspark", "ray"),  # by hand, as it says
}
ELSEWHERE |= {f"python/examples/{name}.md": test for test, names in WALKS.items() for name in names}

# What `make cross` builds: .ci/run asks for this page after it.
CROSS = "docs/EMBEDDED.md"

# (page, start of the block) to the reason why no test runs it from the page.
# fmt: off
MAKES = "builds or tests everything: .ci/run does so"
PACKAGES = "of packages: packaging/test.sh installs and uses them in clean roots"
STATE = "its state dict is the reader's: test_state_dicts.py reads such ones of live models"
INSTALLS = "installs packages and trains for minutes; the files that it makes are compared by their tests"
EXCEPTIONS = {
    ("README.md", "$ make demo        # builds the library, then looks at real"): MAKES,
    ("README.md", "pip install flowrt-0.1.0-py3-none-*_x86_64.whl"): PACKAGES,
    ("docs/INSTALL.md", "find_package(flowrt 0.1 REQUIRED) # or add_subdirectory of t"): PACKAGES,
    ("packaging/drop-in/README.md", "cc program.c -Iflowrt/include flowrt/lib/x86_64/libflowrt.a"): PACKAGES,
    ("packaging/drop-in/README.md", "add_subdirectory(flowrt)"): PACKAGES,
    ("CONTRIBUTING.md", "make                                              # libflowr"): MAKES,
    ("Tests/golden/1.0/README.md", "cd Tests/golden/1.0 && sha256sum *.flw *.golden > SHA256SUMS"):
        "writes files that must never change",
    ("Tests/golden/README.md", "PYTHONPATH=python python Tests/golden/generate.py"):
        "writes all golden files, minutes in each environment",
    ("docs/ACCURACY.md", "FLOWRT_ALL_FLOATS=1 swift test -c release --filter Accuracy"):
        "all float32 numbers: many minutes, by hand",
    ("docs/CANON.md", "FLOWRT_LIBRARY=build/libflowrt.so python models/canon/table."):
        "writes its page; test_canon.py compares the table",
    ("docs/PERFORMANCE.md", "cmake --build build --target instruction-counts"):
        "writes the file that the test InstructionCounts compares",
    ("models/README.md", "pip install -r models/requirements.txt ./python"): INSTALLS,
    ("models/canon/README.md", "pip install -r models/requirements.txt ./python"): INSTALLS,
    ("models/images/README.md", "pip install -r models/requirements.txt ./python"): INSTALLS,
    ("python/README.md", "export FLOWRT_LIBRARY=build/libflowrt.so frameworks=python/t"): MAKES,
    ("docs/DESCRIPTIONS.md", 'flowrt.save("model.flw", {'): STATE,
    ("docs/DESCRIPTIONS.md", 'flowrt.save("model.flw", {"layout": "nflows", "state_dict":'): STATE,
    ("docs/DESCRIPTIONS.md", 'flowrt.save("model.flw", {"layout": "normflows", "state_dict'): STATE,
    ("docs/DESCRIPTIONS.md", 'flowrt.save("model.flw", {"layout": "pyro", "state_dict": to'): STATE,
    ("docs/DESCRIPTIONS.md", "{"): "a part of a description: test_pytorch_flows.py has its entries",
    ("python/examples/README.md", "FLOWRT_LIBRARY=build/libflowrt.so python python/examples/run"):
        "two engines by hand, in an environment of their own",
    ("python/README.md", "python -m flowrt info model.flw                          ste"):
        "a list, not a session: test_command_line.py runs each",
}
# fmt: on


def exceptions_of(page: str) -> set:
    return {start for named, start in EXCEPTIONS if named == page}


RUN_HERE = [
    page
    for page in pages()
    if page not in ELSEWHERE
    and page != CROSS
    and any(block.language != TEXT and block.start not in exceptions_of(page) for block in blocks(page))
]


@pytest.mark.parametrize("page", RUN_HERE)
def test_the_code_of_a_page_runs(page, tmp_path):
    run_page(page, tmp_path, exceptions_of(page))


@pytest.mark.skipif("FLOWRT_CROSS" not in os.environ, reason=".ci/run sets it, after make cross")
def test_the_cross_builds_of_a_page_run(tmp_path):
    run_page(CROSS, tmp_path)


def test_the_exceptions_are_blocks_of_the_pages():
    there = {(block.page, block.start) for page in pages() for block in blocks(page)}
    gone = set(EXCEPTIONS) - there
    assert not gone, f"these blocks are gone: {gone}"
    assert all(len(reason) > 10 for reason in EXCEPTIONS.values())


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_a_page_that_runs_elsewhere_is_named_there(page):
    named = page.removeprefix("docs/frameworks/").removeprefix("python/examples/").removesuffix(".md")
    assert named in (ROOT / ELSEWHERE[page]).read_text(), f"{ELSEWHERE[page]} does not run {page}"


@pytest.mark.parametrize("page", pages())
def test_a_block_says_what_it_is(page):
    for block in blocks(page):
        known = block.language in {"python", "c", "sh", "console", TEXT} or block.start in exceptions_of(page)
        assert known, f"{block}: give it a language (blocks.py), or an entry in EXCEPTIONS: {block.start}"


@pytest.mark.parametrize("page", pages())
def test_a_c_program_is_compiled(page):
    """By a command of its page that comes after it."""
    for block in blocks(page):
        if block.language == "c" and "python/examples/" not in page and block.start not in exceptions_of(page):
            later = [other.text for other in blocks(page) if other.line > block.line and other.language != "c"]
            assert any(c_file(block) in text for text in later), f"{block}: nothing compiles {c_file(block)}"


# ---- the runner itself ----


def block(language: str, text: str) -> Block:
    return Block("README.md", 1, language, text)


def test_a_console_compares_what_is_printed(tmp_path):
    console(block("console", "$ echo one; echo two 3\none\ntwo ...\n$ true\n"), tmp_path)
    with pytest.raises(AssertionError, match="prints\none\nand not\ntwo"):
        console(block("console", "$ echo one\ntwo\n"), tmp_path)
    with pytest.raises(AssertionError, match="ends with status 1"):
        console(block("console", "$ false\n"), tmp_path)


def test_the_name_of_a_c_file_is_that_of_its_comment():
    assert c_file(block("c", "/* density.c: one row */\n")) == "density.c"
    assert c_file(block("c", "#include <flowrt.h>\n")) == "program.c"
    assert re.match(r"\w+\.c", c_file(block("c", "")))
