"""What the pages for readers say is true: bytes, figures, commands, links and line lengths."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import flowrt
from flowrt.library import load

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PICTURES = ROOT / "docs" / "pictures"
FOLDERS = (
    ".",
    "docs",
    "docs/frameworks",
    "python",
    "python/examples",
    "models",
    "models/canon",
    "models/images",
    "examples-c",
    "benchmarks",
    "Tests/golden",
    "Tests/golden/1.0",
    "Tests/abi",
)
PAGES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
MADE_BY_SCRIPTS = {"EXPORTERS.md"}  # whose long lines are messages, quoted as they are


def script(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- the worked example of docs/FORMAT.md ----


@pytest.fixture(scope="module")
def example() -> bytes:
    """The bytes of the page, read off its lines."""
    text = (ROOT / "docs" / "FORMAT.md").read_text()
    data = b""
    line = re.compile(r"^([0-9A-F]{4})  (?:00 x (\d+)|((?:[0-9A-F]{2} ?){1,8}))(?: |$)", re.M)
    for offset, zeros, hexadecimal in line.findall(text):
        assert int(offset, 16) == len(data), f"the line at {offset} follows {len(data)} bytes"
        data += bytes(int(zeros)) if zeros else bytes.fromhex(hexadecimal)
    return data


def test_the_example_is_what_the_writer_writes(example):
    assert example == script(ROOT / "docs" / "format_example.py").data(), "run docs/format_example.py"


def test_the_page_is_what_its_script_writes():
    page = (ROOT / "docs" / "FORMAT.md").read_text()
    assert script(ROOT / "docs" / "format_example.py").section() in page, "run docs/format_example.py"


def test_the_example_is_the_flow_that_the_page_says(example):
    x = np.array([[1.0, -2.0], [-0.5, 3.0]])
    z = np.stack([np.exp(0.5) * x[:, 0] - 1, np.exp(-0.25 * x[:, 0]) * x[:, 1] + 2 * x[:, 0]], axis=1)
    found, log_det = flowrt.reference.forward(example, x)
    np.testing.assert_allclose(found, z, rtol=1e-7)
    np.testing.assert_allclose(log_det, 0.5 - 0.25 * x[:, 0], rtol=1e-7)
    assert zlib.crc32(example[:12] + bytes(4) + example[16:]) == int.from_bytes(example[12:16], "little")


def test_the_library_opens_the_example(example):
    z, _ = flowrt.Model(example).forward(np.array([[1.0, -2.0]]))
    np.testing.assert_allclose(z, [[0.648721, 0.442398]], rtol=1e-5)


# ---- README ----


def measured(job: str, rows: int) -> dict:
    """Microseconds a row: MAF to program to time."""
    times: dict = {}
    with (ROOT / "benchmarks" / "results" / "xeon" / "speed.csv").open() as file:
        for line in csv.DictReader(file):
            flow, kind = line["flow"].split("-")
            # Lower levels are measured beside each other, not beside flowrt.
            level = line["program"] in ("flowrt-best", "flowrt-avx2", "flowrt-sse2", "onnxruntime-sse")
            if kind == "MAF" and not level and (line["job"], line["rows"]) == (job, str(rows)) and line["us_per_row"]:
                times.setdefault(flow, {})[line["program"]] = float(line["us_per_row"])
    return times


def ratios(flow: str, job: str = "sample", rows: int = 1024) -> dict:
    """The time of each peer over flowrt's."""
    times = measured(job, rows)[flow]
    ours = times.pop("flowrt")
    return {program: time / ours for program, time in times.items()}


def test_the_figure_of_the_readme_was_measured():
    best = {flow: min(ratios(flow).values()) for flow in ("S", "M", "L21", "L43", "XL")}
    low, high = round(min(best.values())), round(max(best.values()))
    assert f"Samples come {low} to {high} times as fast as from the best of nine other programs" in README, best
    assert len(ratios("S")) == 9


def test_the_table_of_the_performance_page_was_measured():
    """Its ratios are medians within rounds, so they may differ a little from ratios of medians."""
    page = (ROOT / "docs" / "PERFORMANCE.md").read_text()
    table = page.partition("## In short\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (\w+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", table, re.M)
    assert len(lines) == 9
    for flow, rows, *numbers in lines:
        density, sample = (measured(job, int(rows))[flow]["flowrt"] for job in ("log_prob", "sample"))
        best = [min(ratios(flow, job, int(rows)).values()) for job in ("log_prob", "sample")]
        expected = [density, sample / density, *best]
        np.testing.assert_allclose(
            [float(number) for number in numbers], expected, rtol=0.06, err_msg=f"{flow}, {rows}"
        )


def test_the_table_of_convolutions_is_that_of_its_measurement():
    page = (ROOT / "docs" / "PERFORMANCE.md").read_text()
    table = page.partition("## Flows of images\n")[2].partition("\n## ")[0]
    measurement = (ROOT / "benchmarks" / "results" / "zen3" / "planes.md").read_text()
    rows = [line.split(" | ") for line in measurement.split("\n") if re.match(r"\| (C\d+_|GlowStep|DigitsGlow)", line)]
    expected = [" | ".join([f"{job}, {images}", *rest]) for _, job, images, _, *rest in rows]
    found = [line.partition(" | ")[2] for line in table.split("\n") if re.search(r"^\|.*\d %", line)]
    assert len(found) == 11 and found == expected
    flowrt, onnx = (
        re.search(rf"^\| {name} \|.*$", measurement, re.M)[0].split(" | ") for name in ("flowrt", "ONNX Runtime")
    )
    said = " ".join(table.split())
    assert f"{float(flowrt[2]):.0f} ms of CPU time and {flowrt[3].strip(' |')} MB" in said
    assert f"ONNX Runtime {float(onnx[2]):.0f} ms and {float(onnx[3].strip(' |')):.0f} MB" in said


def test_the_plot_of_rows_shows_the_measured_times():
    """Its description has them in words."""
    plot = (PICTURES / "rows.svg").read_text()
    lines: dict = {}
    with (ROOT / "benchmarks" / "results" / "zen3" / "speed.csv").open() as file:
        for cell in csv.DictReader(file):
            flow, kind = cell["flow"].split("-")
            if kind == "MAF" and cell["us_per_row"]:
                times = lines.setdefault((flow, cell["job"], cell["program"]), {})
                times[int(cell["rows"])] = float(cell["us_per_row"])
    assert {"flowrt", "iree"} <= {program for _, _, program in lines}
    for (flow, job, program), times in lines.items():
        words = ", ".join(f"{rows} {time:.3g}" for rows, time in sorted(times.items()))
        assert f"{flow} {job} {program}: {words}" in plot, "run make pictures"


def test_the_plot_shows_the_measured_times():
    plot = (PICTURES / "speed.svg").read_text()
    for flow in ("S", "L21", "XL"):
        for program, ratio in ratios(flow).items():
            assert f">{ratio:.0f} ×<" in plot, f"{flow}, {program}: {ratio:.0f}; run make pictures"


def test_the_drawing_of_the_sweep_is_what_its_script_draws():
    assert script(PICTURES / "sweep.py").picture() == (PICTURES / "sweep.svg").read_text(), "run make pictures"


def block(language: str) -> str:
    return README.partition(f"```{language}\n")[2].partition("```")[0]


def test_the_c_program_of_the_readme_prints_what_it_says(tmp_path):
    """Its three commands, with the library that is tested and the tools of this machine."""
    shared = Path(load()._name).resolve()
    (tmp_path / "program.c").write_text(block("c"))
    header = [sys.executable, "-m", "flowrt", "c-array", ROOT / "models/iris_maf.flw", "--name", "iris", "-o", "iris.h"]
    environment = {**os.environ, "FLOWRT_LIBRARY": str(shared), "PYTHONPATH": str(ROOT / "python")}
    subprocess.run(header, cwd=tmp_path, check=True, env=environment)
    compiler = os.environ.get("CC") or shutil.which("cc")
    options = ["-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", f"-Wl,-rpath,{shared.parent}"]
    subprocess.run([compiler, *options, "program.c", shared, "-o", "program"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "program"], check=True, capture_output=True, text=True).stdout
    assert f"It prints `{printed.strip()}`" in README


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= 85, "details belong to docs/"


def test_every_make_target_of_the_readme_exists():
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[0].split()
    assert {"demo", "test", "install", "bench"} <= set(re.findall(r"\bmake (\w+)", README)) <= set(targets)


# ---- versions ----


def test_the_version_is_the_same_everywhere():
    header = (ROOT / "include/flowrt.h").read_text()
    numbers = [
        re.search(rf"^#define FLOWRT_VERSION_{part} (\d+)$", header, re.M) for part in ("MAJOR", "MINOR", "PATCH")
    ]
    version = ".".join(number.group(1) for number in numbers)
    text = (ROOT / "Sources/FlowrtShim/include/flowrt_text.h").read_text()
    assert f'FLOWRT_VERSION_TEXT "{version}"' in text, "flowrt_text.h"
    assert flowrt.__version__ == version, "python/flowrt/_version.py"
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(), "CITATION.cff"
    assert f" {version}" in (ROOT / "CHANGELOG.md").read_text(), "CHANGELOG.md"


# ---- all pages ----


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_wrapped(page):
    if page.name in MADE_BY_SCRIPTS:
        return
    text = page.read_text()
    if page.parent.name == "examples":  # of python: what a program printed is quoted as it is
        text = re.sub(r"```text.*?```", lambda found: "\n" * found[0].count("\n"), text, flags=re.S)
    long = [i for i, line in enumerate(text.splitlines(), 1) if len(line) > 120 and line[:1] != "|"]
    assert not long, f"{page.name}: lines {long} have more than 120 columns"
