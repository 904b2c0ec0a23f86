"""Walk-throughs of python/examples: this page runs as it is printed, and a page that says something else is noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
import run  # noqa: E402

PAGE = """\
# A page

```python
print("2 rows:", 1 + 1.5)
```

```text
2 rows: 2.5
```

```c answer.c
#include <flowrt.h>
#include <stdio.h>
int main(void) { return printf("version %s\\n", flowrt_version_string()) < 0; }
```

```sh
cc answer.c -lflowrt -o answer && ./answer
```

```text
version 0.1.0
```
"""


def test_a_true_page_has_no_differences():
    printed = run.printed_by(PAGE)
    assert run.differences(PAGE, printed) == []
    assert run.with_output(PAGE, printed) == PAGE


@pytest.mark.parametrize(
    "old, new",
    [("2.5\n", "3.9\n"), ("2 rows: 2.5", "2 lines: 2.5"), ("rows: 2.5", "rows: 2.5\nmore"), ("version 0.1.0", "")],
)
def test_a_false_page_is_noticed(old, new):
    page = PAGE.replace(old, new)
    assert page != PAGE and len(run.differences(page, run.printed_by(PAGE))) == 1


def test_numbers_may_differ_a_little_and_measured_ones_much():
    assert run.same("log p -12.3 of 5", "log p -12.9 of 5", True)
    assert not run.same("log p -12.3 of 5", "log p -22.9 of 5", True)
    assert run.same("1.5 times", "99 times", False) and not run.same("1.5 times", "1.5 rows", False)


def test_a_page_whose_program_fails_is_noticed():
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        run.printed_by("```python\n1 / 0\n```\n")


def test_anomalies():
    page = (EXAMPLES / "anomalies.md").read_text()
    assert run.differences(page, run.printed_by(page)) == []


def test_every_page_is_listed():
    index = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.md"):
        assert path.name == "README.md" or f"[{path.name}]({path.name})" in index
        assert not [
            block for block in run.blocks_of(path.read_text()) if block.kind.startswith("text") and not block.text
        ]
