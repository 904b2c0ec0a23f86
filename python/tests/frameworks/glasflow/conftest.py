"""Collected where glasflow is installed; it has an environment of its own, without the other frameworks."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("glasflow") else ["test_glasflow.py"]
