"""The layers of a network, and what follows from them: degrees and visible prefixes (docs/FORMAT.md, section 3).

References are those of a layer record: 0 none, 1 the read side or the context, 2 + i layer i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np


@dataclass
class Conditioner:
    """Layers that yield parameters.

    `stage_end` are the stages of the read side, or None where nothing is read (an encoder, a conditional base). With
    stages, the last layer has `parameters` rows for each rank from `passthrough` on.
    """

    layers: list
    stage_end: Optional[np.ndarray] = None
    passthrough: int = 0
    parameters: int = 0

    @property
    def stage_count(self) -> int:
        return 1 if self.stage_end is None else len(self.stage_end)

    def degree_end(self, i: int) -> np.ndarray:
        """(S,) number of units of layer i with degree <= g. Those of the output layer follow from the stages."""
        if self.layers[i].degree_end is not None:
            return np.asarray(self.layers[i].degree_end, dtype=np.int64)
        return self.parameters * np.maximum(np.asarray(self.stage_end, dtype=np.int64) - self.passthrough, 0)

    def degrees(self, i: int) -> np.ndarray:
        """(H,) degree of each unit of layer i."""
        return np.searchsorted(self.degree_end(i), np.arange(self.layers[i].width), side="right")

    def source_width(self, i: int) -> int:
        """Units of the source of layer i, 0 without one."""
        return self.source_width_of(self.layers[i].source)

    def source_width_of(self, source: int) -> int:
        """Units of a source, 0 for none."""
        if source == 0:
            return 0
        return int(self.stage_end[-1]) if source == 1 else self.layers[source - 2].width

    def visible(self, i: int) -> np.ndarray:
        """(H,) how many leading units of its source each unit of layer i may see (section 3)."""
        degrees = self.degrees(i)
        source = self.layers[i].source
        if source == 0:
            return np.zeros(len(degrees), dtype=np.int64)
        if source == 1:
            return np.concatenate([[0], self.stage_end])[degrees].astype(np.int64)
        return self.degree_end(source - 2)[degrees]

    def depends_on_context_alone(self, i: int) -> bool:
        """Section 4: nothing, or only layers of the context alone, as source, added and gating layers."""
        alone: list[bool] = []
        for layer in self.layers[: i + 1]:
            references = [r for r in (layer.source, *layer.add, layer.gate) if r]
            alone.append(all(r != 1 and alone[r - 2] for r in references))
        return alone[i]
