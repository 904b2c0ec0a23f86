"""Writes docs/EXPORTERS.md: every golden case against its live framework, and every model that is refused.

    PYTHONPATH=python FLOWRT_LIBRARY=build/libflowrt.so python Tests/golden/report.py

Only the frameworks that are installed are measured; what the page says of others stays as it is.
"""

from __future__ import annotations

import platform
import sys
import warnings
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np

import flowrt
from flowrt.errors import LibraryError
from flowrt.file import encode
from flowrt.frameworks import choose, dtypes, registry
from flowrt.verify.rows import random_rows
from flowrt.verify.verify import ROWS, Evaluator, evaluate

sys.path.insert(0, str(Path(__file__).parent))
from features import FEATURES, REFUSED_FEATURES, features  # noqa: E402
from installed import random_models, refused_models  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "EXPORTERS.md"
ORDER = [entry.name for entry in registry.by_column()]

INTRODUCTION = """\
# Exporters against their frameworks

`Tests/golden/report.py` writes this page.

Each line is one model with random weights. The script exports it and compares it with the framework's own evaluation of
the same model in float64, on {rows} rows of data, noise and context. A number is the worst difference of z, log_det, x
and log p. It is divided by the largest value of that quantity, if that is more than 1.

* **float64**: the exported flow before rounding, evaluated by `flowrt.reference`. It shows whether the adapter is
  right.
* **framework**: the framework itself in float32.
* **libflowrt**: the `.flw` file, evaluated by the library in float32.

In nflows, the inverses of linear, quadratic and cubic splines do not match the forward functions. They are off by 1e-6
in the last bin of a linear spline, and by more, or NaN, where a piece is nearly straight. For these, the script solves
the forward function by bisection.

A dash in the last column means that the library did not execute the file yet when this page was written.
"""


def main() -> None:
    warnings.simplefilter("ignore")
    measured = {}
    for case, random_model in random_models().items():
        framework = case.split("_")[0]
        measured.setdefault(framework, {})[case] = _measure(case, random_model)
        print(case, file=sys.stderr)
    refused = {framework: _refusals(models) for framework, models in refused_models().items()}
    old = PAGE.read_text() if PAGE.exists() else ""
    PAGE.write_text(_page(old, measured, refused))


def _measure(case: str, random_model) -> tuple:
    """The features of a case, and the worst relative differences: exact float64, framework, library or None."""
    seed = zlib.crc32(case.encode())
    model = random_model(seed, 0.5)
    adapter = choose(model)
    exact = flowrt.compile(adapter.describe(model))
    live32, live64 = (adapter.live(model, dtype) for dtype in dtypes(adapter))
    rows = random_rows(exact, ROWS, seed)
    truth = evaluate(live64, rows)
    try:
        library = _worst(evaluate(flowrt.Model(encode(exact)), rows), truth)
    except LibraryError:
        library = None
    return (
        features(exact),
        _worst(evaluate(Evaluator(exact), rows), truth),
        _worst(evaluate(live32, rows), truth),
        library,
    )


def _worst(values: dict, truth: dict) -> float:
    worst = 0.0
    for quantity, expected in truth.items():
        found, expected = np.asarray(values[quantity], dtype=np.float64), np.asarray(expected, dtype=np.float64)
        size = np.max(np.abs(expected), where=np.isfinite(expected), initial=1.0)
        with np.errstate(invalid="ignore"):
            difference = np.where(found == expected, 0.0, np.abs(found - expected))
        worst = max(worst, float(np.max(difference)) / size)
    return worst


def _refusals(models: dict) -> dict:
    """For each feature, the beginning of what users of its layers are told."""
    return {feature: [_refusal(*layer) for layer in layers.items()] for feature, layers in models.items()}


def _refusal(name: str, make) -> str:
    try:
        flowrt.save("/dev/null", make())
    except flowrt.ExportError as error:
        return str(error).partition("; supported are ")[0]
    raise SystemExit(f"{name} was not refused")


# ---- the page ----


def _page(old: str, measured: dict, refused: dict) -> str:
    sections = _old_sections(old)
    table = _old_table(sections.pop("Features", ""))
    for framework, cases in measured.items():
        found = set().union(*(case[0] for case in cases.values()))
        without = refused.get(framework, {})
        table[framework] = {name: "yes" if name in found else "" for name in FEATURES}
        table[framework] |= {name: "refused" if name in without else "" for name in REFUSED_FEATURES}
        sections[framework] = _section(framework, cases, [text for texts in without.values() for text in texts])
    parts = [INTRODUCTION.format(rows=ROWS), _features(table)]
    parts += [f"## {name}\n\n{sections[name].strip()}\n" for name in ORDER if name in sections]
    return "\n".join(parts)


def _old_sections(page: str) -> dict:
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def _old_table(section: str) -> dict:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    if not lines:
        return {}
    names = lines[0][1:]
    return {name: {line[0]: line[1 + i] for line in lines[2:]} for i, name in enumerate(names)}


def _features(table: dict) -> str:
    names = [name for name in ORDER if name in table]
    lines = [
        "## Features",
        "",
        "Blank: the framework does not offer it. Refused: the error names the layer.",
    ]
    rows = [*FEATURES, *REFUSED_FEATURES]
    lines += ["", f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(table[n].get(name, '') for n in names)} |" for name in rows]
    return "\n".join(lines) + "\n"


def _section(framework: str, cases: dict, refused: list) -> str:
    package = registry.named(framework).package
    backends = [name for name in ("torch", "jax", "tensorflow") if _version(name)]
    installed = ", ".join(f"{name} {_version(name)}" for name in [package, *backends, "numpy"])
    lines = [f"{installed}, Python {platform.python_version()}, {platform.machine()}.", ""]
    lines += ["| case | float64 | framework | libflowrt |", "|---|---|---|---|"]
    for case, (_, exact, single, library) in cases.items():
        ours = "-" if library is None else f"{library:.1e}"
        lines.append(f"| {case.partition('_')[2]} | {exact:.1e} | {single:.1e} | {ours} |")
    if refused:
        lines += ["", "Refused:", "", *(f"* {message}" for message in refused)]
    return "\n".join(lines)


def _version(package: str) -> str:
    names = (package, f"{package}-cpu")
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


if __name__ == "__main__":
    main()
