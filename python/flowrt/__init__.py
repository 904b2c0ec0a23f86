"""flowrt: trained normalizing flows (MAF, IAF) from Python frameworks to `.flw` files, and their evaluation."""

from . import format, ir, reference
from .compile import compile
from .errors import Error, ExportError, FormatError, LibraryError
from .version import __version__

__all__ = [
    "Error",
    "ExportError",
    "FormatError",
    "LibraryError",
    "__version__",
    "compile",
    "format",
    "ir",
    "reference",
]
