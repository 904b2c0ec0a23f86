"""Draws sweep.svg: a sample drawn by one network pass for each coordinate, beside samples drawn by the sweep.

    python docs/pictures/sweep.py

Both halves show the masked matrix between two hidden layers of the same network, and do the same number of
multiply-adds a second. On the left, units are in a framework's order, and the whole matrix is multiplied again for
every coordinate. On the right, they are sorted by degree: a triangle of blocks is left, and each stage uses its rows
once.

    left   D passes of units x units multiply-adds            6 x 225 = 1350 for a row
    right  one sweep over the weights that are not masked         135 for a row, so ten rows in the same time

The animation is CSS inside the SVG. Where it does not run, the picture shows the end.
"""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parent / "sweep.svg"

RANKS = 6  # D
DEGREES = RANKS - 1  # degrees 1 .. D - 1: units of degree D would feed nothing
UNITS = 3 * DEGREES
SORTED = [1 + u // 3 for u in range(UNITS)]
SHUFFLED = [1 + u % DEGREES for u in range(UNITS)]  # how frameworks deal degrees out

DENSE = UNITS * UNITS
SPARSE = sum(1 for row in SORTED for column in SORTED if column <= row)
ROWS = RANKS * DENSE // SPARSE  # rows of the right half while the left one draws one

WORK, REST = 10.0, 2.0  # seconds
CELL, SQUARE = 15, 18  # pixels from one matrix cell, or one square of a strip, to the next
WIDTH, HEIGHT = 840, 342
MATRIX, STRIPS, TOP = 0, UNITS * CELL + 30, 76

STYLE = """\
.page { fill: #ffffff; stroke: #d1d9e0 } .ink { fill: #1f2328 } .quiet { fill: #59636e }
.cover { fill: #ffffff; opacity: 0.78 } .left { fill: #cf5b4a } .right { fill: #1f77b4 } .masked { fill: #e3e6ea }
text { font: 14px system-ui, "Segoe UI", Helvetica, Arial, sans-serif } .title { font-weight: 600; font-size: 16px }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; stroke: #3d444d } .ink { fill: #f0f6fc } .quiet { fill: #9198a1 }
  .cover { fill: #0d1117 } .left { fill: #e5735f } .right { fill: #4a9fe0 } .masked { fill: #2a313c }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important } }
"""


def main() -> None:
    PAGE.write_text(picture())


def picture() -> str:
    keyframes: list[str] = []
    left = _half("left", SHUFFLED, 1, _passes(), _coordinates_by_passes(), keyframes)
    right = _half("right", SORTED, ROWS, _sweeps(), _coordinates_by_sweeps(), keyframes)
    usual = _texts("The usual way: a pass for each coordinate", _usual(), "grey: masked, still multiplied")
    ours = _texts("flowrt: units sorted, each weight once", _ours(), "grey: not stored")
    title = f"One row drawn by {RANKS} network passes, while the sweep draws {ROWS}"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>\n{STYLE}{''.join(keyframes)}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        f'<g transform="translate(28 0)">{usual}{left}</g>',
        f'<g transform="translate(448 0)">{ours}{right}</g>',
        "</svg>\n",
    ]
    return "\n".join(lines)


def _usual() -> str:
    return f"{RANKS} passes × {DENSE} = {RANKS * DENSE} multiply-adds for one row"


def _ours() -> str:
    return f"one sweep = {SPARSE} multiply-adds for one row"


def _texts(title: str, count: str, grey: str) -> str:
    return (
        f'<text class="title ink" y="34">{title}</text><text class="quiet" y="56">{count}</text>'
        f'<text class="quiet" y="{TOP + UNITS * CELL + 24}">{grey}</text>'
        f'<text class="quiet" x="{STRIPS}" y="{TOP + UNITS * CELL + 24}">rows drawn</text>'
    )


# ---- when what happens, in seconds ----


def _passes() -> list:
    """(time, share of the matrix that is done): from 0 to 1 in each pass."""
    seconds = WORK / RANKS
    return [(p * seconds + part, part / seconds) for p in range(RANKS) for part in (0, seconds)]


def _coordinates_by_passes() -> list:
    return [[WORK * (k + 1) / RANKS for k in range(RANKS)]]


def _sweeps() -> list:
    """As `_passes`; a band of rows of one degree takes the time of its weights."""
    ends = _band_ends()
    return [
        (WORK * (row + ends[band]) / ROWS, band / DEGREES) for row in range(ROWS) for band in range(DEGREES + 1)
    ]  # fmt: skip


def _coordinates_by_sweeps() -> list:
    """A coordinate is known as soon as the units of the degree before it are."""
    return [[WORK * (row + end) / ROWS for end in _band_ends()] for row in range(ROWS)]


def _band_ends() -> list:
    """For each number of finished degrees, the share of the weights that they have used."""
    used = [sum(1 for row in SORTED for column in SORTED if column <= row <= degree) for degree in range(RANKS)]
    return [count / SPARSE for count in used]


# ---- drawing ----


def _half(side: str, degrees: list, rows: int, done: list, known: list, keyframes: list) -> str:
    size = UNITS * CELL
    seen = [(r, c) for r in range(UNITS) for c in range(UNITS) if degrees[c] <= degrees[r]]
    hidden = [(r, c) for r in range(UNITS) for c in range(UNITS) if degrees[c] > degrees[r]]
    stops = [(time, f"transform: translateY({share * size:.1f}px)") for time, share in done]
    keyframes.append(_keyframes(f"{side}-cover", stops))
    matrix = (
        f'<svg x="{MATRIX}" y="{TOP}" width="{size}" height="{size}">{_cells("masked", hidden)}{_cells(side, seen)}'
        f'<rect class="cover" width="{size}" height="{size}" style="{_animation(f"{side}-cover")}'
        f'; transform: translateY({size}px)"/></svg>'
    )
    squares = [_strip(side, row, known[row], keyframes) for row in range(rows)]
    return matrix + "".join(squares)


def _cells(kind: str, cells: list) -> str:
    side = CELL - 2
    squares = "".join(f"M{c * CELL} {r * CELL}h{side}v{side}h-{side}z" for r, c in cells)
    return f'<path class="{kind}" d="{squares}"/>'


def _strip(side: str, row: int, known: list, keyframes: list) -> str:
    """The coordinates of one row, each of which appears when it is known."""
    y = TOP + row * UNITS * CELL / ROWS
    squares = []
    for k, time in enumerate(known):
        name = f"{side}{row}-{k}"
        keyframes.append(_keyframes(name, [(0, "opacity: 0.15"), (time, "opacity: 0.15"), (time + 0.02, "opacity: 1")]))
        squares.append(
            f'<rect class="{side}" x="{STRIPS + k * SQUARE}" y="{y:.1f}" width="{SQUARE - 2}" height="{CELL}"'
            f' style="{_animation(name)}"/>'
        )
    return "".join(squares)


def _animation(name: str) -> str:
    return f"animation: {name} {WORK + REST:g}s linear infinite"


def _keyframes(name: str, stops: list) -> str:
    """The values at these times; the last one stays until the end. Equal times become a jump."""
    frames, last = [], -1.0
    for time, value in [*stops, (WORK + REST, stops[-1][1])]:
        percent = max(100 * time / (WORK + REST), last + 0.01) if last >= 0 else 0.0
        frames.append(f"{min(percent, 100):.4g}%{{{value}}}")
        last = percent
    return f"@keyframes {name} {{{''.join(frames)}}}\n"


if __name__ == "__main__":
    main()
