"""Numbers of any framework as NumPy arrays."""

from __future__ import annotations

import numpy as np


def float64(tensor) -> np.ndarray:
    """A tensor (or number) as float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    return np.array(np.asarray(tensor), dtype=np.float64)  # in two steps: a DeferredTensor gives its own type alone
