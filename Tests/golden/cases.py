"""The golden cases: small untrained models, one for each thing that a model can have."""

from __future__ import annotations

from functools import partial

import torch
import zuko
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN
from torch import nn
from torch.nn import functional as F

# ---- nflows ----


def nflows_maf(features=5, hidden=16, layers=2, blocks=1, **options):
    return MaskedAutoregressiveFlow(features, hidden, layers, blocks, **options)


def nflows_flow(*layers, features=4):
    return Flow(nt.CompositeTransform(list(layers)), StandardNormal([features]))


def masked_affine(features=4, hidden=16, blocks=1, context=None, **options):
    return nt.MaskedAffineAutoregressiveTransform(
        features, hidden, context_features=context, num_blocks=blocks, **options
    )


def nflows_mixed():
    return nflows_flow(
        nt.PointwiseAffineTransform(torch.tensor([0.5, -1.0, 2.0, 0.1]), torch.tensor([0.7, 1.3, 2.0, 0.4])),
        nt.CompositeTransform([masked_affine(), nt.RandomPermutation(4), nt.ActNorm(4)]),
        nt.InverseTransform(nt.CompositeTransform([masked_affine(), nt.BatchNorm(4), nt.ReversePermutation(4)])),
        nt.RandomPermutation(4),
        nt.IdentityTransform(),
        nt.BatchNorm(4),
    )


class SigmoidScale(nt.MaskedAffineAutoregressiveTransform):
    """The scale of older releases, sigmoid(a + 2) + epsilon."""

    def _elementwise_forward(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = torch.sigmoid(raw + 2.0) + self._epsilon
        return scale * inputs + shift, torch.log(scale).sum(dim=1)

    def _elementwise_inverse(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = torch.sigmoid(raw + 2.0) + self._epsilon
        return (inputs - shift) / scale, -torch.log(scale).sum(dim=1)


def nflows_epsilon():
    layer = masked_affine()
    layer._epsilon = 0.1
    return nflows_flow(layer)


NFLOWS = {
    "nflows_maf_residual": partial(nflows_maf, blocks=2),
    "nflows_maf_feedforward_tanh": partial(nflows_maf, blocks=2, use_residual_blocks=False, activation=torch.tanh),
    "nflows_maf_random_mask": partial(nflows_maf, blocks=2, use_residual_blocks=False, use_random_masks=True),
    "nflows_maf_random_permutation": partial(nflows_maf, layers=3, use_random_permutations=True),
    "nflows_maf_batch_norm_between": partial(nflows_maf, batch_norm_between_layers=True),
    "nflows_maf_batch_norm_residual": partial(nflows_maf, batch_norm_within_layers=True, activation=torch.tanh),
    "nflows_maf_batch_norm_feedforward": partial(nflows_maf, batch_norm_within_layers=True, use_residual_blocks=False),
    "nflows_maf_wide": partial(nflows_maf, features=21, hidden=24, layers=1, blocks=1),
    "nflows_maf_dropout": partial(nflows_maf, layers=1, dropout_probability=0.5),
    "nflows_context_residual": lambda: nflows_flow(
        masked_affine(context=3), nt.ReversePermutation(4), masked_affine(context=3)
    ),
    "nflows_context_feedforward": lambda: nflows_flow(
        masked_affine(context=3, blocks=2, use_residual_blocks=False, activation=torch.tanh), nt.RandomPermutation(4)
    ),
    "nflows_context_batch_norm": lambda: nflows_flow(masked_affine(context=3, use_batch_norm=True)),
    "nflows_iaf": lambda: nflows_flow(
        nt.InverseTransform(masked_affine()), nt.ReversePermutation(4), nt.InverseTransform(masked_affine())
    ),
    "nflows_iaf_context": lambda: nflows_flow(nt.InverseTransform(masked_affine(context=2)), nt.RandomPermutation(4)),
    "nflows_mixed": nflows_mixed,
    "nflows_one_feature": lambda: nflows_flow(masked_affine(features=1, hidden=8), features=1),
    "nflows_one_feature_context": lambda: nflows_flow(masked_affine(features=1, hidden=8, context=3), features=1),
    "nflows_two_features": lambda: nflows_flow(masked_affine(features=2, hidden=8), features=2),
    "nflows_epsilon": nflows_epsilon,
    "nflows_sigmoid_scale": lambda: nflows_flow(SigmoidScale(4, 16, num_blocks=1)),
    "nflows_bare_transform": lambda: nt.CompositeTransform([nt.RandomPermutation(4), masked_affine()]),
    "nflows_permutation_only": lambda: nflows_flow(nt.RandomPermutation(4), nt.ActNorm(4)),
}

ACTIVATIONS = {
    "elu": partial(F.elu, alpha=0.7),
    "leaky_relu": nn.LeakyReLU(0.2),
    "silu": F.silu,
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "identity": lambda h: h,
}

for _name, _function in ACTIVATIONS.items():
    NFLOWS[f"nflows_activation_{_name}"] = partial(
        nflows_maf, layers=1, use_residual_blocks=False, activation=_function
    )

# ---- zuko ----


def zuko_maf(features=5, context=0, transforms=2, hidden_features=(16, 16), **options):
    return zuko.flows.MAF(features, context, transforms=transforms, hidden_features=hidden_features, **options)


ADDITIVE = {"univariate": zuko.transforms.AdditiveTransform, "shapes": [()]}
SLOPE = {"univariate": partial(zuko.transforms.MonotonicAffineTransform, slope=1e-2)}


def zuko_adjacency():
    """A graph that is no chain: coordinates 1 and 3 depend on 0, coordinate 2 on all."""
    graph = torch.eye(4, dtype=torch.bool)
    graph[1, 0] = graph[3, 0] = True
    graph[2] = True
    layer = zuko.flows.MaskedAutoregressiveTransform(4, adjacency=graph, hidden_features=(16,))
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal, loc=torch.zeros(4), scale=torch.ones(4), buffer=True
    )
    return zuko.lazy.Flow([layer], base)


def zuko_inverse():
    flow = zuko_maf(transforms=2)
    return zuko.lazy.Flow([flow.transform.transforms[0].inv, flow.transform.transforms[1]], flow.base)


ZUKO = {
    "zuko_maf": zuko_maf,
    "zuko_maf_elu_three_layers": partial(zuko_maf, hidden_features=(16, 8, 24), activation=nn.ELU),
    "zuko_randperm": partial(zuko_maf, randperm=True),
    "zuko_context": partial(zuko_maf, context=3),
    "zuko_residual": partial(zuko_maf, residual=True, hidden_features=(16, 16, 8)),
    "zuko_residual_context": partial(zuko_maf, residual=True, context=2),
    "zuko_passes_2": partial(zuko_maf, features=6, passes=2),
    "zuko_passes_3_context": partial(zuko_maf, features=7, passes=3, context=2),
    "zuko_slope": partial(zuko_maf, transforms=1, **SLOPE),
    "zuko_additive": partial(zuko_maf, **ADDITIVE),
    "zuko_adjacency": zuko_adjacency,
    "zuko_inverse": zuko_inverse,
    "zuko_one_feature": partial(zuko_maf, features=1),
    "zuko_one_feature_context": partial(zuko_maf, features=1, context=3, hidden_features=(8, 8)),
}

# ---- Pyro ----


def normal(features):
    return pd.Normal(torch.zeros(features), torch.ones(features))


def iaf(features=5, hidden=(16,), skip=False, activation=None, permutation=None, **options):
    network = AutoRegressiveNN(
        features,
        list(hidden),
        skip_connections=skip,
        nonlinearity=activation or nn.ReLU(),
        permutation=permutation,
    )
    return pt.AffineAutoregressive(network, **options)


def conditional_iaf(features=5, context=3, hidden=(16,), skip=False, **options):
    network = ConditionalAutoRegressiveNN(features, context, list(hidden), skip_connections=skip)
    return pt.ConditionalAffineAutoregressive(network, **options)


def permute(features=5):
    return pt.Permute(torch.randperm(features))


def pyro_flow(*transforms, features=5):
    return pd.TransformedDistribution(normal(features), list(transforms))


def pyro_conditional_flow(*transforms, features=5):
    return pd.ConditionalTransformedDistribution(normal(features), list(transforms))


PYRO = {
    "pyro_iaf": lambda: pyro_flow(iaf(), permute(), iaf(hidden=(16, 16))),
    "pyro_maf": lambda: pyro_flow(iaf().inv, permute(), iaf().inv),
    "pyro_iaf_stable": lambda: pyro_flow(iaf(stable=True), permute(), iaf(stable=True, sigmoid_bias=1.0)),
    "pyro_maf_stable": lambda: pyro_flow(iaf(stable=True).inv, iaf(stable=True).inv),
    "pyro_clip": lambda: pyro_flow(iaf(log_scale_min_clip=-0.5, log_scale_max_clip=0.25).inv),
    "pyro_skip": lambda: pyro_flow(iaf(skip=True).inv, iaf(skip=True, hidden=(16, 16)).inv),
    "pyro_order": lambda: pyro_flow(iaf(permutation=torch.tensor([2, 0, 4, 1, 3]), activation=nn.Tanh()).inv),
    "pyro_batch_norm": lambda: pyro_flow(iaf().inv, pt.BatchNorm(5), permute().inv, iaf().inv, pt.BatchNorm(5).inv),
    "pyro_mixed": lambda: pyro_flow(iaf(), permute(), iaf(stable=True, skip=True).inv, pt.BatchNorm(5), permute()),
    "pyro_list": lambda: [iaf().inv, permute()],
    "pyro_one_feature": lambda: pyro_flow(iaf(features=1, hidden=(4,)).inv, features=1),
    "pyro_conditional_iaf": lambda: pyro_conditional_flow(conditional_iaf(), permute(), conditional_iaf()),
    "pyro_conditional_maf": lambda: pyro_conditional_flow(conditional_iaf().inv, permute(), conditional_iaf().inv),
    "pyro_conditional_skip": lambda: pyro_conditional_flow(
        conditional_iaf(skip=True).inv, conditional_iaf(skip=True, stable=True)
    ),
    "pyro_conditional_mixed": lambda: pyro_conditional_flow(iaf().inv, pt.BatchNorm(5), conditional_iaf().inv),
}

CASES = {**NFLOWS, **ZUKO, **PYRO}
