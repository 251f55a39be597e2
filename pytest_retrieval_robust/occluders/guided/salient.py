"""`salient` and `non-salient`: what matters to the model is hidden first, or last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import OccluderEntry
from . import GuidedOccluder
from ._greedy import search_falls

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue
    from ._probe import Probe


@dataclass(frozen=True)
class Salient(GuidedOccluder):
    """Cells by the model's own sensitivity: how far the right report's score falls when
    a cell alone is hidden.

    After the salient PatchDrop of arXiv 2105.10497, with occlusion sensitivity (arXiv
    1311.2901) in place of attention, because every model has it. It takes
    `grid * grid + 1` encodings per image.

    >>> Salient(fill="mean").name
    'salient(fill=mean)'
    """

    family: ClassVar[str] = "salient"

    def sequences(self, probe: Probe) -> list[NDArray[np.int64]]:
        """The cells whose hiding lowers the score most come first."""
        falls = probe.run([search_falls(self.grid**2) for _ in probe.scene.ids])
        return [np.argsort(-fall, kind="stable") for fall in falls]


@dataclass(frozen=True)
class NonSalient(Salient):
    """The same from the other end: what matters least is hidden first.

    >>> NonSalient().name
    'non-salient'
    """

    family: ClassVar[str] = "non-salient"

    def sequences(self, probe: Probe) -> list[NDArray[np.int64]]:
        """The cells whose hiding lowers the score least come first."""
        return [sequence[::-1] for sequence in super().sequences(probe)]


def register(catalogue: Catalogue[OccluderEntry]) -> None:
    for kind, order in (
        (Salient, "what matters to the model is hidden first"),
        (NonSalient, "what matters least"),
    ):
        catalogue.add(
            OccluderEntry(
                name=kind.family,
                summary=f"cells by the model's own sensitivity: {order}",
                parameters={"grid": int, "fill": str},
                build=kind,
                by_name_only=True,
            )
        )
