"""Verdicts in sentences, of which a gate over many severities has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..core.cases import Case
from ..core.verdict import GateKey, Verdict


@dataclass(frozen=True, repr=False)
class Spoken:
    """Verdicts that say alike, in one sentence."""

    verdicts: Sequence[Verdict]
    """One; or those of one gate at several severities, rising."""

    @property
    def first(self) -> Verdict:
        """That of the smallest severity."""
        return self.verdicts[0]

    @property
    def sentence(self) -> str:
        """That of the smallest severity, and the other severities behind it."""
        if len(self.verdicts) == 1:
            return self.first.sentence
        others = ", ".join(f"{each.case.level:g}" for each in self.verdicts[1:])
        return f"{self.first.sentence} Also at severity {others}."


def spoken(verdicts: Iterable[Verdict]) -> Iterator[Spoken]:
    """Verdicts of one kind, as a reader is told of them.

    Gates that are judged at each severity of a corruption or text noise have one
    sentence. Those on occlusions have one each.
    """
    groups: dict[tuple[Case, GateKey], list[Verdict]] = {}
    for verdict in verdicts:
        case = verdict.case
        is_at_severities = case.family != "occlusion" and verdict.gate.is_of_a_cell
        place = case.clean() if is_at_severities else case
        groups.setdefault((place, verdict.gate), []).append(verdict)
    for (place, _), group in groups.items():
        if place.family == "occlusion":
            yield from (Spoken([verdict]) for verdict in group)
        else:
            yield Spoken(sorted(group, key=lambda verdict: verdict.case.level))


def sentences(verdicts: Iterable[Verdict]) -> list[str]:
    """What `spoken` says."""
    return [each.sentence for each in spoken(verdicts)]
