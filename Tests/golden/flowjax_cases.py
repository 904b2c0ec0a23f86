"""Cases of flowjax for docs/EXPORTERS.md, which has an environment of its own."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import flowjax.bijections as fb
import jax
import jax.numpy as jnp
import numpy as np
from flowjax.distributions import Normal, StandardNormal, Transformed, Uniform, VmapMixture
from flowjax.flows import coupling_flow, masked_autoregressive_flow

KEY = jax.random.key(0)
SPLINE = fb.RationalQuadraticSpline(knots=4, interval=3)


def randomised(model, gain=0.3):
    """A model whose parameters are moved by random numbers."""
    leaves, structure = jax.tree_util.tree_flatten(model)
    generator = np.random.default_rng(0)

    def moved(leaf):
        return leaf + jnp.asarray(generator.normal(scale=gain, size=leaf.shape), leaf.dtype)

    return jax.tree_util.tree_unflatten(structure, [moved(x) if eqx.is_inexact_array(x) else x for x in leaves])


def flow(build, features=4, base=None, **options):
    base = base or StandardNormal((features,))
    return randomised(build(KEY, base_dist=base, flow_layers=2, nn_width=12, **options))


def behind(bijection):
    """A MAF whose data go through another bijection last."""
    maf = flow(masked_autoregressive_flow)
    return Transformed(maf.base_dist, fb.Chain([maf.bijection, bijection]))


def mixture():
    normals = eqx.filter_vmap(Normal)(jnp.array([[-1.0, 0, 1, 0], [2.0, 1, 0, 1]]), 0.5 + jnp.ones((2, 4)))
    return VmapMixture(normals, weights=jnp.array([1.0, 3]))


maf, coupling = partial(flow, masked_autoregressive_flow), partial(flow, coupling_flow)
CASES = {
    "flowjax_maf": maf,
    "flowjax_maf_context": partial(maf, cond_dim=3),
    "flowjax_iaf": partial(maf, invert=False),
    "flowjax_additive": partial(maf, transformer=fb.Loc(0.25)),
    "flowjax_spline": partial(maf, transformer=SPLINE),
    "flowjax_coupling": coupling,
    "flowjax_coupling_context": partial(coupling, cond_dim=3, invert=False),
    "flowjax_coupling_spline": partial(coupling, transformer=SPLINE),
    "flowjax_one_feature": partial(maf, features=1, cond_dim=2),
    "flowjax_linear": lambda: behind(fb.TriangularAffine(jnp.ones(4), jnp.eye(4) + 0.3 * jnp.tri(4))),
    "flowjax_standardised": lambda: behind(fb.Affine(jnp.arange(4.0), jnp.array([0.5, 2.0, 1.0, 1.5]))),
    "flowjax_exp": lambda: behind(fb.Exp((4,))),
    "flowjax_diagonal_normal": partial(maf, base=Normal(jnp.arange(4.0), jnp.ones(4) * 1.5)),
    "flowjax_uniform": partial(maf, base=Uniform(-4 * jnp.ones(4), 4 * jnp.ones(4))),
    "flowjax_mixture": lambda: Transformed(mixture(), maf().bijection),
}
