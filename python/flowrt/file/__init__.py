"""The `.flw` file of docs/FORMAT.md: one module for each kind of record, with its fields, rules, reader and writer."""

from .autoregressive import AutoregressiveStep
from .base import (
    AutoregressiveMixtureBase,
    BoxUniform,
    ConditionalNormalBase,
    DiagonalNormal,
    NormalMixture,
    StandardNormal,
)
from .conditioner import Conditioner
from .constant import DiagonalStep, LinearStep
from .elementwise import ElementwiseStep
from .encoder import Encoder
from .file import File, encode, read
from .layer import SortedLayer
from .permutation import PermutationStep
from .pixelwise import PixelwiseLinearStep
from .plane import PlaneLayer, Window

__all__ = [
    "AutoregressiveMixtureBase",
    "AutoregressiveStep",
    "BoxUniform",
    "ConditionalNormalBase",
    "Conditioner",
    "DiagonalNormal",
    "DiagonalStep",
    "ElementwiseStep",
    "Encoder",
    "File",
    "LinearStep",
    "NormalMixture",
    "PermutationStep",
    "PixelwiseLinearStep",
    "PlaneLayer",
    "SortedLayer",
    "StandardNormal",
    "Window",
    "encode",
    "read",
]
