"""Which batches of a sweep a part encodes: first its own, then what others have left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING

from .marks import Kind, Marks
from .sweep_part import Share, SweepPart

if TYPE_CHECKING:
    from ...measure.sweep.plan import BatchPlan
    from .part import Part

Begins = Callable[[str], bool]
"""Asked right before a batch is taken, by its name: whether this process takes it."""


def own_names(work: SweepPart, part: Part, sweep: int) -> list[str]:
    """The batches that belong to a part, in order."""
    return [
        kind.name_of(number)
        for kind, count in work.batch_counts.items()
        for number in range(count)
        if part.owns(number, sweep)
    ]


def all_names(work: SweepPart) -> list[str]:
    """Every batch of a sweep, in order."""
    return [
        kind.name_of(number)
        for kind, count in work.batch_counts.items()
        for number in range(count)
    ]


def share_of(work: SweepPart, names: Sequence[str], begins: Begins) -> Share:
    """The named batches in that order, as far as this process is to take them."""
    of_images = [name for name in names if name[0] == Kind.IMAGES.value]
    of_reports = [name for name in names if name[0] == Kind.REPORTS.value]

    def reports() -> Iterator[int]:
        for name in filter(begins, of_reports):
            yield int(name[1:])

    def images() -> Iterator[BatchPlan]:
        batches = work.plan.batches
        for name in filter(begins, of_images):
            yield batches[int(name[1:])]

    return Share(reports(), images(), len(of_images))


def begins_own(marks: Marks, part: Part) -> Begins:
    """For a part that shares with others that take over: not what another has in hand.

    That comes again among what others have left. What another says to be done, or to
    have failed, is looked for in the store all the same: marks outlive what is kept, and
    another machine may have been at fault.
    """

    def begins(name: str) -> bool:
        if marks.begin(name, 1, part) or marks.is_begun_by(name, part):
            return True
        return marks.has_ended(name)

    return begins


def begins_left(marks: Marks, part: Part, time: int) -> Begins:
    """For what others have left: what is not done, and nobody else begins that time."""

    def begins(name: str) -> bool:
        return not marks.is_done(name) and marks.begin(name, time, part)

    return begins


def shuffled(names: Sequence[str], part: Part, sweep: int) -> list[str]:
    """In an order of the part's own, so that several seldom reach for the same batch."""
    order = list(names)
    Random(f"{part.number}-{part.count}-{sweep}").shuffle(order)
    return order
