"""Verdicts in sentences, of which a gate over many severities has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from ..core.cases import Case
from ..core.verdict import GateKey, Verdict

_Key: TypeAlias = tuple[Case, GateKey]


def sentences_by_severity(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """The sentences of verdicts that say alike.

    Gates that are judged at each severity of a corruption or text noise have one
    sentence, of the smallest severity, and the other severities behind it. Those on
    occlusions have one each.
    """
    groups: dict[_Key, list[Verdict]] = {}
    for verdict in verdicts:
        case = verdict.case
        is_pooled = case.family != "occlusion" and verdict.gate.is_of_a_cell
        key = (case.clean() if is_pooled else case, verdict.gate)
        groups.setdefault(key, []).append(verdict)
    for group in groups.values():
        first, *rest = sorted(group, key=lambda verdict: verdict.case.level)
        if not rest or first.case.family == "occlusion":
            yield from (verdict.sentence for verdict in group)
        else:
            yield f"{first.sentence} Also at severity {_severities(rest)}."


def _severities(verdicts: Iterable[Verdict]) -> str:
    return ", ".join(f"{verdict.case.level:g}" for verdict in verdicts)
