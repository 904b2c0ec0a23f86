"""Makes images.png and between.png: the sheets that `make demo` makes with a Glow, losslessly compressed.

    make demo
    python docs/pictures/images.py [build/demo]
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"glow.png": "images.png", "between.png": "between.png"}


def main() -> None:
    demo = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "demo"
    for sheet, page in PAGES.items():
        Image.open(demo / sheet).save(Path(__file__).parent / page, optimize=True)


if __name__ == "__main__":
    main()
