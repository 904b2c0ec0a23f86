"""flowrt: trained normalizing flows (MAF, IAF) from Python frameworks to `.flw` files, and their evaluation."""

from . import file as format
from . import reference
from ._save import save
from ._version import __version__
from .compiler.compile import compile
from .errors import Error, ExportError, FormatError, LibraryError
from .flow import flow as ir
from .mixture import Mixture, save_mixture
from .model import Model, NonfiniteWarning

__all__ = [
    "Error",
    "ExportError",
    "FormatError",
    "LibraryError",
    "Mixture",
    "Model",
    "NonfiniteWarning",
    "__version__",
    "compile",
    "format",
    "ir",
    "reference",
    "save",
    "save_mixture",
]
