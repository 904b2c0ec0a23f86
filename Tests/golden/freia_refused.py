"""Models of FrEIA that cannot be exported."""

from __future__ import annotations

from features import CONTINUOUS, IMAGES
from FrEIA import framework as Ff
from FrEIA import modules as Fm
from torch import nn


def sequence(module, **options):
    network = Ff.SequenceINN(4)
    network.append(module, **options)
    return network


def volume_preserving():
    network = Ff.SequenceINN(2, 4, 4)
    network.append(Fm.GINCouplingBlock, subnet_constructor=lambda inputs, outputs: nn.Conv2d(inputs, outputs, 1))
    return network


REFUSED_FREIA = {
    CONTINUOUS: {"IResNetLayer": lambda: sequence(Fm.IResNetLayer)},
    IMAGES: {"GINCouplingBlock": volume_preserving},
}
