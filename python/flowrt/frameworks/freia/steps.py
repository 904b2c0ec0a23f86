"""The steps of FrEIA's modules, each of which maps data to noise by its `forward`."""

from __future__ import annotations

import numpy as np

from ...building.arrays import float64
from ...building.modules import affine_map, class_names, diagonal, refuse
from ...errors import ExportError
from ...file.codes import Function
from ...flow import flow as ir
from ..torch.live import TorchModel
from . import couplings
from .mended import mend, orthogonal, reflections

SUPPORTED = (
    "AllInOneBlock, NICECouplingBlock, RNVPCouplingBlock, GLOWCouplingBlock, GINCouplingBlock, AffineCouplingOneSided, "
    "ConditionalAffineTransform, ActNorm, LearnedElementwiseScaling, InvAutoAct, InvAutoActTwoSided, "
    "InvertibleSigmoid, PermuteRandom, FixedLinearTransform, OrthogonalTransform, HouseholderPerm without a condition, "
    "Split, Concat, and SequenceINN and GraphINN inside of another, all of vectors; images.py has those of images"
)
_LINEAR = {"FixedLinearTransform", "HouseholderPerm", "OrthogonalTransform"}


def steps_of(module, dim: int, given: list, context_dim: int) -> list:
    """The steps of a module that acts on `dim` coordinates; `given` are the columns of the context for its conditions.

    Raises `ExportError` that names the module if a file cannot hold it.
    """
    kinds, name = class_names(module), type(module).__name__
    columns = np.concatenate([np.zeros(0, dtype=int), *given])
    if "AllInOneBlock" in kinds:
        return _all_in_one(module, dim, columns, context_dim)
    if kinds & couplings.BLOCKS:
        return couplings.steps_of(module, dim, columns, context_dim)
    if kinds & _LINEAR:
        if given:
            refuse(module, SUPPORTED)
        return [_linear(module, dim)]
    if "PermuteRandom" in kinds:
        return [ir.Permutation(float64(module.perm).astype(np.int64), name)]
    if "ActNorm" in kinds:
        if module.init_on_next_batch:
            raise ExportError(f"{name} has seen no data yet: it takes its scale from the first batch")
        return [diagonal(dim, name, np.exp(_vector(module.scale)), _vector(module.bias))]
    if "LearnedElementwiseScaling" in kinds:
        return [diagonal(dim, name, np.exp(_vector(module.s)))]
    if "InvAutoActTwoSided" in kinds:
        return _leaky(_vector(module.alpha_pos), _vector(module.alpha_neg), name)
    if "InvAutoAct" in kinds:
        return _leaky(_vector(module.alpha), -_vector(module.alpha), name)
    if "InvertibleSigmoid" in kinds:
        return [ir.Elementwise(np.full(dim, int(Function.SIGMOID)), np.zeros(dim), np.ones(dim), name)]
    return refuse(module, SUPPORTED)


def _vector(values) -> np.ndarray:
    return float64(values).reshape(-1)


def _leaky(positive: np.ndarray, negative: np.ndarray, name: str) -> list:
    """Coordinates times exp(positive) from 0 on, times exp(negative) below."""
    size = len(positive)
    function = np.full(size, int(Function.LEAKY))
    leaky = ir.Elementwise(function, np.exp(negative - positive), np.zeros(size), name)
    return [leaky, diagonal(size, name, np.exp(positive))]


def _linear(module, dim: int) -> ir.Linear:
    import torch

    copy = TorchModel.copy_of(module, torch.float64)
    mend(copy)
    matrix, shift = affine_map(lambda rows: copy([rows])[0][0], dim)
    return ir.Linear(matrix, shift, type(module).__name__)


# ---- all in one ----


def _all_in_one(block, dim: int, columns: np.ndarray, context_dim: int) -> list:
    """A coupling, a scale and a shift of each coordinate, and an orthogonal matrix; with its inverse before, if so."""
    import torch

    name = type(block).__name__
    matrix = orthogonal(reflections(block) if block.householder else float64(block.w_perm), name)
    steps = [_orthogonal(matrix.T, name)] if block.reverse_pre_permute else []
    steps += couplings.all_in_one(block, dim, columns, context_dim)
    scale, shift = np.ones(dim), _vector(block.global_offset)
    if not block.GIN:
        raw = torch.as_tensor(_vector(block.global_scale))
        scale = float64(TorchModel.copy_of(block, torch.float64).global_scale_activation(raw))
    if np.any(scale != 1) or np.any(shift != 0):
        steps.append(diagonal(dim, name, scale, shift))
    return [*steps, _orthogonal(matrix, name)]


def _orthogonal(matrix: np.ndarray, name: str) -> ir.Step:
    if np.all((matrix == 0) | (matrix == 1)):
        return ir.Permutation(np.argmax(matrix, axis=1), name)
    return ir.Linear(matrix, np.zeros(len(matrix)), name)
