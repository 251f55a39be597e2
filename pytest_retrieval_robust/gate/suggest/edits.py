"""Floors of what was measured with edited reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.counterfactual_outcomes import (
    CounterfactualOutcome,
    WinShare,
    degrees_of_freedom,
)
from ...retrieval.intervals import proportion
from ..limits import CounterfactualFloor, DistractorFloor
from .asked import Asked
from .least import confidence_at, floor_of_share
from .suggested import Place, Suggested


def edit_gates(outcomes: Sequence[CounterfactualOutcome]) -> int:
    """How many gates they may get."""
    return sum(len(_win_shares(each)) + 1 for each in outcomes)


def suggested_of_edits(
    outcomes: Sequence[CounterfactualOutcome], asked: Asked, deviate: float
) -> Iterator[Suggested]:
    """A floor of each win share, and of Recall@k among all edits at the largest k."""
    confidence = confidence_at(deviate)
    for outcome in outcomes:
        place = _place(outcome)
        for kind, share in _win_shares(outcome):
            estimate = proportion(
                share.share,
                share.images,
                confidence,
                share.images / share.effective,
                degrees_of_freedom(share),
            )
            floor = floor_of_share(estimate, deviate, asked.decide, asked.confidence)
            if floor:
                limit = CounterfactualFloor(kind, floor)
                yield Suggested(
                    place,
                    limit,
                    share.share,
                    share.interval,
                    share.images,
                    _independent(share.effective, share.images),
                )
        recall = outcome.with_distractors
        k = asked.ks[-1]
        if not recall.distractors or k not in recall.recall:
            continue
        estimate = proportion(
            recall.recall[k],
            recall.queries,
            confidence,
            recall.queries / recall.effective[k],
            degrees_of_freedom(recall),
        )
        floor = floor_of_share(estimate, deviate, asked.decide, asked.confidence)
        if floor:
            yield Suggested(
                place,
                DistractorFloor(k, floor),
                recall.recall[k],
                recall.recall_interval[k],
                recall.queries,
                _independent(recall.effective[k], recall.queries),
            )


def _independent(effective: float, images: int) -> int:
    """Edits have no patients of their own: so many independent images they are worth."""
    return min(images, round(effective))


def _place(outcome: CounterfactualOutcome) -> Place:
    case = outcome.case
    if case.level == 0:
        return Place(case.model, case.dataset)
    return Place.of_cell(case, None)


def _win_shares(outcome: CounterfactualOutcome) -> list[tuple[str | None, WinShare]]:
    """The kind that a policy names, None for all kinds, and its win share."""
    shares: list[tuple[str | None, WinShare]] = []
    if outcome.overall is not None:
        shares.append((None, outcome.overall))
    shares += [(share.kind, share) for share in outcome.kinds]
    return shares
