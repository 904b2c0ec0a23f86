"""Models of FrEIA that cannot be exported."""

from __future__ import annotations

from features import CONTINUOUS, IMAGES
from FrEIA import framework as Ff
from FrEIA import modules as Fm


def sequence(module, **options):
    network = Ff.SequenceINN(4)
    network.append(module, **options)
    return network


def reshaped():
    data = Ff.InputNode(4)
    node = Ff.Node(data, Fm.Reshape, {"output_dims": (4,)})
    return Ff.GraphINN([data, node, Ff.OutputNode(node)])


REFUSED_FREIA = {
    CONTINUOUS: {"IResNetLayer": lambda: sequence(Fm.IResNetLayer)},
    IMAGES: {"Reshape": reshaped},
}
