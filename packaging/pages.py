"""What packages have to read and to try: pages, pictures, examples and models.

    pages.py FOLDER [FILE...]     (called by parts.sh; FOLDER is share/doc/NAME, with the headers in ../../../include;
                                  FILEs are left out)

The pages are those of the repository, of which a package has a part. So each link keeps its aim where the package has
it, and else becomes its text, with the place in the sources. `python/tests/test_installed_pages.py` follows them all.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/frameworks/*.md",
    "examples-c/README.md",
    "models/README.md",
    "models/canon/README.md",
    "models/images/README.md",
)
FILES = (
    "LICENSE",
    "NOTICE",
    "docs/pictures/*.png",
    "docs/pictures/*.svg",
    "examples-c/*.[ch]",
    "examples-c/*.sh",
    "examples-c/bare-metal/*.[chS]",
    "examples-c/bare-metal/virt.ld",
    "examples-c/bare-metal/Makefile",
    "models/*.flw",
    "models/*.csv",
    "models/canon/*.flw",
    "models/canon/*.csv",
    "models/images/*.flw",
    "models/images/*.pgm",
)
CODE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def listed(patterns: tuple) -> list:
    """Paths from the root, in a fixed order."""
    return sorted({path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)})


def installed(page: str, text: str, there: set) -> str:
    """The text of a page, whose links lead to what is `there`, to the headers, or nowhere."""
    folder = posixpath.dirname(page)

    def replaced(match: re.Match) -> str:
        picture, label, link, _ = match.groups()
        if not link or re.match(r"[a-z]+:", link):
            return match.group()
        target = posixpath.normpath(posixpath.join(folder, link))
        if target in there:
            return match.group()
        if target.startswith("include/"):
            return f"{picture}[{label}]({posixpath.relpath('../../../' + target, folder or '.')})"
        said = posixpath.basename(target).casefold() in label.casefold() or target in label
        return label if said else f"{label} (`{target}` in the sources)"

    parts = CODE.split(text)  # every second one is code
    return "".join(part if i % 2 else LINK.sub(replaced, part) for i, part in enumerate(parts))


def main(folder: Path, left_out: list) -> None:
    pages, files = ([path for path in listed(patterns) if path not in left_out] for patterns in (PAGES, FILES))
    there = {*pages, *files}
    there |= {posixpath.dirname(path) for path in there}
    for path in pages:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(installed(path, (ROOT / path).read_text(), there))
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
        shutil.copymode(ROOT / path, folder / path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
