"""nflows: options, dimensions, overridden formulas, refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import agree, agree_in_c, as_exact_in_c
from nflows import transforms as nt
from nflows.distributions import ConditionalIndependentBernoulli, DiagonalNormal
from nflows.flows import Flow, MaskedAutoregressiveFlow
from nflows.transforms import nonlinearities
from nflows_models import SCALES, affine, flow, refused
from torch import nn
from torch_weights import randomise

import flowrt
from flowrt.file.codes import BaseKind, Form, Reads, Scale


@given(
    features=st.sampled_from([1, 2, 3, 8, 17, 64]),
    context=st.sampled_from([None, 1, 4]),
    hidden=st.integers(1, 40),
    blocks=st.integers(0, 3),
    residual=st.booleans(),
    batch_norm=st.booleans(),
    inverse=st.booleans(),
    activation=st.sampled_from([torch.relu, torch.tanh, nn.ELU(), nn.functional.silu]),
)
def test_every_combination_of_options(features, context, hidden, blocks, residual, batch_norm, inverse, activation):
    torch.manual_seed(0)
    transform = affine(
        features,
        hidden,
        context_features=context,
        num_blocks=blocks,
        use_residual_blocks=residual,
        use_batch_norm=batch_norm,
        activation=activation,
    )
    model = flow(
        nt.InverseTransform(transform) if inverse else transform, nt.RandomPermutation(features), features=features
    )
    randomise(model, 0.2)
    agree(model, rows=3)


@given(features=st.integers(2, 20), hidden=st.integers(1, 30), blocks=st.integers(0, 3))
def test_random_masks(features, hidden, blocks):
    torch.manual_seed(features)
    model = MaskedAutoregressiveFlow(
        features, hidden, 2, blocks, use_residual_blocks=False, use_random_masks=True, use_random_permutations=True
    )
    randomise(model, 0.3)
    agree(model, rows=3)


def test_a_maf_reads_data_and_its_inverse_reads_noise():
    (maf,) = agree(flow(affine())).steps
    (iaf,) = agree(flow(nt.InverseTransform(affine()))).steps
    assert (maf.reads, iaf.reads) == (Reads.DATA, Reads.NOISE)
    assert maf.scale == Scale.SOFTPLUS and maf.form == Form.SCALE_THEN_SHIFT and maf.p[0] == 1e-3


def test_the_first_feature_ignores_the_context_as_in_nflows():
    file = agree(flow(affine(context_features=2)))
    x = np.zeros((2, 3))
    z, _ = flowrt.reference.forward(file, x, [[0.0, 0.0], [5.0, -5.0]])
    assert z[0, 0] == z[1, 0] and z[0, 1] != z[1, 1]


def test_permutations_cost_nothing():
    layers = []
    for _ in range(3):
        layers += [nt.RandomPermutation(5), affine(5, 12)]
    assert len(agree(flow(*layers, nt.ReversePermutation(5), features=5)).steps) == 3


def test_inverses_of_everything():
    torch.manual_seed(1)
    layers = [
        nt.Permutation(torch.tensor([1, 2, 3, 4, 0])),
        affine(5),
        nt.ActNorm(5),
        nt.PointwiseAffineTransform(1.0, 2.0),
        nt.BatchNorm(5),
    ]
    model = flow(nt.InverseTransform(nt.CompositeTransform(layers)), features=5)
    randomise(model, 0.3)
    agree(model, tolerance=1e-11)
    agree(flow(nt.InverseTransform(nt.InverseTransform(affine()))))


@pytest.mark.parametrize("inverse", [False, True])
def test_far_means_cost_no_digits(inverse):
    norm = nt.BatchNorm(3)
    far = nt.PointwiseAffineTransform(torch.tensor([1000.0, -300.0, 7.0]), torch.tensor([3.0, 0.1, 20.0]))
    for layer in (norm, far):
        model = flow(nt.InverseTransform(layer) if inverse else layer, affine())
        randomise(model, 0.3)
        norm.running_mean.copy_(torch.tensor([500.0, -20.0, 0.5]))
        as_exact_in_c(model)


def test_diagonal_normal_base():
    base = DiagonalNormal([3])
    nn.init.normal_(base.mean_)
    nn.init.normal_(base.log_std_)
    file = agree(Flow(affine(), base))
    assert file.base.base == BaseKind.DIAGONAL_NORMAL
    agree_in_c(Flow(affine(), base))


def test_scalar_pointwise_affine():
    file = agree(flow(nt.PointwiseAffineTransform(0.5, 2.0), affine()))
    np.testing.assert_array_equal(file.steps[0].scale, [2.0, 2.0, 2.0])


class Forked(nt.MaskedAffineAutoregressiveTransform):
    """A fork with scale functions of its own."""

    scale_function = staticmethod(torch.exp)

    def _elementwise_forward(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = self.scale_function(raw)
        return scale * inputs + shift, torch.log(scale).sum(dim=1)

    def _elementwise_inverse(self, inputs, autoregressive_params):
        raw, shift = self._unconstrained_scale_and_shift(autoregressive_params)
        scale = self.scale_function(raw)
        return (inputs - shift) / scale, -torch.log(scale).sum(dim=1)


@pytest.mark.parametrize("name", SCALES)
def test_scale_functions_of_forks(name):
    transform = Forked(3, 8)
    transform.scale_function, expected = SCALES[name]
    assert agree(flow(transform)).steps[0].scale == expected


def test_an_unknown_scale_function_is_refused():
    transform = Forked(3, 8)
    transform.scale_function = lambda a: 1 + a * a
    refused(flow(transform), "Forked has an unknown scale function")


def test_a_formula_that_is_not_affine_is_refused():
    class Cubic(nt.MaskedAffineAutoregressiveTransform):
        def _elementwise_forward(self, inputs, autoregressive_params):
            return inputs**3, torch.zeros(len(inputs), dtype=inputs.dtype)

    refused(flow(Cubic(3, 8)), "Cubic does not compute scale")


def test_an_overridden_network_is_noticed():
    model = flow(affine())

    class Doubled(type(model._transform._transforms[0].autoregressive_net)):
        def forward(self, inputs, context=None):
            return 2 * super().forward(inputs, context)

    model._transform._transforms[0].autoregressive_net.__class__ = Doubled
    refused(model, "the forward of Doubled changes the output of its layers")


def test_a_model_that_needs_float32_is_refused_in_one_line():
    model = flow(affine())

    class Single(type(model._transform._transforms[0].autoregressive_net)):
        def forward(self, inputs, context=None):
            return super().forward(inputs.float(), context)

    model._transform._transforms[0].autoregressive_net.__class__ = Single
    refused(model, "Flow cannot be read or evaluated: RuntimeError: ")


def test_a_model_that_cannot_be_copied_is_refused_in_one_line():
    model = flow(affine())
    model.kept = partial(torch.add, torch.ones(2, requires_grad=True) * 2)
    refused(model, "a copy of Flow cannot be made")


def test_masks_that_are_not_autoregressive_are_refused():
    model = flow(affine())
    model._transform._transforms[0].autoregressive_net.final_layer.mask.fill_(1)
    refused(model, "MaskedAffineAutoregressiveTransform is not autoregressive: coordinate")


UNSUPPORTED = {
    "OneByOneConvolution": lambda: nt.OneByOneConvolution(3),
    "LogTanh": lambda: nt.LogTanh(),
    "CauchyCDF": lambda: nonlinearities.CauchyCDF(),
    "GatedLinearUnit": lambda: nt.GatedLinearUnit(),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_transforms_are_refused_by_name(name):
    refused(flow(affine(), UNSUPPORTED[name]()), f"{name} is not supported; supported are MaskedAffineAutoregressive")


def test_other_bases_are_refused_by_name():
    base = ConditionalIndependentBernoulli([3], nn.Linear(2, 3))
    refused(Flow(affine(context_features=2), base), "ConditionalIndependentBernoulli is not supported")


EMBEDDINGS = {
    "linear": lambda: nn.Linear(5, 2),
    "sequence": lambda: nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 2)),
}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embedding_nets(name):
    model = flow(affine(context_features=2), embedding_net=EMBEDDINGS[name]())
    randomise(model, 0.5)
    file = agree(model)
    agree_in_c(model)
    assert file.context_dim == 5 and file.encoder.layers[-1].width == 2


def test_an_embedding_net_of_convolutions_takes_a_flat_context():
    net = nn.Sequential(
        nn.Unflatten(1, (2, 4, 5)), nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(12, 2),
    )  # fmt: skip
    model = flow(affine(context_features=2), embedding_net=net)
    randomise(model, 0.5)
    file = agree(model)
    agree_in_c(model)
    assert file.context_dim == 40 and file.encoder.layers[-1].width == 2


def test_other_embedding_nets_are_refused_by_name():
    refused(
        flow(affine(context_features=2), embedding_net=nn.Conv1d(5, 2, 1)), "Conv1d is not supported.*embedding nets"
    )
    refused(flow(affine(context_features=2), embedding_net=nn.Linear(5, 3)), r"length of the context: \[2, 3\]")
    with pytest.raises(flowrt.ExportError, match="Linear of 5 numbers is given 4"):
        flowrt.save("never-written.flw", flow(affine(context_features=2), embedding_net=nn.Linear(5, 2)), context_dim=4)


def test_layers_must_agree_about_the_context():
    model = flow(affine(context_features=2), affine(context_features=3))
    refused(model, r"disagree about the length of the context: \[2, 3\]")
    with pytest.raises(flowrt.ExportError, match=r"\[2, 4\]"):
        flowrt.save("never-written.flw", flow(affine(context_features=2)), context_dim=4)


def test_batch_norm_without_statistics_is_refused():
    model = flow(affine(use_batch_norm=True))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean = module.running_var = None
    refused(model, "BatchNorm1d without running statistics")


def test_a_transform_that_tells_no_size_is_refused():
    refused(nt.PointwiseAffineTransform(), "number of features of PointwiseAffineTransform")
