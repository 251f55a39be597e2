"""Limits on the corruption error beside a baseline: the mean, its relative form, and the
worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

from ..core.cases import Case, Direction, Plan, levels_word
from ..core.outcomes import finite
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..core.words import counted
from .chance import recall_by_chance
from .decision import ROUNDING, Decision, pass_or_fail, tolerated
from .difference import NotComparable
from .error_statistic import ErrorStatistic
from .floors import WEAK
from .perturbed import ALL_CORRUPTIONS, PerturbationSet, Perturbed, hidden_outcomes

if TYPE_CHECKING:
    from ..retrieval.curve import Curve
    from .comparison import Comparison
    from .error_ratios import ErrorRatio, PairedErrors

_STATISTICS: dict[GateKind, ErrorStatistic] = {
    GateKind.MCE: ErrorStatistic.MEAN,
    GateKind.RELATIVE_MCE: ErrorStatistic.RELATIVE,
    GateKind.WORST_CE: ErrorStatistic.WORST,
}
_QUANTITIES: dict[GateKind, str] = {
    GateKind.MCE: "mean corruption error",
    GateKind.RELATIVE_MCE: "relative mean corruption error",
    GateKind.WORST_CE: "highest corruption error",
}


def set_case(model: str, dataset: str, of: PerturbationSet) -> Case:
    """The case that verdicts on a set of perturbations name: its name or glob, at level 0."""
    return Case(model, dataset, of.pattern, 0.0, 0, of.family)


@dataclass(frozen=True, repr=False)
class ErrorNumbers:
    """What a limit on corruption errors is held against: a model's curves under every
    perturbation of a set, and the baseline beside them.
    """

    perturbed: Perturbed
    """At least one perturbation, and all of them of one model and data set."""
    direction: Direction
    comparison: Comparison | NotComparable | None
    """None without a baseline."""

    @property
    def first(self) -> Curve:
        """One of several that start at the same cell."""
        return next(iter(self.perturbed.values()))[0]

    @property
    def outcomes(self) -> int:
        """How many cells above level 0."""
        return sum(len(hidden_outcomes(curves)) for curves in self.perturbed.values())


@dataclass(frozen=True)
class ErrorLimit:
    """`mce = { k = 10, max = 1.05 }`: the errors under the set's perturbations, as a
    multiple of the baseline's, are no more than that.
    """

    kind: GateKind
    k: int
    maximum: float
    of: PerturbationSet = ALL_CORRUPTIONS

    @property
    def key(self) -> GateKey:
        # Without its set: that is what its case tells apart.
        return GateKey(self.kind, self.k)

    def gate(self, direction: Direction) -> GateKey:
        """The gate that its verdicts name: their case names the set."""
        return replace(self.key, direction=direction)

    def applies_at(self, _: Case) -> bool:
        """Never: it is about a set of perturbations, not about a cell."""
        return False

    def is_planned_at(self, _: Case, __: Plan) -> bool:
        """Never: it is planned once per model and data set, not at cells."""
        return False

    def judge(self, numbers: ErrorNumbers, decision: Decision) -> Verdict:
        """Whether the errors are no more than the limit's multiple of the baseline's."""
        if numbers.comparison is None:
            sentence = (
                f"{self._subject(numbers)}: {self._quantity} is not compared, because no"
                " baseline was given."
                " Add --robust-baseline DIR, a folder that --robust-results wrote."
            )
            return self._unmeasured(numbers, "ungated", sentence)
        if isinstance(numbers.comparison, NotComparable):
            sentence = (
                f"{self._subject(numbers)}: {self._quantity} is not comparable with the"
                " baseline's."
                f" {numbers.comparison.reason}"
            )
            return self._unmeasured(numbers, "fail", sentence)
        errors = numbers.comparison.errors(numbers.perturbed, numbers.direction, self.k)
        reason = self._obstacle(numbers, errors)
        if reason is not None or isinstance(errors, NotComparable):
            sentence = (
                f"{self._subject(numbers)}: {self._quantity} is not compared, because"
                f" {reason}."
            )
            return self._unmeasured(numbers, "inconclusive", sentence)
        if self.kind is GateKind.WORST_CE:
            # The greatest of several numbers lies too high by itself.
            decision = replace(decision, by="bound")
        verdict = tolerated(self._compared(numbers, errors, decision), decision)
        if verdict.verdict == "fail" or self._can_fail(numbers, errors):
            return verdict
        sentence = (
            f"{self._subject(numbers)}: {self._quantity} cannot"
            f" fail, because a random order is within {self.maximum:g} times the"
            " baseline's errors too. Choose a smaller k or max, or more pairs."
        )
        return replace(
            verdict,
            verdict="inconclusive",
            tolerated=False,
            weak=True,
            sentence=sentence,
        )

    # What cannot be judged

    def _obstacle(
        self, numbers: ErrorNumbers, errors: PairedErrors | NotComparable
    ) -> str | None:
        """Why there is no number, as a part of a sentence."""
        if isinstance(errors, NotComparable):
            return errors.reason
        undefined = errors.undefined(_STATISTICS[self.kind])
        if not undefined:
            return None
        names = list(numbers.perturbed)
        first = names[undefined[0]].name
        others = f" and {len(undefined) - 1} more" if len(undefined) > 1 else ""
        advice = f"choose a smaller k, {_harder(numbers)}or leave it out"
        if self.kind is GateKind.RELATIVE_MCE:
            return (
                f"the baseline makes no more errors under {first}{others} than with"
                f" nothing done: {advice}"
            )
        return f"the baseline makes no error under {first}{others}: {advice}"

    def _unmeasured(
        self, numbers: ErrorNumbers, verdict: VerdictName, sentence: str
    ) -> Verdict:
        gate = self.gate(numbers.direction)
        case = self._case_of(numbers)
        return Verdict(case, gate, verdict, None, self.maximum, sentence)

    def _can_fail(self, numbers: ErrorNumbers, errors: PairedErrors) -> bool:
        """Whether a model that is at chance as soon as anything is done would fail it."""
        scores = numbers.first.clean.scores(numbers.direction)
        at_chance = errors.candidate.copy()
        at_chance[:, 1:] = 1 - recall_by_chance(scores, self.k)
        worst = replace(errors, candidate=at_chance)
        return worst.value(_STATISTICS[self.kind]) > self.maximum

    # What can be judged

    def _compared(
        self, numbers: ErrorNumbers, errors: PairedErrors, decision: Decision
    ) -> Verdict:
        statistic = _STATISTICS[self.kind]
        ratio = errors.summary(statistic, decision.passing_confidence)
        if decision.passing_confidence > decision.confidence:
            # Only the bound that passes is spent: a bad candidate fails as before.
            failing = errors.summary(statistic, decision.confidence)
            ratio = replace(ratio, low=failing.low)
        verdict = self._decided(ratio, decision)
        return Verdict(
            self._case_of(numbers),
            self.gate(numbers.direction),
            verdict,
            ratio.value,
            self.maximum,
            f"{self._subject(numbers)}: {self._quantity} is"
            f" {ratio.value:.3f}{self._bounds(ratio, decision)}"
            f"{self._worst(numbers, errors)}{_ENDINGS[verdict]} the limit of"
            f" {self.maximum:g} times the baseline's.",
            bounds=(ratio.low, ratio.high),
            decided_by=decision.by,
            confidence=decision.passing_confidence,
            # The baseline's errors are the unit: half of them more would go unnoticed.
            weak=not ratio.high - ratio.value <= WEAK,
        )

    def _decided(self, ratio: ErrorRatio, decision: Decision) -> VerdictName:
        limit = self.maximum + ROUNDING
        # Without an upper end the number is no evidence, whatever it is.
        if decision.by == "point" and (ratio.value > limit or isfinite(ratio.high)):
            return pass_or_fail(ratio.value <= limit)
        if ratio.high <= limit:
            return "pass"
        return "fail" if ratio.low > limit else "inconclusive"

    # Its sentence

    @property
    def _quantity(self) -> str:
        return f"{_QUANTITIES[self.kind]} at k={self.k}"

    def _case_of(self, numbers: ErrorNumbers) -> Case:
        case = numbers.first.clean.case
        return set_case(case.model, case.dataset, self.of)

    def _subject(self, numbers: ErrorNumbers) -> str:
        case = numbers.first.clean.case
        cells = counted(numbers.outcomes, "cell")
        return (
            f"{case.model} on {case.dataset}, {self.of} ({cells}), {numbers.direction}"
        )

    def _bounds(self, ratio: ErrorRatio, decision: Decision) -> str:
        low = finite(ratio.low)
        high = finite(ratio.high)
        below = "no lower end" if low is None else f"{low:.3f}"
        above = "no upper end" if high is None else f"{high:.3f}"
        confidence = f"{100 * decision.confidence:.4g} %"
        passing = f"{100 * decision.passing_confidence:.4g} %"
        if passing == confidence:
            return f" ({confidence} bounds {below} and {above})"
        return f" (lower bound {below} at {confidence}, upper one {above} at {passing})"

    def _worst(self, numbers: ErrorNumbers, errors: PairedErrors) -> str:
        """Which perturbation is the worst, where there are several."""
        names: Sequence[str] = [each.name for each in numbers.perturbed]
        if len(names) == 1:
            return ""
        ratios = errors.values(_STATISTICS[self.kind])
        worst = max(range(len(names)), key=ratios.__getitem__)
        return f", {names[worst]} the worst of {len(names)} with {ratios[worst]:.3f}"


def _harder(numbers: ErrorNumbers) -> str:
    """What could be measured beyond the highest level, as a part of a sentence."""
    curve = numbers.first
    family = curve.outcomes[-1].case.family
    if curve.levels[-1] >= 1:
        return ""
    return f"measure higher {levels_word(family)}, "


_ENDINGS: dict[VerdictName, str] = {
    "pass": ": within",
    "fail": ": above",
    "inconclusive": ": not clear of",
}
