"""The version of the package, the same as that of the library it was written for."""

__version__ = "0.1.0"
