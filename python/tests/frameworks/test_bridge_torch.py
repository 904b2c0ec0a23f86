"""A flow for PyTorch: tensors in and out."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from random_flows import flow as random_flow

import flowrt
from flowrt import Model
from flowrt.file import encode

MODEL = Model(encode(flowrt.compile(random_flow(10, 3, 2))))
X, CONTEXT = torch.randn(7, 3), torch.randn(7, 2)


def test_values_are_those_of_the_model():
    bridge = MODEL.torch()
    assert torch.equal(bridge.log_prob(X, CONTEXT), torch.from_numpy(MODEL.log_prob(X.numpy(), CONTEXT.numpy())))
    z, log_det = bridge.forward(X, CONTEXT)
    x, _ = bridge.inverse(z, CONTEXT)
    assert z.shape == X.shape and log_det.shape == (7,) and torch.allclose(x, X, atol=1e-3)
    assert bridge.log_prob(X[None], CONTEXT[:, None]).shape == (7, 7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_type_of_the_tensor_is_kept(dtype):
    found = MODEL.torch().log_prob(X.to(dtype), CONTEXT)
    assert found.dtype == dtype
    assert torch.equal(found, torch.from_numpy(MODEL.log_prob(X.to(dtype).float().numpy(), CONTEXT.numpy())).to(dtype))


def test_draws_follow_the_generators_of_pytorch():
    bridge = MODEL.torch()
    torch.manual_seed(3)
    first, second = bridge.sample(5, CONTEXT[0]), bridge.sample(5, CONTEXT[0])
    torch.manual_seed(3)
    assert torch.equal(first, bridge.sample(5, CONTEXT[0])) and not torch.equal(first, second)
    one, other = (bridge.sample(5, CONTEXT[0], torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, other)
    x, log_prob = bridge.sample(5, CONTEXT[0], 7, log_prob=True)
    assert np.array_equal(x, MODEL.sample(5, CONTEXT[0].numpy(), 7)) and log_prob.shape == (5,)


def test_a_tensor_that_asks_for_gradients_is_none_for_the_model():
    bridge, x = MODEL.torch(), X.clone().requires_grad_()
    with pytest.raises(flowrt.LibraryError, match=r"x has gradients to be traced: .* model.torch\(\)"):
        MODEL.log_prob(x, CONTEXT)
    with torch.no_grad():
        assert torch.equal(bridge.log_prob(x, CONTEXT), bridge.log_prob(X, CONTEXT))


class Guide(torch.nn.Module):
    """A module of a user's that keeps a flow."""

    def __init__(self):
        super().__init__()
        self.flow = MODEL.torch()

    def forward(self, x):
        return self.flow.log_prob(x, CONTEXT)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_it_is_copied_and_pickled_alone_and_within_a_module(duplicate):
    expected = MODEL.torch().log_prob(X, CONTEXT)
    assert torch.equal(duplicate(MODEL.torch()).log_prob(X, CONTEXT), expected)
    x = X.clone().requires_grad_()
    duplicate(Guide())(x).sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().max() > 0


def test_a_module_with_a_flow_is_saved_whole(tmp_path):
    torch.save(Guide(), tmp_path / "guide.pt")
    again = torch.load(tmp_path / "guide.pt", weights_only=False)
    assert torch.equal(again(X), Guide()(X))
