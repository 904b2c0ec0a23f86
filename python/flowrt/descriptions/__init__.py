"""Plain descriptions: a flow as a dictionary of arrays and options, for a model of your own (docs/DESCRIPTIONS.md)."""

from .flow import read

__all__ = ["read"]
