"""The limit of the smallest breaking occlusion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..core.cases import BREAKING, Case, Direction, Plan
from ..core.searches import BreakingOutcome
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..core.words import counted
from ..retrieval.intervals import quantile_bounds
from .decision import ROUNDING, Decision, pass_or_fail, tolerated


def search_case(model: str, dataset: str) -> Case:
    """The case that verdicts on a search name: in `run.json` every verdict has a case."""
    return Case(model, dataset, BREAKING, 0.0, 0)


def breaking_bounds(
    breaking: BreakingOutcome, share: float, confidence: float
) -> tuple[float, float]:
    """Bounds of a quantile of the breaking shares, which lie from 0 to 1 however few
    images there are.
    """
    low, high = quantile_bounds(breaking.shares, share, confidence)
    return max(low, 0.0), min(high, 1.0)


@dataclass(frozen=True)
class BreakingLimit:
    """`breaking_share = { k = 10, quantile = 0.05, min = 0.03 }`: at most that share of
    images may break by less.

    `images` and `grid` say how it is searched; None leaves that to the command line.
    """

    k: int
    quantile: float
    minimum: float
    images: int | None = None
    grid: int | None = None

    @property
    def key(self) -> GateKey:
        # Without its k: a more specific table replaces the whole limit.
        return GateKey(GateKind.BREAKING_SHARE)

    def gate(self, _: Direction | None = None) -> GateKey:
        """The gate that its verdicts name."""
        return replace(self.key, k=self.k)

    def applies_at(self, _: Case) -> bool:
        """Never: it is about a model and data set, not about a cell."""
        return False

    def is_planned_at(self, _: Case, __: Plan) -> bool:
        """Never: it is planned once per model and data set, not at cells."""
        return False

    def judge(self, breaking: BreakingOutcome, decision: Decision) -> Verdict:
        """Whether at most the quantile's share of images breaks by less than the floor."""
        if self.minimum == 0 and self._was_searched_enough(breaking):
            sentence = (
                f"{_subject(breaking)}: not judged, because a min of 0 takes the gate"
                " away."
            )
            return self._unmeasured(breaking, "ungated", sentence)
        obstacle = self._obstacle(breaking)
        if obstacle is not None:
            return self._unmeasured(breaking, "inconclusive", obstacle)
        return tolerated(self._compared(breaking, decision), decision)

    def _was_searched_enough(self, breaking: BreakingOutcome) -> bool:
        return breaking.k == self.k and len(breaking.shares) >= self._needed_images

    @property
    def _needed_images(self) -> int:
        """The fewest images that have such a quantile."""
        return math.ceil(1 / self.quantile)

    def _obstacle(self, breaking: BreakingOutcome) -> str | None:
        """A sentence where the search cannot decide the gate, else None."""
        subject = _subject(breaking)
        if breaking.k != self.k:
            return (
                f"{subject} was searched at k={breaking.k}, and the gate asks for"
                f" k={self.k}. Search at that k."
            )
        if len(breaking.shares) < self._needed_images:
            have = "has" if len(breaking.shares) == 1 else "have"
            return (
                f"{subject}: {len(breaking.shares)} of them {have} the report in the top"
                f" {self.k} with nothing hidden, and the {100 * self.quantile:g} %"
                f" quantile takes {self._needed_images}. Search more images"
                " (--robust-search-images)."
            )
        if breaking.shares[0] >= 1.0:
            return (
                f"{subject}: nothing that was tried, hiding most of the image included,"
                f" pushed a report out of the top {self.k}. This gate cannot fail,"
                " because k is too near the size of the gallery, or the encoder does"
                " not look at the image. Choose a smaller k, or search more pairs."
            )
        return None

    def _compared(self, breaking: BreakingOutcome, decision: Decision) -> Verdict:
        observed = breaking.quantile(self.quantile)
        assert observed is not None  # `_obstacle` saw that there are shares
        bounds = breaking_bounds(breaking, self.quantile, decision.confidence)
        verdict = self._decided(observed, bounds, decision)
        low, high = bounds
        sentence = (
            f"{_subject(breaking)}: the {100 * self.quantile:g} % quantile of the share"
            f" that pushes a report out of the top {self.k} is {observed:.4f}"
            f" ({100 * decision.confidence:g} % bounds {low:.4f} and {high:.4f};"
            f" {breaking.grid} x {breaking.grid} cells, {breaking.fill}; an upper"
            f" bound), {_WORDS[verdict]} the floor of {self.minimum:.4f}."
        )
        return Verdict(
            breaking.case,
            self.gate(),
            verdict,
            observed,
            self.minimum,
            sentence,
            bounds=bounds,
            decided_by=decision.by,
            confidence=decision.confidence,
        )

    def _decided(
        self, observed: float, bounds: tuple[float, float], decision: Decision
    ) -> VerdictName:
        floor = self.minimum - ROUNDING
        if decision.by == "point":
            return pass_or_fail(observed >= floor)
        low, high = bounds
        if low >= floor:
            return "pass"
        return "fail" if high < floor else "inconclusive"

    def _unmeasured(
        self, breaking: BreakingOutcome, verdict: VerdictName, sentence: str
    ) -> Verdict:
        return Verdict(
            breaking.case, self.gate(), verdict, None, self.minimum, sentence
        )


_WORDS: dict[VerdictName, str] = {
    "pass": "at least",
    "fail": "below",
    "inconclusive": "not clear of",
}


def _subject(breaking: BreakingOutcome) -> str:
    return (
        f"{breaking.model} on {breaking.dataset}, smallest breaking occlusion found in"
        f" {counted(breaking.images, 'image')}"
    )
