"""Random models of bayesflow: what a `BasicWorkflow` trains, or its coupling flow alone."""

from __future__ import annotations

import logging
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import bayesflow as bf
import keras
import numpy as np
import torch

torch.set_num_threads(1)
logging.getLogger("bayesflow").setLevel(logging.ERROR)


def make(framework: str, shape) -> tuple:
    """The name of a kind of model, a model, and rows of x and of the context."""
    keras.utils.set_random_seed(shape.seed)
    kind = shape.pick("approximator", "approximator", "variables standardised", "flow")
    shape.features = max(shape.features, 2)
    if kind == "flow":  # it standardises nothing
        shape.unit, shape.far = 1.0, 0.0
    if kind != "approximator":
        shape.context_unit, shape.constant = 1.0, False
    x, c = shape.data()
    if kind != "approximator" and c is not None:
        c = (c - shape.far).astype(np.float32)
    transform = shape.pick("affine", "affine", "spline")
    network = bf.networks.CouplingFlow(
        depth=min(shape.layers, 8),
        transform=transform,
        permutation=shape.pick("random", "swap", "orthogonal", None),
        use_actnorm=bool(shape.pick(True, False)),
        subnet_kwargs={
            "widths": (shape.hidden,) * shape.pick(1, 2),
            "activation": shape.pick("relu", "mish", "silu", "tanh", "hard_silu"),
            "residual": bool(shape.pick(True, False)),
            "dropout": shape.pick(None, 0.05),
        },
    )
    data = {"inference_variables": x} | ({} if c is None else {"inference_conditions": c})
    if kind == "flow":
        network.build(x.shape, None if c is None else c.shape)
        _move(network, shape)
        return f"{kind} {transform}", network, (x, c)
    standardize = "all" if kind == "approximator" else "inference_variables"
    model = bf.ContinuousApproximator(inference_network=network, standardize=standardize)
    model.compile(optimizer=keras.optimizers.Adam(2e-3 if shape.weights == "trained" else 0.0))
    model.fit(dataset=bf.OfflineDataset(data, batch_size=128, adapter=bf.Adapter()), epochs=4, verbose=0)
    _move(network, shape)
    return f"{kind} {transform}", model, (x, c)


def _move(network, shape) -> None:
    """Every trained number moved by a random one."""
    if shape.weights != "random":
        return
    gain = float(shape.rng.uniform(0.02, 0.2))
    for weight in network.trainable_variables:
        value = keras.ops.convert_to_numpy(weight)
        weight.assign(value + shape.rng.normal(scale=gain, size=value.shape).astype(np.float32))
