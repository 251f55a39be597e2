"""How far the numbers of two environments are apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Apart:
    """What differs between two environments."""

    same_inputs: float
    """The largest difference of a row, of texts and of the same pixels."""
    pictures: float
    """The same of pictures that each version resizes."""
    grey_levels: int
    """The largest difference of such a picture, in grey levels of 255."""
    equal_ranks: int
    ranks: int
    farthest_rank: int
    """The largest difference of a rank."""


def compared(rows: tuple[Path, Path], ranks: tuple[Path, Path]) -> Apart:
    """Compare files of `benchmarks.versions.rows`, and `ranks.npz` of two runs."""
    differences = {"same": 0.0, "pictures": 0.0}
    grey_levels = 0
    with np.load(rows[0]) as first, np.load(rows[1]) as second:
        for key in first.files:
            apart = np.abs(first[key].astype(float) - second[key].astype(float)).max()
            is_same = key.endswith(("reports", "x0"))
            kind = "same" if is_same else "pictures"
            if "pictures" in key:
                grey_levels = max(grey_levels, round(apart))
            else:
                differences[kind] = max(differences[kind], float(apart))
    with np.load(ranks[0]) as first, np.load(ranks[1]) as second:
        names = [name for name in first.files if name.endswith("_ranks")]
        # Both runs have the same cells, in the same order.
        old = np.concatenate([first[name] for name in names])
        new = np.concatenate([second[name] for name in names])
    return Apart(
        differences["same"],
        differences["pictures"],
        grey_levels,
        equal_ranks=int((old == new).sum()),
        ranks=len(old),
        farthest_rank=int(np.abs(old - new).max()),
    )
