"""State dicts of Pyro's transforms without their code: the same file as from the live ones, and what is asked for."""

from __future__ import annotations

import pytest
import torch
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, ConditionalDenseNN, DenseNN
from stored import same
from torch import nn

import flowrt

CLIPS = {"log_scale_min_clip": -5.0, "log_scale_max_clip": 3.0}
ASKED = {"layout": "pyro", "activation": "relu", "stable": False, "bound": 3.0, "epsilon": 1e-5, **CLIPS}


def check(transforms, options=(), prefix="", features=4, std=0.4):
    """Compares a flow of these transforms and the state dict of those of them that have one."""
    conditional = any(hasattr(transform, "condition") for transform in transforms)
    kind = pd.ConditionalTransformedDistribution if conditional else pd.TransformedDistribution
    held = [inside(transform) for transform in transforms]
    modules = nn.ModuleList([transform for transform in held if isinstance(transform, nn.Module)])
    model = kind(pd.Normal(torch.zeros(features), torch.ones(features)), list(transforms))
    names = [type(a).__name__ + (".inv" if a is not b else "") for a, b in zip(held, transforms)]
    permutations = [t.permutation for t in transforms if isinstance(t, pt.Permute)]
    asked = {**ASKED, "modules": names, "permutations": permutations, **dict(options)}
    return same(model, asked, prefix, modules, std)


def inside(transform):
    """What an inverse inverts."""
    if hasattr(transform, "_transform"):  # of a conditional one
        return transform._transform
    return transform.inv if "Inverse" in type(transform).__name__ else transform


@pytest.mark.parametrize("prefix", ["", "flow.transforms."])
@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("context", [0, 3])
def test_affine_autoregressive(context, skip, stable, prefix):
    layers = []
    for _ in range(2):
        shape = {"skip_connections": skip, "nonlinearity": nn.Tanh()}
        if context:
            network = ConditionalAutoRegressiveNN(4, context, [9, 8], **shape)
            layers.append(pt.ConditionalAffineAutoregressive(network, stable=stable))
        else:
            layers.append(pt.AffineAutoregressive(AutoRegressiveNN(4, [9, 8], **shape), stable=stable))
    norm = pt.BatchNorm(4)
    norm.moving_variance += torch.rand(4)
    transforms = [layers[0], pt.Permute(torch.randperm(4)), norm, layers[1].inv, pt.BatchNorm(4).inv]
    check(transforms, {"activation": "tanh", "stable": stable, "sigmoid_bias": 2.0}, prefix)


@pytest.mark.parametrize("split", [1, 2, 3])
@pytest.mark.parametrize("context", [0, 2])
def test_affine_couplings(context, split):
    def coupling(**options):
        shape = split, [7], [4 - split] * 2
        if context:
            return pt.ConditionalAffineCoupling(split, ConditionalDenseNN(shape[0], context, *shape[1:]), **options)
        return pt.AffineCoupling(split, DenseNN(*shape), **options)

    clips = {"log_scale_min_clip": -2.0, "log_scale_max_clip": 1.5}
    transforms = [coupling(**clips), pt.Permute(torch.tensor([3, 2, 1, 0])), coupling(**clips).inv]
    check(transforms, {**clips, "context_dim": context})


def sizes(bins, order, features=1):
    return [features * count for count in (bins, bins, bins - 1, *([bins] if order == "linear" else []))]


@pytest.mark.parametrize("order", ["linear", "quadratic"])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("identity", [False, True])
def test_splines(order, inverse, identity):
    options = {"count_bins": 5, "order": order, "bound": 2.0}
    autoregressive = AutoRegressiveNN(4, [9], param_dims=sizes(5, order))
    hypernet = DenseNN(1, [8], sizes(5, order, 3))
    transforms = [
        pt.Spline(4, **options),
        pt.SplineAutoregressive(4, autoregressive, **options),
        pt.SplineCoupling(4, 1, hypernet, identity=identity, **options),
        pt.Householder(4, 3),
    ]
    if inverse:
        transforms = [transform.inv for transform in transforms]
    check(transforms, {"bound": 2.0, "order": order, "identity": identity})


@pytest.mark.parametrize("order", ["linear", "quadratic"])
def test_conditional_splines(order):
    options = {"count_bins": 5, "order": order}
    network = ConditionalAutoRegressiveNN(4, 2, [9], param_dims=sizes(5, order))
    transforms = [
        pt.ConditionalSplineAutoregressive(4, network, **options),
        pt.ConditionalSpline(DenseNN(2, [7], sizes(5, order, 4)), 4, **options),
    ]
    assert check(transforms, {"order": order}).context_dim == 2
    check(transforms[1:], {"order": order, "dim": 4})


def test_elementwise_transforms_and_the_base(tmp_path):
    transforms = [pt.LeakyReLUTransform(), pt.AffineAutoregressive(AutoRegressiveNN(4, [8]))]
    check(transforms)
    state = nn.ModuleList(transforms[1:]).state_dict()
    normal = {"kind": "diagonal_normal", "mean": 1, "std": 2}
    description = {**ASKED, "modules": ["AffineAutoregressive"], "state_dict": state, "base": normal}
    file = flowrt.compile(flowrt.descriptions.read(description)[0])
    assert file.base.mean.tolist() == [1] * 4 and file.base.std.tolist() == [2] * 4


MISSING = ["modules", "activation", "stable", "log_scale_min_clip", "log_scale_max_clip", "epsilon", "order", "bound",
           "identity"]  # fmt: skip


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_is_asked_for(tmp_path, missing):
    """Each in its turn, where something needs it; the file is written if all are there."""
    transforms = [pt.AffineAutoregressive(AutoRegressiveNN(4, [8])), pt.BatchNorm(4),
                  pt.SplineCoupling(4, 2, DenseNN(2, [8], sizes(3, "linear", 2)), 3)]  # fmt: skip
    options = {**ASKED, "order": "linear", "identity": False, "modules": [type(t).__name__ for t in transforms],
               "state_dict": nn.ModuleList(transforms).state_dict()}  # fmt: skip
    flowrt.save(tmp_path / "x.flw", options)
    with pytest.raises(flowrt.ExportError, match=f"'{missing}' is missing: "):
        flowrt.save(tmp_path / "x.flw", {**options, missing: None})


@pytest.mark.parametrize(
    "modules, message",
    [
        (
            ["AffineAutoregressive", "Permute"],
            "a Permute is not in a state dict: give the permutation of each",
        ),
        (
            ["AffineAutoregressive"] * 2,
            "'modules' has AffineAutoregressive at 1, but the state dict has no more",
        ),
        (["Permute"], "'modules' has 1 entries, and the state dict has arrays of more: 0"),
        (["BatchNorm"], "0 is BatchNorm in 'modules', which has beta, gamma, .*; the state dict has arn"),
        (["Planar"], "'Planar' of 'modules' is not read from a state dict: load it into the model"),
    ],
)
def test_wrong_modules_are_named(tmp_path, modules, message):
    state = nn.ModuleList([pt.AffineAutoregressive(AutoRegressiveNN(4, [8]))]).state_dict()
    given = {"permutations": [[0, 1, 2, 3]]} if modules == ["Permute"] else {}
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save(tmp_path / "x.flw", {**ASKED, **given, "modules": modules, "state_dict": state})
