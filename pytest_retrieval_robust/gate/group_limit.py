"""Limits on the groups of a stratum: the recall of the worst one, and the greatest gap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.cases import Case, Direction, Plan, level_word
from ..core.outcomes import Outcome
from ..core.plain_text import plain
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..retrieval.curve import retrieves
from ..retrieval.intervals import surely_reached
from ..retrieval.power import (
    POWER_DEVIATE,
    detectable_loss_of_share,
)
from ..retrieval.student import student_quantile
from .chance import ALMOST_SURELY, unless_it_cannot_fail
from .curve_numbers import CurveNumbers
from .decision import ROUNDING, Decision
from .difference import NotComparable
from .floors import WEAK
from .small_groups import unless_groups_are_too_small

if TYPE_CHECKING:
    from ..retrieval.group_bounds import Floats
    from .group_extremes import Extreme
    from .grouping import Group, Grouping, RunGroups


@dataclass(frozen=True, repr=False)
class GroupNumbers:
    """What a limit on groups is held against: one cell, and the groups of its queries."""

    cell: CurveNumbers
    groups: RunGroups | None
    """None where the run keeps no ranks."""

    @property
    def outcome(self) -> Outcome:
        return self.cell.last

    @property
    def direction(self) -> Direction:
        return self.cell.direction


@dataclass(frozen=True)
class GroupLimit:
    """`worst_group = { strata = "view", k = 10, min = 0.3 }`, or `group_gap` with a max."""

    kind: GateKind
    stratum: str
    k: int
    limit: float
    """The least recall of the worst group, or the greatest gap."""

    @property
    def key(self) -> GateKey:
        return GateKey(self.kind, self.k, stratum=self.stratum)

    def gate(self, direction: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return replace(self.key, direction=direction)

    def applies_at(self, _: Case) -> bool:
        """Always: groups differ with nothing hidden too."""
        return True

    def is_planned_at(self, _: Case, __: Plan) -> bool:
        """Always: every cell is judged on its own."""
        return True

    def judge(self, numbers: GroupNumbers, decision: Decision) -> Verdict:
        """Whether every group that is large enough is within the limit."""
        if self.kind is GateKind.WORST_GROUP and self.limit == 0:
            return self._taken_away(numbers)
        grouping = self._grouping(numbers)
        if isinstance(grouping, NotComparable):
            return self._unmeasured(numbers, grouping.reason)
        reason = self._obstacle(numbers, grouping)
        if reason is not None:
            return self._unmeasured(numbers, reason)
        verdict = self._compared(numbers, grouping, decision)
        verdict = unless_groups_are_too_small(verdict, grouping, decision)
        scores = numbers.outcome.scores(numbers.direction)
        can_fail = self._can_fail(grouping, scores.chance[self.k])
        return unless_it_cannot_fail(verdict, scores, self.k, can_fail=can_fail)

    def _grouping(self, numbers: GroupNumbers) -> Grouping | NotComparable:
        if numbers.groups is None:
            return NotComparable("the ranks of the run were not kept: measure it again")
        dataset = numbers.outcome.case.dataset
        return numbers.groups.grouping(dataset, self.stratum, numbers.direction)

    # What cannot be judged

    def _obstacle(self, numbers: GroupNumbers, grouping: Grouping) -> str | None:
        """Why there is no number, as a part of a sentence."""
        if not grouping.judged:
            return f"every group is too small to be judged {grouping.small_words}"
        if self._hits(numbers) is None:
            return "the ranks of its queries were not kept: measure it again"
        if self.kind is GateKind.WORST_GROUP:
            return None
        if len(grouping.judged) < 2:
            reason = f"a gap takes two groups, and {grouping.judged[0]} is the only one"
            if not grouping.too_small:
                return reason
            return f"{reason} that is not too small {grouping.small_words}"
        if not retrieves(numbers.outcome.scores(numbers.direction)):
            return (
                "it retrieves no better than chance there, where all groups are alike:"
                " take the gate away at this level"
            )
        return None

    def _hits(self, numbers: GroupNumbers) -> Floats | None:
        evidence = numbers.cell.evidence
        if evidence is None:
            return None
        ranks = evidence.ranks(numbers.outcome, numbers.direction)
        return None if ranks is None else (ranks <= self.k).astype("float64")

    def _unmeasured(self, numbers: GroupNumbers, reason: str) -> Verdict:
        gate = self.gate(numbers.direction)
        sentence = (
            f"{self._subject(numbers)}: {gate.kind} is not judged by {self.stratum},"
            f" because {reason}."
        )
        case = numbers.outcome.case
        return Verdict(case, gate, "inconclusive", None, self.limit, sentence)

    def _taken_away(self, numbers: GroupNumbers) -> Verdict:
        """The verdict on a floor of 0, whatever the groups are."""
        gate = self.gate(numbers.direction)
        case = numbers.outcome.case
        sentence = (
            f"{gate} of {case}: not judged, because a min of 0 takes the gate away."
        )
        return Verdict(case, gate, "ungated", None, self.limit, sentence)

    def _can_fail(self, grouping: Grouping, chance: float) -> bool:
        """Whether a model whose answers are in random order would fail it."""
        smallest = min(group.members.queries for group in grouping.judged)
        reached = surely_reached(smallest, chance, ALMOST_SURELY)
        if self.kind is GateKind.WORST_GROUP:
            return self.limit > reached
        # The gap of a model that finds all of one group and nothing of another.
        return self.limit < 1 - reached

    # What can be judged

    def _compared(
        self, numbers: GroupNumbers, grouping: Grouping, decision: Decision
    ) -> Verdict:
        # Late, because a policy is read where nothing needs numpy.
        from ..retrieval.group_bounds import GroupRecalls
        from .group_extremes import lowest, widest

        hits = self._hits(numbers)
        assert hits is not None
        groups = grouping.judged
        recalls = GroupRecalls(hits, [group.members for group in groups])
        alpha = 1 - decision.confidence
        is_floor = self.kind is GateKind.WORST_GROUP
        extreme = (lowest if is_floor else widest)(recalls, groups, alpha)
        verdict = self._decided(extreme, decision)
        loss = self._detectable_loss(extreme, decision, len(groups))
        more = None
        if _is_open(verdict):
            more = extreme.more_queries(self.limit, decision.confidence)
        return Verdict(
            numbers.outcome.case,
            self.gate(numbers.direction),
            verdict,
            extreme.value,
            self.limit,
            f"{self._subject(numbers)}: {self._number(extreme)}"
            f"{self._bounds(extreme, decision)}{self._ending(verdict, more)}",
            bounds=(extreme.low, extreme.high),
            decided_by=decision.by,
            confidence=decision.confidence,
            detectable_loss=loss,
            more_queries=None if more is None else more[0],
            tolerated=_is_open(verdict) and decision.tolerates_inconclusive,
            weak=bool(loss > WEAK * max(extreme.recalls)),
        )

    def _decided(self, extreme: Extreme, decision: Decision) -> VerdictName:
        is_point = decision.by == "point"
        if self.kind is GateKind.WORST_GROUP:
            floor = self.limit - ROUNDING
            passes = (extreme.value if is_point else extreme.low) >= floor
            fails = (extreme.value if is_point else extreme.high) < floor
        else:
            ceiling = self.limit + ROUNDING
            passes = (extreme.value if is_point else extreme.high) <= ceiling
            fails = (extreme.value if is_point else extreme.low) > ceiling
        if passes:
            return "pass"
        return "fail" if fails else "inconclusive"

    def _detectable_loss(
        self, extreme: Extreme, decision: Decision, groups: int
    ) -> float:
        """The loss of the worst group from what was observed, at which the gate fails
        with a probability of 0.8.
        """
        is_floor = self.kind is GateKind.WORST_GROUP
        deviates = POWER_DEVIATE
        if decision.by == "bound":
            shared = groups if is_floor else groups * (groups - 1)
            confidence = 1 - (1 - decision.confidence) / shared
            deviates += student_quantile(confidence, extreme.degrees_of_freedom)
        room = extreme.value - self.limit if is_floor else self.limit - extreme.value
        return detectable_loss_of_share(
            max(0.0, room),
            deviates,
            extreme.error,
            extreme.recalls[0],
            extreme.groups[0].members.queries,
        )

    # Its sentence

    def _subject(self, numbers: GroupNumbers) -> str:
        case = numbers.outcome.case
        return (
            f"{case.model} on {case.dataset}, {case.occluder} at"
            f" {level_word(case.family)} {case.level:g}, seed {case.seed},"
            f" {numbers.direction}"
        )

    def _number(self, extreme: Extreme) -> str:
        worst = extreme.groups[0]
        if self.kind is GateKind.WORST_GROUP:
            return (
                f"Recall@{self.k} of the worst group of {self.stratum}, {worst}, is"
                f" {extreme.value:.3f}"
            )
        best = extreme.groups[1]
        return (
            f"the greatest gap of Recall@{self.k} by {self.stratum} is"
            f" {extreme.value:.3f}, from {extreme.recalls[0]:.3f} of {worst} to"
            f" {extreme.recalls[1]:.3f} of {best}"
        )

    def _bounds(self, extreme: Extreme, decision: Decision) -> str:
        if decision.by == "point":
            return ""
        confidence = f"{100 * decision.confidence:g} % bounds"
        return f" ({confidence} {extreme.low:.3f} and {extreme.high:.3f})"

    def _ending(
        self, verdict: VerdictName, more_queries: tuple[int, Group] | None
    ) -> str:
        is_floor = self.kind is GateKind.WORST_GROUP
        limit = f"the {'floor' if is_floor else 'limit'} of {self.limit:.3f}"
        if not _is_open(verdict):
            is_above = (verdict == "pass") == is_floor
            words = {
                (True, True): "at least",
                (True, False): "below",
                (False, False): "within",
                (False, True): "above",
            }
            return f", {words[is_floor, is_above]} {limit}."
        end = ""
        if more_queries is not None:
            number, group = more_queries
            end = (
                f"; should the values stay, about {number} more queries of"
                f" {plain(group.name)} would settle it"
            )
        question = "every group reaches" if is_floor else "every gap is within"
        return f": whether {question} {limit} is open{end}."


def _is_open(verdict: VerdictName) -> bool:
    return verdict == "inconclusive"
