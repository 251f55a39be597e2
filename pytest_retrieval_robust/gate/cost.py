"""What the gates on cost, throughput, latency and memory say of a measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..core.cases import Case
from ..core.costs import CostMeasurement
from ..core.verdict import Verdict
from ..retrieval.intervals import quantile_bounds
from .policy import ABSOLUTE, Decision
from .verdicts import pass_or_fail, tolerated


def judge_cost(
    cost: CostMeasurement, name: str, limit: Any, decision: Decision
) -> Verdict | None:
    """The verdict of the limit of that name; None where it says nothing of this case."""
    if name in ABSOLUTE:
        return _judge_absolute(cost, name, limit, decision)
    if name == "relative_cost" and cost.case.level > 0:
        against = (
            f"what it takes with nothing hidden ({cost.occluded_seconds * 1e3:.2f} ms"
            f" against {cost.clean_seconds * 1e3:.2f} ms, median of {cost.rounds}"
            f" interleaved rounds on {cost.device})"
        )
        return _judge_ratio(
            cost.case, name, cost.relative_cost, cost.ratios, against, limit, decision
        )
    if (
        name == "cost_relative_to"
        and cost.case.level == 0
        and limit.model != cost.case.model
    ):
        if cost.reference is None:
            sentence = (
                f"{cost.case.model} is to be timed against {limit.model}, which could"
                " not be loaded beside it. Bring its weights, or mend the gate."
            )
            return Verdict(
                cost.case, name, "inconclusive", None, limit.maximum, sentence
            )
        against = (
            f"{limit.model} (median of {len(cost.reference.ratios)} interleaved rounds"
            f" on {cost.device})"
        )
        reference = cost.reference
        return _judge_ratio(
            cost.case,
            name,
            reference.ratio,
            reference.ratios,
            against,
            limit.maximum,
            decision,
        )
    return None


def _judge_ratio(
    case: Case,
    name: str,
    ratio: float,
    ratios: Sequence[float],
    against: str,
    limit: float,
    decision: Decision,
) -> Verdict:
    low, high = quantile_bounds(ratios, 0.5, decision.confidence)
    if decision.by == "point":
        verdict = pass_or_fail(ratio <= limit)
    else:
        verdict = "pass" if high <= limit else "fail" if low > limit else "inconclusive"
    told = {"pass": "within", "fail": "above", "inconclusive": "not clear of"}[verdict]
    spread = ""
    if decision.by == "bound":
        known = (
            f"bounds {low:.2f} and {high:.2f}"
            if math.isfinite(low)
            else f"bounds take more than {len(ratios)} rounds"
        )
        spread = f", {100 * decision.confidence:g} % {known}"
    sentence = (
        f"{case}: an image takes {ratio:.2f} times {against}{spread}, {told} the"
        f" ceiling of {limit:.2f}."
    )
    found = Verdict(
        case,
        name,
        verdict,
        ratio,
        limit,
        sentence,
        bounds=(low, high),
        decided_by=decision.by,
        confidence=decision.confidence,
    )
    return tolerated(found, decision)


def _judge_absolute(
    cost: CostMeasurement, name: str, limit: float, decision: Decision
) -> Verdict | None:
    """Seconds and bytes hold on one kind of machine: elsewhere the gate is not judged,
    and says so.
    """
    observed, unit, ceiling = _absolute(cost, name)
    if name != "images_per_second" and cost.case.level > 0:
        return None
    here = (
        f"{cost.case}: {'no' if observed is None else f'{observed:.4g}'} {unit} on"
        f" {cost.hardware or cost.device}"
    )
    if decision.hardware is None:
        sentence = (
            f"{here}: an absolute limit means nothing without the hardware it is for. "
            f'Add hardware = "{cost.hardware}" to the gate.'
        )
        return Verdict(cost.case, name, "inconclusive", observed, limit, sentence)
    if not fnmatchcase(cost.hardware, decision.hardware):
        sentence = f"{here}: not judged, for the limit holds on {decision.hardware}."
        return Verdict(cost.case, name, "ungated", observed, limit, sentence)
    if observed is None:
        sentence = (
            f"{here}: it could not be measured on this machine. Take the gate away or"
            " measure elsewhere."
        )
        return Verdict(cost.case, name, "inconclusive", None, limit, sentence)
    passes = observed <= limit if ceiling else observed >= limit
    told = (
        ("within the ceiling" if passes else "above the ceiling")
        if ceiling
        else ("at least" if passes else "below")
    )
    sentence = f"{here}, {told} {'of' if ceiling else 'the floor of'} {limit:g}."
    return Verdict(
        cost.case,
        name,
        pass_or_fail(passes),
        observed,
        limit,
        sentence,
        decided_by="point",
    )


def _absolute(cost: CostMeasurement, name: str) -> tuple[float | None, str, bool]:
    """(what was measured, its unit, whether its limit is a ceiling)."""
    if name == "images_per_second":
        return cost.images_per_second, "images per second", False
    if name == "peak_memory_gib":
        return (
            None if cost.peak_memory_bytes is None else cost.peak_memory_bytes / 2**30,
            "GiB at most",
            True,
        )
    seconds = (
        None
        if cost.latency is None
        else getattr(cost.latency, name.removeprefix("latency_"))
    )
    return (
        seconds,
        f"seconds ({name.removeprefix('latency_')}) for an image alone",
        True,
    )
