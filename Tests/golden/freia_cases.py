"""The golden cases of FrEIA."""

from __future__ import annotations

import numpy as np
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from torch import nn


def subnet(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 12), nn.ReLU(), nn.Linear(12, outputs))


def sequence(*blocks, features=4, condition=0):
    """Modules with their options; "cond" is one for all that take a condition."""
    np.random.seed(0)
    network = Ff.SequenceINN(features)
    for module, options in blocks:
        if options.pop("cond", False):
            options |= {"cond": 0, "cond_shape": (condition,)}
        network.append(module, **options)
    for module in network.modules():
        if isinstance(module, Fm.ActNorm):
            module.init_on_next_batch = False
    return network


def coupling(module, **options):
    return module, {"subnet_constructor": subnet, **options}


def all_in_one(**options):
    return coupling(Fm.AllInOneBlock, **options)


def graph():
    """Two inputs, a split, conditions, and outputs in another order."""
    np.random.seed(0)
    first, second, given = Ff.InputNode(2), Ff.InputNode(3), Ff.ConditionNode(2)
    options = {"subnet_constructor": subnet}
    both = Ff.Node([first.out0, second.out0], Fm.Concat, {})
    coupled = Ff.Node(both.out0, Fm.GLOWCouplingBlock, options, conditions=given)
    split = Ff.Node(coupled.out0, Fm.Split, {"section_sizes": [2, 3]})
    deeper = Ff.Node(split.out1, Fm.AllInOneBlock, options, conditions=given)
    nodes = [first, second, given, both, coupled, split, deeper]
    return Ff.GraphINN([*nodes, Ff.OutputNode(deeper.out0), Ff.OutputNode(split.out0)])


FREIA = {
    "freia_all_in_one": lambda: sequence(all_in_one(), all_in_one(global_affine_type="SIGMOID"), all_in_one()),
    "freia_all_in_one_soft": lambda: sequence(
        all_in_one(permute_soft=True, global_affine_type="EXP"), all_in_one(learned_householder_permutation=2)
    ),
    "freia_all_in_one_gin": lambda: sequence(all_in_one(gin_block=True), all_in_one(reverse_permutation=True)),
    "freia_all_in_one_context": lambda: sequence(all_in_one(cond=True), all_in_one(cond=True), condition=3),
    "freia_real_nvp": lambda: sequence(
        coupling(Fm.RNVPCouplingBlock), (Fm.PermuteRandom, {}), coupling(Fm.RNVPCouplingBlock, clamp_activation="TANH")
    ),
    "freia_glow": lambda: sequence(
        coupling(Fm.GLOWCouplingBlock, split_len=1), coupling(Fm.GLOWCouplingBlock, clamp_activation="SIGMOID")
    ),
    "freia_gin": lambda: sequence(
        coupling(Fm.GINCouplingBlock, split_len=3), coupling(Fm.GINCouplingBlock, clamp_activation="TANH"), features=5
    ),
    "freia_nice": lambda: sequence(coupling(Fm.NICECouplingBlock), coupling(Fm.NICECouplingBlock, split_len=3)),
    "freia_context": lambda: sequence(
        coupling(Fm.GLOWCouplingBlock, cond=True),
        coupling(Fm.ConditionalAffineTransform, cond=True),
        coupling(Fm.AffineCouplingOneSided, cond=True),
        condition=2,
    ),
    "freia_linear": lambda: sequence(
        (Fm.FixedLinearTransform, {"M": torch.eye(4) + 0.3 * torch.ones(4, 4).triu(1), "b": torch.ones(4)}),
        coupling(Fm.NICECouplingBlock),
        (Fm.OrthogonalTransform, {}),
        (Fm.HouseholderPerm, {"n_reflections": 3}),
    ),
    "freia_elementwise": lambda: sequence(
        (Fm.ActNorm, {}),
        (Fm.LearnedElementwiseScaling, {}),
        (Fm.InvAutoAct, {"slope_init": 1.5}),
        coupling(Fm.NICECouplingBlock),
        (Fm.InvAutoActTwoSided, {}),
    ),
    "freia_graph": graph,
    "freia_one_feature": lambda: sequence(all_in_one(), (Fm.ActNorm, {}), features=1),
}
