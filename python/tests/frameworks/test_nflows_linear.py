"""nflows: linear layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from live import agree, agree_in_c
from nflows import transforms as nt
from nflows_models import flow
from torch_weights import randomise

import flowrt

LINEAR = {
    "LULinear": nt.LULinear,
    "QRLinear": lambda features: nt.QRLinear(features, min(features, 3)),
    "SVDLinear": lambda features: nt.SVDLinear(features, 4 if features > 1 else 2),
    "NaiveLinear": nt.NaiveLinear,
    "HouseholderSequence": lambda features: nt.HouseholderSequence(features, min(features, 3)),
}


@pytest.mark.parametrize("features", [1, 2, 5, 17, 64])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers(name, inverse, features):
    layer = LINEAR[name](features)
    randomise(layer, 0.1)
    for parameter in (parameter for parameter in layer.parameters() if name != "NaiveLinear"):
        parameter.data *= 0.5
    layers = [nt.RandomPermutation(features), nt.InverseTransform(layer) if inverse else layer]
    model = flow(*layers, nt.RandomPermutation(features), features=features)
    *before, step = agree(model, tolerance=1e-11 if features == 64 else 1e-12).steps
    assert len(before) == (inverse and name != "HouseholderSequence")  # the inverse takes the bias away first
    agree_in_c(model)
    np.testing.assert_allclose(step.matrix @ step.inverse, np.eye(features), atol=1e-10)
    assert agree(layer).dim == features


def test_a_linear_layer_that_was_just_used_can_be_saved(tmp_path):
    """nflows keeps the matrices it has computed, with their gradients, which cannot be copied."""
    model = flow(nt.LULinear(3, using_cache=True), nt.NaiveLinear(3, using_cache=True)).eval()
    model.log_prob(torch.randn(2, 3))
    randomise(model, 0.3)
    flowrt.save(tmp_path / "flow.flw", model)
    agree(model)
