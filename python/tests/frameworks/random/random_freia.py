"""Random networks of FrEIA."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from random_torch import train
from torch import nn
from torch_weights import randomise

torch.set_num_threads(1)

_BLOCKS = ("GLOWCouplingBlock", "RNVPCouplingBlock", "NICECouplingBlock", "GINCouplingBlock", "AffineCouplingOneSided")


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model in evaluation mode, and rows of x and of the context."""
    torch.manual_seed(shape.seed)
    np.random.seed(shape.seed)  # permutations are drawn from it
    shape.context_unit, shape.constant = 1.0, False  # FrEIA standardises no contexts
    x, c = shape.data()
    c = None if c is None else c - np.float32(shape.far)
    kind = shape.pick("AllInOneBlock", "AllInOneBlock", *_BLOCKS) if shape.features > 1 else "AllInOneBlock"
    build = shape.pick(_sequence, _graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = build(kind, shape)
        model(torch.tensor(x), **_given(c))  # ActNorm takes its scale from the first batch
        if shape.weights == "random":
            for module in model.modules():
                if isinstance(module, nn.Linear):
                    randomise(module, float(shape.rng.uniform(0.1, 0.5)))
        if shape.weights == "trained":
            given = torch.tensor(x), None if c is None else torch.tensor(c)
            train(model, lambda x, c: _log_prob(model, x, c), *given)
    return f"{kind} {build.__name__.strip('_')}", model.eval(), (x, c)


def _given(c) -> dict:
    return {} if c is None else {"c": [torch.as_tensor(c)]}


def _log_prob(model, x, c):
    z, log_det = model(x, **_given(c))
    return -0.5 * (z**2).sum(dim=1) + log_det


def _subnet(shape):
    activation, hidden, deep = shape.pick(nn.ReLU, nn.Tanh, nn.SiLU), shape.hidden, shape.pick(True, False)

    def construct(inputs: int, outputs: int):
        middle = [nn.Linear(hidden, hidden), activation()] if deep else []
        return nn.Sequential(nn.Linear(inputs, hidden), activation(), *middle, nn.Linear(hidden, outputs))

    return construct


def _options(kind: str, shape) -> dict:
    options = {"subnet_constructor": _subnet(shape)}
    if kind == "AllInOneBlock":
        soft = shape.features > 1 and shape.pick(True, False)
        options["global_affine_type"] = shape.pick("SOFTPLUS", "SIGMOID", "EXP")
        return {**options, "permute_soft": bool(soft), "gin_block": bool(shape.rng.random() < 0.2)}
    if kind != "NICECouplingBlock":
        options["clamp_activation"] = shape.pick("ATAN", "TANH", "SIGMOID")
    return options


def _layers(kind: str, shape) -> list:
    """Names and options of modules; whether they take the condition."""
    layers: list[tuple] = [("ActNorm", {}, False)]
    for _ in range(shape.layers):
        layers.append((kind, _options(kind, shape), True))
        if kind != "AllInOneBlock":
            layers.append(("PermuteRandom", {}, False))
        if shape.rng.random() < 0.2:
            layers.append(("ActNorm", {}, False))
    return layers


def _sequence(kind: str, shape):
    model = Ff.SequenceINN(shape.features)
    for name, options, conditional in _layers(kind, shape):
        if conditional and shape.context:
            options = {**options, "cond": 0, "cond_shape": (shape.context,)}
        model.append(getattr(Fm, name), **options)
    return model


def _graph(kind: str, shape):
    nodes = [Ff.InputNode(shape.features)]
    given = [Ff.ConditionNode(shape.context)] if shape.context else []
    for name, options, conditional in _layers(kind, shape):
        nodes.append(Ff.Node(nodes[-1], getattr(Fm, name), options, conditions=given if conditional else []))
    return Ff.GraphINN([*nodes, *given, Ff.OutputNode(nodes[-1])])
