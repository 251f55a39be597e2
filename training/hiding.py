"""Hides parts of training pictures, with the package's own patches.

This is how an encoder is made robust.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pytest_retrieval_robust.occluders.area.patches import Patches

GRIDS = (6, 8, 16, 24)
FILLS = ("black", "mean")
DEEPEST = 0.6
"""The highest level that is drawn."""
KEPT_OUT = {"grid": 10, "fill": "white"}
"""Never used in training, so that the suite can show what generalises. Nor is the fill `noise`."""
_WHOLE = (0.0, 0.0, 1.0, 1.0)


def hide_some(
    pixels: Tensor, numbers: Sequence[int], share: float, random: np.random.Generator
) -> Tensor:
    """Hide a part of each of about `share` of the pictures.

    The level is in (0, `DEEPEST`], with one of `GRIDS` and of `FILLS`. `pixels` is
    (batch, 3, size, size) on the 0..1 scale; `numbers` tell the pictures apart.
    """
    if share == 0:
        return pixels
    hidden = pixels.clone()
    for row, number in enumerate(numbers):
        # Always drawn, so that `share` changes which pictures are hidden and nothing else.
        drawn, level, grid, fill = random.random(4).tolist()
        seed = int(random.integers(1 << 30))
        if drawn < share:
            patches = Patches(
                grid=GRIDS[int(grid * len(GRIDS))], fill=FILLS[int(fill * len(FILLS))]
            )
            picture = pixels[row : row + 1].contiguous()
            depth = DEEPEST * (1 - level)
            hidden[row : row + 1] = patches.occlude(
                picture, [f"train-{number}"], depth, seed, _WHOLE
            )
    return hidden
