"""What the gate on the smallest breaking occlusion says of a search."""

from __future__ import annotations

import math

from ..core.cases import DIRECTIONS
from ..core.searches import BreakingOutcome
from ..core.verdict import Verdict
from ..retrieval.intervals import quantile_bounds
from .policy import BreakingLimit, Decision, gate_label
from .verdicts import ROUNDING, pass_or_fail, tolerated


def judge_breaking(
    breaking: BreakingOutcome, limit: BreakingLimit, decision: Decision
) -> Verdict:
    """Whether at most the quantile's share of images breaks by less than the floor."""
    case, gate = breaking.case, gate_label("breaking_share", None, DIRECTIONS[0], limit)
    what = (
        f"{breaking.model} on {breaking.dataset}, smallest breaking occlusion found in"
        f" {breaking.images} images"
    )
    needed = math.ceil(1 / limit.quantile)
    if breaking.k != limit.k:
        sentence = (
            f"{what} was searched at k={breaking.k}, and the gate asks for k={limit.k}."
            " Search at that k."
        )
        return Verdict(case, gate, "inconclusive", None, limit.minimum, sentence)
    if len(breaking.shares) < needed:
        sentence = (
            f"{what}: {len(breaking.shares)} of them have their report in the top"
            f" {limit.k} with nothing hidden, and the {100 * limit.quantile:g} %"
            f" quantile takes {needed}. Search more images (--robust-search-images)."
        )
        return Verdict(case, gate, "inconclusive", None, limit.minimum, sentence)
    if limit.minimum == 0:
        return Verdict(
            case,
            gate,
            "ungated",
            None,
            0.0,
            f"{what}: not judged, because a min of 0 takes the gate away.",
        )
    if breaking.shares[0] >= 1.0:
        sentence = (
            f"{what}: nothing that was tried, hiding most of the image included, pushed"
            f" a report out of the top {limit.k}. This gate cannot fail, because k is"
            " too near the size of the gallery, or the encoder does not look at the"
            " image. Choose a smaller k, or search more pairs."
        )
        return Verdict(case, gate, "inconclusive", None, limit.minimum, sentence)
    observed = breaking.quantile(limit.quantile)
    assert observed is not None
    low, high = breaking_bounds(breaking, limit.quantile, decision.confidence)
    if decision.by == "point":
        verdict = pass_or_fail(observed >= limit.minimum - ROUNDING)
    else:
        reached = low >= limit.minimum - ROUNDING
        verdict = (
            "pass"
            if reached
            else "fail"
            if high < limit.minimum - ROUNDING
            else "inconclusive"
        )
    told = {"pass": "at least", "fail": "below", "inconclusive": "not clear of"}[
        verdict
    ]
    sentence = (
        f"{what}: the {100 * limit.quantile:g} % quantile of the share that pushes a"
        f" report out of the top {limit.k} is {observed:.4f}"
        f" ({100 * decision.confidence:g} % bounds {low:.4f} and {high:.4f};"
        f" {breaking.grid} x {breaking.grid} cells, {breaking.fill}; an upper bound),"
        f" {told} the floor of {limit.minimum:.4f}."
    )
    found = Verdict(
        case,
        gate,
        verdict,
        observed,
        limit.minimum,
        sentence,
        bounds=(low, high),
        decided_by=decision.by,
        confidence=decision.confidence,
    )
    return tolerated(found, decision)


def breaking_bounds(
    breaking: BreakingOutcome, share: float, confidence: float
) -> tuple[float, float]:
    """Bounds of a quantile of the breaking shares, which lie from 0 to 1 however few
    images there are.
    """
    low, high = quantile_bounds(breaking.shares, share, confidence)
    return max(low, 0.0), min(high, 1.0)
