"""Random flows in the description of `flowrt.ir`, in scrambled unit order, for property tests."""

from __future__ import annotations

import numpy as np

from flowrt import ir
from flowrt.file.codes import Activation, Form, Function, Pieces, Reads, Scale, parameters_per_rank
from flowrt.tables import Table

SMOOTH = [Activation.TANH, Activation.SILU, Activation.GELU, Activation.SIGMOID, Activation.SOFTPLUS]
ACTIVATIONS = [kind for kind in Activation if kind != Activation.LAYER_NORM]
SCALES = Table("random_flows.SCALES", Scale, {
    Scale.EXP: (),
    Scale.EXP_CLAMPED: (-1.0, 0.75),
    Scale.SOFTPLUS: (0.125,),
    Scale.SOFTPLUS_CLAMPED: (0.125, 0.25, 3.0),
    Scale.SIGMOID: (0.25,),
    Scale.EXP_SOFT_CLIPPED: (4.0,),
    Scale.EXP_TANH: (1.5,),
    Scale.EXP_ATAN: (0.5,),
})  # fmt: skip


def network(rng, dim, context_dim, outputs, rank):
    """Layers with `outputs` rows for each coordinate that has a rank; `rank` (dim,) is -1 for coordinates left alone.

    Every hidden unit has a level: it may depend on ranks below it.
    """
    ranked = int(rank.max()) + 1
    layers: list[ir.Layer] = []
    levels: list[np.ndarray] = []
    width = int(rng.integers(1, 24))
    for i in range(int(rng.integers(1, 5))):
        if rng.random() < 0.3:
            width = int(rng.integers(1, 24))
        level = rng.integers(0, ranked, size=width)
        layer = ir.Layer(rng.normal(size=width), **_activation(rng))
        if context_dim and rng.random() < 0.6:
            layer.context_weight = rng.normal(size=(width, context_dim)) / context_dim
        fitting = [j for j in range(i) if layers[j].width == width]
        for j in rng.permutation(fitting)[: int(rng.integers(0, 3))]:
            layer.add.append(ir.Add(int(j), rng.normal(size=width) if rng.random() < 0.5 else None))
            level = np.maximum(level, levels[j])
        if fitting and rng.random() < 0.3:
            layer.gate = int(rng.choice(fitting))
            level = np.maximum(level, levels[layer.gate])
        source = rng.choice([-2, -1, *range(i)]) if i else rng.choice([-2, -1, -1])
        if source != -2:
            layer.source = ir.READ if source == -1 else int(source)
            mask = rank < level[:, None] if source == -1 else levels[source] <= level[:, None]
            _connect(rng, layer, mask)
        else:
            alone = [j for j in range(i) if is_context_alone(layers, j)]
            if alone and context_dim and rng.random() < 0.5:
                layer.context_source = int(rng.choice(alone))
                layer.context_weight = rng.normal(size=(width, layers[layer.context_source].width)) * 0.3
        layers.append(layer)
        levels.append(level)
    row_rank = np.repeat(rank[rank >= 0], outputs)
    output = ir.Layer(0.3 * rng.normal(size=len(row_rank)), source=len(layers) - 1)
    _connect(rng, output, levels[-1] <= row_rank[:, None], gain=0.4)
    if rng.random() < 0.3:
        skip = ir.Layer(np.zeros(len(row_rank)), source=ir.READ)
        _connect(rng, skip, rank < row_rank[:, None], gain=0.3)
        layers.append(skip)
        output.add.append(ir.Add(len(layers) - 1))
    return [*layers, output]


def is_context_alone(layers, i):
    layer = layers[i]
    references = ([] if layer.source is None else [layer.source]) + layer.partners
    return all(r != ir.READ and is_context_alone(layers, r) for r in references)


def _activation(rng):
    kind = rng.choice(ACTIVATIONS)
    return {"activation": Activation(kind), "a": 0.5 if kind in (Activation.ELU, Activation.LEAKY_RELU) else 0.0}


def _connect(rng, layer, mask, gain=1.0):
    mask = mask & (rng.random(mask.shape) < 0.9)
    layer.mask = mask
    layer.weight = gain * rng.normal(size=mask.shape) / np.sqrt(max(1, mask.shape[1]))


def autoregressive(rng, dim, context_dim):
    """A step with a random order, transformer and read side; sometimes a coupling."""
    rank = rng.permutation(dim)
    transformed = None
    if dim > 1 and rng.random() < 0.3:  # a coupling: some coordinates stay, the others read them
        untouched = int(rng.integers(1, dim))
        rank = np.where(rank < untouched, -1, rank - untouched)
        transformed = np.flatnonzero(rank >= 0)
    transformer = transformer_of(rng)
    outputs = 2 if isinstance(transformer, ir.Affine) else 1
    if isinstance(transformer, ir.Spline):
        outputs = parameters_per_rank(transformer.kind, transformer.form, transformer.bins)
    layers = network(rng, dim, context_dim, outputs, rank)
    return ir.Autoregressive(layers, transformer, Reads(int(rng.integers(2))), transformed)


def transformer_of(rng):
    pick = rng.random()
    if pick < 0.15:
        return ir.Additive()
    if pick < 0.4:
        return spline(rng)
    form = Form(int(rng.integers(3)))
    if form == Form.GATED:
        return ir.Affine(Scale.SIGMOID, (), form)
    scale = list(SCALES)[int(rng.integers(len(SCALES)))]
    return ir.Affine(scale, SCALES[scale], form)


def spline(rng, pieces=None):
    """A random spline, of any pieces if None."""
    pieces = Pieces(int(rng.integers(5))) if pieces is None else pieces
    widths, derivatives, ends = int(rng.integers(2)), int(rng.integers(2)), int(rng.integers(3))
    turn = int(rng.integers(2)) << 6
    minima = (0.0625, 0.03125) if widths == 0 else (0.0, 0.0)
    least = 0.0625
    if pieces in (Pieces.LINEAR, Pieces.CUBIC):
        derivatives = ends = 0
        least = 0.0
    elif pieces == Pieces.QUADRATIC:
        derivatives, ends = 0, ends % 2
    if pieces == Pieces.LINEAR:
        minima = (0.0, minima[1])
    elif pieces == Pieces.QUADRATIC:
        minima = (minima[0], 0.125)
    has_ends = ends == 0 and pieces in (Pieces.RATIONAL_QUADRATIC, Pieces.LINEAR_RATIONAL)
    p = (-3.0, 2.5, *minima, 0.0 if derivatives else least, 4.0 if widths or derivatives else 0.0)
    p = (*p, 1.0 if has_ends else 0.0, 0.0625 if pieces == Pieces.LINEAR_RATIONAL else 0.0)
    form = widths | derivatives << 2 | ends << 4 | turn | pieces << 7
    return ir.Spline(int(rng.integers(2, 6)), form, p)


def steps(rng, dim, context_dim):
    """Up to five steps of any kind."""
    kinds = ["autoregressive", "autoregressive", "diagonal", "permutation", "linear", "leaky"]
    result = []
    for kind in rng.choice(kinds, size=int(rng.integers(1, 6))):
        if kind == "autoregressive":
            result.append(autoregressive(rng, dim, context_dim))
        elif kind == "diagonal":
            signs = rng.choice([-1.0, 1.0], size=dim)
            result.append(ir.Diagonal(signs * rng.uniform(0.5, 2.0, dim), rng.normal(size=dim)))
        elif kind == "permutation":
            result.append(ir.Permutation(rng.permutation(dim)))
        elif kind == "linear":
            matrix = np.linalg.qr(rng.normal(size=(dim, dim)))[0] * rng.uniform(0.5, 2.0, dim)
            shift = rng.normal(size=dim)
            result.append(ir.Linear(matrix, shift, before=shift[::-1] / 2))
        else:
            function = rng.choice([Function.IDENTITY, Function.LEAKY, Function.LEAKY_INVERSE], size=dim)
            result.append(ir.Elementwise(function, np.where(function == 0, 0.0, 0.5), np.zeros(dim)))
    return result


def flow(seed, dim, context_dim):
    """A random flow."""
    rng = np.random.default_rng(seed)
    encoder = None
    inner = context_dim
    if context_dim and rng.random() < 0.3:
        inner = int(rng.integers(1, 5))
        gate = 0 if seed % 2 else None
        encoder = [
            ir.Layer(rng.normal(size=7), context_weight=rng.normal(size=(7, context_dim)), activation=Activation.RELU),
            ir.Layer(np.zeros(7), add=[ir.Add(0)], activation=Activation.LAYER_NORM, a=1e-5, gate=gate),
            ir.Layer(rng.normal(size=inner), rng.normal(size=(inner, 7)) * 0.3, source=1),
        ]
    result = ir.Flow(dim, context_dim, steps(rng, dim, inner), encoder=encoder)
    result.base = base(rng, dim, inner)
    return result


def base(rng, dim, context_dim):
    kind = int(rng.integers(6))
    if kind == 1:
        return ir.DiagonalNormal(rng.normal(size=dim), rng.uniform(0.5, 2, dim))
    if kind == 2:
        return ir.BoxUniform(rng.uniform(-9, -5, dim), rng.uniform(5, 9, dim))
    if kind == 3:
        return ir.NormalMixture(rng.normal(size=3), rng.normal(size=(3, dim)), rng.uniform(0.5, 2, (3, dim)))
    if kind == 4 and context_dim:
        weight = rng.normal(size=(2 * dim, context_dim)) * 0.3
        return ir.ConditionalNormal([ir.Layer(rng.normal(size=2 * dim) * 0.3, context_weight=weight)])
    if kind == 5:
        layers = network(rng, dim, context_dim, 6, rng.permutation(dim))
        return ir.AutoregressiveMixture(layers, 2, Scale.SOFTPLUS, (0.125,))
    return ir.StandardNormal()
