"""Wine: 13 chemical measurements of 178 wines from three cultivars, which scikit-learn ships."""

import torch
from sklearn.datasets import load_wine

HELD_OUT = 36
DIM, CLASSES = 13, 3


def load():
    """(training, held out), each rows x (n, 13) in their units and the cultivar as (n, 3), one of which is 1."""
    data = load_wine()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    rows = torch.tensor(data.data, dtype=torch.float32)[order]
    kinds = torch.nn.functional.one_hot(torch.tensor(data.target)[order], CLASSES).float()
    return (rows[HELD_OUT:], kinds[HELD_OUT:]), (rows[:HELD_OUT], kinds[:HELD_OUT])
