"""Every supported framework, one entry each. No other place in the package lists frameworks.

To add a framework: a folder here with an adapter module, and an entry in `FRAMEWORKS`. The adapter module has

    framework                       its name, that of the entry
    accepts(model) -> bool          is this a model of the framework? By class names and attributes alone
    describe(model, context_dim)    the model as a `flowrt.ir.Flow`
    live(model, dtype)              the model's own evaluation, in one of `dtypes`
    dtypes                          single and double precision; left out by an adapter for PyTorch
    is_stored(model) -> bool        is this what a file of the framework holds? Left out where there is no such thing
    of_stored(model)                a model or a `flowrt.ir.Flow` of it; with `is_stored`

and imports nothing of the framework until a model of it is given.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, fields
from importlib import metadata

# What puts a model inside of another one that computes the same: the class, and the attribute that holds the model.
TORCH_WRAPPERS = {
    "OptimizedModule": "_orig_mod",  # torch.compile
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
}
_REQUIRED = ("framework", "accepts", "describe", "live")


@dataclass(frozen=True)
class Framework:
    """One framework, or a fork of one that has an adapter. All fields are required."""

    name: str  # in `flowrt.save(framework=...)`, in a file's metadata and in the reports
    adapter: str  # module below flowrt.frameworks; a fork names that of its original
    package: str  # on the package index
    tested: tuple  # versions of the package that the tests ran with
    root: str  # top-level module of its classes
    beneath: tuple  # top-level modules whose classes its models consist of as well
    wrappers: dict  # classes around a model, and the attribute of each that holds the model
    column: int  # place in the reports, from the left

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, {"tuple": tuple, "dict": dict, "int": int}.get(field.type, str)):
                raise TypeError(f"framework {self.name!r}: {field.name} is {value!r}, not a {field.type}")
        for name in ("name", "adapter", "package", "tested", "root"):
            if not getattr(self, name):
                raise ValueError(f"framework {self.name!r}: {name} is empty")

    @property
    def is_fork(self) -> bool:
        return not self.adapter.startswith(f"{self.name}.")

    def load(self):
        """The adapter module. Raises `TypeError` that names what it lacks."""
        module = importlib.import_module(f"{__package__}.{self.adapter}")
        missing = [name for name in _REQUIRED if not hasattr(module, name)]
        if missing:
            raise TypeError(f"adapter {module.__name__} has no {', '.join(missing)}")
        if module.framework != self.name and not self.is_fork:
            raise TypeError(f"adapter {module.__name__} is that of {module.framework!r}, registered as {self.name!r}")
        return module


# In the order in which the adapters are asked whether a model is theirs.
FRAMEWORKS = (
    Framework(
        name="nflows",
        adapter="nflows.flow",
        package="nflows",
        tested=("0.14",),
        root="nflows",
        beneath=("torch",),
        wrappers=TORCH_WRAPPERS,
        column=0,
    ),
    Framework(
        name="glasflow",
        adapter="nflows.flow",
        package="glasflow",
        tested=("0.4.1",),
        root="glasflow",
        beneath=("nflows", "torch"),
        wrappers=TORCH_WRAPPERS,
        column=4,
    ),
    Framework(
        name="zuko",
        adapter="zuko.flow",
        package="zuko",
        tested=("1.6.0",),
        root="zuko",
        beneath=("torch",),
        wrappers=TORCH_WRAPPERS,
        column=2,
    ),
    Framework(
        name="pyro",
        adapter="pyro.flow",
        package="pyro-ppl",
        tested=("1.9.2",),
        root="pyro",
        beneath=("torch",),
        wrappers=TORCH_WRAPPERS,
        column=5,
    ),
    Framework(
        name="flowjax",
        adapter="flowjax.flow",
        package="flowjax",
        tested=("19.1.2",),
        root="flowjax",
        beneath=(),
        wrappers={},
        column=7,
    ),
    Framework(
        name="normflows",
        adapter="normflows.flow",
        package="normflows",
        tested=("1.7.3",),
        root="normflows",
        beneath=("torch",),
        wrappers=TORCH_WRAPPERS,
        column=3,
    ),
    Framework(
        name="sbi",
        adapter="sbi.flow",
        package="sbi",
        tested=("0.27.0",),
        root="sbi",
        beneath=("nflows", "zuko", "torch"),
        wrappers=TORCH_WRAPPERS,
        column=1,
    ),
    Framework(
        name="tfp",
        adapter="tfp.flow",
        package="tensorflow-probability",
        tested=("0.25.0",),
        root="tensorflow_probability",
        beneath=(),
        wrappers={},
        column=6,
    ),
    Framework(
        name="freia",
        adapter="freia.flow",
        package="FrEIA",
        tested=("0.2",),
        root="FrEIA",
        beneath=("torch",),
        wrappers=TORCH_WRAPPERS,
        column=8,
    ),
    Framework(
        name="bayesflow",
        adapter="bayesflow.flow",
        package="bayesflow",
        tested=("2.0.12",),
        root="bayesflow",
        beneath=("keras",),
        wrappers={},
        column=9,
    ),
    Framework(
        name="pzflow",
        adapter="pzflow.flow",
        package="pzflow",
        tested=("4.0.0",),
        root="pzflow",
        beneath=(),
        wrappers={},
        column=10,
    ),
    Framework(
        name="margarine",
        adapter="margarine.flow",
        package="margarine",
        tested=("1.4.2",),
        root="margarine",
        beneath=("tensorflow_probability",),
        wrappers={},
        column=11,
    ),
)


def _check(frameworks: tuple) -> None:
    """Raises `ValueError` that names two entries with the same name, root or column."""
    for field in ("name", "root", "column"):
        seen: dict = {}
        for entry in frameworks:
            value = getattr(entry, field)
            if value in seen:
                raise ValueError(f"frameworks {seen[value]!r} and {entry.name!r} have the same {field}, {value!r}")
            seen[value] = entry.name


_check(FRAMEWORKS)
ROOTS = frozenset(root for entry in FRAMEWORKS for root in (entry.root, *entry.beneath))
WRAPPERS = {wrapper: attribute for entry in FRAMEWORKS for wrapper, attribute in entry.wrappers.items()}


def named(name: str) -> Framework:
    """The entry of a framework. Raises `KeyError` that names this file."""
    for entry in FRAMEWORKS:
        if entry.name == name:
            return entry
    raise KeyError(f"framework {name!r} has no entry in {__name__}")


def by_column() -> list:
    """The entries in the order of the reports."""
    return sorted(FRAMEWORKS, key=lambda entry: entry.column)


def origin_of(model, framework: str) -> Framework:
    """The framework that a model comes from: a fork, if its class is of one, else the `framework` of its adapter."""
    home = type(model).__module__.partition(".")[0]
    return next((entry for entry in FRAMEWORKS if entry.root == home), named(framework))


def installed_version(entry: Framework) -> str:
    """The installed version of a framework, "" if it is not a package but a copy of one."""
    try:
        return metadata.version(entry.package)
    except metadata.PackageNotFoundError:
        return ""


def warn_of_untested(entry: Framework, version: str) -> bool:
    """Whether this version was never tested, which is also said in a warning to the caller of `flowrt.save`."""
    if version in entry.tested:
        return False
    tested = ", ".join(entry.tested)
    warnings.warn(
        f"{entry.name} {version or 'of unknown version'} was not tested, {tested} was: the file is verified",
        stacklevel=5,
    )
    return True
