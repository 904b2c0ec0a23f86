"""Models that cannot be exported: by framework, by what they have, by the layer whose name refuses them."""

from __future__ import annotations

from functools import partial

import normflows as nf
import torch
import zuko
from features import (
    ANGLES,
    BATCH,
    CONTINUOUS,
    EMBEDDINGS,
    IMAGES,
    MATRICES_OF_CONTEXT,
    MIXTURES_OF_CONTEXT,
    MONOTONE_NETWORKS,
    OTHER_BASES,
    OTHER_FUNCTIONS,
)
from freia_refused import REFUSED_FREIA
from glasflow import flows as gf
from glasflow.distributions import ResampledGaussian
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ConvResidualNet
from nflows.transforms import nonlinearities
from pyro import distributions as pd
from pyro.distributions import transforms as pt
from sbi.neural_nets import net_builders as builders
from torch import nn


def nflows_flow(layer):
    return Flow(layer, StandardNormal([4]))


def zuko_flow(transform):
    maf = zuko.flows.MAF(4, transforms=1)
    return zuko.lazy.Flow([zuko.lazy.UnconditionalTransform(transform), *maf.transform.transforms], maf.base)


def pyro_flow(*transforms):
    return pd.TransformedDistribution(pd.Normal(torch.zeros(4), torch.ones(4)).to_event(1), list(transforms))


def normalizing(*layers, base=None):
    return nf.NormalizingFlow(base or nf.distributions.DiagGaussian(4), list(layers))


class LastState(nn.Module):
    """A recurrent embedding net of a series."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 5, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0][:, -1]


def network_of_images(inputs, outputs):
    return ConvResidualNet(inputs, outputs, hidden_channels=4, context_channels=2, num_blocks=1)


def estimator(build, shape=(4,), **options):
    return build(torch.randn(50, 3), torch.randn(50, *shape), **options)


def resampled():
    acceptance = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    return gf.RealNVP(4, 2, n_neurons=8, distribution=ResampledGaussian([4], acceptance, 100, 0.1))


REFUSED = {
    "nflows": {
        OTHER_FUNCTIONS: {
            "LogTanh": lambda: nflows_flow(nt.LogTanh()),
            "CauchyCDF": lambda: nflows_flow(nonlinearities.CauchyCDF()),
            "GatedLinearUnit": lambda: nflows_flow(nt.GatedLinearUnit()),
        },
        IMAGES: {
            "a context that is an image": lambda: Flow(
                nt.AffineCouplingTransform(torch.tensor([0, 1]), network_of_images), StandardNormal([2, 4, 4])
            ),
        },
    },
    "zuko": {
        MONOTONE_NETWORKS: {
            "MNN": partial(zuko.flows.NAF, 4),
            "UMNN": partial(zuko.flows.UNAF, 4),
            "ShiftedSOSPTransform": partial(zuko.flows.SOSPF, 4),
            "BernsteinTransform": partial(zuko.flows.BPF, 4),
            "GaussianizationTransform": partial(zuko.flows.GF, 4),
        },
        CONTINUOUS: {
            "FFJTransform": partial(zuko.flows.CNF, 4),
        },
        OTHER_FUNCTIONS: {
            "CosTransform": lambda: zuko_flow(zuko.transforms.CosTransform),
            "SignedPowerTransform": lambda: zuko_flow(lambda: zuko.transforms.SignedPowerTransform(torch.zeros(4))),
        },
        MIXTURES_OF_CONTEXT: {
            "GMM": lambda: zuko.flows.Flow(zuko.flows.MAF(4, 2).transform.transforms, zuko.mixtures.GMM(4, 2)),
        },
    },
    "normflows": {
        MONOTONE_NETWORKS: {
            "Planar": lambda: normalizing(nf.flows.Planar((4,))),
            "Radial": lambda: normalizing(nf.flows.Radial((4,))),
        },
        CONTINUOUS: {
            "Residual": lambda: normalizing(nf.flows.Residual(nf.nets.LipschitzMLP([4, 8, 4]))),
        },
        BATCH: {
            "BatchNorm": lambda: normalizing(nf.flows.BatchNorm()),
        },
        ANGLES: {
            "PeriodicShift": lambda: normalizing(nf.flows.PeriodicShift([0], bound=3.0, shift=1.0)),
            "PeriodicWrap": lambda: normalizing(nf.flows.PeriodicWrap([0])),
        },
        OTHER_BASES: {
            "ClassCondDiagGaussian": lambda: normalizing(base=nf.distributions.ClassCondDiagGaussian(4, 2)),
        },
    },
    "pyro": {
        MONOTONE_NETWORKS: {
            "NeuralAutoregressive": lambda: pyro_flow(pt.neural_autoregressive(4)),
            "BlockAutoregressive": lambda: pyro_flow(pt.block_autoregressive(4)),
            "Polynomial": lambda: pyro_flow(pt.polynomial(4)),
            "Planar": lambda: pyro_flow(pt.planar(4)),
            "Radial": lambda: pyro_flow(pt.radial(4)),
            "Sylvester": lambda: pyro_flow(pt.sylvester(4)),
        },
        MATRICES_OF_CONTEXT: {
            "ConditionalHouseholder": lambda: [
                pt.conditional_spline(4, 2, order="quadratic"),
                pt.conditional_householder(4, 2),
            ],
        },
        OTHER_FUNCTIONS: {
            "SoftplusTransform": lambda: pyro_flow(pt.affine_autoregressive(4), pt.SoftplusTransform()),
        },
    },
    "sbi": {
        MIXTURES_OF_CONTEXT: {
            "MixtureDensityEstimator": partial(estimator, builders.build_mdn),
        },
        MONOTONE_NETWORKS: {
            "GaussianizationTransform": partial(estimator, builders.build_zuko_gf),
            "UMNN": partial(estimator, builders.build_zuko_unaf),
        },
        EMBEDDINGS: {
            "GRU": lambda: estimator(builders.build_maf, (6, 3), embedding_net=LastState()),
            "ConvTranspose2d": lambda: estimator(
                builders.build_maf,
                (2, 4, 4),
                embedding_net=nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Flatten(), nn.Linear(75, 4)),
            ),
        },
    },
    "freia": REFUSED_FREIA,
    "glasflow": {
        OTHER_BASES: {
            "ResampledGaussian": resampled,
        },
    },
}
