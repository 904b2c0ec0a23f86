"""Mixtures of flows: ensembles of posteriors, clusters, and any other weighted list of flows of the same vectors.

A mixture is one file, a container of `.flw` files (docs/MIXTURES.md). The library knows nothing of it: its members are
opened as they are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._save import save
from .arguments import Batch, Floats
from .atomic import replacing
from .building.arrays import float64
from .building.modules import class_names
from .density import Density, Draws
from .errors import Error, ExportError
from .foreign import kind_of_model
from .model import Model, bytes_of
from .parts import Progress

MAGIC = b"\x89FLM\r\n\x1a\n"
_HEADER = struct.Struct("<8sII48x")  # magic, version, count
_MEMBER = struct.Struct("<dQ48x")  # weight, bytes of the .flw file
_LINE = 64
_VERSION = 1
_MOST_MEMBERS = 65536


def save_mixture(
    path: Union[str, os.PathLike[str]], flows: Any, weights: Optional[Sequence[float]] = None, **options: Any
) -> None:
    """Writes a mixture of flows to a file.

    `flows` is an `EnsemblePosterior` of sbi, a `clusterMAF` of margarine, a `FlowEnsemble` of pzflow, or a list of
    models as `flowrt.save` takes them, or of paths of `.flw` files. `weights` are those of the object, or equal; they
    are divided by their sum. `options` go to `flowrt.save` for each member.
    """
    members, own = _members(flows)
    given = own if weights is None else float64(weights)
    shares = np.ones(len(members)) if given is None else given.reshape(-1)
    if not members or shares.shape != (len(members),):
        raise ExportError(f"there are {len(members)} flows and {shares.size} weights")
    if not (np.all(np.isfinite(shares)) and np.all(shares >= 0) and shares.sum() > 0):
        raise ExportError(f"weights must be positive numbers, not {shares.tolist()}")
    with TemporaryDirectory() as folder:
        data = [_bytes(flow, os.path.join(folder, "member.flw"), options) for flow in members]
    content = encode_mixture(data, shares / shares.sum())
    Mixture(content)  # refuses members that do not fit together
    with replacing(path) as stream:
        stream.write(content)


def encode_mixture(members: Sequence[bytes], weights: npt.NDArray[np.float64]) -> bytes:
    """The bytes of a mixture of `.flw` files."""
    parts = [_HEADER.pack(MAGIC, _VERSION, len(members))]
    parts += [_MEMBER.pack(float(weight), len(data)) for weight, data in zip(weights, members)]
    for data in members:
        parts.append(data + bytes(-len(data) % _LINE))
    return b"".join(parts)


class Mixture(Density):
    """A mixture of flows, with the methods of `Model` that a mixture has.

    `source` is the path of a file that `save_mixture` wrote, or its bytes; the options are those of `Model`. Members of
    weight zero are never drawn.
    """

    def __init__(
        self,
        source: Union[str, os.PathLike[str], bytes, bytearray, memoryview],
        *,
        verify: bool = True,
        level: int = 0,
        threads: int = 1,
    ):
        data, name = bytes_of(source)
        self._data, self._options = data, {"verify": verify, "level": level, "threads": threads}
        self.weights, parts = _split(data, name)
        self.members = [Model(part, verify=verify, level=level, threads=threads) for part in parts]
        shapes = {(member.dim, member.context_dim) for member in self.members}
        if len(shapes) > 1:
            raise Error(f"the members of a mixture have different (dim, context_dim): {sorted(shapes)}")
        ((self.dim, self.context_dim),) = shapes
        first = self.members[0]
        self.names, self.context_names, self.threads = first.names, first.context_names, first.threads

    def __repr__(self) -> str:
        return f"<flowrt.Mixture: {len(self.members)} flows, the first of them {self.members[0]!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (type(self), self._data, self._options)

    def log_prob(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> Floats:
        """(n,) log of the weighted sum of the members' p(x | context). `progress` is shown for each member."""
        rows = self._batch(x, context)
        return self._log_prob(rows, threads, progress).reshape(rows.shape)

    def log_prob_gradient(
        self,
        x: npt.ArrayLike,
        context: Optional[npt.ArrayLike] = None,
        *,
        threads: Optional[int] = None,
        progress: Progress = False,
    ) -> tuple[Floats, Floats, Optional[Floats]]:
        """As `Model.log_prob_gradient`: the mean of the members' gradients, each by its share of the density."""
        rows = self._batch(x, context)
        found = [member._scores(rows, threads, progress) for member in self.members]
        terms = self._terms([values for values, _, _ in found])
        by_x = _shared(terms, [gradient for _, gradient, _ in found])
        by_context = _shared(terms, [part for _, _, part in found if part is not None]) if self.context_dim else None
        return _log_sum(terms), by_x, by_context

    def _log_prob(self, rows: Batch, threads: Optional[int], progress: Progress) -> Floats:
        return _log_sum(self._terms([member._density(rows, threads, progress) for member in self.members]))

    def _terms(self, log_probs: Sequence[Floats]) -> npt.NDArray[np.float64]:
        """(members, ...) log of weight times density."""
        with np.errstate(divide="ignore"):
            return np.stack([np.log(w) + values.astype(np.float64) for w, values in zip(self.weights, log_probs)])

    def _draw(
        self, rows: Batch, draws: Draws, threads: Optional[int], progress: Progress, *, log_prob: bool
    ) -> tuple[Floats, Optional[Floats]]:
        """Draw k of (seed, stream) is that of one member, which depends on the three numbers alone."""
        choice = choices(self.weights, rows.count, draws.seed, draws.stream, draws.index)
        x = np.empty((rows.count, self.dim), dtype=np.float32)
        for number in np.unique(choice):
            drawn, _ = self.members[number]._draw(rows, draws, threads, progress, log_prob=False)
            x[choice == number] = drawn[choice == number]
        return x, self._log_prob(replace(rows, rows=x), threads, progress) if log_prob else None


def _opened(data_type: type[Mixture], data: bytes, options: dict[str, Any]) -> Mixture:
    """A pickled mixture, opened again."""
    return data_type(data, **options)


def choices(weights: npt.NDArray[np.float64], n: int, seed: int, stream: int, index: int) -> npt.NDArray[np.int64]:
    """(n,) the members of draws index .. index + n - 1: the first one whose cumulated weight is above a uniform number.

    The number is the top 53 bits of two rounds of SplitMix64's finaliser of (seed, stream, index).
    """
    with np.errstate(over="ignore"):
        indices = np.uint64(index) + np.arange(n, dtype=np.uint64)
        state = _mixed(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
        state = _mixed(np.uint64(stream) + state)
        bits = _mixed(_mixed(indices + state))
    uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    cumulated = np.cumsum(weights)
    last = np.flatnonzero(weights)[-1]
    found: npt.NDArray[np.int64] = np.minimum(np.searchsorted(cumulated, uniform, side="right"), last)
    return found


def _mixed(bits: Any) -> Any:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _log_sum(terms: npt.NDArray[np.float64]) -> Floats:
    safe = _largest(terms)
    with np.errstate(divide="ignore"):
        total: npt.NDArray[np.float64] = safe + np.log(np.sum(np.exp(terms - safe), axis=0))
    return total.astype(np.float32)


def _shared(terms: npt.NDArray[np.float64], gradients: Sequence[Floats]) -> Floats:
    """(..., D) the sum of the members' gradients (..., D), times their shares of the density; 0 where it is 0."""
    parts = np.exp(terms - _largest(terms))
    total = np.sum(parts, axis=0)
    result = np.zeros(gradients[0].shape)
    for part, gradient in zip(parts, gradients):
        share = np.divide(part, total, out=np.zeros_like(part), where=total != 0)[..., None]
        np.add(result, share * gradient, out=result, where=share != 0)
    return result.astype(np.float32)


def _largest(terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(...) the largest term, or 0 if none is finite."""
    largest = np.max(terms, axis=0)
    return np.where(np.isfinite(largest), largest, 0)


def _split(data: bytes, name: str) -> tuple[npt.NDArray[np.float64], list[bytes]]:
    """Weights and the bytes of the members. Raises `Error` for what is no mixture."""
    if len(data) < _HEADER.size or data[:8] != MAGIC:
        kind = kind_of_model(data)
        found = "it does not begin as a file of flowrt.save_mixture" if kind is None else f"it is {kind}"
        way = ": open it with flowrt.Model" if kind == "a .flw model" else ""
        raise Error(f"{name}this is no mixture of flows, {found}{way}")
    _, version, count = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise Error(f"{name}the mixture has version {version}; this release knows {_VERSION}")
    start = _HEADER.size + count * _MEMBER.size
    if not 0 < count <= _MOST_MEMBERS or start > len(data):
        raise Error(f"{name}the mixture has {count} members, which do not fit into {len(data)} bytes")
    weights, parts = np.empty(count), []
    for i in range(count):
        weights[i], size = _MEMBER.unpack_from(data, _HEADER.size + i * _MEMBER.size)
        if size > len(data) - start:
            raise Error(f"{name}the mixture ends within member {i}")
        parts.append(data[start : start + size])
        start += size + -size % _LINE
    if start != len(data):
        raise Error(f"{name}the mixture has {len(data)} bytes, not {start}")
    if not (np.all(weights >= 0) and abs(weights.sum() - 1) < 1e-9):
        raise Error(f"{name}the weights of the mixture are not positive numbers that add up to 1")
    return weights, parts


def _members(flows: Any) -> tuple[list[Any], Optional[npt.NDArray[np.float64]]]:
    """The models of an object, and its weights or None."""
    kinds = class_names(flows)
    if "EnsemblePosterior" in kinds:
        return list(flows.posteriors), float64(flows._weights)
    if "clusterMAF" in kinds:
        return list(flows.flow), np.array([np.sum(float64(part)) for part in flows.split_sample_weights])
    if "FlowEnsemble" in kinds:
        return list(flows._ensemble.values()), None
    if isinstance(flows, (str, bytes, Mapping)) or not hasattr(flows, "__len__"):
        raise ExportError(
            f"{type(flows).__name__} is not a mixture; supported are EnsemblePosterior, clusterMAF, FlowEnsemble and a "
            "list of flows"
        )
    return list(flows), None


def _bytes(flow: Any, path: str, options: dict[str, Any]) -> bytes:
    if isinstance(flow, (str, os.PathLike)):
        path = os.fspath(flow)
    else:
        save(path, flow, **options)
    with open(path, "rb") as stream:
        return stream.read()
