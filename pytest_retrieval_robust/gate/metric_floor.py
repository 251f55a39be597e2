"""Floors of registered metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.cases import Case, Direction, Plan, level_word
from ..core.errors import MetricError
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..retrieval.intervals import Estimate
from .curve_numbers import CurveNumbers
from .decision import ROUNDING, Decision, pass_or_fail
from .detectable import detectable_loss, stated
from .number_words import bounds_in_words, settled_by


@dataclass(frozen=True)
class MetricFloor:
    """`metric = { "hit-rate(k=3)" = 0.5 }`: what a registered metric must reach.

    A metric has a scale of its own. So 0 is a floor like any other.
    """

    name: str
    """As results name it."""
    minimum: float

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.METRIC, name=self.name)

    def gate(self, direction: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return replace(self.key, direction=direction)

    def applies_at(self, _: Case) -> bool:
        """Always: a metric exists at every level."""
        return True

    def is_planned_at(self, _: Case, __: Plan) -> bool:
        """Always: it is judged at every case."""
        return True

    def judge(self, numbers: CurveNumbers, decision: Decision) -> Verdict:
        """Whether the metric reaches the floor."""
        try:
            value = self._value(numbers)
            estimate = None
            if decision.by == "bound":
                estimate = self._estimate(numbers, decision)
        except MetricError as error:
            return self._open(numbers, None, f"{self._subject(numbers)}: {error}")
        if value is None:
            return self._open(
                numbers,
                None,
                f"{self._subject(numbers)} was not measured. Measure it again with what"
                " registers the metric.",
            )
        if decision.by == "bound" and estimate is None:
            return self._open(
                numbers,
                value,
                f"{self._subject(numbers)} is {value:.3f}: its bounds are unknown, because"
                " its code or the ranks are missing. Install what registers the metric.",
            )
        if estimate is None:
            verdict = self._by_point(numbers, value, decision)
        else:
            verdict = self._by_bound(numbers, estimate, decision)
        return self._unless_chance_meets_it(numbers, verdict)

    def _unless_chance_meets_it(
        self, numbers: CurveNumbers, verdict: Verdict
    ) -> Verdict:
        """The verdict; inconclusive where a random order meets the floor too."""
        evidence = numbers.evidence
        # What a model misses can be missed.
        if evidence is None or verdict.verdict == "fail":
            return verdict
        try:
            is_met = evidence.is_met_by_chance(
                numbers.last, numbers.direction, self.name, self.minimum
            )
        except MetricError:
            # It has no value for such ranks, so that it can tell models from chance.
            return verdict
        if not is_met:
            return verdict
        gallery = numbers.last.scores(numbers.direction).gallery
        sentence = (
            f"{self._subject(numbers)}: this gate cannot fail, because a random order of"
            f" the gallery of {gallery} meets the floor of {self.minimum:.3f} too. Choose"
            " a stricter floor, or more pairs."
        )
        return replace(
            verdict,
            verdict="inconclusive",
            tolerated=False,
            weak=True,
            more_queries=None,
            sentence=sentence,
        )

    def _value(self, numbers: CurveNumbers) -> float | None:
        if numbers.evidence is not None:
            return numbers.evidence.metric(numbers.last, numbers.direction, self.name)
        return numbers.last.scores(numbers.direction).metrics.get(self.name)

    def _estimate(self, numbers: CurveNumbers, decision: Decision) -> Estimate | None:
        if numbers.evidence is None:
            return None
        return numbers.evidence.metric_estimate(
            numbers.last, numbers.direction, self.name, decision.confidence
        )

    def _open(
        self, numbers: CurveNumbers, value: float | None, sentence: str
    ) -> Verdict:
        gate = self.gate(numbers.direction)
        case = numbers.case
        return Verdict(case, gate, "inconclusive", value, self.minimum, sentence)

    def _by_point(
        self, numbers: CurveNumbers, value: float, decision: Decision
    ) -> Verdict:
        verdict = pass_or_fail(value >= self.minimum - ROUNDING)
        return Verdict(
            numbers.case,
            self.gate(numbers.direction),
            verdict,
            value,
            self.minimum,
            f"{self._subject(numbers)} is {value:.3f}{self._ending(verdict)}",
            decided_by=decision.by,
            confidence=decision.confidence,
        )

    def _by_bound(
        self, numbers: CurveNumbers, estimate: Estimate, decision: Decision
    ) -> Verdict:
        floor = self.minimum - ROUNDING
        verdict: VerdictName = "inconclusive"
        more_queries = None
        if estimate.low >= floor:
            verdict = "pass"
        elif estimate.high < floor:
            verdict = "fail"
        else:
            more_queries = estimate.queries_to_clear(self.minimum, decision.confidence)
        # The loss must move the bound below the floor, not the value alone.
        away = estimate.deviates(decision.confidence)
        loss = detectable_loss(estimate, self.minimum, away)
        bounds = bounds_in_words(estimate, decision.confidence, numbers.case.family)
        ending = self._ending(verdict, more_queries)
        return Verdict(
            numbers.case,
            self.gate(numbers.direction),
            verdict,
            estimate.value,
            self.minimum,
            f"{self._subject(numbers)} is {estimate.value:.3f}{bounds}{ending}",
            bounds=(estimate.low, estimate.high),
            decided_by=decision.by,
            confidence=decision.confidence,
            detectable_loss=stated(loss),
            more_queries=more_queries,
            tolerated=verdict == "inconclusive" and decision.tolerates_inconclusive,
        )

    def _subject(self, numbers: CurveNumbers) -> str:
        case = numbers.case
        return (
            f"{case.model} on {case.dataset}, {case.occluder} at"
            f" {level_word(case.family)} {case.level:g}, seed {case.seed},"
            f" {numbers.direction}: {self.name}"
        )

    def _ending(self, verdict: VerdictName, more_queries: int | None = None) -> str:
        floor = f"the floor of {self.minimum:.3f}"
        if verdict == "pass":
            return f", at least {floor}."
        if verdict == "fail":
            return f", below {floor}."
        return f": whether it reaches {floor} is open{settled_by(more_queries)}."
