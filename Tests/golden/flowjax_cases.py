"""Golden cases of flowjax, which has an environment of its own."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import flowjax.bijections as fb
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.distributions import MultivariateNormal, Normal, StandardNormal, Transformed, Uniform, VmapMixture
from flowjax.flows import coupling_flow, masked_autoregressive_flow
from paramax import Parameterize

KEY = jax.random.key(0)
SPLINE = fb.RationalQuadraticSpline(knots=4, interval=3)


def flow(build, features=4, base=None, **options):
    base = base or StandardNormal((features,))
    return build(KEY, base_dist=base, flow_layers=2, nn_width=12, **options)


def behind(bijection):
    """A MAF whose data go through another bijection last."""
    maf = flow(masked_autoregressive_flow)
    return Transformed(maf.base_dist, fb.Chain([maf.bijection, bijection]))


def affine(scale_function):
    return eqx.tree_at(lambda affine: affine.scale, fb.Affine(), Parameterize(scale_function, jnp.asarray(0.5)))


def splines():
    """One for each feature, whose parameters depend on nothing."""
    return fb.Vmap(eqx.filter_vmap(lambda: SPLINE, axis_size=4)(), in_axes=eqx.if_array(0))


LOWER = jnp.array([[1.5, 0, 0, 0], [0.5, 1, 0, 0], [1, 0.3, 0.7, 0], [0, -0.4, 0.2, 1]])


def full_mixture():
    mean, covariance = jnp.array([[-1.0, 0, 1, 0], [2.0, 1, 0, 1]]), jnp.stack([LOWER @ LOWER.T, LOWER.T @ LOWER])
    return VmapMixture(eqx.filter_vmap(MultivariateNormal)(mean, covariance), weights=jnp.array([1.0, 3]))


def mixture():
    normals = eqx.filter_vmap(Normal)(jnp.array([[-1.0, 0, 1, 0], [2.0, 1, 0, 1]]), 0.5 + jnp.ones((2, 4)))
    return VmapMixture(normals, weights=jnp.array([1.0, 3]))


maf, coupling = partial(flow, masked_autoregressive_flow), partial(flow, coupling_flow)
CASES = {
    "flowjax_maf": maf,
    "flowjax_maf_context": partial(maf, cond_dim=3),
    "flowjax_iaf": partial(maf, invert=False),
    "flowjax_tanh": partial(maf, nn_activation=jnp.tanh, nn_depth=2),
    "flowjax_exp_scale": partial(maf, transformer=affine(jnp.exp)),
    "flowjax_sigmoid_scale": partial(maf, transformer=affine(lambda a: jax.nn.sigmoid(a) + 0.125)),
    "flowjax_scale_alone": partial(maf, transformer=fb.Scale(1.5)),
    "flowjax_additive": partial(maf, transformer=fb.Loc(0.25)),
    "flowjax_spline": partial(maf, transformer=SPLINE),
    "flowjax_coupling": coupling,
    "flowjax_coupling_context": partial(coupling, cond_dim=3, invert=False),
    "flowjax_coupling_spline": partial(coupling, transformer=SPLINE),
    "flowjax_one_feature": partial(maf, features=1, cond_dim=2),
    "flowjax_linear": lambda: behind(fb.TriangularAffine(jnp.ones(4), jnp.eye(4) + 0.3 * jnp.tri(4))),
    "flowjax_standardised": lambda: behind(fb.Affine(jnp.arange(4.0), jnp.array([0.5, 2.0, 1.0, 1.5]))),
    "flowjax_elementwise_spline": lambda: behind(splines()),
    "flowjax_sigmoid": lambda: behind(fb.Chain([fb.Sigmoid((4,)), fb.Affine(jnp.full(4, -1.0), jnp.full(4, 3.0))])),
    "flowjax_exp": lambda: behind(fb.Exp((4,))),
    "flowjax_diagonal_normal": partial(maf, base=Normal(jnp.arange(4.0), jnp.ones(4) * 1.5)),
    "flowjax_uniform": partial(maf, base=Uniform(-4 * jnp.ones(4), 4 * jnp.ones(4))),
    "flowjax_mixture": lambda: Transformed(mixture(), maf().bijection),
    "flowjax_correlated_normal": partial(maf, base=MultivariateNormal(jnp.arange(4.0), LOWER @ LOWER.T)),
    "flowjax_mixture_full": lambda: Transformed(full_mixture(), maf().bijection),
}


def random_model(name: str, seed: int, gain: float):
    """The model of a case, with random numbers added to its parameters."""
    generator = np.random.default_rng(seed)

    def moved(leaf):
        if not eqx.is_inexact_array(leaf):
            return leaf
        scale = gain / np.sqrt(leaf.shape[-1]) if leaf.ndim > 1 else 0.3
        values = np.asarray(leaf) + generator.normal(scale=scale, size=leaf.shape)
        return jnp.asarray(values.round(4), leaf.dtype)  # no rounding error of a processor is left of them

    return jax.tree_util.tree_map(moved, CASES[name]())
