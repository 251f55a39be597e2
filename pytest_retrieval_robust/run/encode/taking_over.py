"""What the other parts have left: batches that are not in the store yet.

No part knows of another one. Whether a batch is there is asked of the store, right
before the batch is taken; two that take the same one write the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from .sweep_part import ReportBatch, Share, SweepPart

if TYPE_CHECKING:
    from ...measure.embeddings.shards import ModelShards
    from ...measure.sweep.plan import BatchPlan
    from ..collected_suite import PlannedSweep
    from .notes import SweepNotes
    from .part import Part


@dataclass(frozen=True, repr=False)
class OthersBatches:
    """The batches of a sweep that belong to other parts; its model may be let go."""

    number: int
    """Of the sweep."""
    planned: PlannedSweep
    notes: SweepNotes
    part: Part
    shards: ModelShards
    texts: dict[int, tuple[str, ...]]
    """The reports of each batch of reports, by its number."""
    images: tuple[int, ...]
    """The numbers of the batches of images, in the order in which they are taken."""

    @classmethod
    def of(
        cls, work: SweepPart, part: Part, number: int, planned: PlannedSweep
    ) -> OthersBatches:
        texts = {
            batch.number: tuple(work.texts_of(batch))
            for batch in work.report_batches
            if not part.owns(batch.number, number)
        }
        images = [
            batch.number
            for batch in work.plan.batches
            if not part.owns(batch.number, number)
        ]
        ordered = in_own_order(images, part, number)
        return cls(number, planned, work.notes, part, work.shards, texts, ordered)

    def anything_left(self) -> bool:
        """Whether the store lacks something; no model is needed to know."""
        if any(self._lacks_reports(number) for number in self.texts):
            return True
        return any(not self.notes.has_batch(number) for number in self.images)

    def share(self, work: SweepPart) -> Share:
        """What is left of it now, asked again before each batch."""
        return Share(self._reports(work), self._images(work), len(self.images))

    def _reports(self, work: SweepPart) -> Iterator[ReportBatch]:
        for batch in work.report_batches:
            if batch.number in self.texts and self._lacks_reports(batch.number):
                yield batch

    def _images(self, work: SweepPart) -> Iterator[BatchPlan]:
        batches = work.plan.batches
        for number in self.images:
            if not self.notes.has_batch(number):
                yield batches[number]

    def _lacks_reports(self, number: int) -> bool:
        return not self.shards.has_reports(self.texts[number])


def in_own_order(batches: list[int], part: Part, sweep: int) -> tuple[int, ...]:
    """Batches in an order of the part's own, the same in every run.

    Each part begins elsewhere, so that several that take over at once seldom take the same.
    """

    def turn(batch: int) -> bytes:
        return blake2b(f"{part} {sweep} {batch}".encode(), digest_size=8).digest()

    return tuple(sorted(batches, key=turn))
