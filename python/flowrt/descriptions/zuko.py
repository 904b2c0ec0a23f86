"""State dicts of zuko's MAF and NSF.

    transform.transforms.{n}.hyper.{k}.{weight, bias, mask}, transform.transforms.{n}.order
    transform.transforms.{n}.hyper..., without order, or .phi.{k}: an ElementWiseTransform, which one feature has
    transform.transforms.{n}.{loc, scale}, a constant AffineTransform, as sbi standardises
    base.{loc, scale} or base.{_0, _1}

Numbers k that are missing are activations; in residual networks a block has numbers of its own. The output has shift
and raw scale of each feature (MAF), or widths, heights and derivatives of a spline on [-5, 5] (NSF). Not in a state
dict: activation and slope.
"""

from __future__ import annotations

import math
import re

import numpy as np

from ..building.arrays import float64
from ..building.modules import context_size
from ..building.networks import perceptron
from ..file.codes import Scale, SplineForm
from ..flow import flow as ir
from .fields import Fields
from .state_dicts import Node, activation_of, behind, condition_of, grouped, state_dict_of

_BOUND = 5.0


def read_zuko(fields: Fields) -> ir.Flow:
    """The flow of a description with `layout`, `state_dict`, `activation` and `slope`."""
    arrays = state_dict_of(fields, "zuko")
    base = {name: arrays.pop(name) for name in list(arrays) if re.search(r"(^|\.)base\.", name)}
    activation = activation_of(fields) if any(re.search(r"(^|\.)hyper\.", name) for name in arrays) else None
    for name in ("activation", "embedding"):  # entries that no layer needs are allowed
        fields.optional(name)
    slope = fields.number("slope", "the least slope of the univariate map; 1e-3, or 1e-4 before zuko 1.5")
    if not 0 < slope < 1:
        fields.refuse(f"'slope' is {slope}, not between 0 and 1")
    standardisation, encoder = condition_of(arrays, fields)
    dim = max((float64(value).size for value in base.values()), default=0)
    dim = dim or fields.whole("dim", "how many coordinates a row has")
    modules = grouped(arrays, "hyper|phi|order|loc|scale", fields)
    steps = [_step(path, node, dim, activation, slope, fields) for path, node in modules]
    return behind(standardisation, encoder, ir.Flow(dim, context_size(steps, None), steps, _base(base)))


def _step(path: str, node: Node, dim: int, activation, slope: float, fields: Fields) -> ir.Step:
    held = set(node.children)
    if held == {"loc", "scale"}:
        return ir.Diagonal(float64(node.scale), float64(node.loc), path)
    if held == {"phi"}:
        parts = [float64(part).reshape(dim, -1) for part in node.phi.numbered()]
        layers = [ir.Layer(np.concatenate(parts, axis=1).reshape(-1))]
    elif held == {"hyper", "order"}:
        layers = perceptron(_modules(node.hyper, activation), slice(0, dim), slice(dim, None))
    elif held == {"hyper"}:  # an ElementWiseTransform, which zuko makes of one feature: all that it sees is the context
        layers = perceptron(_modules(node.hyper, activation), slice(0, 0), slice(0, None))
    else:
        fields.refuse(
            f"{path} in the state dict has {', '.join(sorted(held))}: it is neither a masked autoregressive layer nor "
            "one of single features"
        )
    each, rest = divmod(layers[-1].width, dim)
    if each == 2 and not rest:
        transformer = ir.Affine(Scale.EXP_SOFT_CLIPPED, (-math.log(slope),))
    elif each % 3 == 2 and not rest:
        form = SplineForm.SOFT_CLIPPED_BINS | SplineForm.SOFT_CLIPPED_DERIVATIVES
        transformer = ir.Spline((each + 1) // 3, form, (-_BOUND, _BOUND, 0.0, 0.0, 0.0, -math.log(slope), 1.0))
    else:
        fields.refuse(f"{path} in the state dict has {layers[-1].width} outputs for {dim} features: no MAF and no NSF")
    return ir.Autoregressive(layers, transformer, name=path)


class _Linear:
    def __init__(self, node: Node):
        self.weight, self.bias, self.mask = node.weight, node.bias, node.children.get("mask")


class Residual(list):
    """By the name of its class, as the adapters know it."""


def _modules(node: Node, activation) -> list:
    """Linear modules and blocks in their order, with an activation for each number that is missing between them."""
    modules, expected = [], 0
    for number in sorted(int(name) for name in node.children):
        child = node.children[str(number)]
        modules += [activation] * (number - expected)
        modules.append(_Linear(child) if "weight" in child.children else Residual(_modules(child, activation)))
        expected = number + 1
    return modules


def _base(arrays: dict) -> ir.Base:
    values = {name.rsplit(".", 1)[-1]: float64(value).reshape(-1) for name, value in arrays.items()}
    mean = values.get("loc", values.get("_0", np.zeros(1)))
    std = values.get("scale", values.get("_1", np.ones(1)))
    if np.all(mean == 0) and np.all(std == 1):
        return ir.StandardNormal()
    return ir.DiagonalNormal(mean, std)
