"""How far the numbers of two environments are apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Apart:
    """What differs between two environments."""

    same_pictures: float
    """The largest difference of a row, of pictures that need no resize, and of texts."""
    resized: float
    """The same of pictures that are resized first."""
    grey_levels: int
    """The largest difference of a resized picture, in grey levels of 255."""
    equal_ranks: int
    ranks: int
    farthest_rank: int
    """The largest difference of a rank."""


def compared(rows: tuple[Path, Path], ranks: tuple[Path, Path]) -> Apart:
    """Compare files of `benchmarks.versions.rows`, and `ranks.npz` of two runs."""
    differences = {"x1": 0.0, "x2": 0.0}
    grey_levels = 0
    with np.load(rows[0]) as first, np.load(rows[1]) as second:
        for key in first.files:
            apart = np.abs(first[key].astype(float) - second[key].astype(float)).max()
            scale = "x2" if key.endswith("x2") else "x1"
            if "pictures" in key:
                grey_levels = max(grey_levels, round(apart))
            else:
                differences[scale] = max(differences[scale], float(apart))
    with np.load(ranks[0]) as first, np.load(ranks[1]) as second:
        names = [name for name in first.files if name.endswith("_ranks")]
        # Both runs have the same cells, in the same order.
        old = np.concatenate([first[name] for name in names])
        new = np.concatenate([second[name] for name in names])
    return Apart(
        differences["x1"],
        differences["x2"],
        grey_levels,
        equal_ranks=int((old == new).sum()),
        ranks=len(old),
        farthest_rank=int(np.abs(old - new).max()),
    )
