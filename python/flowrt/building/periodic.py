"""Periodic features (normflows): angles enter a network as w1 sin(s x) + w2 cos(s x)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..file.codes import Activation
from ..flow import flow as ir
from .arrays import float64
from .modules import class_names, is_identity, refuse


def after_preprocessing(module, initial: ir.Layer) -> list:
    """The layers of a network that begins with `initial`, behind a live module that prepares what it reads.

    A cosine is a sine of pi / 2 more, and w1, w2 fold into the weights of the first layer.
    """
    if module is None or type(module).__name__ == "Identity":
        return [initial]
    if "PeriodicFeaturesElementwise" not in class_names(module) or not is_identity(module.activation):
        refuse(module, "networks without preprocessing, or with PeriodicFeaturesElementwise without activation")
    angles = float64(module.ind).astype(np.int64)
    count, columns = len(angles), initial.weight.shape[1]
    frequency = np.broadcast_to(float64(module.scale), (count,))
    weight = np.zeros((2 * count, columns))
    weight[np.arange(2 * count), np.tile(angles, 2)] = np.tile(frequency, 2)
    phase = np.repeat([0.0, np.pi / 2], count)
    sines = ir.Layer(phase, weight, weight != 0, ir.READ, activation=Activation.SINE)

    gains = float64(module.weights)
    into, mask = initial.weight[:, angles], initial.mask[:, angles]
    from_sines = ir.Layer(
        np.zeros(initial.width), np.hstack([into * gains[:, 0], into * gains[:, 1]]), np.hstack([mask, mask]), 0
    )
    others = np.isin(np.arange(columns), angles, invert=True)
    bias = initial.bias
    if module.apply_bias:
        bias = bias + (into * mask) @ float64(module.bias)
    return [sines, from_sines, replace(initial, bias=bias, mask=initial.mask & others, add=[ir.Add(1)])]
