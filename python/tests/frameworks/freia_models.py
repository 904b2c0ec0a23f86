"""Random networks of FrEIA, of every module and option that a file can hold."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from torch import nn

ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.ELU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Sigmoid, nn.Softplus)
CLAMPS = (
    "ATAN",
    "TANH",
    "SIGMOID",
    lambda u: u / (1 + u.abs()),
    lambda u: 2 / math.pi * torch.atan(u * math.pi / 2),
    lambda u: torch.tanh(u / 3),
    nn.Hardtanh(),
)
UNITS = CLAMPS[:4]  # of which a mean can be taken


class Mlp(nn.Module):
    """A user's class around a sequence."""

    def __init__(self, layers):
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        return self.net(x)


def subnets(generator):
    """A constructor of networks with a random depth, width and activation."""
    depth, width = int(generator.integers(0, 4)), int(generator.integers(1, 24))
    activation, dropout = generator.choice(ACTIVATIONS), generator.random() < 0.3
    wrapped = generator.random() < 0.3

    def construct(inputs, outputs):
        sizes = [inputs, *[width] * depth, outputs]
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), activation(), *([nn.Dropout(0.2)] if dropout else [])]
        layers = layers[: -2 if dropout else -1]
        return Mlp(layers) if wrapped else nn.Sequential(*layers)

    return construct


def options_of(name: str, generator, dim: int) -> dict:
    """Random options of a module."""
    if name == "AllInOneBlock":
        householder = int(generator.choice([0, 0, 1, 3]))
        kind = generator.choice(["SOFTPLUS", "SIGMOID", "EXP"])
        return {
            "subnet_constructor": subnets(generator),
            "affine_clamping": float(generator.uniform(0.1, 4)),
            "gin_block": bool(generator.random() < 0.3),
            "global_affine_init": float(generator.uniform(0.3, 2)),
            "global_affine_type": str(kind),
            "permute_soft": bool(dim > 1 and generator.random() < 0.4),
            "learned_householder_permutation": householder,
            "reverse_permutation": bool(generator.random() < 0.3),
        }
    share = float(generator.choice([0.5, 0.5, 0.3, 0.8]))
    split = share if generator.random() < 0.5 else int(generator.integers(0 if dim > 1 else 1, dim + 1))
    if name == "NICECouplingBlock":
        return {"subnet_constructor": subnets(generator), "split_len": split}
    if name.endswith(("CouplingBlock", "OneSided", "ConditionalAffineTransform")):
        clamps = UNITS if name == "GINCouplingBlock" else CLAMPS
        return {
            "subnet_constructor": subnets(generator),
            "split_len": split,
            "clamp": float(generator.choice([0.0, 0.5, 1.0, 2.0, 3.0])),
            "clamp_activation": clamps[generator.integers(len(clamps))],
        }
    if name == "FixedLinearTransform":
        matrix = torch.eye(dim) + 0.5 * torch.randn(dim, dim) / dim**0.5
        return {"M": matrix, "b": torch.randn(dim) if generator.random() < 0.5 else None}
    if name == "HouseholderPerm":
        return {"n_reflections": int(generator.integers(2, max(3, dim + 1))), "fixed": bool(generator.random() < 0.5)}
    return {}


CONDITIONAL = {
    "AllInOneBlock", "NICECouplingBlock", "RNVPCouplingBlock", "GLOWCouplingBlock", "GINCouplingBlock",
    "AffineCouplingOneSided", "ConditionalAffineTransform",
}  # fmt: skip
FREE = {
    "ActNorm", "LearnedElementwiseScaling", "InvAutoAct", "InvAutoActTwoSided", "PermuteRandom", "FixedLinearTransform",
    "OrthogonalTransform", "HouseholderPerm",
}  # fmt: skip


def random_network(seed: int, trained: float = 1.0):
    """A sequence or a graph; `trained` is the size of what is added to its parameters."""
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    dim = int(generator.choice([1, 2, 3, 4, 5, 7, 12, 30], p=[0.08, 0.2, 0.2, 0.2, 0.14, 0.08, 0.06, 0.04]))
    conditions = [int(n) for n in generator.integers(1, 5, size=generator.choice([0, 0, 1, 1, 2]))]
    names = sorted(CONDITIONAL - (set() if conditions else {"ConditionalAffineTransform"})) * 2 + sorted(FREE)
    count = int(generator.integers(1, 7))
    chosen = [str(generator.choice(names)) for _ in range(count)]
    if generator.random() < 0.15:
        chosen.append("InvertibleSigmoid")
    make = _sequence if generator.random() < 0.5 else _graph
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = make(generator, dim, conditions, chosen)
    return trained_looking(network, generator, trained).eval()


def _sequence(generator, dim, conditions, chosen):
    network = Ff.SequenceINN(dim)
    for name in chosen:
        options = options_of(name, generator, dim)
        if conditions and name in CONDITIONAL and (generator.random() < 0.7 or name == "ConditionalAffineTransform"):
            number = int(generator.integers(len(conditions)))
            options |= {"cond": number, "cond_shape": (conditions[number],)}
        network.append(getattr(Fm, name), **options)
    return network


def _graph(generator, dim, conditions, chosen):
    givens = [Ff.ConditionNode(size) for size in conditions]
    inputs = [Ff.InputNode(dim)]
    if dim > 2 and generator.random() < 0.3:
        inputs = [Ff.InputNode(1), Ff.InputNode(dim - 1)]
    nodes, tensors = [*inputs, *givens], [(node.out0, node.dims[0]) for node in inputs]
    for name in chosen:
        if len(tensors) > 1 and generator.random() < 0.6:
            merged = Ff.Node([tensor for tensor, _ in tensors], Fm.Concat, {})
            nodes.append(merged)
            tensors = [(merged.out0, dim)]
        elif len(tensors) == 1 and dim > 2 and generator.random() < 0.3:
            first = int(generator.integers(1, dim))
            split = Ff.Node(tensors[0][0], Fm.Split, {"section_sizes": [first, dim - first]})
            nodes.append(split)
            tensors = [(split.out0, first), (split.out1, dim - first)]
        which = int(generator.integers(len(tensors)))
        tensor, size = tensors[which]
        given = []
        if givens and name in CONDITIONAL:
            picked = generator.random(len(givens)) < 0.7
            if name == "ConditionalAffineTransform":
                picked[0] = True
            given = [node for node, take in zip(givens, picked) if take]
        node = Ff.Node(tensor, getattr(Fm, name), options_of(name, generator, size), conditions=given)
        nodes.append(node)
        tensors[which] = node.out0, size
    generator.shuffle(tensors)
    nodes += [Ff.OutputNode(tensor) for tensor, _ in tensors]
    return Ff.GraphINN(nodes)


def trained_looking(network, generator, size: float):
    """Moves what training moves."""
    for module in network.modules():
        kind = type(module).__name__
        if kind == "ActNorm":
            module.init_on_next_batch = False
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or kind == "OrthogonalTransform" and name == "weights":
                continue
            spread = 0.5 / np.sqrt(max(parameter.shape[-1], 1)) if parameter.dim() == 2 and kind == "Linear" else 0.3
            moved = torch.as_tensor(generator.normal(size=tuple(parameter.shape)) * spread * size)
            parameter.data += moved.to(parameter.dtype)
    return network
