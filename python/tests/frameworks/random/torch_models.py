"""Random models of the frameworks that are made of PyTorch modules."""

from __future__ import annotations

import warnings

import normflows as nf
import pyro.distributions as pd
import pyro.distributions.transforms as pt
import torch
import zuko
from glasflow import flows as gf
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ResidualNet
from pyro.nn import AutoRegressiveNN, ConditionalAutoRegressiveNN, ConditionalDenseNN, DenseNN
from sbi.neural_nets import net_builders
from sbi.neural_nets.embedding_nets import FCEmbedding
from torch import nn
from torch.nn import functional as F
from torch_weights import modules, randomise

torch.set_num_threads(1)


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model in evaluation mode, and rows of x and of the context."""
    torch.manual_seed(shape.seed)
    if framework == "sbi":
        shape.context = shape.context or shape.pick(1, 2, 7, 50)
    else:
        shape.context_unit, shape.constant = 1.0, False  # the others standardise no contexts
    if framework == "glasflow" or (framework == "normflows" and shape.context):  # its layer takes no context
        shape.unit, shape.far = 1.0, 0.0  # nor data
    if framework in ("pyro", "normflows") and shape.features == 1:
        shape.features = 2
    x, c = shape.data()
    if framework != "sbi" and c is not None:
        c = c - shape.far
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name, model, log_prob = KINDS[framework](shape, torch.tensor(x), None if c is None else torch.tensor(c))
        if shape.weights == "random":
            randomise(model, float(shape.rng.uniform(0.1, 0.5)))
        if shape.weights == "trained":
            train(model, log_prob, torch.tensor(x), None if c is None else torch.tensor(c))
    for module in modules(model):
        module.eval()
    return name, model, (x, c if shape.context else None)


def train(model, log_prob, x, c) -> None:
    """A few dozen steps: the weights are no longer those that a framework begins with."""
    found = [part for module in modules(model) for part in module.parameters(recurse=False)]
    optimiser = torch.optim.Adam(found, lr=2e-3)
    for module in modules(model):
        module.train()
    for _ in range(40):
        some = torch.randperm(len(x))[:100]
        loss = -log_prob(x[some], None if c is None else c[some]).mean()
        if not torch.isfinite(loss):
            return
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(found, 5.0)
        optimiser.step()


def units(x) -> tuple:
    """Mean and standard deviation of each feature, as frameworks standardise them."""
    return x.mean(dim=0), x.std(dim=0).clamp(min=1e-14)


# ---- nflows ----


def nflows(shape, x, c):
    features, hidden, context = shape.features, shape.hidden, shape.context or None
    kinds = ["affine", "spline", "quadratic"] + (["coupling", "spline coupling"] if features > 1 else [])
    kind = shape.pick(*kinds)
    if kind == "quadratic":  # its inverse is found by bisection
        shape.layers = min(shape.layers, 2)
    activation, residual, norm = shape.pick(F.relu, torch.tanh, F.elu), shape.pick(True, False), shape.pick(True, False)
    made = {"num_blocks": shape.pick(1, 2), "use_residual_blocks": residual, "activation": activation}
    made["context_features"] = context

    def network(inputs, outputs):
        blocks = {"num_blocks": 2, "activation": activation, "use_batch_norm": norm}
        return ResidualNet(inputs, outputs, hidden, context_features=context, **blocks)

    def layer(number):
        mask = [(-1) ** (i + number) for i in range(features)]
        return {
            "affine": lambda: nt.MaskedAffineAutoregressiveTransform(features, hidden, use_batch_norm=norm, **made),
            "spline": lambda: nt.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                features=features, hidden_features=hidden, num_bins=8, tails="linear", tail_bound=3.0, **made
            ),
            "quadratic": lambda: nt.MaskedPiecewiseQuadraticAutoregressiveTransform(
                features=features, hidden_features=hidden, num_bins=6, tails="linear", tail_bound=3.0, **made
            ),
            "coupling": lambda: nt.AffineCouplingTransform(mask, network),
            "spline coupling": lambda: nt.PiecewiseRationalQuadraticCouplingTransform(
                mask, network, num_bins=8, tails="linear", tail_bound=3.0
            ),
        }[kind]()

    mean, std = units(x)
    parts = [nt.PointwiseAffineTransform(-mean / std, 1 / std)]
    for number in range(shape.layers):
        parts += [layer(number), shape.pick(nt.RandomPermutation, nt.ReversePermutation)(features)]
        if features > 1 and shape.rng.random() < 0.3:
            parts.append(nt.LULinear(features))
    flow = Flow(nt.CompositeTransform(parts), StandardNormal([features]))
    return kind + (" batch norm" if norm else ""), flow, flow.log_prob


# ---- zuko ----


def zuko_flow(shape):
    options = {"transforms": shape.layers, "hidden_features": (shape.hidden,) * shape.pick(1, 2)}
    kind = shape.pick("MAF", "NSF", "NICE", "NSF coupling")
    if kind == "MAF":
        return kind, zuko.flows.MAF(shape.features, shape.context, **options)
    if kind == "NSF":
        return kind, zuko.flows.NSF(shape.features, shape.context, **options)
    if shape.features == 1:
        return "MAF", zuko.flows.MAF(shape.features, shape.context, **options)
    if kind == "NICE":
        return kind, zuko.flows.NICE(shape.features, shape.context, **options)
    return kind, zuko.flows.NSF(shape.features, shape.context, passes=2, **options)


def zuko_(shape, x, c):
    kind, flow = zuko_flow(shape)
    mean, std = units(x)
    first = zuko.lazy.UnconditionalTransform(
        zuko.transforms.MonotonicAffineTransform, -mean / std, -torch.log(std), buffer=True
    )
    flow = zuko.lazy.Flow([first, *flow.transform.transforms], flow.base)
    return kind, flow, lambda x, c: flow(c).log_prob(x)


# ---- Pyro ----


def pyro(shape, x, c):
    features, context = shape.features, shape.context
    hidden = [max(shape.hidden, features)] * shape.pick(1, 2)  # fewer are refused by AutoRegressiveNN
    kind = shape.pick("affine", "stable", "spline", "spline of context", "coupling")
    half = features // 2

    def layer():
        if kind == "coupling":
            outputs = [features - half] * 2
            if context:
                return pt.ConditionalAffineCoupling(half, ConditionalDenseNN(half, context, hidden, outputs))
            return pt.AffineCoupling(half, DenseNN(half, hidden, outputs))
        if kind == "spline of context":
            if context:
                return pt.conditional_spline(features, context_dim=context, order=shape.pick("linear", "quadratic"))
            return pt.Spline(features, order=shape.pick("linear", "quadratic"))
        if kind == "spline":
            if context:
                return pt.conditional_spline_autoregressive(features, context_dim=context)
            return pt.spline_autoregressive(features)
        stable = kind == "stable"
        if context:
            network = ConditionalAutoRegressiveNN(features, context, hidden)
            return pt.ConditionalAffineAutoregressive(network, stable=stable)
        transform = pt.AffineAutoregressive(AutoRegressiveNN(features, hidden), stable=stable)
        return transform.inv

    parts = []
    for _ in range(shape.layers):
        parts += [layer(), pt.Permute(torch.randperm(features))]
    mean, std = units(x)
    parts.append(pt.AffineTransform(mean, std))
    base = pd.Normal(torch.zeros(features), torch.ones(features))
    if context and kind != "unconditional":
        flow = pd.ConditionalTransformedDistribution(base, parts)

        def log_prob(x, c):
            value = flow.condition(c).log_prob(x)
            flow.clear_cache()
            return value

        return kind, flow, log_prob
    flow = pd.TransformedDistribution(base, parts)

    def log_prob(x, c):
        value = flow.log_prob(x)
        flow.clear_cache()
        return value

    return kind, flow, log_prob


# ---- normflows ----


def normflows(shape, x, c):
    features, hidden, context = shape.features, shape.hidden, shape.context or None
    kind = shape.pick("affine", "spline", "coupled spline", "coupling", "affine" if context else "reverse")
    if kind == "coupling":
        context, shape.context = None, 0

    def layer():
        if kind == "coupling":
            return nf.flows.AffineCouplingBlock(nf.nets.MLP([(features + 1) // 2, hidden, 2 * (features // 2)]))
        if kind == "spline":
            return nf.flows.AutoregressiveRationalQuadraticSpline(features, 1, hidden, num_context_channels=context)
        if kind == "coupled spline":
            return nf.flows.CoupledRationalQuadraticSpline(features, 1, hidden, num_context_channels=context)
        affine = nf.flows.MaskedAffineAutoregressive(features, hidden, context_features=context, num_blocks=2)
        return nf.flows.Reverse(affine) if kind == "reverse" else affine

    parts = []
    for _ in range(shape.layers):
        parts += [layer(), nf.flows.LULinearPermute(features)]
    standard = nf.flows.AffineConstFlow((features,))
    mean, std = units(x)
    standard.s.data, standard.t.data = torch.log(std)[None], mean[None]
    for parameter in standard.parameters():
        parameter.requires_grad_(False)
    base = nf.distributions.DiagGaussian(features, trainable=False)
    if context:
        flow = nf.ConditionalNormalizingFlow(base, parts)
        return kind, flow, flow.log_prob
    flow = nf.NormalizingFlow(base, [*parts, standard])
    return kind, flow, lambda x, c: flow.log_prob(x)


# ---- glasflow ----


def glasflow(shape, x, c):
    kinds = ["MaskedAffineAutoregressiveFlow", "MaskedPiecewiseRationalQuadraticAutoregressiveFlow"]
    kinds += ["RealNVP", "CouplingNSF"] if shape.features > 1 else []
    kind = shape.pick(*kinds)
    options = {"n_inputs": shape.features, "n_transforms": shape.layers, "n_neurons": shape.hidden}
    options["n_conditional_inputs"] = shape.context or None
    if "Quadratic" in kind:
        options["tail_bound"], options["tails"] = 5.0, "linear"
    flow = getattr(gf, kind)(batch_norm_between_transforms=False, **options)
    return kind, flow, lambda x, c: flow.log_prob(x) if c is None else flow.log_prob(x, conditional=c)


# ---- sbi ----


def sbi(shape, x, c):
    kinds = ["maf", "nsf", "maf_rqs", "made", "zuko_maf", "zuko_nsf"] + (["zuko_nice"] if shape.features > 1 else [])
    name = f"build_{shape.pick(*kinds)}"
    options = {"hidden_features": shape.hidden, "num_transforms": shape.layers}
    if shape.rng.random() < 0.3 and shape.context > 1:
        options["embedding_net"] = FCEmbedding(shape.context, output_dim=8, num_layers=2, num_hiddens=20)
    if name in ("build_maf", "build_nsf") and shape.rng.random() < 0.4:
        options["use_batch_norm"] = True
    if name == "build_made":
        options.pop("num_transforms")
    model = getattr(net_builders, name)(x, c, **options)
    return name, model, lambda x, c: model.log_prob(x[None], c)[0]


KINDS = {
    "nflows": nflows, "zuko": zuko_, "pyro": pyro, "normflows": normflows, "glasflow": glasflow, "sbi": sbi
}  # fmt: skip
