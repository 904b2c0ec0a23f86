"""The systems of the field, one small model each: how it is built, and what its training maximises."""

import pyro.distributions as pd
import torch
import zuko
from data import CLASSES, DIM
from gated_iaf import GatedIAF
from masked import MixtureMAF
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ResidualNet
from pyro.distributions import transforms as pt
from pyro.nn import AutoRegressiveNN, DenseNN
from torch import nn

HIDDEN, BINS = 16, 5


def nflows_flow(mean, std, *layers):
    standardise = nt.PointwiseAffineTransform(-mean / std, 1 / std)
    return Flow(nt.CompositeTransform([standardise, *layers]), StandardNormal([DIM]))


def made(mean, std):
    layer = nt.MaskedAffineAutoregressiveTransform(
        DIM, HIDDEN, num_blocks=1, use_residual_blocks=False, activation=torch.tanh
    )
    return nflows_flow(mean, std, layer)


def zuko_maf(mean, std, context=0):
    flow = zuko.flows.MAF(DIM, context, transforms=3, hidden_features=(HIDDEN, HIDDEN), activation=nn.Tanh)
    standardise = zuko.lazy.UnconditionalTransform(
        torch.distributions.AffineTransform, -mean / std, 1 / std, buffer=True, event_dim=1
    )
    return zuko.lazy.Flow([standardise, *flow.transform.transforms], flow.base)


def halves(layer):
    """+1 for the coordinates that a coupling changes, in turn one half and the other."""
    mask = torch.ones(DIM)
    mask[layer % 2 :: 2] = -1
    return mask


def coupling(kind, layer):
    return kind(halves(layer), lambda inputs, outputs: ResidualNet(inputs, outputs, HIDDEN, num_blocks=1))


def real_nvp(mean, std):
    return nflows_flow(mean, std, *(coupling(nt.AffineCouplingTransform, i) for i in range(4)))


def nice(mean, std):
    return nflows_flow(mean, std, *(coupling(nt.AdditiveCouplingTransform, i) for i in range(4)), nt.ActNorm(DIM))


def glow(mean, std):
    layers = []
    for i in range(3):
        layers += [nt.ActNorm(DIM), nt.LULinear(DIM), coupling(nt.AffineCouplingTransform, i)]
    return nflows_flow(mean, std, *layers)


def pyro_flow(mean, std, *transforms):
    base = pd.Normal(torch.zeros(DIM), torch.ones(DIM)).to_event(1)
    return pd.TransformedDistribution(base, [*transforms, pt.AffineTransform(mean, std, event_dim=1)])


def reversal():
    return pt.Permute(torch.arange(DIM).flip(0))


def iaf(mean, std):
    transforms = []
    for _ in range(2):
        network = AutoRegressiveNN(DIM, [HIDDEN], permutation=torch.arange(DIM))
        network.layers[-1].weight.data.mul_(0.1)  # near the identity: the density inverts it, and must not explode
        network.layers[-1].bias.data.zero_()
        transforms += [pt.AffineAutoregressive(network, -1.0, 1.0), reversal()]
    return pyro_flow(mean, std, *transforms)


def nsf_ar(mean, std):
    sizes = [BINS, BINS, BINS - 1]
    transforms = []
    for _ in range(2):
        network = AutoRegressiveNN(DIM, [HIDDEN], param_dims=sizes, permutation=torch.arange(DIM))
        transforms += [pt.SplineAutoregressive(DIM, network, BINS, 4.0, "quadratic").inv, reversal()]
    return pyro_flow(mean, std, *transforms)


def nsf_c(mean, std):
    split = DIM // 2
    sizes = [(DIM - split) * count for count in (BINS, BINS, BINS - 1)]
    transforms = []
    for _ in range(4):
        network = DenseNN(split, [HIDDEN], sizes)
        transforms += [pt.SplineCoupling(DIM, split, network, BINS, 4.0, "quadratic").inv, reversal()]
    return pyro_flow(mean, std, *transforms)


SYSTEMS = {  # its name in the literature, and the model of a mean and a standard deviation of the data
    "made": ("MADE", made),
    "made_mog": ("MADE-MoG", lambda mean, std: MixtureMAF(mean, std, 0, HIDDEN, 3)),
    "maf": ("MAF", zuko_maf),
    "maf_mog": ("MAF-MoG", lambda mean, std: MixtureMAF(mean, std, 2, HIDDEN, 3)),
    "conditional_maf": ("conditional MAF", lambda mean, std: zuko_maf(mean, std, CLASSES)),
    "iaf": ("IAF", iaf),
    "gated_iaf": ("gated IAF with encoder", GatedIAF),
    "real_nvp": ("RealNVP", real_nvp),
    "nice": ("NICE", nice),
    "glow": ("Glow on vectors", glow),
    "nsf_ar": ("NSF, autoregressive", nsf_ar),
    "nsf_c": ("NSF, coupling", nsf_c),
}


def parameters(model):
    """What is trained; a Pyro distribution keeps its transforms in a list."""
    if isinstance(model, nn.Module):
        return list(model.parameters())
    modules = [getattr(t, "inv", t) if not isinstance(t, nn.Module) else t for t in model.transforms]
    return [parameter for module in modules if isinstance(module, nn.Module) for parameter in module.parameters()]


def objective(name, model, rows, kinds):
    """(n,) what is maximised: log p(row), given the cultivar for a conditional model, or a bound of it."""
    if name == "gated_iaf":
        return model.bound(rows)
    if name == "conditional_maf":
        return model(kinds).log_prob(rows)
    if name == "maf":
        return model().log_prob(rows)
    return model.log_prob(rows)
