"""Floors of recall and of what is made of it: retention, area, half level and slope."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.cases import Case, Direction, Plan, level_word, levels_word
from ..core.errors import ArgumentError
from ..core.outcomes import Scores
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..retrieval.intervals import Estimate, proportion
from .chance import (
    least_by_chance,
    nothing_to_lose,
    recall_by_chance,
    unless_it_cannot_fail,
)
from .curve_numbers import CurveNumbers
from .decision import ROUNDING, Decision, pass_or_fail
from .detectable import detectable_loss, stated
from .number_words import (
    QUANTITIES,
    bounds_in_words,
    number_name,
    quantity,
    settled_by,
    takes_two_levels,
)

if TYPE_CHECKING:
    pass

WEAK = 0.5
"""A gate that would not notice, with a power of 0.8, that this share of a number is gone
means nothing.
"""
SHARES = (GateKind.RECALL, GateKind.AUC)
"""Numbers that are shares of hits, or means of them: a loss of them varies as a share."""


@dataclass(frozen=True)
class Floor:
    """`recall = { 10 = 0.5 }`: what Recall@k, or a number made of it, must reach."""

    kind: GateKind
    k: int
    minimum: float

    def __post_init__(self) -> None:
        if self.kind not in QUANTITIES:
            raise ArgumentError(
                f"Expected the kind of a floor ({', '.join(QUANTITIES)}), got"
                f" kind={self.kind!r}. Choose one of them."
            )

    @property
    def key(self) -> GateKey:
        return GateKey(self.kind, self.k)

    def gate(self, direction: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return replace(self.key, direction=direction)

    def applies_at(self, case: Case) -> bool:
        """Whether there is something to judge: nothing is lost at level 0."""
        return case.level > 0 or self.kind is not GateKind.RETENTION

    def is_planned_at(self, case: Case, plan: Plan) -> bool:
        """Whether it is judged at this case, rather than once for its curve."""
        if self.kind.is_of_a_curve:
            return case.level == plan.levels_of(case.family)[-1]
        return self.applies_at(case)

    def judge(self, numbers: CurveNumbers, decision: Decision) -> Verdict:
        """Whether the number reaches the floor."""
        obstacle = self._obstacle(numbers)
        if obstacle is not None:
            return obstacle
        verdict = self._compared(numbers, decision)
        scores = numbers.last.scores(numbers.direction)
        # A floor that chance reaches on average is weak. One that it reaches almost
        # surely is no gate at all.
        if self.kind is GateKind.RECALL and scores.chance[self.k] >= self.minimum:
            verdict = replace(verdict, weak=True)
        can_fail = self.minimum > self._by_chance(numbers)
        return unless_it_cannot_fail(verdict, scores, self.k, can_fail=can_fail)

    def _by_chance(self, numbers: CurveNumbers) -> float:
        """What a random order almost surely reaches."""
        direction = numbers.direction
        if self.kind is GateKind.RECALL:
            return recall_by_chance(numbers.last.scores(direction), self.k)
        return least_by_chance(numbers.curve, direction, self.kind, self.k)

    # What cannot be judged

    def _obstacle(self, numbers: CurveNumbers) -> Verdict | None:
        """The verdict where the number of a curve does not exist, else None."""
        # Recall exists at every level.
        if self.kind is GateKind.RECALL:
            return None
        curve = numbers.curve
        case = numbers.case
        if len(curve.outcomes) == 1:
            return self._unmeasured(
                numbers,
                "inconclusive",
                f"{case.model} on {case.dataset}, {case.occluder}:"
                f" {self._quantity(case)} {takes_two_levels(case.family)}.",
            )
        if self.kind in (GateKind.RETENTION, GateKind.HALF_LEVEL):
            name = number_name(self.kind, case.family)
            sentence = nothing_to_lose(curve, self.k, numbers.direction, name)
            if sentence is not None:
                return self._unmeasured(numbers, "fail", sentence)
        if self.kind is GateKind.HALF_LEVEL and self._ends_too_early(numbers):
            return self._unmeasured(
                numbers,
                "inconclusive",
                f"The {self._quantity(case)} of {case.model} was not reached up to"
                f" {curve.levels[-1]:g}, and the gate asks for {self.minimum:g}. Measure"
                f" higher {levels_word(case.family)}.",
            )
        return None

    def _ends_too_early(self, numbers: CurveNumbers) -> bool:
        """Whether recall is not halved by the last level, and that is below the floor."""
        half = numbers.curve.half_level(self.k, numbers.direction)
        return half is None and numbers.curve.levels[-1] < self.minimum

    def _unmeasured(
        self, numbers: CurveNumbers, verdict: VerdictName, sentence: str
    ) -> Verdict:
        gate = self.gate(numbers.direction)
        return Verdict(numbers.case, gate, verdict, None, self.minimum, sentence)

    # What can be judged

    def _compared(self, numbers: CurveNumbers, decision: Decision) -> Verdict:
        estimate = self._estimate(numbers, decision.confidence)
        verdict = self._decided(estimate, decision)
        more_queries = None
        if verdict == "inconclusive":
            more_queries = estimate.queries_to_clear(self.minimum, decision.confidence)
        # Infinite bounds are those of a run without ranks: JSON and reports show none.
        bounds = None
        if not _is_unbounded_below(estimate):
            bounds = (estimate.low, estimate.high)
        loss = self._detectable_loss(estimate, decision)
        is_weak = False
        # A slope has no half that could be lost.
        if loss is not None and self.kind is not GateKind.SLOPE:
            is_weak = bool(loss > WEAK * estimate.value)
        ending = self._ending(numbers.case, estimate, verdict, decision, more_queries)
        return Verdict(
            numbers.case,
            self.gate(numbers.direction),
            verdict,
            estimate.value,
            self.minimum,
            f"{self._subject(numbers)} is {estimate.value:.3f}{ending}",
            bounds=bounds,
            decided_by=decision.by,
            confidence=decision.confidence,
            detectable_loss=stated(loss),
            more_queries=more_queries,
            tolerated=verdict == "inconclusive" and decision.tolerates_inconclusive,
            weak=is_weak,
        )

    def _estimate(self, numbers: CurveNumbers, confidence: float) -> Estimate:
        if self.kind is GateKind.RECALL:
            return _recall(numbers, self.k, confidence)
        curve = numbers.curve
        estimate = None
        if numbers.evidence is not None:
            estimate = numbers.evidence.of_curve(
                curve, numbers.direction, self.k, self.kind.value, confidence
            )
        # Without ranks there is nothing to resample, and the bounds are open.
        if estimate is None:
            queries = curve.clean.scores(numbers.direction).queries
            value = self._value(numbers)
            estimate = Estimate(value, -math.inf, math.inf, math.inf, queries)
        # A half level that is not reached counts as the last level that was measured.
        if math.isinf(estimate.value):
            estimate = replace(estimate, value=curve.levels[-1])
        return estimate

    def _value(self, numbers: CurveNumbers) -> float:
        """The number itself, where its bounds are unknown."""
        curve = numbers.curve
        direction = numbers.direction
        if self.kind is GateKind.RETENTION:
            retention = curve.retention(self.k, direction)
            return math.nan if retention is None else retention[curve.levels[-1]]
        if self.kind is GateKind.HALF_LEVEL:
            half = curve.half_level(self.k, direction)
            return math.inf if half is None else half
        if self.kind is GateKind.AUC:
            return curve.area(self.k, direction)
        return curve.slope(self.k, direction)

    def _decided(self, estimate: Estimate, decision: Decision) -> VerdictName:
        """By point: the number itself. By bound: pass where the lower bound clears the
        floor, fail where the upper one misses it.
        """
        if decision.by == "point":
            return pass_or_fail(estimate.value >= self.minimum - ROUNDING)
        if estimate.low >= self.minimum - ROUNDING:
            return "pass"
        return "fail" if estimate.high < self.minimum - ROUNDING else "inconclusive"

    def _detectable_loss(self, estimate: Estimate, decision: Decision) -> float | None:
        # By bound, the loss must move the bound below the floor, not the value alone.
        away = 0.0
        if decision.by == "bound":
            away = estimate.deviates(decision.confidence)
        return detectable_loss(
            estimate, self.minimum, away, is_share=self.kind in SHARES
        )

    # Its sentence

    def _quantity(self, case: Case) -> str:
        return quantity(self.kind, self.k, case.family)

    def _subject(self, numbers: CurveNumbers) -> str:
        case = numbers.case
        where = f"{level_word(case.family)} {case.level:g}"
        if self.kind.is_of_a_curve:
            where = f"{levels_word(case.family)} 0 to {case.level:g}"
        return (
            f"{case.model} on {case.dataset}, {case.occluder} at {where}, seed"
            f" {case.seed}, {numbers.direction}: {self._quantity(case)}"
        )

    def _ending(
        self,
        case: Case,
        estimate: Estimate,
        verdict: VerdictName,
        decision: Decision,
        more_queries: int | None,
    ) -> str:
        floor = f"the floor of {self.minimum:.3f}"
        outcome = f", below {floor}."
        if verdict == "pass":
            outcome = f", at least {floor}."
        if decision.by == "point":
            return outcome
        if _is_unbounded_below(estimate) and math.isinf(estimate.high):
            return f": its bounds are unknown, so whether it reaches {floor} is open."
        bounds = bounds_in_words(estimate, decision.confidence, case.family)
        if verdict != "inconclusive":
            return f"{bounds}{outcome}"
        return (
            f"{bounds}: whether it reaches {floor} is open{settled_by(more_queries)}."
        )


def _recall(numbers: CurveNumbers, k: int, confidence: float) -> Estimate:
    outcome = numbers.last
    direction = numbers.direction
    if numbers.evidence is not None:
        return numbers.evidence.recall(outcome, direction, k, confidence)
    scores: Scores = outcome.scores(direction)
    return proportion(outcome.recall(k, direction), scores.queries, confidence)


def _is_unbounded_below(estimate: Estimate) -> bool:
    return math.isinf(estimate.error) and math.isinf(estimate.low)
