"""A Glow and a RealNVP for images of 1 x 28 x 28, small ones, of the layers of normflows."""

import normflows as nf
from data import SIDE
from torch import nn

ALPHA = 1e-5  # a pixel x of (0, 1) becomes logit(ALPHA + (1 - 2 ALPHA) x), the first step of both flows
GLOW_STEPS, GLOW_HIDDEN = {8: 6, 4: 4}, 48  # steps by the channels
NVP_HIDDEN = 24


def multi_scale(levels, shapes):
    """Squeezed twice, with half of the channels leaving in between; levels from the coarse one to the fine one."""
    bases = [nf.distributions.DiagGaussian(shape, trainable=False) for shape in shapes]
    transform = nf.transforms.Logit(ALPHA)
    return nf.MultiscaleFlow(bases, levels, [nf.flows.Merge()], transform, class_cond=False)


def glow():
    """Kingma, Dhariwal: Glow, 2018. Steps of actnorm, 1x1 convolution and affine coupling, at 14 x 14 and 7 x 7."""
    half = SIDE // 2
    levels = [
        [
            *(nf.flows.GlowBlock(channels, GLOW_HIDDEN) for _ in range(GLOW_STEPS[channels])),
            nf.flows.Squeeze(),
        ]
        for channels in (8, 4)
    ]
    return multi_scale(levels, [(8, half // 2, half // 2), (2, half, half)])


def real_nvp():
    """Dinh, Sohl-Dickstein, Bengio: Density estimation using Real NVP, 2017. Couplings of checkerboards at 28 x 28, of
    channels at 14 x 14, and of checkerboards again for the half that goes on."""
    half = SIDE // 2
    fine = [
        *couplings("channel", 4, 3),
        nf.flows.Squeeze(),
        *couplings("checkerboard", 1, 4),
    ]
    return multi_scale([couplings("checkerboard", 2, 4), fine], [(2, half, half), (2, half, half)])


def couplings(mode, channels, count):
    """In turn one half and the other, each with an actnorm, from noise to data. A half of a checkerboard is a plane of
    half the width; a half of the channels is a plane of half the depth."""
    layers = []
    half = channels if mode == "checkerboard" else channels // 2
    for number in range(count):
        network = nf.nets.ConvNet2d((half, NVP_HIDDEN, NVP_HIDDEN, 2 * half), (3, 3, 3))
        bounded = nn.Sequential(network, nn.Tanh(), nn.Conv2d(2 * half, 2 * half, 1))  # or exp(a) runs away
        split = mode if number % 2 else mode + "_inv"
        layers += [
            nf.flows.AffineCouplingBlock(bounded, True, "exp", split),
            nf.flows.ActNorm((channels, 1, 1)),
        ]
    return layers


FLOWS = {"glow": ("Glow", glow), "real_nvp": ("RealNVP", real_nvp)}
