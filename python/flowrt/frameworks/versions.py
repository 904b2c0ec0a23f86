"""The versions of the frameworks that the adapters were tested with."""

from __future__ import annotations

import warnings
from importlib import metadata

TESTED = {
    "nflows": ("0.14",),
    "glasflow": ("0.4.1",),
    "zuko": ("1.6.0",),
    "pyro": ("1.9.2",),
    "flowjax": ("19.1.2",),
    "normflows": ("1.7.3",),
    "sbi": ("0.27.0",),
    "tfp": ("0.25.0",),
    "freia": ("0.2",),
    "bayesflow": ("2.0.12",),
    "pzflow": ("4.0.0",),
    "margarine": ("1.4.2",),
}
PACKAGES = {"freia": "FrEIA", "pyro": "pyro-ppl", "tfp": "tensorflow-probability"}


def installed(framework: str, model) -> tuple:
    """The framework that a model comes from, and its installed version ("" if it is not a package).

    A model of a known fork comes from the fork, whichever adapter reads it.
    """
    home = type(model).__module__.partition(".")[0]
    origin = home if home in TESTED else framework
    try:
        return origin, metadata.version(PACKAGES.get(origin, origin))
    except metadata.PackageNotFoundError:  # a copy of the framework
        return origin, ""


def warn_of_untested(framework: str, version: str) -> bool:
    """Whether this version was never tested, which is also said in a warning."""
    if version in TESTED[framework]:
        return False
    tested = ", ".join(TESTED[framework])
    warnings.warn(
        f"{framework} {version or 'of unknown version'} was not tested, {tested} was: the file is verified",
        stacklevel=4,
    )
    return True
