"""Ensembles that `eqx.filter_vmap` makes and the halves of `eqx.partition` are told what to give instead."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.random as jr
import pytest
from flowjax.distributions import StandardNormal
from flowjax.flows import coupling_flow, masked_autoregressive_flow

import flowrt


def refused(model, message):
    with pytest.raises(flowrt.ExportError, match=message):
        flowrt.save("never-written.flw", model)


@pytest.mark.parametrize("maker", [masked_autoregressive_flow, coupling_flow])
def test_ensembles_and_halves(maker, tmp_path):
    def make(key):
        return maker(key, base_dist=StandardNormal((3,)), nn_width=16)

    ensemble = eqx.filter_vmap(make)(jr.split(jr.key(0), 4))
    refused(ensemble, "is an ensemble of 4 flows, whose arrays have an axis more: give one of them")
    one = jax.tree_util.tree_map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, ensemble)
    flowrt.save(tmp_path / "one.flw", one)
    for of in (eqx.is_inexact_array, eqx.is_array):
        arrays, rest = eqx.partition(one, of)
        refused(arrays, "is a half of a partition, without everything but arrays: give what equinox.combine makes")
        refused(rest, "is a half of a partition, without arrays: give what equinox.combine makes of both")


class Experiment(eqx.Module):
    flow: eqx.Module
    scale: float


def test_what_holds_a_flow_is_told_its_name():
    """A distribution has a shape, as arrays have."""
    flow = masked_autoregressive_flow(jr.key(0), base_dist=StandardNormal((3,)), nn_width=16)
    refused(Experiment(flow, 2.0), r"but its .flow \(Transformed\) is one: give that")
    refused((flow, {"train": [1.0]}), r"but it holds one, \[0\] \(Transformed\): give that")  # of fit_to_data
    refused({"flow": flow, "step": 3}, r"no description, but it holds one, \['flow'\] \(Transformed\): give that")
    refused(eqx.partition(flow, eqx.is_array), r"; its \[0\]: Transformed is a half of a partition.*; its \[1\]: ")
