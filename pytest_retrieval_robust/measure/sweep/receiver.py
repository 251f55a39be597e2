"""What takes the encoded batches of a sweep, wherever and in whichever order they are made."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...core.errors import RobustError
    from ..embeddings.shards import EncodedBatch
    from .batch import Batch


class Origin(Enum):
    """Where one cell of a batch comes from."""

    STORE = "store"
    """It was in the embedding store."""
    ENCODED_AND_KEPT = "encoded and kept"
    """It was encoded, and now is in the store."""
    ENCODED = "encoded"
    """It was encoded, and the store does not have it."""


class Receiver(Protocol):
    """Takes the batches of a sweep; `take` and `fail` are called from any thread."""

    def wants(self, cell: Cell) -> bool:
        """Whether batches of the cell are still of use: not once one of them has failed."""

    def begin_cell(self, cell: Cell) -> None:
        """Note that a cell of some batch is about to be encoded."""

    def take(
        self, cell: Cell, batch: Batch, encoded: EncodedBatch, origin: Origin
    ) -> None:
        """Take one cell of a batch."""

    def fail(self, cell: Cell, batch: Batch, error: RobustError) -> None:
        """Take the error of one cell of a batch."""

    def finish(self, batch: Batch) -> None:
        """Note that every cell of a batch was taken or has failed.

        The batch comes without its pixels and rows. It is called in the thread that
        asked for the batches.
        """
