"""What a class of a user adds to those of a framework, where a comparison of results might not notice."""

from __future__ import annotations

import numpy as np

from ...building.modules import class_names
from ...errors import ExportError
from ..registry import ROOTS
from .live import TorchModel

SAMPLERS = (
    "sample", "_sample", "sample_n", "_sample_n", "rsample", "sample_and_log_prob", "_sample_and_log_prob",
    "rsample_and_log_prob",
)  # fmt: skip
_INSIDE = ("base_dist", "base", "distribution", "component_distribution", "components_distribution", "dist")
_ABSTRACT = {"Module", "Distribution", "BaseDistribution", "AbstractDistribution"}
_ROWS = 32


def require_own(thing, *methods: str) -> None:
    """Raises `ExportError` if an object, or a class outside of the frameworks, overrides one of a framework's methods.

    A copy of a framework under another name overrides nothing.
    """
    for method in methods:
        first, *others = [cls for cls in type(thing).__mro__ if method in vars(cls)] or [object]
        overridden = not _is_own(first) and any(map(_is_own, others))
        if overridden or method in getattr(thing, "__dict__", {}):
            raise ExportError(
                f"{type(thing).__name__} overrides {method}, which a file cannot hold: give the flow without it, and "
                "apply what it adds before and after calling the file"
            )


def require_own_sampler(distribution, *methods: str) -> None:
    """`require_own` for how a distribution samples, also by other `methods`, and for what is inside of it.

    A class that derives from none but the abstract ones of a framework, as in a copy of one, overrides nothing.
    """
    if any(_is_own(cls) and cls.__name__ not in _ABSTRACT for cls in type(distribution).__mro__):
        require_own(distribution, *SAMPLERS, *methods)
    for name in _INSIDE:
        inner = getattr(distribution, name, None)
        if inner is not None:
            require_own_sampler(inner, *methods)


def require_plain(network, ends, inputs: int, outputs: int, call=lambda network, rows: network(rows)) -> None:
    """Raises `ExportError` if a live network changes what its first module is given, or what its last module gives.

    `ends(network)` are these two modules, None for one that is not to be checked; `call(network, rows)` applies it to
    rows of `inputs` numbers and gives `outputs` for each. In a copy, the last module gives arbitrary numbers of many
    magnitudes, so that a limit is noticed that the weights never reach.
    """
    import torch

    if not callable(network):  # what was read from a state dict
        return
    copy, generator = TorchModel.copy_of(network, torch.float64), np.random.default_rng(0)

    def numbers(count: int):
        shape = _ROWS, count
        return torch.as_tensor(generator.normal(size=shape) * 10 ** generator.uniform(-2, 4, size=shape))

    rows, results, seen = numbers(inputs), numbers(outputs), [numbers(inputs)]
    first, last = ends(copy)
    if first is copy:  # one module, which is nothing but its forward
        return
    if first is not None:
        unrecorded = first.forward

        def recorded(values, *others):
            seen[0] = values
            return unrecorded(values, *others)

        first.forward = recorded
    if last is not None:

        def replaced(values, *others):
            if first is last:
                seen[0] = values
            return results

        last.forward = replaced
    with torch.no_grad():
        found = call(copy, rows)
    found = found if isinstance(found, (tuple, list)) else [found]
    found = torch.cat([part.reshape(_ROWS, -1) for part in found], dim=1)
    for checked, expected, result, side in ((first, rows, seen[0], "input"), (last, results, found, "output")):
        if checked is not None and not _equal(result, expected):
            raise ExportError(
                f"the forward of {type(network).__name__} changes the {side} of its layers; a file holds the layers "
                "alone"
            )


def require_plain_chains(network) -> None:
    """`require_plain` for a sequence of modules that begins and ends with linear modules or what keeps their width.

    It is also for the sequences that it consists of, but not for those of torch, whose forward is known.
    """
    parts = _parts(network)
    for part in parts:
        require_plain_chains(part)
    weights = [getattr(leaf, "weight", None) for leaf in _leaves(network)]
    widths = [weight.shape for weight in weights if weight is not None and weight.dim() == 2]
    if parts and widths and not type(network).__module__.startswith("torch."):
        require_plain(network, chain_ends, widths[0][1], widths[-1][0])


def chain_ends(network) -> tuple:
    """The first and the last module of a sequence, or of what has one as its only part; None for what acts twice."""
    leaves = list(_leaves(network))
    return tuple(None if sum(leaf is other for other in leaves) > 1 else leaf for leaf in (leaves[0], leaves[-1]))


def _leaves(network):
    parts = _parts(network)
    for part in parts:
        yield from _leaves(part)
    if not parts:
        yield network


def _parts(network) -> list:
    """The modules of a sequence, or of what has one as its only part; none for other modules."""
    parts = list(network._modules.values())
    sequence = "Sequential" in class_names(network) and "Residual" not in class_names(network)
    return parts if sequence or (len(parts) == 1 and not hasattr(network, "weight")) else []


def _is_own(cls) -> bool:
    return cls.__module__.split(".")[0] in ROOTS


def _equal(result, expected) -> bool:
    """Whether numbers are the same, in whatever shape."""
    return result.numel() == expected.numel() and bool((result.reshape(expected.shape) == expected).all())
