"""The `.flw` file of docs/FORMAT.md: records, writer and reader."""

from .read import read
from .records import File
from .write import encode

__all__ = ["File", "encode", "read"]
