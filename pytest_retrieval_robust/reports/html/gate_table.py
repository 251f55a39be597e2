"""The page's table of every gate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...core.cases import level_word, levels_word
from ...core.verdict import GateKind, Verdict, VerdictName
from ...gate.perturbed import PerturbationSet
from .._text import number, plain, short

_ORDER: dict[VerdictName, int] = {"fail": 0, "inconclusive": 1, "pass": 2, "ungated": 3}
GATE_WORDS: dict[VerdictName, str] = {
    "fail": "not met",
    "inconclusive": "inconclusive",
    "pass": "met",
    "ungated": "not judged",
}
GATE_COLUMNS = (
    "verdict",
    "gate",
    "model",
    "data set",
    "occluder",
    "level",
    "seed",
    "observed",
    "limit",
    "low",
    "high",
    "decided by",
    "confidence",
    "detectable loss",
    "sentence",
    "family",
)


@dataclass(frozen=True)
class GateRow:
    verdict: Verdict
    words: str
    model: str
    where: str
    observed: str
    limit: str
    bounds: str
    loss: str
    """The smallest one that the gate would notice."""


def gate_rows(verdicts: Iterable[Verdict]) -> list[GateRow]:
    """Every verdict of a gate, those that object first."""
    judged = [verdict for verdict in verdicts if verdict.gate.kind is not GateKind.NONE]
    return [_row(one) for one in sorted(judged, key=lambda v: _ORDER[v.verdict])]


def _row(verdict: Verdict) -> GateRow:
    case = verdict.case
    return GateRow(
        verdict,
        GATE_WORDS[verdict.verdict],
        short(case.model),
        _where(verdict),
        number(verdict.observed),
        number(verdict.limit),
        _bounds(verdict),
        number(verdict.detectable_loss),
    )


def _bounds(verdict: Verdict) -> str:
    if verdict.bounds is None:
        return "–"
    low, high = verdict.bounds
    if high == math.inf:
        return f"{number(low)} or more"
    return f"{number(low)} to {number(high)}"


def _where(verdict: Verdict) -> str:
    """The data set, and where in it; of what looks at no data what is looked at."""
    if verdict.gate.kind.is_without_data:
        return "fixed pictures and sentences"
    return f"{short(verdict.case.dataset)}, {_place(verdict)}"


def _place(verdict: Verdict) -> str:
    """Where a gate looks: a cell, a curve, all levels and layouts, or a search."""
    case = verdict.case
    occluder = short(case.occluder)
    if verdict.is_of_a_search:
        return occluder
    if verdict.gate.kind.is_of_perturbations:
        return str(PerturbationSet(case.family, occluder))
    levels = levels_word(case.family)
    if _is_over_all(verdict):
        return f"{occluder}, all {levels} and seeds"
    level = f"{level_word(case.family)} {case.level:g}"
    if verdict.gate.kind.is_of_a_curve:
        level = f"{levels} 0 to {case.level:g}"
    return f"{occluder}, {level}, seed {case.seed}"


def _is_over_all(verdict: Verdict) -> bool:
    """Whether it is about all levels and seeds of one perturbation or of several."""
    return verdict.gate.is_pooled or verdict.gate.kind.is_of_perturbations


def gate_csv(rows: Sequence[GateRow]) -> list[list[object]]:
    """One row per verdict, under `GATE_COLUMNS`."""
    return [_csv_row(row.verdict) for row in rows]


def _csv_row(verdict: Verdict) -> list[object]:
    case = verdict.case
    low, high = verdict.bounds or (None, None)
    is_of_a_model = verdict.is_of_a_search or verdict.gate.kind.is_without_data
    has_seed = not _is_over_all(verdict) and not is_of_a_model
    has_level = has_seed and not verdict.gate.kind.is_of_a_curve
    return [
        verdict.verdict,
        str(verdict.gate),
        plain(case.model),
        plain(case.dataset),
        plain(case.occluder),
        case.level if has_level else None,
        case.seed if has_seed else None,
        verdict.observed,
        verdict.limit,
        low,
        high,
        verdict.decided_by,
        verdict.confidence,
        verdict.detectable_loss,
        plain(verdict.sentence),
        case.family,
    ]
