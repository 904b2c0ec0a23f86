"""Weight panels (docs/FORMAT.md, section 4.2): 16 units side by side, each over the prefix of the source it may see."""

from __future__ import annotations

import numpy as np

from .codes import PANEL


def panel_depths(visible: np.ndarray) -> np.ndarray:
    """K of each panel: the prefix that its last existing unit may see. `visible` is (H,), non-decreasing."""
    last = np.minimum(np.arange(PANEL - 1, len(visible) + PANEL - 1, PANEL), len(visible) - 1)
    return visible[last]


def pack(weight: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Dense (H, K) weights as the flat float32 array of all panels.

    `visible[u]` is the prefix of unit u; weights beyond it must be zero, because the panels cannot hold them.
    """
    beyond = np.arange(weight.shape[1]) >= visible[:, None]
    if np.any(weight[beyond] != 0):
        raise AssertionError("a weight beyond the visible prefix is not zero")
    panels = []
    for p, depth in enumerate(panel_depths(visible)):
        units = weight[PANEL * p : PANEL * (p + 1), :depth]
        panel = np.zeros((depth, PANEL), dtype="<f4")
        panel[:, : len(units)] = units.T
        panels.append(panel.reshape(-1))
    return np.concatenate(panels)


def unpack(panels: np.ndarray, visible: np.ndarray, source_width: int) -> tuple[np.ndarray, np.ndarray]:
    """The flat array of all panels as dense (H, source_width) weights, and the elements that had to be zero."""
    units = len(visible)
    weight = np.zeros((units, source_width), dtype=np.float32)
    padding = []
    start = 0
    for p, depth in enumerate(panel_depths(visible)):
        panel = panels[start : start + depth * PANEL].reshape(depth, PANEL)
        start += depth * PANEL
        present = min(PANEL, units - PANEL * p)
        weight[PANEL * p : PANEL * p + present, :depth] = panel[:, :present].T
        padding.append(panel[:, present:].reshape(-1))
    beyond = np.arange(source_width) >= visible[:, None]
    return weight, np.concatenate([*padding, weight[beyond]])
