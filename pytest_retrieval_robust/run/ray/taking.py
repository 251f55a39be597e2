"""The controller takes what actors encoded: from the store, or from their replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import RobustError
from ...measure.sweep.batch import Batch
from ...measure.sweep.receiver import Origin
from .dealing import MOST_ATTEMPTS
from .failures import Failures
from .messages import ImagesReply, ReportsReply, SentError

if TYPE_CHECKING:
    from ...core.cases import Cell
    from ...measure.embeddings.shards import EncodedBatch, ModelShards
    from ...measure.sweep.plan import SweepPlan
    from ...measure.sweep.receiver import Receiver
    from .member import Member
    from .messages import CellReply
    from .phases import DealtPhase


class ImagesTaker:
    """Hands the batches of a sweep on to its receiver, each once."""

    phase: DealtPhase
    """In which the batches are dealt out."""

    def __init__(
        self, plan: SweepPlan, receiver: Receiver, shards: ModelShards | None
    ) -> None:
        self._plan = plan
        self._receiver = receiver
        self._shards = shards
        self._failures: Failures[Member] = Failures()

    def take(self, member: Member, reply: ReportsReply | ImagesReply) -> bool:
        """Whether all of a batch is there; if not, nothing of it was taken."""
        assert isinstance(reply, ImagesReply)
        if not self._are_certain(member, reply):
            return False
        batch = Batch(
            self._plan.batches[reply.number], reply.is_readable, reply.digests, None
        )
        encoded = self._found(member, reply, batch)
        if encoded is None:
            return False
        for cell, cell_reply in reply.cells.items():
            if isinstance(cell_reply, SentError):
                self._receiver.fail(cell, batch, cell_reply.as_error())
            elif self._receiver.wants(cell):
                self._keep(cell, cell_reply, encoded[cell])
                self._receiver.take(cell, batch, encoded[cell], cell_reply.origin)
        self._receiver.finish(batch)
        return True

    def _are_certain(self, member: Member, reply: ImagesReply) -> bool:
        """Whether each error of a batch ends its cell; otherwise it is tried elsewhere."""
        certain = True
        workers = self.phase.dealer.workers
        for cell, error in reply.cells.items():
            if not isinstance(error, SentError) or cell in self.phase.ended_cells:
                continue
            if self._failures.is_certain(member, cell, reply.number, error, workers):
                self.phase.ended_cells |= {cell}
            else:
                certain = False
        return certain

    def _found(
        self, member: Member, reply: ImagesReply, batch: Batch
    ) -> dict[Cell, EncodedBatch] | None:
        """Every cell that has not failed; None if the store lacks one of them."""
        found: dict[Cell, EncodedBatch] = {}
        for cell, cell_reply in reply.cells.items():
            if isinstance(cell_reply, SentError):
                continue
            encoded = self._encoded(cell_reply, batch)
            if encoded is None:
                # Another process may have pruned it, or a file system may be late.
                self._distrust(member, reply.number)
                return None
            found[cell] = encoded
        return found

    def _encoded(self, reply: CellReply, batch: Batch) -> EncodedBatch | None:
        if reply.rows is not None:
            return reply.rows
        if self._shards is None or reply.key is None:
            return None
        encoded = self._shards.load_images(reply.key, len(batch.plan.images))
        if encoded is None:
            return None
        is_same = np.array_equal(encoded.digests_of_all, batch.digests)
        return encoded if is_same else None

    def _distrust(self, member: Member, number: int) -> None:
        self.phase.distrusted.add(member)
        if self.phase.dealer.attempts(number) + 1 >= MOST_ATTEMPTS:
            raise RobustError(
                "Expected the embedding store to have what actors of Ray kept there, got"
                f" nothing {MOST_ATTEMPTS} times. See whether another process prunes"
                " it, or use --robust-no-cache."
            )

    def _keep(self, cell: Cell, reply: CellReply, encoded: EncodedBatch) -> None:
        """Keep what an actor encoded that does not see the store."""
        if self._shards is None or reply.rows is None or reply.key is None:
            return
        if reply.origin is Origin.ENCODED_AND_KEPT:
            about = {
                "dataset": self._plan.pairs.dataset.name,
                "occluder": cell.occluder,
                "level": cell.level,
                "seed": cell.seed,
            }
            self._shards.save_images(reply.key, encoded, about)
