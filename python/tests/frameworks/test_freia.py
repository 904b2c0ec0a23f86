"""FrEIA: random networks, options, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from freia_models import random_network, subnets
from live import agree, agree_in_c

import flowrt
from flowrt.file.codes import Activation, Scale


def sequence(module, features=4, **options):
    network = Ff.SequenceINN(features)
    network.append(module, **options)
    return network


def subnet(inputs, outputs):
    return torch.nn.Sequential(torch.nn.Linear(inputs, 6), torch.nn.Tanh(), torch.nn.Linear(6, outputs))


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed):
    agree(random_network(seed, trained=float(seed % 3) / 2), rows=5, tolerance=1e-9)


def test_the_library_computes_the_same():
    agree_in_c(random_network(3))


@pytest.mark.parametrize("clamp", [-1.5, 0.0, 2.0])
@pytest.mark.parametrize("module", [Fm.GLOWCouplingBlock, Fm.GINCouplingBlock])
def test_any_clamp(module, clamp):
    for activation in ("ATAN", "TANH", "SIGMOID", lambda u: u):
        agree(sequence(module, subnet_constructor=subnet, clamp=clamp, clamp_activation=activation))


def test_a_gin_block_takes_the_mean_of_arc_tangents():
    file = agree(sequence(Fm.GINCouplingBlock, 5, subnet_constructor=subnet))
    assert [step.scale for step in file.steps] == [Scale.EXP, Scale.EXP]
    assert Activation.ARCTANGENT in [layer.activation for layer in file.steps[0].layers]
    data = flowrt.format.encode(file)
    assert int.from_bytes(data[10:12], "little") == 1  # the minor version that has the arc tangent


def test_a_sigmoid_is_an_elementwise_step():
    agree(sequence(Fm.InvertibleSigmoid))


def test_float64_models():
    agree(random_network(5).double())


def test_what_the_model_has_not_learned_yet_is_refused(tmp_path):
    with pytest.raises(flowrt.ExportError, match="ActNorm has seen no data yet"):
        flowrt.save(tmp_path / "f.flw", sequence(Fm.ActNorm))


def test_a_matrix_that_is_not_orthogonal_is_refused(tmp_path):
    network = sequence(Fm.AllInOneBlock, subnet_constructor=subnet, permute_soft=True)
    network.module_list[0].w_perm.data *= 1.1
    with pytest.raises(flowrt.ExportError, match="AllInOneBlock is not orthogonal, it has a singular value of 1.1"):
        flowrt.save(tmp_path / "f.flw", network)


def test_volumes_are_refused(tmp_path):
    network = Ff.SequenceINN(3, 4, 4, 2)
    network.append(Fm.ActNorm)
    with pytest.raises(flowrt.ExportError, match=r"ActNorm is given a tensor of the shape \(3, 4, 4, 2\)"):
        flowrt.save(tmp_path / "f.flw", network)


def test_an_overridden_formula_is_refused(tmp_path):
    class Wider(Fm.GLOWCouplingBlock):
        def _coupling2(self, x2, u1, rev=False):
            y2, j2 = super()._coupling2(x2, u1, rev)
            return 2 * y2, j2

    with pytest.raises(flowrt.ExportError, match="Wider overrides _coupling2"):
        flowrt.save(tmp_path / "f.flw", sequence(Wider, subnet_constructor=subnet))


def test_a_subnet_that_is_no_sequence_is_refused(tmp_path):
    class Two(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.first, self.second = torch.nn.Linear(inputs, outputs), torch.nn.Linear(inputs, outputs)

        def forward(self, x):
            return self.first(x) * self.second(x)

    with pytest.raises(flowrt.ExportError, match="Two is not supported"):
        flowrt.save(tmp_path / "f.flw", sequence(Fm.NICECouplingBlock, subnet_constructor=Two))


def test_conditions_are_the_context_in_their_order():
    given = [Ff.ConditionNode(2), Ff.ConditionNode(1)]
    data = Ff.InputNode(3)
    options = {"subnet_constructor": subnets(np.random.default_rng(0))}
    node = Ff.Node(data, Fm.GLOWCouplingBlock, options, conditions=given[::-1])
    assert agree(Ff.GraphINN([data, *given, node, Ff.OutputNode(node)])).context_dim == 3
