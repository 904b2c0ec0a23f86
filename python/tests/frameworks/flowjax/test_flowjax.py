"""flowjax: options, dimensions, precisions, ways to build a flow, refusals."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import flowjax.bijections as fb
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flowjax.distributions import Laplace, Normal, StandardNormal, Transformed
from flowjax.flows import coupling_flow, masked_autoregressive_flow, triangular_spline_flow
from hypothesis import given, settings
from hypothesis import strategies as st
from live import agree, as_exact_in_c
from paramax import Parameterize, WeightNormalization, non_trainable, unwrap

import flowrt
from flowrt.file.codes import BaseKind, Kind, Reads, Scale, Transformer
from flowrt.frameworks import choose

KEY = jax.random.key(0)
ACTIVATIONS = [jax.nn.relu, jnp.tanh, jax.nn.elu, jax.nn.gelu, partial(jax.nn.leaky_relu, negative_slope=0.3)]


def randomised(model, gain=0.3):
    """A model whose parameters are moved by random numbers."""
    leaves, structure = jax.tree_util.tree_flatten(model)
    generator = np.random.default_rng(0)
    leaves = [
        leaf + jnp.asarray(generator.normal(scale=gain, size=leaf.shape), leaf.dtype)
        if eqx.is_inexact_array(leaf)
        else leaf
        for leaf in leaves
    ]
    return jax.tree_util.tree_unflatten(structure, leaves)


def maf(features=3, layers=2, gain=0.3, **options):
    options = {"nn_width": 8, **options}
    base = StandardNormal((features,))
    return randomised(masked_autoregressive_flow(KEY, base_dist=base, flow_layers=layers, **options), gain)


def coupling(features=3, layers=2, **options):
    options = {"nn_width": 8, **options}
    return randomised(coupling_flow(KEY, base_dist=StandardNormal((features,)), flow_layers=layers, **options))


def transformed(bijection):
    return Transformed(StandardNormal(bijection.shape), bijection)


@settings(max_examples=12)
@given(
    kind=st.sampled_from([maf, coupling]),
    features=st.sampled_from([2, 3, 8]),
    context=st.sampled_from([None, 1, 4]),
    width=st.integers(1, 30),
    depth=st.integers(0, 3),
    invert=st.booleans(),
    activation=st.sampled_from(ACTIVATIONS),
    transformer=st.sampled_from([None, fb.Affine(), fb.Loc(0.25)]),
    wide=st.booleans(),
)
def test_every_combination_of_options(kind, features, context, width, depth, invert, activation, transformer, wide):
    options = {"cond_dim": context, "nn_depth": depth, "invert": invert, "transformer": transformer}
    with jax.enable_x64(wide):
        model = kind(features, nn_width=width, nn_activation=activation, **options)
    agree(model, rows=3)


@pytest.mark.parametrize("features", [1, 17, 64])
@pytest.mark.parametrize("context", [None, 3])
@pytest.mark.parametrize("invert", [True, False])
def test_dimensions(features, context, invert):
    agree(maf(features, cond_dim=context, invert=invert, nn_width=80, gain=0.1), rows=3)


@pytest.mark.parametrize("features", [17, 64])
@pytest.mark.parametrize("context", [None, 3])
def test_dimensions_of_couplings(features, context):
    (step, *_) = agree(coupling(features, cond_dim=context), rows=3).steps
    assert step.passthrough == features // 2 and len(step.stage_end) == 2


def test_a_coupling_of_one_feature_depends_on_the_context_alone():
    agree(coupling(1, cond_dim=2), rows=3)


def test_directions():
    assert [step.reads for step in agree(maf(invert=True)).steps] == [Reads.DATA] * 2
    assert [step.reads for step in agree(maf(invert=False)).steps] == [Reads.NOISE] * 2
    assert [step.reads for step in agree(coupling(invert=False)).steps] == [Reads.NOISE] * 2


def test_the_constants_of_the_scale_are_folded():
    model = masked_autoregressive_flow(KEY, base_dist=StandardNormal((1,)), flow_layers=1, nn_width=2)
    network = model.bijection.bijection.bijection.masked_autoregressive_mlp
    (step,) = agree(model).steps
    assert step.scale == Scale.SOFTPLUS and step.p[0] == pytest.approx(0.01, rel=1e-12)
    inverse_softplus = np.log(np.expm1(0.99))
    moved = step.layers[-1].bias - np.asarray(network.layers[-1].bias)[0]
    np.testing.assert_allclose(moved, [0, inverse_softplus], rtol=1e-6)


def test_constants_of_the_shift_are_folded():
    shifted = agree(maf(transformer=fb.Affine(loc=0.75, scale=2.0)))
    plain = agree(maf(transformer=fb.Affine(loc=0.0, scale=2.0)))
    np.testing.assert_allclose(shifted.steps[0].layers[-1].bias[::2] - plain.steps[0].layers[-1].bias[::2], 0.75)


@pytest.mark.parametrize(
    "function, scale, epsilon",
    [
        (jnp.exp, Scale.EXP, 0.0),
        (jax.nn.softplus, Scale.SOFTPLUS, 0.0),
        (lambda a: jax.nn.softplus(a) + 0.5, Scale.SOFTPLUS, 0.5),
        (lambda a: jax.nn.sigmoid(a) + 0.125, Scale.SIGMOID, 0.125),
    ],
)
def test_other_scale_functions(function, scale, epsilon):
    affine = eqx.tree_at(lambda affine: affine.scale, fb.Affine(), Parameterize(function, jnp.asarray(0.5)))
    step = agree(maf(transformer=affine)).steps[0]
    assert step.scale == scale and step.p[0] == pytest.approx(epsilon, abs=1e-12)


@pytest.mark.parametrize("context", [None, 2])
@pytest.mark.parametrize("depth", [0, 1])
def test_transformers_that_only_scale(context, depth):
    agree(maf(transformer=fb.Scale(1.5), cond_dim=context, nn_depth=depth))
    agree(coupling(transformer=fb.Scale(1.5), cond_dim=context, nn_depth=depth))


def test_additive():
    assert agree(coupling(transformer=fb.Loc(0.0))).steps[0].transformer == Transformer.ADDITIVE


@pytest.mark.parametrize("inverted", [False, True])
def test_layers_in_between(inverted):
    matrix = jnp.array([[1.0, 0, 0], [0.5, 2, 0], [-1, 0.25, 0.5]])
    chain = fb.Chain(
        [
            fb.Permute(jnp.array([2, 0, 1])),
            fb.Affine(jnp.array([1.0, 2, 3]), jnp.array([0.5, 2, 4])),
            maf().bijection,
            fb.Loc(jnp.ones(3)),
            fb.TriangularAffine(jnp.arange(3), matrix),
            fb.Identity((3,)),
            fb.Chain([fb.Flip((3,)), fb.Scale(jnp.array([0.5, 1, 2]))]),
            fb.Permute(jnp.array([1, 2, 0])),
        ]
    )
    file = agree(transformed(fb.Invert(chain) if inverted else chain))
    assert Kind.LINEAR in {step.kind for step in file.steps}


@pytest.mark.parametrize("inverted", [False, True])
def test_far_means_cost_no_digits(inverted):
    far = fb.Affine(jnp.array([1000.0, -300.0, 7.0]), jnp.array([3.0, 0.1, 20.0]))
    as_exact_in_c(transformed(fb.Chain([maf().bijection, fb.Invert(far) if inverted else far])))


def test_weight_normalisation_and_frozen_parameters():
    triangular = fb.TriangularAffine(0.0, jnp.eye(3))
    triangular = eqx.tree_at(lambda layer: layer.triangular, triangular, replace_fn=WeightNormalization)
    chain = fb.Chain([randomised(triangular), non_trainable(maf().bijection)])
    agree(transformed(chain))


def test_bases():
    base = Normal(jnp.array([0.5, 1, -1]), jnp.array([1.0, 2, 0.5]))
    file = agree(Transformed(base, maf().bijection))
    assert file.base.base == BaseKind.DIAGONAL_NORMAL
    np.testing.assert_allclose(file.base.std, [1, 2, 0.5], rtol=1e-6)
    nested = Transformed(Transformed(base, fb.Loc(jnp.ones(3))), maf().bijection)
    assert agree(nested).base.base == BaseKind.DIAGONAL_NORMAL


def test_a_bare_bijection():
    bare = flowrt.compile(choose(maf().bijection).describe(maf().bijection))
    assert agree(maf().bijection).base.base == BaseKind.STANDARD_NORMAL
    np.testing.assert_array_equal(bare.steps[0].layers[0].weight, agree(maf()).steps[0].layers[0].weight)


@pytest.mark.parametrize("kind", [maf, coupling])
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("context", [None, 2])
def test_save_and_verify(kind, invert, context, tmp_path, capsys):
    model = kind(5, invert=invert, cond_dim=context)
    path = tmp_path / "flow.flw"
    flowrt.save(path, model, verify=True)
    table = capsys.readouterr().out
    assert "framework float32" in table and "libflowrt" in table and "not compared" not in table
    assert flowrt.Model(path).metadata["framework"].startswith("flowjax 19")


def test_the_library_and_log_prob_of_the_framework(tmp_path):
    model = maf(4, cond_dim=2)
    flowrt.save(tmp_path / "flow.flw", model)
    generator = np.random.default_rng(0)
    x, context = generator.normal(size=(50, 4)), generator.normal(size=(50, 2))
    ours = flowrt.Model(tmp_path / "flow.flw").log_prob(x, context)
    np.testing.assert_allclose(ours, model.log_prob(x, context), rtol=1e-5, atol=1e-5)


def refused(model, text, **options):
    with pytest.raises(flowrt.ExportError, match=text):
        flowrt.save("never-written.flw", model, **options)


def test_other_bijections_are_refused_by_name():
    refused(maf(transformer=fb.Invert(fb.RationalQuadraticSpline(knots=4, interval=3))), "Invert is not supported")
    refused(coupling(transformer=fb.Tanh()), "Tanh is not supported; supported are Affine, Loc, Scale and Rational")
    refused(transformed(fb.LeakyTanh(3, (3,))), "LeakyTanh is not supported; supported are MaskedAutoregressive")
    refused(transformed(fb.SoftPlus((3,))), "SoftPlus is not supported; supported are MaskedAutoregressive")
    spline = triangular_spline_flow(KEY, base_dist=StandardNormal((3,)), flow_layers=1)
    refused(spline, "is not supported; supported are MaskedAutoregressive")
    embedded = fb.EmbedCondition(maf(cond_dim=2).bijection, jnp.tanh, (2,))
    refused(transformed(embedded), "EmbedCondition is not supported")


def test_other_bases_are_refused_by_name():
    refused(Transformed(Laplace(jnp.zeros(3)), maf().bijection), "Laplace is not supported")


def test_other_shapes_and_contexts_are_refused():
    refused(transformed(fb.Flip((2, 3))), r"events of shape \(2, 3\)")
    refused(maf(cond_dim=2), "a condition of length 2, not 3", context_dim=3)


def test_other_activations_are_refused_by_name():
    refused(maf(nn_activation=jnp.cos), "activation cos is not supported; supported are identity, relu")


def test_other_scale_functions_are_refused():
    square = eqx.tree_at(lambda affine: affine.scale, fb.Affine(), Parameterize(lambda a: a * a + 1, jnp.asarray(0.5)))
    refused(maf(transformer=square), "Affine has an unknown scale function")


def test_masks_that_are_not_autoregressive_are_refused():
    model = maf()
    open_mask = eqx.tree_at(
        lambda m: m.bijection.bijection.bijection.bijections[0].masked_autoregressive_mlp.layers[-1].weight.args[0],
        model,
        replace_fn=jnp.ones_like,
    )
    refused(open_mask, "MaskedAutoregressive is not autoregressive")


def test_a_class_that_overrides_the_density_is_refused():
    class Moved(Transformed):
        def _log_prob(self, x, condition=None):
            return super()._log_prob(x - 1, condition)

    refused(Moved(StandardNormal((3,)), maf().bijection), "its log_prob differs by .* from what the model computes")


def test_a_class_that_overrides_how_samples_are_drawn_is_refused():
    class Narrow(Normal):
        def _sample(self, key, condition=None):
            return 0.7 * super()._sample(key, condition)

    class Halved(Transformed):
        def _sample(self, key, condition=None):
            return 0.5 * super()._sample(key, condition)

    refused(Transformed(Narrow(jnp.zeros(3)), maf().bijection), "Narrow overrides _sample")
    refused(Transformed(Halved(StandardNormal((3,)), maf().bijection), fb.Flip((3,))), "Halved overrides _sample")


def test_an_activation_with_a_limit_is_composed():
    agree(randomised(maf(nn_activation=lambda h: jnp.clip(h, 0, 0.5))))


def test_a_slope_for_each_unit_is_composed():
    agree(randomised(maf(nn_activation=eqx.nn.PReLU(0.1))))


def test_masks_that_are_multiplied_in_are_found_in_the_zeros():
    agree(unwrap(maf()))


def test_a_model_that_lacks_its_functions_is_refused():
    refused(eqx.partition(maf(), eqx.is_inexact_array)[0], "Transformed is a half of a partition.*equinox.combine")
