"""What a random order of the gallery reaches: a model at chance is not judged, and a limit
that chance meets too is no gate.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..core.cases import Direction, clean_words
from ..core.outcomes import Outcome, Scores
from ..core.verdict import GateKind, Verdict
from ..retrieval.curve import Curve, chance_k, least_squares_slope, retrieves
from ..retrieval.intervals import surely_reached

ALMOST_SURELY = 0.999
"""How likely a random order must reach a limit for the limit to demand nothing: the
complement of the error at which `untrained` tests.
"""


def untrained(clean: Outcome) -> str | None:
    """A sentence when clean recall is not above chance (one-sided, 0.001, at one fixed
    k), else None.
    """
    scores = clean.image_to_report
    if retrieves(scores):
        return None
    k = chance_k(scores)
    return (
        f"Expected {clean.case.model} to retrieve better than chance with nothing"
        f" hidden, got clean Recall@{k}={scores.recall[k]:.3f} at a chance of"
        f" {scores.chance[k]:.3f} on {clean.case.dataset}. Its weights may not have"
        " been loaded, or it was trained on something else."
    )


def recall_by_chance(scores: Scores, k: int) -> float:
    """The Recall@k that a random order almost surely reaches: 1 where k is the whole
    gallery.
    """
    return surely_reached(scores.queries, scores.chance[k], ALMOST_SURELY)


def least_by_chance(
    curve: Curve, direction: Direction, kind: GateKind, k: int
) -> float:
    """The least that a number of a curve can be, if recall is no lower than what a
    random order almost surely has.
    """
    lowest_recall = min(
        recall_by_chance(outcome.scores(direction), k) for outcome in curve.outcomes
    )
    clean_recall = curve.clean.recall(k, direction)
    if kind is GateKind.SLOPE:
        # No line falls faster than from all hits in the lower half of the levels to
        # chance in the upper half.
        middle = math.fsum(curve.levels) / len(curve.levels)
        steepest = [1.0 if level <= middle else lowest_recall for level in curve.levels]
        return least_squares_slope(curve.levels, steepest)
    if kind is GateKind.RETENTION:
        return lowest_recall / clean_recall if clean_recall > 0 else 0.0
    if kind is GateKind.HALF_LEVEL:
        # If chance has more than half of the clean recall, that half is out of reach,
        # and the half level is the last level, whatever the model does.
        return curve.levels[-1] if lowest_recall > clean_recall / 2 else 0.0
    return lowest_recall


def unless_it_cannot_fail(
    verdict: Verdict, scores: Scores, k: int, *, can_fail: bool
) -> Verdict:
    """The verdict; inconclusive where a random order meets the limit too.

    A floor of 0 is how a policy takes a broader gate away: then nothing is judged.
    """
    if can_fail or verdict.verdict == "fail":
        return verdict
    # For a slope, a gap and beside a saved run, a limit of 0 demands something.
    kind = verdict.gate.kind
    is_of_a_difference = kind in (GateKind.SLOPE, GateKind.GROUP_GAP)
    zero_is_a_limit = kind.is_paired or is_of_a_difference
    if verdict.limit == 0 and not zero_is_a_limit:
        sentence = (
            f"{verdict.gate} of {verdict.case}: not judged, because a floor of 0 takes"
            " the gate away."
        )
        return replace(verdict, verdict="ungated", weak=False, sentence=sentence)
    sentence = (
        f"{verdict.gate} of {verdict.case} cannot fail: a random order meets it too,"
        f" with k={k} and a gallery of {scores.gallery} (chance {scores.chance[k]:.3f})."
        " Choose a smaller k, a stricter limit, or more pairs."
    )
    return replace(
        verdict, verdict="inconclusive", tolerated=False, weak=True, sentence=sentence
    )


def nothing_to_lose(
    curve: Curve, k: int, direction: Direction, quantity: str
) -> str | None:
    """A sentence when a model retrieves nothing, so that it keeps all of it, else None.

    That must not pass a gate on `quantity`.
    """
    if curve.has_something_to_lose(k, direction):
        return None
    clean = curve.clean
    return (
        f"Expected {clean.case.model} to retrieve better than chance"
        f" {clean_words(clean.case.family)} before its {quantity} is judged, got clean"
        f" Recall@{k}={clean.recall(k, direction):.3f} {direction} on"
        f" {clean.case.dataset}. Fix the model, or take the gate away."
    )
