"""Golden cases with splines, elementwise transforms, uniform and mixture bases, from five frameworks."""

from __future__ import annotations

from functools import partial

import normflows as nf
import numpy as np
import torch
import zuko
from glasflow import flows as gf
from nflows import transforms as nt
from nflows.distributions import ConditionalDiagonalNormal, MADEMoG, StandardNormal
from nflows.distributions.uniform import BoxUniform
from nflows.flows import Flow
from nflows.nn.nets import ResidualNet
from sbi.neural_nets import net_builders as builders
from sbi.neural_nets.embedding_nets import FCEmbedding, PermutationInvariantEmbedding
from sbi.utils import BoxUniform as BoxPrior
from torch import nn

# ---- nflows ----


def spline(features=4, hidden=12, tails="linear", tail_bound=3.0, num_bins=5, **options):
    return nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        features, hidden, num_blocks=1, tails=tails, tail_bound=tail_bound, num_bins=num_bins, **options
    )


def spline_coupling(mask=(1, -1, 1, -1), context=None, tails="linear", tail_bound=2.0, **options):
    def network(inputs, outputs):
        return ResidualNet(inputs, outputs, 12, context_features=context, num_blocks=1)

    return nt.PiecewiseRationalQuadraticCouplingTransform(
        torch.tensor(mask), network, num_bins=4, tails=tails, tail_bound=tail_bound, **options
    )


def masked_affine(features=4, context=None):
    return nt.MaskedAffineAutoregressiveTransform(features, 12, context_features=context, num_blocks=1)


def flow(*layers, features=4, base=None):
    return Flow(nt.CompositeTransform(list(layers)), base or StandardNormal([features]))


class Box(BoxUniform):
    """As flows of nflows call it."""

    def log_prob(self, value, context=None):
        return super().log_prob(value)


class ResidualEmbedding(nn.Module):
    """Written by hand: sums and products of what linear modules give."""

    def __init__(self):
        super().__init__()
        self.first, self.inner = nn.Linear(5, 8), nn.Linear(8, 8)
        self.gate, self.last = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        h = torch.relu(self.first(x))
        h = h + nn.functional.mish(self.inner(h)) * torch.sigmoid(self.gate(h))
        return self.last(h)


def conditional_normal():
    return ConditionalDiagonalNormal([4], nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8)))


NFLOWS = {
    "nflows_spline": lambda: flow(spline(), nt.ReversePermutation(4), spline(tail_bound=1.0, min_derivative=0.05)),
    "nflows_spline_context": lambda: flow(
        spline(context_features=3, use_residual_blocks=False, activation=torch.tanh), nt.RandomPermutation(4)
    ),
    "nflows_spline_iaf": lambda: flow(nt.InverseTransform(spline(tail_bound=2.0)), nt.ReversePermutation(4)),
    "nflows_spline_coupling": lambda: flow(
        spline_coupling(), nt.LULinear(4), spline_coupling((-1, 1, -1, 1)), nt.LULinear(4)
    ),
    "nflows_spline_coupling_context": lambda: flow(
        spline_coupling(context=3, apply_unconditional_transform=True), nt.InverseTransform(spline_coupling(context=3))
    ),
    "nflows_spline_free": lambda: flow(
        nt.PiecewiseRationalQuadraticCDF([4], 5, "linear", 2.0),
        nt.InverseTransform(nt.PiecewiseRationalQuadraticCDF([4], 3, "linear", 3.0)),
    ),
    "nflows_spline_of_the_unit_interval": lambda: flow(
        nt.Sigmoid(), spline(tails=None), nt.Logit(), nt.CompositeCDFTransform(nt.Sigmoid(), spline(tails=None))
    ),
    "nflows_spline_on_a_box": lambda: flow(
        spline(tails=None), nt.ReversePermutation(4), spline(tails=None), base=Box(torch.zeros(4), torch.ones(4))
    ),
    "nflows_spline_one_feature": lambda: flow(spline(1, context_features=2), spline(1, context_features=2), features=1),
    "nflows_elementwise": lambda: flow(
        nt.LeakyReLU(0.2), masked_affine(), nt.InverseTransform(nt.LeakyReLU(0.4))
    ),
    "nflows_logit": lambda: flow(nt.Logit(temperature=0.5), masked_affine(), nt.ReversePermutation(4)),
    "nflows_conditional_normal": lambda: flow(masked_affine(context=3), base=conditional_normal()),
    "nflows_embedding": lambda: Flow(
        masked_affine(context=3),
        StandardNormal([4]),
        nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3)),
    ),
    "nflows_embedding_batch_norm": lambda: Flow(
        masked_affine(context=3),
        StandardNormal([4]),
        nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.PReLU(8), nn.Linear(8, 3), nn.SELU()),
    ),
    "nflows_embedding_residual": lambda: Flow(masked_affine(context=3), StandardNormal([4]), ResidualEmbedding()),
    "nflows_standardised_context": lambda: estimator(builders.build_maf).net,  # as sbi before 0.23 has it
    "nflows_made_mog": lambda: MADEMoG(4, 12, 3, num_blocks=1, num_mixture_components=3),
    "nflows_made_mog_feedforward": lambda: MADEMoG(
        4, 12, None, num_mixture_components=3, use_residual_blocks=False, activation=torch.tanh
    ),
    "nflows_maf_mog": lambda: flow(
        masked_affine(context=2), nt.ReversePermutation(4), masked_affine(context=2),
        base=MADEMoG(4, 12, 2, num_blocks=1, num_mixture_components=3),
    ),
}  # fmt: skip

# ---- zuko ----


def with_base(flow, base):
    flow.base = base
    return flow


def behind(lazy, features=4):
    """A MAF behind another transform of the data."""
    maf = zuko.flows.MAF(features, transforms=1, hidden_features=(12,))
    return zuko.lazy.Flow([lazy, *maf.transform.transforms], maf.base)


def between(lower, upper):
    support = torch.distributions.constraints.interval(lower, upper)
    return torch.distributions.transforms.IndependentTransform(torch.distributions.biject_to(support), 1).inv


def constant(transform, **parameters):
    return zuko.lazy.UnconditionalTransform(transform, buffer=True, **parameters)


def univariate(inverted):
    """An affine map and a spline whose parameters depend on nothing."""
    parts = {name: 0.7 * torch.randn(4, count) for name, count in (("widths", 4), ("heights", 4), ("derivatives", 3))}
    affine = constant(zuko.transforms.MonotonicAffineTransform, shift=torch.randn(4), scale=0.3 * torch.randn(4))
    spline = constant(zuko.transforms.MonotonicRQSTransform, bound=3.0, **parts)
    maf = zuko.flows.MAF(4, transforms=1, hidden_features=(12,))
    first = [affine.inv, spline.inv] if inverted else [spline, affine]
    return zuko.lazy.Flow([*first, *maf.transform.transforms], maf.base)


def correlated():
    lower = torch.tensor([[1.5, 0, 0, 0], [0.5, 1, 0, 0], [1, 0.3, 0.7, 0], [0, -0.4, 0.2, 1]])
    return zuko.lazy.UnconditionalDistribution(
        torch.distributions.MultivariateNormal, torch.arange(4.0), scale_tril=lower, buffer=True
    )


FIVE = 5 * torch.ones(4)
nsf = partial(zuko.flows.NSF, bins=5, transforms=2, hidden_features=(12,))
coupling_spline = {
    "univariate": partial(zuko.transforms.MonotonicRQSTransform, bound=2.0),
    "shapes": [(4,), (4,), (3,)],
}

ZUKO = {
    "zuko_nsf": partial(nsf, 4),
    "zuko_nsf_context": partial(nsf, 4, 3, slope=1e-2),
    "zuko_nsf_coupling": partial(nsf, 4, passes=2),
    "zuko_nsf_inverse": lambda: zuko.lazy.Flow([nsf(4).transform.transforms[0].inv], nsf(4).base),
    "zuko_nsf_one_feature": partial(nsf, 1, 2),
    "zuko_nice_spline": partial(zuko.flows.NICE, 4, 0, 2, hidden_features=(12,), **coupling_spline),
    "zuko_ncsf": partial(zuko.flows.NCSF, 4, bins=5, transforms=2, hidden_features=(12,)),
    "zuko_ncsf_context": partial(zuko.flows.NCSF, 3, 2, bins=4, transforms=2, hidden_features=(12,)),
    "zuko_standardised": lambda: behind(
        zuko.lazy.UnconditionalTransform(
            torch.distributions.AffineTransform, torch.arange(4.0), torch.tensor([0.5, 2.0, 1.0, 1.5]), buffer=True
        )
    ),
    "zuko_bounds": lambda: behind(
        zuko.lazy.UnconditionalTransform(between, -torch.ones(4), 2 * torch.ones(4), buffer=True)
    ),
    "zuko_softclip": lambda: behind(zuko.lazy.UnconditionalTransform(zuko.transforms.SoftclipTransform, bound=3.0).inv),
    "zuko_tanh": lambda: behind(zuko.lazy.UnconditionalTransform(torch.distributions.TanhTransform).inv),
    "zuko_mixture": lambda: with_base(
        zuko.flows.MAF(4, transforms=1, hidden_features=(12,)),
        zuko.mixtures.GMM(4, components=3, covariance_type="diagonal"),
    ),
    "zuko_mixture_full": lambda: with_base(
        zuko.flows.MAF(4, transforms=1, hidden_features=(12,)), zuko.mixtures.GMM(4, components=3)
    ),
    "zuko_mixture_tied": lambda: with_base(
        zuko.flows.MAF(4, transforms=1, hidden_features=(12,)), zuko.mixtures.GMM(4, components=3, tied=True)
    ),
    "zuko_correlated_normal": lambda: with_base(zuko.flows.MAF(4, transforms=1, hidden_features=(12,)), correlated()),
    "zuko_univariate": partial(univariate, inverted=False),
    "zuko_univariate_inverse": partial(univariate, inverted=True),
    "zuko_half_turn": lambda: behind(constant(zuko.transforms.CircularShiftTransform, bound=4.0)),
    "zuko_layer_norm": partial(zuko.flows.MAF, 1, 3, transforms=2, hidden_features=(8, 8), normalize=True),
    "zuko_uniform": lambda: with_base(
        nsf(4), zuko.lazy.UnconditionalDistribution(zuko.distributions.BoxUniform, -FIVE, FIVE, buffer=True)
    ),
}  # fmt: skip

# ---- normflows ----


def normalizing(*layers, features=4, base=None):
    return nf.NormalizingFlow(base or nf.distributions.DiagGaussian(features, trainable=False), list(layers))


def conditional(*layers, base=None):
    base = base or nf.distributions.DiagGaussian(4, trainable=False)
    return nf.ConditionalNormalizingFlow(base, list(layers))


def normflows_affine(**options):
    return nf.flows.MaskedAffineAutoregressive(4, 12, num_blocks=1, **options)


autoregressive = partial(nf.flows.AutoregressiveRationalQuadraticSpline, 4, 1, 12, num_bins=4)
coupled = partial(nf.flows.CoupledRationalQuadraticSpline, 4, 1, 12, num_bins=4)
circular = partial(nf.flows.CircularAutoregressiveRationalQuadraticSpline, 4, 1, 12, num_bins=4)
circular_coupled = partial(nf.flows.CircularCoupledRationalQuadraticSpline, 4, 1, 12, num_bins=4)
PER_FEATURE = torch.tensor([np.pi, 2.0, np.pi, 1.5])


def glow():
    coupling = nf.flows.AffineCouplingBlock(nf.nets.MLP([2, 12, 4]))
    norm = nf.flows.AffineConstFlow((4,))
    return normalizing(coupling, nf.flows.InvertibleAffine(4), norm)


NORMFLOWS = {
    "normflows_iaf": lambda: normalizing(normflows_affine(), nf.flows.Permute(4), normflows_affine()),
    "normflows_maf": lambda: normalizing(nf.flows.Reverse(normflows_affine()), nf.flows.Permute(4, mode="swap")),
    "normflows_context": lambda: conditional(normflows_affine(context_features=3)),
    "normflows_glow": glow,
    "normflows_nice": lambda: normalizing(nf.flows.AffineCouplingBlock(nf.nets.MLP([2, 12, 2]), scale=False)),
    "normflows_one_feature": lambda: normalizing(nf.flows.MaskedAffineAutoregressive(1, 8, num_blocks=1), features=1),
    "normflows_diagonal_normal": lambda: normalizing(normflows_affine(), base=nf.distributions.DiagGaussian(4)),
    "normflows_masked_affine": lambda: normalizing(
        nf.flows.MaskedAffineFlow(torch.tensor([1.0, 0, 1, 0]), nf.nets.MLP([4, 12, 4]), nf.nets.MLP([4, 12, 4]))
    ),
    "normflows_spline": lambda: normalizing(autoregressive(), nf.flows.LULinearPermute(4)),
    "normflows_spline_context": lambda: conditional(autoregressive(num_context_channels=3)),
    "normflows_spline_iaf": lambda: normalizing(nf.flows.Reverse(autoregressive(permute_mask=True))),
    "normflows_coupled": lambda: normalizing(coupled(), nf.flows.LULinearPermute(4), coupled(reverse_mask=True)),
    "normflows_coupled_circular": lambda: normalizing(coupled(tails="circular", tail_bound=np.pi)),
    "normflows_circular": lambda: normalizing(circular(ind_circ=[0, 2], tail_bound=np.pi)),
    "normflows_circular_bounds": lambda: normalizing(circular(ind_circ=[0, 2], tail_bound=PER_FEATURE)),
    "normflows_circular_coupled": lambda: normalizing(circular_coupled(ind_circ=[0, 1, 2])),
    "normflows_uniform": lambda: normalizing(
        autoregressive(), base=nf.distributions.base.Uniform(4, -3.0, 3.0)
    ),
    "normflows_partly_uniform": lambda: normalizing(
        circular(ind_circ=[0, 2], tail_bound=np.pi),
        base=nf.distributions.UniformGaussian(4, [0, 2], torch.tensor([2 * np.pi, 1.5, 2 * np.pi, 0.5])),
    ),
    "normflows_half_turn": lambda: normalizing(
        circular(ind_circ=[0, 2], tail_bound=np.pi),
        nf.flows.PeriodicShift([0, 2], bound=np.pi, shift=np.pi),
        circular(ind_circ=[0, 2], tail_bound=np.pi),
    ),
    "normflows_mixture": lambda: normalizing(normflows_affine(), base=nf.distributions.GaussianMixture(3, 4)),
    "normflows_conditional_normal": lambda: conditional(
        normflows_affine(context_features=3),
        base=nf.distributions.base.ConditionalDiagGaussian(
            4, nn.Sequential(nn.Linear(3, 8), nn.ELU(), nn.Linear(8, 8))
        ),
    ),
}  # fmt: skip

# ---- sbi ----


def estimator(build, features=3, conditions=(4,), **options):
    x = torch.randn(50, features) * torch.linspace(0.8, 2, features) + 1.5
    y = torch.randn(50, *conditions) * 2.5 - 4
    options = {"hidden_features": 12, "num_transforms": 2, "z_score_y": "independent", **options}
    return build(x, y, **options)


def bounded_estimator(build):
    prior = BoxPrior(torch.tensor([-2.0, 0.0, 5.0]), torch.tensor([2.0, 9.0, 6.0]), device="cpu")
    options = {"hidden_features": 12, "num_transforms": 2, "z_score_x": "transform_to_unconstrained", "x_dist": prior}
    return build(prior.sample((50,)), torch.randn(50, 4), **options)


SBI = {
    "sbi_maf": partial(estimator, builders.build_maf),
    "sbi_maf_embedding": lambda: estimator(builders.build_maf, embedding_net=FCEmbedding(4, 5, num_hiddens=8)),
    "sbi_maf_set": lambda: estimator(
        builders.build_maf, conditions=(5, 2), z_score_y="structured", embedding_net=PermutationInvariantEmbedding(
            FCEmbedding(2, 6, num_hiddens=8), 6, num_hiddens=8, output_dim=4)),
    "sbi_maf_rqs": partial(estimator, builders.build_maf_rqs, num_bins=5),
    "sbi_nsf": partial(estimator, builders.build_nsf, num_bins=5),
    "sbi_nsf_one_feature": partial(estimator, builders.build_nsf, features=1, num_bins=5),
    "sbi_made": partial(estimator, builders.build_made, num_mixture_components=3),
    "sbi_zuko_maf": partial(estimator, builders.build_zuko_maf),
    "sbi_zuko_nsf": partial(estimator, builders.build_zuko_nsf),
    "sbi_zuko_ncsf": partial(estimator, builders.build_zuko_ncsf, z_score_x="none"),
    "sbi_zuko_nice": partial(estimator, builders.build_zuko_nice),
    "sbi_bounds": partial(bounded_estimator, builders.build_zuko_maf),
    "sbi_bounds_nsf": partial(bounded_estimator, builders.build_zuko_nsf),
}

# ---- glasflow ----

real_nvp = partial(gf.RealNVP, 4, 2, n_neurons=12, n_blocks_per_transform=1)

GLASFLOW = {
    "glasflow_real_nvp": real_nvp,
    "glasflow_real_nvp_context": partial(real_nvp, n_conditional_inputs=2, linear_transform="lu"),
    "glasflow_real_nvp_sigmoid": partial(real_nvp, scale_activation="nflows"),
    "glasflow_real_nvp_wide": partial(real_nvp, scale_activation="wide", batch_norm_between_transforms=True),
    "glasflow_real_nvp_log1": partial(real_nvp, scale_activation="log1"),
    "glasflow_real_nvp_log2": partial(real_nvp, scale_activation="log2"),
    "glasflow_real_nvp_log3": partial(real_nvp, scale_activation="log3"),
    "glasflow_nice": partial(real_nvp, volume_preserving=True),
    "glasflow_one_feature": partial(gf.MaskedAffineAutoregressiveFlow, 1, 2, 2, n_neurons=12, n_blocks_per_transform=1),
    "glasflow_maf": partial(gf.MaskedAffineAutoregressiveFlow, 4, 2, n_neurons=12, n_blocks_per_transform=1),
    "glasflow_maf_sigmoid": partial(
        gf.MaskedAffineAutoregressiveFlow, 4, 2, n_neurons=12, n_blocks_per_transform=1, scale_activation="nflows"
    ),
    "glasflow_maf_log1": partial(
        gf.MaskedAffineAutoregressiveFlow, 4, 2, n_neurons=12, n_blocks_per_transform=1, scale_activation="log1"
    ),
    "glasflow_maf_rqs": partial(
        gf.MaskedPiecewiseRationalQuadraticAutoregressiveFlow, 4, 2, n_neurons=12, n_blocks_per_transform=1
    ),
    "glasflow_nsf": partial(gf.CouplingNSF, 4, 2, n_neurons=12, n_blocks_per_transform=1),
    "glasflow_nsf_uniform": partial(
        gf.CouplingNSF, 4, 2, n_neurons=12, n_blocks_per_transform=1, distribution="uniform"
    ),
}

WIDER = {**NFLOWS, **ZUKO, **NORMFLOWS, **SBI, **GLASFLOW}
