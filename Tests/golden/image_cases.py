"""The golden cases of images: multi-scale flows, couplings by convolutions, and embedding nets that have some."""

from __future__ import annotations

import normflows as nf
import numpy as np
import torch
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from nflows import transforms as nt
from nflows.distributions import StandardNormal
from nflows.flows import Flow
from nflows.nn.nets import ConvResidualNet
from sbi.neural_nets import net_builders as builders
from sbi.neural_nets.embedding_nets import CausalCNNEmbedding, CNNEmbedding, ResNetEmbedding1D, ResNetEmbedding2D
from spline_cases import estimator
from torch import nn

# ---- normflows ----


def seen_data(model):
    """The model with every ActNorm as after its first batch."""
    for module in model.modules():
        if hasattr(module, "data_dep_init_done"):
            module.data_dep_init_done = torch.tensor(1.0)
    return model


def glow(levels=2, steps=1, shape=(1, 4, 4), classes=0, glow_base=False, transform=None, merge="channel", **options):
    """As in the example of normflows: squeeze, steps and a split at each level."""
    bases, merges, flows = [], [], []
    channels, rows, columns = shape
    for level in range(levels):
        size = channels * 2 ** (levels + 1 - level) if not level else channels * 2 ** (levels - level)
        flows.append([
            *(nf.flows.GlowBlock(channels * 2 ** (levels + 1 - level), 6, init_zeros=False, **options)
              for _ in range(steps)),
            nf.flows.Squeeze(),
        ])  # fmt: skip
        factor = 2 ** (levels - level)
        base_shape = (size, rows // factor, columns // factor)
        if glow_base:
            bases.append(nf.distributions.GlowBase(base_shape, num_classes=classes or None))
        elif classes:
            bases.append(nf.distributions.ClassCondDiagGaussian(base_shape, classes))
        else:
            bases.append(nf.distributions.DiagGaussian(base_shape))
        if level:
            merges.append(nf.flows.Merge(merge))
    return seen_data(nf.MultiscaleFlow(bases, flows, merges, transform, class_cond=bool(classes)))


def checkerboard(channels, rows, columns):
    return ((torch.arange(rows)[:, None] + torch.arange(columns)) % 2).float().expand(channels, rows, columns)


def masked_images():
    """RealNVP with masks of the whole image; one coupling without shifts."""
    mask = checkerboard(2, 3, 4)

    def network():
        return nf.nets.ConvResidualNet(2, 2, 5, num_blocks=1)

    flows = [
        nf.flows.MaskedAffineFlow(mask, network(), network()),
        nf.flows.MaskedAffineFlow(1 - mask, None, nf.nets.ConvNet2d([2, 4, 4, 2], [3, 1, 3], init_zeros=False)),
        nf.flows.Permute(2),
        nf.flows.ActNorm((2, 3, 4)),
    ]
    return seen_data(nf.NormalizingFlow(nf.distributions.DiagGaussian((2, 3, 4)), flows))


NORMFLOWS = {
    "normflows_images_glow": glow,
    "normflows_images_glow_classes": lambda: glow(classes=3, use_lu=False, scale_map="exp"),
    "normflows_images_glow_base": lambda: glow(
        classes=2, glow_base=True, net_actnorm=True, leaky=0.1, scale_map="sigmoid_inv", split_mode="channel_inv"
    ),
    "normflows_images_checkerboard": lambda: glow(
        levels=1, steps=2, scale=False, split_mode="checkerboard", transform=nf.transforms.Shift(-0.25)
    ),
    "normflows_images_logit": lambda: glow(
        shape=(1, 4, 8), split_mode="checkerboard_inv", merge="channel_inv", transform=nf.transforms.Logit(0.05)
    ),
    "normflows_images_masked": masked_images,
}

# ---- nflows ----


def residual(inputs, outputs):
    return ConvResidualNet(inputs, outputs, hidden_channels=5, num_blocks=1, use_batch_norm=True)


def step(channels, kind=nt.AffineCouplingTransform, flip=False, **options):
    mask = torch.arange(channels) % 2 == int(flip)
    return nt.CompositeTransform([
        nt.ActNorm(channels), nt.OneByOneConvolution(channels), kind(mask.int(), residual, **options)
    ])  # fmt: skip


def multiscale(shape, kind=nt.AffineCouplingTransform, levels=2, **options):
    flow = nt.MultiscaleCompositeTransform(levels)
    for _ in range(levels):
        channels, rows, columns = shape[0] * 4, shape[1] // 2, shape[2] // 2
        parts = [nt.SqueezeTransform(), step(channels, kind, **options), nt.ReversePermutation(channels)]
        shape = flow.add_transform(nt.CompositeTransform(parts), (channels, rows, columns))
    return flow


def spline_steps():
    """Couplings of images by splines, one of them inverted, one with a spline of the other half."""
    options = {"num_bins": 3, "tails": "linear", "tail_bound": 3.0}
    parts = [
        step(3, nt.PiecewiseRationalQuadraticCouplingTransform, **options),
        nt.InverseTransform(step(3, nt.PiecewiseRationalQuadraticCouplingTransform, flip=True, **options)),
        step(3, nt.PiecewiseQuadraticCouplingTransform, **options),
    ]
    return Flow(nt.CompositeTransform(parts), StandardNormal([3, 2, 4]))


NFLOWS = {
    "nflows_images_multiscale": lambda: Flow(multiscale((1, 4, 8)), StandardNormal([32])),
    "nflows_images_additive": lambda: Flow(multiscale((2, 4, 4), nt.AdditiveCouplingTransform), StandardNormal([32])),
    "nflows_images_logit": lambda: Flow(
        nt.CompositeTransform([
            nt.PointwiseAffineTransform(0.05, 0.9), nt.InverseTransform(nt.Sigmoid()), multiscale((1, 4, 4))
        ]),
        StandardNormal([16]),
    ),
    "nflows_images_splines": spline_steps,
    "nflows_embedding_convolutions": lambda: Flow(
        nt.MaskedAffineAutoregressiveTransform(3, 8, context_features=2, num_blocks=1),
        StandardNormal([3]),
        nn.Sequential(nn.Unflatten(1, (2, 4, 5)), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                      nn.Linear(3, 2)),
    ),
    "nflows_images_squeeze": lambda: Flow(
        nt.CompositeTransform([
            step(2), nt.SqueezeTransform(), step(8, flip=True), nt.InverseTransform(nt.SqueezeTransform()),
        ]),
        StandardNormal([2, 4, 4]),
    ),
}  # fmt: skip

# ---- FrEIA ----


def conv_subnet(inputs, outputs):
    """As of FastFlow."""
    return nn.Sequential(
        nn.ZeroPad2d((1, 1, 1, 1)), nn.Conv2d(inputs, 6, 3), nn.ReLU(), nn.Conv2d(6, outputs, 3, padding="same")
    )


def images(*blocks, shape=(3, 4, 4)):
    np.random.seed(0)
    torch.manual_seed(0)
    network = Ff.SequenceINN(*shape)
    for module, options in blocks:
        network.append(module, **options)
    for module in network.modules():
        if isinstance(module, Fm.ActNorm):
            module.init_on_next_batch = False
    return network


def block(module=Fm.AllInOneBlock, **options):
    return module, {"subnet_constructor": conv_subnet, **options}


def image_graph():
    """Downsampling, and half of the channels that go out after the first blocks."""
    np.random.seed(0)
    data = Ff.InputNode(1, 4, 4)
    down = Ff.Node(data, Fm.IRevNetDownsampling, {})
    first = Ff.Node(down, Fm.AllInOneBlock, {"subnet_constructor": conv_subnet})
    split = Ff.Node(first, Fm.Split, {"section_sizes": [2, 2]})
    second = Ff.Node(split.out0, Fm.AllInOneBlock, {"subnet_constructor": conv_subnet})
    return Ff.GraphINN([data, down, first, split, second, Ff.OutputNode(second), Ff.OutputNode(split.out1)])


FREIA = {
    "freia_images_fastflow": lambda: images(block(affine_clamping=2.0), block(affine_clamping=2.0)),
    "freia_images_soft": lambda: images(
        block(permute_soft=True, reverse_permutation=True, global_affine_type="EXP"),
        block(learned_householder_permutation=2),
    ),
    "freia_images_glow": lambda: images(
        (Fm.IRevNetDownsampling, {}),
        (Fm.ActNorm, {}),
        (Fm.Fixed1x1Conv, {"M": torch.linalg.qr(torch.randn(4, 4))[0]}),
        block(Fm.GLOWCouplingBlock),
        (Fm.PermuteRandom, {}),
        block(Fm.RNVPCouplingBlock, clamp_activation="TANH"),
        block(Fm.NICECouplingBlock),
        (Fm.IRevNetUpsampling, {}),
        shape=(1, 4, 4),
    ),
    "freia_images_haar": lambda: images(
        (Fm.HaarDownsampling, {"order_by_wavelet": True, "rebalance": 0.5}),
        block(Fm.AffineCouplingOneSided),
        (Fm.HaarUpsampling, {}),
        (Fm.IRevNetDownsampling, {"legacy_backend": True}),
        (Fm.Flatten, {}),
        shape=(1, 4, 4),
    ),
    "freia_images_graph": image_graph,
}

# ---- sbi ----


def called(network, *shape):
    """A network that makes its last layers when it is first called."""
    network(torch.zeros(2, *shape))
    return network


SBI = {
    "sbi_cnn": lambda: estimator(
        builders.build_maf, conditions=(9, 10), z_score_y="structured", embedding_net=CNNEmbedding(
            (9, 10), out_channels_per_layer=[3, 4], num_linear_units=8, output_dim=4, kernel_size=3)),
    "sbi_cnn_channels": lambda: estimator(
        builders.build_nsf, num_bins=4, conditions=(2, 9, 8), embedding_net=CNNEmbedding(
            (9, 8), in_channels=2, out_channels_per_layer=[3, 4], num_linear_units=8, output_dim=4, kernel_size=3)),
    "sbi_cnn_series": lambda: estimator(
        builders.build_maf, conditions=(24,), embedding_net=CNNEmbedding(
            (24,), out_channels_per_layer=[3, 4], num_linear_units=8, output_dim=4)),
    "sbi_causal_cnn": lambda: estimator(
        builders.build_zuko_maf, conditions=(40,), embedding_net=CausalCNNEmbedding(
            (40,), out_channels_per_layer=[3, 4, 3], num_conv_layers=3, pool_kernel_size=8, output_dim=4)),
    "sbi_resnet": lambda: estimator(
        builders.build_maf, conditions=(2, 12, 9), embedding_net=called(ResNetEmbedding2D(
            2, 4, c_hidden_fc=6, n_stages=2, blocks_per_stage=[2, 1], c_stages=[3, 4],
            construct_mapping_kwargs={"c_hidden": 4}), 2, 12, 9)),
    "sbi_resnet_vectors": lambda: estimator(
        builders.build_maf, conditions=(6,), embedding_net=ResNetEmbedding1D(
            6, 4, n_blocks=2, c_internal=5, c_hidden_final=6, construct_mapping_kwargs={"c_hidden": 5})),
}  # fmt: skip

IMAGES = {**NORMFLOWS, **NFLOWS, **FREIA, **SBI}
