"""Models of nflows, zuko and Pyro whose classes, networks or hooks do more than their layers are refused."""

from __future__ import annotations

import math

import normflows as nf
import numpy as np
import pyro.distributions as pd
import pyro.distributions.transforms as pt
import pytest
import torch
import zuko
from live import agree
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.distributions.uniform import BoxUniform
from nflows.flows import Flow
from nflows_models import affine, coupling
from nflows_models import flow as nflows_flow
from pyro.nn import AutoRegressiveNN
from sbi.neural_nets.estimators import NFlowsFlow
from torch import nn
from torch.optim.swa_utils import AveragedModel

import flowrt
from flowrt.frameworks import choose
from flowrt.frameworks.torch.overrides import require_own


def perceptron(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


def refused(model, text, **options):
    with pytest.raises(flowrt.ExportError, match=text) as caught:
        flowrt.save("never-written.flw", model, **options)
    assert "\n" not in str(caught.value)


# ---- flows ----


class Standardising(Flow):
    def log_prob(self, inputs, context=None):
        return super().log_prob((inputs - 3) / 2, context) - 3 * math.log(2)


class Halving(Flow):
    def _log_prob(self, inputs, context):
        return super()._log_prob(inputs / 2, context) - 3 * math.log(2)


class Limiting(Flow):
    """Differs only where no random row is."""

    def _log_prob(self, inputs, context):
        return super()._log_prob(inputs.clamp(max=1e4), context)


class Doubling(Flow):
    def sample(self, num_samples, context=None, batch_size=None):
        return 2 * super().sample(num_samples, context, batch_size)


class Shifting(zuko.flows.MAF):
    def forward(self, c=None):
        flow = super().forward(c)
        shift = torch.distributions.AffineTransform(-1.0, 0.5)
        return zuko.distributions.NormalizingFlow(zuko.transforms.ComposedTransform(shift, flow.transform), flow.base)


class Embedding(zuko.flows.MAF):
    def __init__(self):
        super().__init__(3, 5)
        self.embedding = nn.Linear(2, 5)

    def forward(self, c=None):
        return super().forward(self.embedding(c))


class Moved(pd.TransformedDistribution):
    def log_prob(self, value):
        return super().log_prob(value - 1)


class MovedIfConditional(pd.ConditionalTransformedDistribution):
    def condition(self, context):
        return super().condition(context + 1)


def standard_normal(features=3):
    return pd.Normal(torch.zeros(features), torch.ones(features)).to_event(1)


FLOWS = {
    "nflows log_prob": (lambda: Standardising(affine(), StandardNormal([3])), "its log_prob differs"),
    "nflows _log_prob": (lambda: Halving(affine(), StandardNormal([3])), "its log_prob differs"),
    "nflows sample": (lambda: Doubling(affine(), StandardNormal([3])), "Doubling overrides sample, which a file"),
    "zuko forward": (lambda: Shifting(3), "its log_prob differs"),
    "zuko embedding": (Embedding, "the live model cannot be evaluated in torch.float64"),
    "pyro log_prob": (lambda: Moved(standard_normal(), [pt.affine_autoregressive(3, [8])]), "its log_prob differs"),
    "pyro condition": (
        lambda: MovedIfConditional(standard_normal(), [pt.conditional_affine_autoregressive(3, 2, [8])]),
        "its log_prob differs",
    ),
}


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("verify", [False, True])
def test_a_flow_of_a_class_of_its_own(name, verify):
    make, text = FLOWS[name]
    refused(make(), text, verify=verify)


def test_rows_of_the_users_own_are_compared(tmp_path, capsys):
    model, rows = Limiting(affine(), StandardNormal([3])), torch.ones(40, 3)
    flowrt.save(tmp_path / "flow.flw", model, rows=rows)
    assert "framework float32" in capsys.readouterr().out
    rows[37, 1] = 2e4
    refused(model, "its log_prob differs", rows=rows.requires_grad_())
    with pytest.raises(flowrt.Error, match="there are contexts, but the flow takes none"):
        flowrt.save("never-written.flw", model, rows=rows, contexts=torch.ones(40, 2))


def test_a_class_that_overrides_nothing_that_matters_is_exported(tmp_path):
    class Named(Flow):
        def log_prob(self, inputs, context=None):
            return super().log_prob(inputs, context)

    flowrt.save(tmp_path / "flow.flw", Named(affine(), StandardNormal([3])))


# ---- bases ----


class Narrow(StandardNormal):
    def _sample(self, num_samples, context):
        return 0.7 * super()._sample(num_samples, context)


class NarrowBox(BoxUniform):
    def rsample(self, sample_shape=()):
        return 0.7 * super().rsample(sample_shape)


class NarrowNormal(zuko.distributions.DiagNormal):
    def rsample(self, shape=()):
        return 0.7 * super().rsample(shape)


class NarrowCorrelated(pd.MultivariateNormal):
    def rsample(self, sample_shape=()):
        return 0.7 * super().rsample(sample_shape)


class NarrowGaussian(nf.distributions.DiagGaussian):
    def forward(self, num_samples=1, context=None):
        z, log_prob = super().forward(num_samples, context)
        return 0.7 * z, log_prob


class NarrowFlow(zuko.distributions.NormalizingFlow):
    def rsample(self, shape=()):
        return 0.7 * super().rsample(shape)


class Narrowing(zuko.flows.MAF):
    def forward(self, c=None):
        flow = super().forward(c)
        return NarrowFlow(flow.transform, flow.base)


def with_base_of_zuko(kind):
    model = zuko.flows.MAF(3)
    model.base = zuko.lazy.UnconditionalDistribution(kind, torch.zeros(3), torch.ones(3), buffer=True)
    return model


def estimator_of_sbi():
    net = Doubling(affine(context_features=2), StandardNormal([3]), nn.Identity())
    return NFlowsFlow(net, input_shape=(3,), condition_shape=(2,))


BASES = {
    "nflows": (lambda: Flow(affine(), Narrow([3])), "Narrow overrides _sample"),
    "nflows uniform": (lambda: Flow(affine(), NarrowBox(torch.zeros(3), torch.ones(3))), "NarrowBox overrides rsample"),
    "zuko": (lambda: with_base_of_zuko(NarrowNormal), "NarrowNormal overrides rsample"),
    "zuko flow": (lambda: Narrowing(3), "NarrowFlow overrides rsample"),
    "pyro": (
        lambda: pd.TransformedDistribution(
            NarrowCorrelated(torch.zeros(3), torch.eye(3)), [pt.affine_autoregressive(3, [8])]
        ),
        "NarrowCorrelated overrides rsample",
    ),
    "normflows": (
        lambda: nf.NormalizingFlow(NarrowGaussian(3), [nf.flows.Permute(3)]), "NarrowGaussian overrides forward"
    ),
    "sbi": (estimator_of_sbi, "Doubling overrides sample"),
}  # fmt: skip


@pytest.mark.parametrize("name", BASES)
def test_a_base_with_a_sampler_of_its_own(name):
    make, text = BASES[name]
    refused(make(), f"{text}, which a file cannot hold")


def test_a_package_of_the_users_is_none_of_the_frameworks():
    """Whatever its modules are called."""
    for module, own in (("project.torch.flows", False), ("nflows.flows.base", True)):
        kind = type("Doubling", (Flow,), {"sample": Doubling.sample, "__module__": module})
        if own:
            require_own(kind(affine(), StandardNormal([3])), "sample")
        else:
            refused(kind(affine(), StandardNormal([3])), "Doubling overrides sample")


# ---- networks ----


class Wrapper(nn.Module):
    """A coupling network that limits what a perceptron is given, or gives."""

    def __init__(self, inputs, outputs, before=math.inf, after=math.inf):
        super().__init__()
        self.net = perceptron(inputs, outputs)
        self.before, self.after = before, after

    def forward(self, inputs, context=None):
        return self.net(inputs.clamp(-self.before, self.before)).clamp(-self.after, self.after)


@pytest.mark.parametrize("limits, side", [((math.inf, 5), "output"), ((20, math.inf), "input")])
def test_a_coupling_network_that_limits(limits, side):
    """No row needs to reach the limit."""
    model = nflows_flow(coupling(network=lambda i, o: Wrapper(i, o, *limits)))
    refused(model, f"the forward of Wrapper changes the {side} of its layers")


class LimitedEmbedding(nn.Module):
    def __init__(self, limit):
        super().__init__()
        self.net, self.limit = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4)), limit

    def forward(self, context):
        return self.limit(self.net(context))


def test_an_embedding_net_that_limits():
    """What no layers compose is refused; a clamp is part of the file."""
    embedding = LimitedEmbedding(lambda values: values.clamp(max=50.0))
    refused(nflows_flow(affine(context_features=4), embedding_net=embedding), "activation .* is not supported")
    embedding = LimitedEmbedding(lambda values: values.clamp(-0.1, 0.1))
    model = nflows_flow(affine(context_features=4), embedding_net=embedding)
    assert np.max(np.abs(embedding.net(torch.ones(1, 2)).detach().numpy())) > 0.1
    agree(model)


def test_an_activation_module_that_acts_twice(tmp_path):
    class Twice(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            activation = nn.Tanh()
            self.net = nn.Sequential(nn.Linear(inputs, 8), activation, nn.Linear(8, outputs), activation)

        def forward(self, inputs, context=None):
            return self.net(inputs)

    flowrt.save(tmp_path / "flow.flw", nflows_flow(coupling(network=Twice)))


def test_a_network_of_pyro_that_limits():
    class Limited(AutoRegressiveNN):
        def forward(self, x):
            mean, log_scale = super().forward(x)
            return mean, log_scale.clamp(-2, 2)

    for skip in (False, True):
        transform = pt.AffineAutoregressive(Limited(3, [8], skip_connections=skip))
        refused(pd.TransformedDistribution(standard_normal(), [transform]), "forward of Limited changes the output")


def test_hooks_that_limit():
    model = nflows_flow(affine(activation=torch.relu))
    torch.nn.init.normal_(model._transform._transforms[0].autoregressive_net.final_layer.weight)
    model._transform._transforms[0].register_forward_pre_hook(
        lambda module, given: (given[0].clamp(-20, 20), *given[1:])
    )
    refused(model, "its z differs by .* first in row . of random rows 6 times as far from their middle, coordinate 1: ")


# ---- types, shapes and wrappers ----


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_a_model_of_nflows_does_not_matter(dtype, tmp_path):
    flowrt.save(tmp_path / "flow.flw", nflows_flow(affine()).to(dtype))


def test_batches_of_flows_are_refused():
    model = pd.TransformedDistribution(standard_normal(), [pt.affine_autoregressive(3, [8])])
    refused(model.expand([4]), r"events of shape \(3,\) and batches of shape \(4,\) is not supported")


@pytest.mark.parametrize("make", [lambda: nflows_flow(affine()), lambda: zuko.flows.MAF(3), lambda: [pt.Spline(3)]])
def test_lengths_of_the_context_that_are_none(make):
    for length in (-1, 2.5, "3"):
        refused(make(), f"context_dim is a whole number and not negative, but {length!r} was given", context_dim=length)


def test_a_context_that_no_layer_takes():
    for model in (nflows_flow(affine()), zuko.flows.MAF(3)):
        refused(model, "context_dim is 5, but no layer takes a context", context_dim=5)


def test_errors_of_a_framework_are_named():
    model = nflows_flow(affine())
    model._transform._transforms[0].autoregressive_net.initial_layer.weight = None
    refused(model, "Flow cannot be read or evaluated: .*Error: ")


def test_wrappers_of_torch_are_taken_off(tmp_path):
    for model in (zuko.flows.MAF(3, transforms=1), nflows_flow(nt.ReversePermutation(3), affine())):
        for number, wrapped in enumerate((torch.compile(model), nn.DataParallel(model), AveragedModel(model))):
            flowrt.save(tmp_path / f"{number}.flw", wrapped)
            flowrt.save(tmp_path / "bare.flw", model)
            assert (tmp_path / f"{number}.flw").read_bytes() == (tmp_path / "bare.flw").read_bytes()


def test_the_density_is_that_of_the_framework_itself():
    """Not one that is made of the parts of a model."""
    model = nflows_flow(affine())
    model.log_prob = lambda x, context=None: torch.full((len(x),), 7.0)
    assert choose(model).live(model, torch.float64).log_prob([[1.0, 2.0, 3.0]]) == 7.0
