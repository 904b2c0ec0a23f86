"""A state dict without its code, against the live model."""

from __future__ import annotations

import numpy as np
from torch_weights import randomise

import flowrt
from flowrt import descriptions, reference
from flowrt.frameworks import choose


def same(model, options, prefix="", modules=None, std=0.5):
    """The file of the state dict computes what that of the live model does. Returns the former.

    `modules` holds the arrays of a model that is no module itself.
    """
    modules = model if modules is None else modules
    randomise(modules, std)
    state = {prefix + name: value for name, value in modules.state_dict().items()}
    found = flowrt.compile(descriptions.read({**options, "state_dict": state})[0])
    expected = flowrt.compile(choose(model).describe(model))
    generator = np.random.default_rng(0)
    context = generator.normal(size=(9, expected.context_dim)) if expected.context_dim else None
    x = generator.normal(size=(9, expected.dim))
    for function in (reference.forward, reference.inverse):
        for ours, theirs in zip(function(found, x, context), function(expected, x, context)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        reference.log_prob(found, x, context), reference.log_prob(expected, x, context), rtol=1e-12, atol=1e-12
    )
    return found
