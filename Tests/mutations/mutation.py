"""One way to break the library."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    file: str  # below Sources/
    breaks: str  # what goes wrong, in a few words
    old: str  # text that is in the file exactly once
    new: str
    level: int = 2  # kernel level that is compiled: 1, 2 or 3
    oracle: str = "tests"  # or "SameBits": only two kernel levels together show it

    @property
    def name(self):
        return f"{self.file}: {self.breaks}"


def in_file(file, *changes, **fields):
    """Mutations of one file, each (what it breaks, text, replacement)."""
    return [Mutation(file, breaks, old, new, **fields) for breaks, old, new in changes]
