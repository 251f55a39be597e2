"""What a sweep asks of the engine that encodes: this process, or others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ...core.cases import CLEAN

if TYPE_CHECKING:
    from torch import Tensor

    from ...core.cases import Cell
    from ...core.outcomes import Timing
    from ..embeddings.store import EmbeddingStore
    from .plan import SweepPlan
    from .receiver import Receiver
    from .space import RowSpace


class SweepEngine(Protocol):
    """Encodes what one sweep needs and the embedding store lacks.

    `gallery` is called first, then `gather`, then `gallery` for each noise of reports,
    and `timing` at any time after `gather`.
    """

    def gallery(self, space: RowSpace, cell: Cell = CLEAN) -> Tensor:
        """(G, D) the checked embeddings of the plan's reports as a cell has them, on the
        model's device.

        On the host `space` has them.

        Raises `EmbeddingError` for reports that cannot be embedded.
        """

    def gather(self, reports: Tensor, receiver: Receiver) -> None:
        """Give every batch of the plan to `receiver`; returns once all are finished.

        `reports` is what `gallery` gave. A cell of a batch that cannot be encoded is given
        as its error.
        """

    def timing(self, cell: Cell, encoded: int, images: int) -> Timing:
        """The time of a cell of which this run encoded `encoded` of `images` images."""


Engine: TypeAlias = "Callable[[SweepPlan, EmbeddingStore | None], SweepEngine]"
"""Begins a sweep, with the store that embeddings are taken from and kept in."""
