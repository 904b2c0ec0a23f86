"""Random models of bayesflow."""

from __future__ import annotations

import bayesflow as bf
import keras
import numpy as np

ACTIVATIONS = ("hard_silu", "mish", "relu", "silu", "tanh", "elu", "selu", "gelu", "softplus", "relu6", "leaky_relu")


def sequence(widths, activation):
    layers = []
    for width in widths:
        layers += [keras.layers.Dense(width, activation=activation), keras.layers.Dropout(0.1)]
    return keras.Sequential(layers)


def random_flow(
    seed: int,
    dim: int | None = None,
    context: int | None = None,
    trained: float = 1.0,
    transform: str = "affine",
    **transform_options,
):
    """A built coupling flow; `trained` is the size of what is added to its parameters."""
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    dim = int(generator.choice([1, 2, 3, 4, 6, 9, 20])) if dim is None else dim
    context = int(generator.choice([0, 0, 1, 3, 8])) if context is None else context
    widths = tuple(int(w) for w in generator.integers(1, 24, size=generator.integers(1, 4)))
    options = {
        "widths": widths,
        "activation": str(generator.choice(ACTIVATIONS)),
        "residual": bool(generator.random() < 0.5),
        "norm": "batch" if generator.random() < 0.2 else None,
    }
    base = "normal"
    if generator.random() < 0.2:
        base = bf.distributions.DiagonalNormal(mean=0.5, std=2.0)
    depth = int(generator.integers(1, 7))
    network = bf.networks.CouplingFlow(
        depth=depth if transform == "affine" else min(depth, 2),
        transform=transform,
        permutation=generator.choice(np.array(["random", "swap", "orthogonal", None], dtype=object)),
        use_actnorm=bool(generator.random() < 0.7),
        base_distribution=base,
        subnet_kwargs=options,
        transform_kwargs=transform_options or {"clamp": bool(generator.random() < 0.7)},
    )
    network.build((None, dim), (None, context) if context else None)
    randomise(network, generator, trained)
    return network


def random_approximator(seed: int):
    """An approximator with standardised variables and conditions, as after training."""
    generator = np.random.default_rng(seed)
    dim, context = int(generator.integers(2, 6)), int(generator.integers(0, 5))
    standardize = str(generator.choice(["all", "inference_variables"]))
    return standardised(random_flow(seed, dim, context), dim, context, generator, standardize)


def standardised(network, dim: int, context: int, generator, standardize: str):
    """An approximator of a network with statistics of some data."""
    approximator = bf.ContinuousApproximator(inference_network=network, standardize=standardize)
    shapes = {"inference_variables": (None, dim)} | ({"inference_conditions": (None, context)} if context else {})
    approximator.standardizer.build(shapes)
    for key, layer in approximator.standardizer.standardize_layers.items():
        size = shapes[key][-1]
        layer.moving_mean[0].assign(generator.normal(size=size) * 3)
        layer.moving_m2[0].assign(generator.uniform(0.5, 20, size=size) * 100)
        layer.count[0].assign(100.0)
    return approximator


def randomise(network, generator, size: float = 1.0) -> None:
    """Moves what training moves; statistics of batch norms are those of some data."""
    for layer in network._flatten_layers():
        kind = type(layer).__name__
        for weight in layer._trainable_variables:
            values = np.array(weight.numpy() if hasattr(weight, "numpy") else weight)
            spread = 0.5 / np.sqrt(values.shape[0]) if values.ndim == 2 else 0.3
            if kind == "OrthogonalPermutation":
                spread = 0.1
            weight.assign(values + generator.normal(size=values.shape) * spread * size)
        if kind == "BatchNormalization":
            layer.moving_mean.assign(generator.normal(size=layer.moving_mean.shape) * 0.5)
            layer.moving_variance.assign(generator.uniform(0.5, 2, size=layer.moving_variance.shape))
