"""Flows of images of nflows, normflows and FrEIA: what a user gives and gets, and what is refused by name."""

from __future__ import annotations

import normflows as nf
import numpy as np
import pytest
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from image_cases import conv_subnet, glow, images, multiscale, residual, seen_data
from live import agree
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ConvResidualNet
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import Kind


def saved(model, folder):
    flowrt.save(folder / "flow.flw", model)
    return flowrt.Model(folder / "flow.flw")


def refused(model, message):
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save("never-written.flw", model)


def test_a_glow_of_classes_takes_images_and_a_number_for_each_class(tmp_path):
    torch.manual_seed(0)
    flow = glow(classes=3, shape=(1, 4, 8))
    randomise(flow, 0.3)
    flow.eval()
    model = saved(flow, tmp_path)
    x, y = torch.randn(5, 1, 4, 8), torch.tensor([0, 1, 2, 2, 0])
    with torch.no_grad():
        expected = flow.log_prob(x, y)
    np.testing.assert_allclose(model.log_prob(x, np.eye(3)[y]), expected, rtol=1e-4, atol=1e-3)
    assert model.shape == (1, 4, 8)
    pictures = model.sample(2, np.eye(3)[1]).reshape(-1, *model.shape)
    assert pictures.shape == (2, 1, 4, 8)


def test_the_noise_of_a_multiscale_flow_is_that_of_its_levels(tmp_path):
    torch.manual_seed(0)
    flow = glow(shape=(1, 4, 4))
    randomise(flow, 0.3)
    model = saved(flow.eval(), tmp_path)
    x = torch.randn(3, 1, 4, 4)
    with torch.no_grad():
        levels, _ = flow.inverse_and_log_det(x)
    expected = torch.cat([level.reshape(3, -1) for level in levels], dim=1)
    np.testing.assert_allclose(model.forward(x)[0], expected, atol=1e-3)


def test_actnorm_and_a_1x1_convolution_are_one_step():
    file = agree(glow(steps=2))
    kinds = [step.kind for step in file.steps]
    assert kinds == [Kind.PIXELWISE_LINEAR, Kind.AUTOREGRESSIVE] * 4


def test_a_base_with_a_temperature():
    flow = glow()
    randomise(flow, 0.3)
    flow.set_temperature(0.7)
    agree(flow)


class ReshapeTransform(nt.Transform):
    """As in the code of the paper on neural spline flows."""

    def __init__(self, input_shape, output_shape):
        super().__init__()
        self.input_shape, self.output_shape = input_shape, output_shape

    def forward(self, inputs, context=None):
        return inputs.reshape(-1, *self.output_shape), torch.zeros(len(inputs), dtype=inputs.dtype)

    def inverse(self, inputs, context=None):
        return inputs.reshape(-1, *self.input_shape), torch.zeros(len(inputs), dtype=inputs.dtype)


def test_vectors_that_become_images_and_vectors_again():
    coupling = nt.AffineCouplingTransform(torch.tensor([0, 1, 1]), residual)
    parts = [ReshapeTransform((24,), (3, 2, 4)), nt.ActNorm(3), coupling, ReshapeTransform((3, 2, 4), (24,)),
             nt.RandomPermutation(24), nt.LULinear(24)]  # fmt: skip
    flow = Flow(nt.CompositeTransform(parts), StandardNormal([24]))
    randomise(flow, 0.3)
    agree(flow)
    inverted = Flow(nt.InverseTransform(nt.CompositeTransform(parts)), StandardNormal([24]))
    agree(inverted)


def test_a_bare_transform_whose_layers_tell_its_shape():
    flow = multiscale((1, 4, 4))
    randomise(flow, 0.3)
    assert agree(flow).dim == 16
    refused(nt.CompositeTransform([nt.SqueezeTransform()]), "the shape of the images of CompositeTransform cannot be")


def test_contexts_beside_images_are_refused():
    def network(inputs, outputs):
        return ConvResidualNet(inputs, outputs, hidden_channels=4, context_channels=2, num_blocks=1)

    coupling = nt.AffineCouplingTransform(torch.tensor([0, 1]), network)
    text = "ConvResidualNet with a context that is an image is not supported"
    refused(Flow(coupling, StandardNormal([2, 4, 4])), text)
    plain = nt.AffineCouplingTransform(torch.tensor([0, 1]), residual)
    refused(Flow(plain, StandardNormal([2, 4, 4]), nn.Linear(3, 2)), "a context beside an image is not supported")
    network = Ff.SequenceINN(4, 4, 4)
    network.append(Fm.AllInOneBlock, cond=0, cond_shape=(2, 4, 4), subnet_constructor=conv_subnet)
    refused(network, r"a condition is supported if it is a vector, but this one has the shape \(2, 4, 4\)")


def with_network(module):
    """A coupling of 4 channels with a network."""
    flows = [nf.flows.AffineCouplingBlock(module, scale=True, scale_map="exp")]
    return nf.NormalizingFlow(nf.distributions.DiagGaussian((4, 4, 4)), flows)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1)

    def forward(self, x):
        y = self.conv(x)
        return y * torch.softmax(y.flatten(2), dim=2).reshape(y.shape)


NETWORKS = {
    "the network gives 3 x 4 x 4 numbers, not 4 x 4 x 4": nn.Conv2d(2, 3, 1),
    "the network gives 4 x 2 x 2 numbers, not 4 x 4 x 4": nn.Conv2d(2, 4, 3),
    "softmax": Attention(),
    "BatchNorm1d without running statistics": nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)
    ),
    "gives values of the shape .32,., not an image": nn.Flatten(),
}


@pytest.mark.parametrize("message", NETWORKS)
def test_networks_that_are_none_of_a_coupling_of_images(message):
    refused(with_network(NETWORKS[message]), message)


LAYERS = {
    "GINCouplingBlock": lambda: images((Fm.GINCouplingBlock, {"subnet_constructor": conv_subnet})),
    "AllInOneBlock with gin_block=True": lambda: images(
        (Fm.AllInOneBlock, {"subnet_constructor": conv_subnet, "gin_block": True})
    ),
    "ActNorm has seen no data yet": lambda: nf.NormalizingFlow(
        nf.distributions.DiagGaussian((2, 4, 4)), [nf.flows.ActNorm((2, 1, 1))]
    ),
    "does not squeeze by 2": lambda: nf.NormalizingFlow(
        nf.distributions.DiagGaussian((1, 3, 3)), [nf.flows.Reverse(nf.flows.Squeeze())]
    ),
    "Planar is not supported; supported are GlowBlock": lambda: nf.NormalizingFlow(
        nf.distributions.DiagGaussian((1, 4, 4)), [nf.flows.Planar((1, 4, 4))]
    ),
    "CauchyCDF is not supported; supported are SqueezeTransform": lambda: Flow(
        nt.CauchyCDF() if hasattr(nt, "CauchyCDF") else nt.nonlinearities.CauchyCDF(), StandardNormal([2, 4, 4])
    ),
}


@pytest.mark.parametrize("message", LAYERS)
def test_other_layers_of_images_are_refused_by_name(message):
    refused(LAYERS[message](), message)


def test_an_image_model_that_was_given_data_is_not_changed(tmp_path):
    """The transform Shift and FrEIA's Haar modules write into what they are given."""
    flow = seen_data(glow(levels=1, transform=nf.transforms.Shift(-0.5)))
    randomise(flow, 0.3)
    rows = np.random.default_rng(0).normal(size=(4, 1, 4, 4))
    before = rows.copy()
    flowrt.save(tmp_path / "flow.flw", flow, rows=rows)
    np.testing.assert_array_equal(rows, before)
