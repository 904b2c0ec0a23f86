"""nflows: transforms of single coordinates, and bases other than the diagonal normal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows.distributions import ConditionalDiagonalNormal, MADEMoG
from nflows.flows import Flow
from nflows.nn.nde import MixtureOfGaussiansMADE
from nflows.nn.nets import MLP, ResidualNet
from nflows.transforms.base import Transform
from nflows_models import affine, flow, refused
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt import reference
from flowrt.file.codes import BaseKind, Function, Scale


class Exp(Transform):
    """Of newer releases."""

    def forward(self, inputs, context=None):
        return torch.exp(inputs), inputs.sum(dim=1)

    def inverse(self, inputs, context=None):
        return torch.log(inputs), -torch.log(inputs).sum(dim=1)


FUNCTIONS = {
    "tanh": (nt.Tanh, [Function.TANH], [Function.ATANH]),
    "sigmoid": (nt.Sigmoid, [Function.SIGMOID], [Function.LOGIT]),
    "logit": (nt.Logit, [Function.LOGIT], [Function.SIGMOID]),
    "leaky": (lambda: nt.LeakyReLU(0.2), [Function.LEAKY], [Function.LEAKY_INVERSE]),
    "exp": (Exp, [Function.EXP_ABOVE], [Function.LOG_ABOVE]),
    "temperature": (lambda: nt.Sigmoid(temperature=0.7), [Function.SIGMOID], [Function.LOGIT]),
    "learned temperature": (lambda: nt.Sigmoid(0.7, learn_temperature=True), [Function.SIGMOID], [Function.LOGIT]),
}


@pytest.mark.parametrize("features", [1, 3, 64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementwise_transforms(name, features):
    make, forward, inverse = FUNCTIONS[name]
    for layer, expected in [(make(), forward), (nt.InverseTransform(make()), inverse)]:
        steps = agree(flow(layer, affine(features), features=features), tolerance=1e-10).steps
        agree_in_c(flow(layer, affine(features), features=features))
        assert [step.function[0] for step in steps if hasattr(step, "function")] == expected


def test_a_flow_on_positive_numbers_behind_a_permutation():
    model = flow(nt.RandomPermutation(4), nt.InverseTransform(Exp()), affine(4), nt.LeakyReLU(0.1), features=4)
    file = agree(model)
    assert np.isneginf(reference.log_prob(file, [[1.0, 2.0, -1.0, 1.0]])) and len(file.steps) == 3


ENCODERS = {
    "linear": lambda: nn.Linear(2, 6),
    "perceptron": lambda: MLP([2], [6], [9, 5], activation=torch.tanh),
    "residual": lambda: ResidualNet(2, 6, 7),
    "sequence": lambda: nn.Sequential(nn.Linear(2, 5), nn.ELU(), nn.Linear(5, 6), nn.Tanh()),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_conditional_normal(name):
    model = Flow(affine(context_features=2), ConditionalDiagonalNormal([3], ENCODERS[name]()))
    randomise(model, 0.5)
    file = agree(model)
    agree_in_c(model)
    assert file.base.base == BaseKind.CONDITIONAL_NORMAL and file.context_dim == 2


def test_a_conditional_normal_whose_parameters_are_the_context():
    file = agree(Flow(affine(context_features=6), ConditionalDiagonalNormal([3])))
    assert file.context_dim == 6
    refused(Flow(affine(context_features=6), ConditionalDiagonalNormal([3], torch.exp)), "exp is not supported")
    model = Flow(affine(context_features=2), ConditionalDiagonalNormal([3], nn.Linear(2, 4)))
    refused(model, "ConditionalDiagonalNormal: the context encoder has 4 outputs, not 6")


OPTIONS = [
    {},
    {"use_residual_blocks": False, "activation": torch.tanh},
    {"use_batch_norm": True},
    {"use_residual_blocks": False, "use_batch_norm": True, "num_blocks": 3},
    {"use_residual_blocks": False, "random_mask": True},
    {"num_blocks": 0, "custom_initialization": True},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("context", [None, 2])
@pytest.mark.parametrize("features", [1, 3, 17])
def test_made_with_mixtures(options, context, features):
    torch.manual_seed(0)
    model = MADEMoG(features, 9, context, num_mixture_components=4, **options)
    randomise(model, 0.5)
    file = agree(model)
    agree_in_c(model)
    assert (file.base.base, file.base.components) == (BaseKind.AUTOREGRESSIVE_MIXTURE, 4)
    assert file.base.scale == Scale.SOFTPLUS and file.base.p[0] == 0.01 and not file.steps


def test_maf_on_a_made_with_mixtures(tmp_path):
    """MAF MoG of Papamakarios et al. 2017."""
    layers = [affine(context_features=2), nt.ReversePermutation(3), affine(context_features=2), nt.BatchNorm(3)]
    model = Flow(nt.CompositeTransform(layers), MADEMoG(3, 8, 2, num_mixture_components=3))
    model._distribution._made.epsilon = 0.1
    randomise(model, 0.5)
    assert agree(model).base.p[0] == 0.1
    flowrt.save(tmp_path / "flow.flw", model, verify=True)


def test_an_overridden_mixture_is_noticed():
    class Sharper(MixtureOfGaussiansMADE):
        def log_prob(self, inputs, context=None):
            return super().log_prob(inputs, context) + 0.1

    model = MADEMoG(3, 8, None, num_mixture_components=2)
    model._made.__class__ = Sharper
    refused(model, "its log_prob differs by 0.1 from what the model computes")
