"""Floors of what is measured with edited reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeAlias

from ..core.cases import Case, Direction, Plan
from ..core.counterfactual_outcomes import (
    CounterfactualOutcome,
    WinShare,
    degrees_of_freedom,
)
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..core.words import counted
from ..retrieval.intervals import (
    Estimate,
    deviates,
    proportion,
    surely_reached,
)
from .chance import ALMOST_SURELY
from .decision import ROUNDING, Decision, pass_or_fail
from .detectable import detectable_loss, stated
from .difference import Errors
from .few_patients import FewPatients, unless_patients_are_too_few
from .floors import WEAK
from .number_words import bounds_in_words, settled_by

COIN = 0.5
"""The win share of a model that guesses."""
_FEWEST_IMAGES = 10
"""Below this many images with an edit of a kind its win share is an anecdote."""


@dataclass(frozen=True)
class _Judged:
    """A share with what its verdict is made of."""

    case: Case
    gate: GateKey
    minimum: float
    share: float
    images: int
    effective: float
    degrees_of_freedom: float
    patients: int | None
    """None where none repeats."""
    guesses: int
    """How often guessing guesses: once per comparison."""
    by_chance: float
    """What guessing reaches on average."""
    words: str
    """What it is, as the beginning of a sentence."""
    gates: int = 1
    """How many kinds may fail the same gate."""

    def verdict(self, decision: Decision) -> Verdict:
        """Whether the share reaches the floor."""
        surely = surely_reached(self.guesses, self.by_chance, ALMOST_SURELY)
        if self.minimum <= surely:
            return self._of_no_gate(surely)
        errors = Errors(1 - decision.confidence, self.gates)
        estimate = self._estimate(errors)
        name = self._decided(estimate, decision)
        more_queries = None
        if name == "inconclusive":
            more_queries = estimate.queries_to_clear(self.minimum, decision.confidence)
        loss = self._detectable_loss(estimate, decision, errors)
        verdict = Verdict(
            self.case,
            self.gate,
            name,
            self.share,
            self.minimum,
            f"{self.words} is {self.share:.3f}"
            f"{self._ending(name, estimate, decision, more_queries)}",
            bounds=(estimate.low, estimate.high),
            decided_by=decision.by,
            confidence=decision.confidence,
            detectable_loss=stated(loss),
            more_queries=more_queries,
            tolerated=name == "inconclusive" and decision.tolerates_inconclusive,
            # What chance reaches anyway cannot be lost.
            weak=self.minimum <= self.by_chance
            or (loss is not None and loss > WEAK * (self.share - self.by_chance)),
        )
        few = FewPatients.among(self.patients, self.degrees_of_freedom)
        return unless_patients_are_too_few(verdict, few)

    def _estimate(self, errors: Errors) -> Estimate:
        """With the lower bound that a pass takes, and the upper one that a failure takes:
        any of the kinds may block.
        """
        effect = self.images / self.effective
        passing, failing = (
            proportion(
                self.share, self.images, 1 - error, effect, self.degrees_of_freedom
            )
            for error in (errors.passing, errors.failing)
        )
        return replace(passing, high=failing.high)

    def _of_no_gate(self, surely: float) -> Verdict:
        """The verdict on a floor that guessing meets."""
        if self.minimum == 0:
            sentence = (
                f"{self.words}: not judged, because a min of 0 takes the gate away."
            )
            return _unmeasured(self.case, self.gate, 0.0, sentence, "ungated")
        sentence = (
            f"{self.words}: this gate cannot fail, because guessing reaches"
            f" {surely:.3f} too. Raise min, or take the gate away."
        )
        verdict = _unmeasured(self.case, self.gate, self.minimum, sentence)
        return replace(verdict, observed=self.share, weak=True)

    def _decided(self, estimate: Estimate, decision: Decision) -> VerdictName:
        floor = self.minimum - ROUNDING
        if decision.by == "point":
            return pass_or_fail(estimate.value >= floor)
        if estimate.low >= floor:
            return "pass"
        return "fail" if estimate.high < floor else "inconclusive"

    def _detectable_loss(
        self, estimate: Estimate, decision: Decision, errors: Errors
    ) -> float | None:
        """The loss at which the gate fails with a probability of 0.8."""
        away = 0.0
        if decision.by == "bound":
            away = deviates(1 - errors.failing, self.degrees_of_freedom)
        return detectable_loss(estimate, self.minimum, away)

    def _ending(
        self,
        name: VerdictName,
        estimate: Estimate,
        decision: Decision,
        more_queries: int | None,
    ) -> str:
        floor = f"the floor of {self.minimum:.3f}"
        bounds = ""
        if decision.by == "bound":
            bounds = bounds_in_words(estimate, decision.confidence)
            if self.gates > 1:
                bounds = (
                    f"{bounds[:-1]}, the upper one at the error of {self.gates} kinds)"
                )
        if name == "pass":
            return f"{bounds}, at least {floor}."
        if name == "fail":
            return f"{bounds}, below {floor}."
        return (
            f"{bounds}: whether it reaches {floor} is open{settled_by(more_queries)}."
        )


@dataclass(frozen=True)
class CounterfactualFloor:
    """`counterfactual = { kind = "negation", min = 0.7 }`: the least share of images whose
    own report beats its edits.

    A kind may be a glob: then the worst of the kinds decides. None is over all kinds.
    """

    kind: str | None
    minimum: float

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.COUNTERFACTUAL, name=self.kind)

    def gate(self, _: Direction | None = None) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, case: Case) -> bool:
        """Wherever images are compared with edits: not where the reports are noised."""
        return case.family != "text-noise"

    def is_planned_at(self, case: Case, _: Plan) -> bool:
        """At cells in which something is done to the images; the clean one has a plan of
        its own.
        """
        return case.level > 0 and self.applies_at(case)

    def judge(self, outcome: CounterfactualOutcome, decision: Decision) -> Verdict:
        """Whether the share of the worst kind that is meant reaches the floor."""
        shares = self._shares(outcome)
        if not shares:
            return self._without_edits(outcome)
        verdicts = [
            self._judged(outcome, share, decision, len(shares)) for share in shares
        ]
        return min(verdicts, key=_severity)

    def _shares(self, outcome: CounterfactualOutcome) -> Sequence[WinShare]:
        if self.kind is None:
            return () if outcome.overall is None else (outcome.overall,)
        return [share for share in outcome.kinds if fnmatchcase(share.kind, self.kind)]

    def _without_edits(self, outcome: CounterfactualOutcome) -> Verdict:
        kind = "" if self.kind is None else f" of kind {self.kind!r}"
        kinds = ", ".join(share.kind for share in outcome.kinds) or "none"
        sentence = (
            f"{_subject(outcome)}: not measured, because no report has an edit{kind}"
            f" ({_coverage(outcome)}, kinds: {kinds}). Gate a kind that the data has, or"
            " give edits of this one."
        )
        return _unmeasured(outcome.case, self.gate(), self.minimum, sentence)

    def _judged(
        self,
        outcome: CounterfactualOutcome,
        share: WinShare,
        decision: Decision,
        kinds: int,
    ) -> Verdict:
        edits = "edits of all kinds"
        if self.kind is not None:
            edits = f"edits of kind {share.kind}"
        words = (
            f"{_subject(outcome)}: win share over {edits}"
            f" ({counted(share.images, 'image')}; {_coverage(outcome)})"
        )
        # A floor of 0 takes the gate away, however few there are.
        if share.images < _FEWEST_IMAGES and self.minimum > 0:
            sentence = (
                f"{words} is {share.share:.3f}: whether it reaches the floor of"
                f" {self.minimum:.3f} is open, because fewer than {_FEWEST_IMAGES} images"
                " have such an edit. Give more edits, or take the gate away."
            )
            verdict = _unmeasured(outcome.case, self.gate(), self.minimum, sentence)
            return replace(verdict, observed=share.share, weak=True)
        judged = _Judged(
            case=outcome.case,
            gate=self.gate(),
            minimum=self.minimum,
            share=share.share,
            images=share.images,
            effective=share.effective,
            degrees_of_freedom=degrees_of_freedom(share),
            patients=share.patients,
            guesses=share.comparisons,
            by_chance=COIN,
            words=words,
            gates=kinds,
        )
        return judged.verdict(decision)


@dataclass(frozen=True)
class DistractorFloor:
    """`distractor_recall = { k = 10, min = 0.4 }`: the least Recall@k image-to-report with
    all edits in the gallery.
    """

    k: int
    minimum: float

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.DISTRACTOR_RECALL, self.k)

    def gate(self, _: Direction | None = None) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, case: Case) -> bool:
        """Wherever images are compared with edits: not where the reports are noised."""
        return case.family != "text-noise"

    def is_planned_at(self, case: Case, _: Plan) -> bool:
        """At cells in which something is done to the images; the clean one has a plan of
        its own.
        """
        return case.level > 0 and self.applies_at(case)

    def judge(self, outcome: CounterfactualOutcome, decision: Decision) -> Verdict:
        """Whether Recall@k among all edits reaches the floor."""
        recall = outcome.with_distractors
        if not recall.distractors or self.k not in recall.recall:
            sentence = (
                f"{_subject(outcome)}: not measured at k={self.k}, with"
                f" {counted(recall.distractors, 'edit')} to add to the gallery. Give"
                " edits of the reports, and measure that k."
            )
            return _unmeasured(outcome.case, self.gate(), self.minimum, sentence)
        judged = _Judged(
            case=outcome.case,
            gate=self.gate(),
            minimum=self.minimum,
            share=recall.recall[self.k],
            images=recall.queries,
            effective=recall.effective[self.k],
            degrees_of_freedom=degrees_of_freedom(recall),
            patients=recall.patients,
            guesses=recall.queries,
            by_chance=recall.chance[self.k],
            words=f"{_subject(outcome)}: Recall@{self.k} image-to-report with"
            f" {counted(recall.distractors, 'edit')} in the gallery"
            f" ({_coverage(outcome)})",
        )
        return judged.verdict(decision)


EditLimit: TypeAlias = CounterfactualFloor | DistractorFloor


def _severity(verdict: Verdict) -> tuple[int, bool, float]:
    """Sorts the worst verdict first: of open ones that which no setting lets pass."""
    order = ("fail", "inconclusive", "pass", "ungated")
    return order.index(verdict.verdict), verdict.tolerated, verdict.observed or 0.0


def _subject(outcome: CounterfactualOutcome) -> str:
    case = outcome.case
    if case.level == 0:
        return f"{case.model} on {case.dataset}, clean images"
    return str(case)


def _coverage(outcome: CounterfactualOutcome) -> str:
    return f"{outcome.edited} of {counted(outcome.reports, 'report')} edited"


def _unmeasured(
    case: Case,
    gate: GateKey,
    minimum: float,
    sentence: str,
    verdict: VerdictName = "inconclusive",
) -> Verdict:
    return Verdict(case, gate, verdict, None, minimum, sentence)
