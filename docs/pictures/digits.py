"""Makes digits.png: the sheet of digits that `make demo` draws from a flow, losslessly compressed.

    make demo
    python docs/pictures/digits.py [build/demo/digits.png]

The demo writes its sheet in a page of C, without compression. The pixels here are the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SHEET = ROOT / "build" / "demo" / "digits.png"
PAGE = Path(__file__).parent / "digits.png"


def main() -> None:
    sheet = Image.open(sys.argv[1] if len(sys.argv) > 1 else SHEET)
    sheet.save(PAGE, optimize=True)


if __name__ == "__main__":
    main()
