"""The golden cases: small untrained models, one for each thing that a model can have."""

from __future__ import annotations

from functools import partial

import torch
import zuko
from freia_cases import FREIA
from image_cases import IMAGES
from nflows import transforms as nt
from nflows.distributions import DiagonalNormal, StandardNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow, SimpleRealNVP
from nflows.nn.nets import MLP, ResidualNet
from polynomial_spline_cases import POLYNOMIAL_SPLINES
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, ConditionalDenseNN, DenseNN
from pyro_cases import PYRO as PYRO_SPLINES
from spline_cases import WIDER
from torch import nn
from torch.nn import functional as F
from torch_weights import randomise

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


def real_nvp(features=5, hidden=16, layers=3, blocks=1, **options):
    return SimpleRealNVP(features, hidden, layers, blocks, **options)


def residual_coupling(
    mask=(1, -1, 1, -1), kind=nt.AffineCouplingTransform, context=None, unconditional=None, **options
):
    def network(inputs, outputs):
        return ResidualNet(inputs, outputs, 16, context_features=context, num_blocks=1, **options)

    return kind(torch.tensor(mask), network, unconditional)


class ContextMLP(MLP):
    """The perceptron of nflows with the context beside its input."""

    def forward(self, inputs, context=None):
        return super().forward(inputs if context is None else torch.cat([inputs, context], dim=1))


def mlp_coupling(mask=(1, -1, 1, -1), context=0, hidden=(16, 8), kind=nt.AffineCouplingTransform, **options):
    def network(inputs, outputs):
        return ContextMLP([inputs + context], [outputs], list(hidden), **options)

    return kind(torch.tensor(mask), network)


class GeneralScale(nt.AffineCouplingTransform):
    """The other scale of newer releases, min(softplus(a) + 1e-3, 3)."""

    def _scale_and_shift(self, transform_params):
        shift, raw = transform_params.chunk(2, dim=1)
        return (F.softplus(raw) + 1e-3).clamp(0, 3), shift


def actnorm_and_lu(features):
    return nt.CompositeTransform([nt.ActNorm(features), nt.LULinear(features), nt.RandomPermutation(features)])


def nflows_unconditional():
    first = residual_coupling(unconditional=actnorm_and_lu)
    second = residual_coupling(mask=(-1, 1, -1, 1), unconditional=actnorm_and_lu)
    return nflows_flow(first, nt.InverseTransform(second))


def nflows_linear():
    layers = [nt.QRLinear(4, 3), nt.SVDLinear(4, 2), nt.NaiveLinear(4), nt.HouseholderSequence(4, 3), masked_affine()]
    return nflows_flow(*layers, nt.InverseTransform(nt.LULinear(4)), nt.RandomPermutation(4))


def nflows_diagonal_normal():
    return Flow(nt.CompositeTransform([masked_affine(), nt.LULinear(4)]), DiagonalNormal([4]))


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
    "nflows_real_nvp": real_nvp,
    "nflows_real_nvp_batch_norm": partial(
        real_nvp, batch_norm_within_layers=True, batch_norm_between_layers=True, activation=torch.tanh
    ),
    "nflows_nice": partial(real_nvp, use_volume_preserving=True),
    "nflows_coupling_context": lambda: nflows_flow(
        residual_coupling(context=3), nt.RandomPermutation(4), nt.InverseTransform(residual_coupling(context=3))
    ),
    "nflows_coupling_context_batch_norm": lambda: nflows_flow(residual_coupling(context=2, use_batch_norm=True)),
    "nflows_coupling_mlp": lambda: nflows_flow(mlp_coupling(), mlp_coupling((-1, 1, 1, -1), activation=torch.tanh)),
    "nflows_coupling_mlp_context": lambda: nflows_flow(
        mlp_coupling(context=3), mlp_coupling((-1, 1, -1, -1), 3, kind=nt.AdditiveCouplingTransform)
    ),
    "nflows_coupling_general_scale": lambda: nflows_flow(residual_coupling(kind=GeneralScale)),
    "nflows_coupling_unconditional": nflows_unconditional,
    "nflows_glow": lambda: nflows_flow(
        nt.ActNorm(4), nt.LULinear(4), residual_coupling(), nt.ActNorm(4), nt.LULinear(4), residual_coupling()
    ),
    "nflows_linear": nflows_linear,
    "nflows_diagonal_normal": nflows_diagonal_normal,
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
    "selu": F.selu,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "mish": F.mish,
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


def zuko_nvp(features=5, context=0, transforms=3, hidden_features=(16, 16), **options):
    return zuko.flows.NICE(features, context, transforms, hidden_features=hidden_features, **options)


def zuko_constant(transform, *values):
    return zuko.lazy.UnconditionalTransform(transform, *values, buffer=True)


def zuko_linear():
    rotation = zuko_constant(zuko.transforms.RotationTransform, torch.randn(5, 5))
    lu = zuko_constant(zuko.transforms.LULinearTransform, torch.eye(5) + 0.2 * torch.randn(5, 5))
    permutation = zuko_constant(zuko.transforms.PermutationTransform, torch.randperm(5))
    flow = zuko_nvp(transforms=2)
    first, second = flow.transform.transforms
    return zuko.lazy.Flow([rotation, first, permutation, lu.inv, second, lu, permutation.inv], flow.base)


def zuko_diagonal_normal():
    flow = zuko_nvp()
    flow.base.loc.normal_()
    flow.base.scale.uniform_(0.5, 2)
    return flow


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
    "zuko_real_nvp": zuko_nvp,
    "zuko_real_nvp_context": partial(zuko_nvp, context=3, randmask=True, activation=nn.SiLU),
    "zuko_nice": partial(zuko_nvp, features=6, **ADDITIVE),
    "zuko_linear": zuko_linear,
    "zuko_diagonal_normal": zuko_diagonal_normal,
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


def coupling(features=5, split=2, hidden=(16,), **options):
    network = DenseNN(split, list(hidden), [features - split] * 2)
    return pt.AffineCoupling(split, network, **options)


def conditional_coupling(features=5, context=3, split=2, hidden=(16,), **options):
    network = ConditionalDenseNN(split, context, list(hidden), [features - split] * 2, nonlinearity=nn.Tanh())
    return pt.ConditionalAffineCoupling(split, network, **options)


def cholesky(features=5):
    lower = torch.eye(features) + 0.3 * torch.randn(features, features).tril(-1)
    return pt.LowerCholeskyAffine(torch.randn(features), lower * torch.empty(features).uniform_(0.5, 2))


def pyro_diagonal_normal():
    base = pd.Normal(torch.randn(5), torch.empty(5).uniform_(0.5, 2)).to_event(1)
    return pd.TransformedDistribution(base, [iaf().inv, permute()])


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
    "pyro_real_nvp": lambda: pyro_flow(coupling(), permute(), coupling(split=3, hidden=(16, 8)), permute(), coupling()),
    "pyro_coupling_clip": lambda: pyro_flow(
        coupling(log_scale_min_clip=-0.5, log_scale_max_clip=0.25).inv, permute(), coupling(split=4).inv
    ),
    "pyro_linear": lambda: pyro_flow(
        pt.Householder(5, 3), iaf(), cholesky(), permute(), pt.Householder(5, 2).inv, cholesky().inv
    ),
    "pyro_diagonal_normal": pyro_diagonal_normal,
    "pyro_conditional_coupling": lambda: pyro_conditional_flow(
        conditional_coupling(), permute(), conditional_coupling(split=3), coupling().inv
    ),
    "pyro_list": lambda: [iaf().inv, permute()],
    "pyro_one_feature": lambda: pyro_flow(iaf(features=1, hidden=(4,)).inv, features=1),
    "pyro_conditional_iaf": lambda: pyro_conditional_flow(conditional_iaf(), permute(), conditional_iaf()),
    "pyro_conditional_maf": lambda: pyro_conditional_flow(conditional_iaf().inv, permute(), conditional_iaf().inv),
    "pyro_conditional_skip": lambda: pyro_conditional_flow(
        conditional_iaf(skip=True).inv, conditional_iaf(skip=True, stable=True)
    ),
    "pyro_conditional_mixed": lambda: pyro_conditional_flow(iaf().inv, pt.BatchNorm(5), conditional_iaf().inv),
}

CASES = {**NFLOWS, **ZUKO, **PYRO, **PYRO_SPLINES, **POLYNOMIAL_SPLINES, **WIDER, **FREIA, **IMAGES}


def random_model(name: str, seed: int, gain: float):
    """The model of a case with random weights."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = CASES[name]()
    randomise(model, gain)
    return model
