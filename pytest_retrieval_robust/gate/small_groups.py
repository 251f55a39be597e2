"""Groups that are too small to be judged: no gate passes on them silently."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.verdict import Verdict
from .decision import Decision

if TYPE_CHECKING:
    from .grouping import Grouping

FEWEST_QUERIES = 20
FEWEST_PATIENTS = 10
"""Fewer say next to nothing of a group: bounds of its recall lie some 40 points apart, and
their error is no longer what they promise. `docs/groups.md` has the simulation.
"""
SMALL = f"fewer than {FEWEST_QUERIES} queries or {FEWEST_PATIENTS} patients"
NONE_LARGE = f"every group is too small to be judged ({SMALL}): {{names}}"
"""Why there is no number, as a part of a sentence."""


def unless_groups_are_too_small(
    verdict: Verdict, grouping: Grouping, decision: Decision
) -> Verdict:
    """The verdict, which names the groups that it says nothing of; inconclusive in place
    of a pass, unless the policy ignores such groups.

    A fail stays one: the groups that were judged rule the release out.
    """
    if not grouping.too_small or verdict.observed is None:
        return verdict
    names = ", ".join(map(str, grouping.too_small))
    sentence = f"{verdict.sentence} Too small to be judged ({SMALL}): {names}"
    if decision.ignores_small_groups:
        return replace(verdict, sentence=f"{sentence}, which the policy ignores.")
    if verdict.verdict != "pass":
        return replace(verdict, sentence=f"{sentence}.")
    return replace(
        verdict,
        verdict="inconclusive",
        tolerated=decision.tolerates_inconclusive,
        sentence=(
            f"{sentence}. The gate is open because of them: measure more of their"
            ' patients, join groups, or write too_small = "ignore".'
        ),
    )
