"""`worst`: the cells whose hiding hurts most, one after another: the worst case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import OccluderEntry
from .._checks import check_whole
from . import GuidedOccluder
from ._greedy import search_worst_order

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue
    from ._probe import Probe


@dataclass(frozen=True)
class Worst(GuidedOccluder):
    """The greedy order: at each step the cells that push the right report furthest from
    the top k, beside those that are hidden already.

    It takes 14 encodings per cell for each image at a grid of 8, and 20 at 16.

    >>> Worst(k=1).name
    'worst(k=1)'

    Args:
        grid: Cells along each side.
        fill: One of `fills.FILLS`.
        k: The right report is pushed away from the k-th best wrong one.
    """

    k: int = 10

    family: ClassVar[str] = "worst"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("k", self.k, 1)

    @property
    def rank_kept(self) -> int:
        return self.k

    def sequences(self, probe: Probe) -> list[NDArray[np.int64]]:
        """The most harmful cells first."""
        return probe.run([search_worst_order(self.grid**2) for _ in probe.scene.ids])


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    catalogue.add(
        OccluderEntry(
            name=Worst.family,
            summary="the cells whose hiding hurts most, found greedily: the worst case",
            parameters={"grid": int, "fill": str, "k": int},
            build=Worst,
            by_name_only=True,
        )
    )
