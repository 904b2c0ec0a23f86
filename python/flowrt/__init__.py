"""flowrt: trained normalizing flows (MAF, IAF) from Python frameworks to `.flw` files, and their evaluation."""

from . import format, ir, reference
from .compile import compile
from .errors import Error, ExportError, FormatError, LibraryError
from .model import Model, NonfiniteWarning
from .save import save
from .version import __version__

__all__ = [
    "Error",
    "ExportError",
    "FormatError",
    "LibraryError",
    "Model",
    "NonfiniteWarning",
    "__version__",
    "compile",
    "format",
    "ir",
    "reference",
    "save",
]
