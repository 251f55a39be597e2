"""Groups that are too small to be judged: no gate passes on them silently."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.verdict import Verdict
from .decision import Decision

if TYPE_CHECKING:
    from .grouping import Grouping


def unless_groups_are_too_small(
    verdict: Verdict, grouping: Grouping, decision: Decision
) -> Verdict:
    """The verdict, which names the groups that it says nothing of; inconclusive in place
    of a pass, unless the policy ignores such groups.

    A fail stays one: the groups that were judged rule the release out.
    """
    if not grouping.too_small or verdict.observed is None:
        return verdict
    sentence = f"{verdict.sentence} Too small to be judged {grouping.small_words}"
    if decision.ignores_small_groups:
        return replace(verdict, sentence=f"{sentence}, which the policy ignores.")
    if verdict.verdict != "pass":
        return replace(verdict, sentence=f"{sentence}.")
    return replace(
        verdict,
        verdict="inconclusive",
        tolerated=decision.tolerates_inconclusive,
        sentence=(
            f"{sentence}. So the gate is inconclusive: measure more of their patients,"
            ' join groups, or write too_small = "ignore".'
        ),
    )
