"""flowrt: trained normalizing flows (MAF, IAF) from Python frameworks to `.flw` files, and their evaluation."""

from . import file as format
from . import plot, reference
from ._save import save
from ._version import __version__
from .compiler.compile import compile
from .errors import ArgumentError, Error, ExportError, FormatError, LibraryError, Status
from .flow import flow as ir
from .library import include_dir, library_path
from .mixture import Mixture, save_mixture
from .model import Model, NonfiniteWarning

__all__ = [
    "ArgumentError",
    "Error",
    "ExportError",
    "FormatError",
    "LibraryError",
    "Mixture",
    "Model",
    "NonfiniteWarning",
    "Status",
    "__version__",
    "compile",
    "format",
    "include_dir",
    "ir",
    "library_path",
    "plot",
    "reference",
    "save",
    "save_mixture",
]
