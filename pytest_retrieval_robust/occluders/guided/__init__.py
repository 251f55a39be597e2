"""Model-guided occluders hide exactly the share that the level says, in an order that
the model itself decides. The base of them is here, and each of them is a file of this
folder.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.encoding import batch_size
from ...core.errors import OcclusionError
from ...core.uploads import upload
from ..area import AreaOccluder
from ._probe import Probe

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

    from ..scene import Scene, Setting


@dataclass(frozen=True, eq=False)
class Orders:
    """The orders that a model gave the cells of some images.

    Two of them are never equal: the model is not in them.
    """

    places: Mapping[str, NDArray[np.int64]]
    """By image id, (G * G,): when each cell is hidden."""


@dataclass(frozen=True)
class GuidedOccluder(AreaOccluder):
    """An area occluder whose order comes from the model, so it must be bound to a batch
    before it can hide.

    Exact and nested like every area occluder; the model is part of the case. Where two
    cells matter alike to the last bit of a score, another device or precision may order
    them otherwise. The seed is ignored.

    Args:
        grid: Cells along each side; each costs encodings of every image.
        fill: One of `fills.FILLS`, for the search and for hiding alike.
    """

    grid: int = 8
    orders: Orders | None = field(default=None, kw_only=True, repr=False)

    @abstractmethod
    def sequences(self, probe: Probe) -> list[NDArray[np.int64]]:
        """For each image of the probe's batch, all cells, the first to be hidden first."""

    @property
    def rank_kept(self) -> int:
        """The k of the margin that the probe measures."""
        return 1

    def bind(self, scene: Scene) -> Self:
        """The occluder with the orders that the scene's model gives its images."""
        batch = batch_size(scene.setting.encoder.device)
        probe = Probe(scene, self.grid, self.fill, self.rank_kept, batch=batch)
        sequences = zip(scene.ids, self.sequences(probe), strict=True)
        # A sequence lists the cells in order; its inverse says when each cell's turn is.
        orders = {image_id: np.argsort(sequence) for image_id, sequence in sequences}
        return replace(self, orders=Orders(orders)).for_batch(scene)

    def looked_at(
        self, setting: Setting, numbers: Sequence[int], groups: NDArray[np.int64]
    ) -> bytes | None:
        """With the gallery and the right reports: the model's order follows from margins."""
        digest = super().looked_at(setting, numbers, groups)
        if digest is None:
            return None
        return digest + setting.gallery_digest + groups.tobytes()

    def order(
        self,
        ids: Sequence[str],
        seed: int,  # noqa: ARG002 - the model decides
        device: torch.device | str,
    ) -> torch.Tensor:
        """(B, G, G) int64: when the model's order hides each cell."""
        orders = self._orders_of(ids)
        numbers = np.array(orders, dtype=np.int64)
        return upload(numbers.reshape(-1, self.grid, self.grid), device)

    def _orders_of(self, ids: Sequence[str]) -> list[NDArray[np.int64]]:
        if self.orders is None:
            raise OcclusionError(
                f"Expected {self.name} to know its model, got it unbound. Bind it to a"
                " batch first: occluder.bind(scene). evaluate() and the fixtures do it"
                " for you."
            )
        places = self.orders.places
        absent = [image_id for image_id in ids if image_id not in places]
        if absent:
            raise OcclusionError(
                f"Expected images of the batch that {self.name} was bound to, got"
                f" {len(absent)} others of {len(ids)}. Bind it to their batch."
            )
        return [places[image_id] for image_id in ids]
