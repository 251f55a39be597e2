"""Cells in which nothing was hidden or changed: they say nothing of a model, so that no
gate passes on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..core.cases import Case, Family, level_word, levels_word
from ..core.outcomes import Outcome
from ..core.verdict import Verdict
from ..core.words import counted
from .decision import Decision

FEW = 0.1
"""Of a cell that changes a smaller share of its images or reports a run is warned."""
_EXAMPLES = 3
"""Cells that are named; the rest are counted."""


def is_unaltered(outcome: Outcome) -> bool:
    """Whether it is known that nothing was changed of what a model sees: by a corruption or
    text noise, or by an occluder whose level is below half a cell, or whose masks lack
    the region.
    """
    if outcome.case.level == 0:
        return False
    if outcome.case.family == "occlusion":
        return outcome.visible_level == 0
    return outcome.altered == 0


def unless_nothing_was_changed(
    verdict: Verdict, outcomes: Sequence[Outcome], decision: Decision
) -> Verdict:
    """The verdict; inconclusive where nothing was changed in any of the cells above
    level 0 that it judges.

    A fail stays one: what is not met by clean images and reports is not met. What could
    not be judged for another reason keeps its sentence.
    """
    perturbed = [outcome for outcome in outcomes if outcome.case.level > 0]
    is_idle = bool(perturbed) and all(map(is_unaltered, perturbed))
    is_open = verdict.verdict == "inconclusive" and verdict.observed is not None
    if not is_idle or not (verdict.verdict == "pass" or is_open):
        return verdict
    return replace(
        verdict,
        verdict="inconclusive",
        sentence=_sentence(verdict, perturbed),
        # More queries would not be changed either.
        more_queries=None,
        detectable_loss=None,
        # What no setting lets pass for another reason does not pass for this one.
        tolerated=decision.tolerates_inconclusive and not verdict.objects,
        weak=False,
    )


def _sentence(verdict: Verdict, perturbed: Sequence[Outcome]) -> str:
    first = perturbed[0]
    case = first.case
    names = ", ".join(dict.fromkeys(outcome.case.occluder for outcome in perturbed))
    levels = sorted({outcome.case.level for outcome in perturbed})
    where = f"{level_word(case.family)} {levels[0]:g}"
    if len(levels) > 1:
        where = f"{levels_word(case.family)} {levels[0]:g} to {levels[-1]:g}"
    return (
        f"{case.model} on {case.dataset}, {verdict.gate}: nothing was changed:"
        f" {names} at {where} left all {_number(first)} as they are."
        f" {_advice(levels[-1], case.family)}."
    )


def _advice(level: float, family: Family) -> str:
    """What to do about a cell in which too little was changed."""
    if family == "occlusion":
        higher = "" if level == 1 else "a higher level, "
        return f"Choose {higher}another occluder, or masks that have its region"
    return f"Choose {'' if level == 1 else 'a higher severity or '}another preset"


def altered_words(outcome: Outcome) -> str | None:
    """`3.5 % of 200 reports changed`; None where that is not counted."""
    if outcome.altered is None:
        return None
    return f"{100 * outcome.altered:.3g} % of {_number(outcome)} changed"


def _number(outcome: Outcome) -> str:
    """How many images or reports its case is about."""
    if outcome.case.family == "text-noise":
        return counted(outcome.image_to_report.gallery, "report")
    return counted(outcome.report_to_image.gallery, "image")


def hardly_altered(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A warning where fewer than a tenth of the images or reports were changed."""
    least: dict[Case, Outcome] = {}
    for outcome in outcomes:
        if outcome.altered is None or outcome.altered >= FEW:
            continue
        # Models and seeds share a place: that which was changed least stands for it.
        place = replace(outcome.case, model="", seed=0)
        known = least.get(place)
        if known is None or outcome.altered < (known.altered or 0):
            least[place] = outcome
    if not least:
        return
    examples = "; ".join(map(_example, list(least.values())[:_EXAMPLES]))
    more = ""
    if len(least) > _EXAMPLES:
        more = f"; and {len(least) - _EXAMPLES} more (`-v` shows each share)"
    lowest = min(least.values(), key=lambda outcome: outcome.case.level)
    yield (
        f"Fewer than {100 * FEW:g} % of the images or reports were changed by"
        f" {examples}{more}: what is retrieved there says little of a model."
        f" {_advice(lowest.case.level, lowest.case.family)}."
    )


def _example(outcome: Outcome) -> str:
    case = outcome.case
    return (
        f"{case.occluder} at {level_word(case.family)} {case.level:g} on"
        f" {case.dataset} ({altered_words(outcome)})"
    )
