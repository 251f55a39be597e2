"""Limits of cost, throughput, latency and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeAlias

from ..core.cases import Case, Direction, Plan, clean_words
from ..core.costs import CostMeasurement
from ..core.errors import ArgumentError
from ..core.verdict import GateKey, GateKind, Verdict, VerdictName
from ..core.words import counted
from ..retrieval.intervals import quantile_bounds
from .decision import Decision, pass_or_fail, tolerated


@dataclass(frozen=True)
class Ceiling:
    """`relative_cost = 1.5`: how many times as long an image may take once it is
    occluded or corrupted.
    """

    maximum: float

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.RELATIVE_COST)

    def gate(self, _: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, case: Case) -> bool:
        """Whether there is something to judge: nothing is hidden at level 0."""
        return case.level > 0

    def is_planned_at(self, case: Case, _: Plan) -> bool:
        """Whether it is judged at this case."""
        return self.applies_at(case)

    def judge(self, cost: CostMeasurement, decision: Decision) -> Verdict:
        """Whether hiding costs no more than the ceiling."""
        reference = (
            f"what it takes {clean_words(cost.case.family)} ({cost.occluded_seconds * 1e3:.2f} ms"
            f" against {cost.clean_seconds * 1e3:.2f} ms, median of {cost.rounds}"
            f" interleaved rounds on {cost.device})"
        )
        ratio = _Ratio(cost.relative_cost, cost.ratios, reference)
        return ratio.judge(cost.case, self.key, self.maximum, decision)


@dataclass(frozen=True)
class RelativeLimit:
    """`cost_relative_to = { model = "clip", max = 1.5 }`: how many times as long an image
    may take as with another model.
    """

    model: str
    maximum: float

    @property
    def key(self) -> GateKey:
        return GateKey(GateKind.COST_RELATIVE_TO)

    def gate(self, _: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, case: Case) -> bool:
        """Whether there is something to judge: another model, with nothing hidden."""
        return self.model != case.model and case.level == 0

    def is_planned_at(self, case: Case, plan: Plan) -> bool:
        """Whether it is judged at this case, rather than once per model."""
        return self.applies_at(case) and case.seed == plan.seeds[0]

    def judge(self, cost: CostMeasurement, decision: Decision) -> Verdict:
        """Whether an image costs no more than the ceiling, beside the other model."""
        if cost.reference is None:
            sentence = (
                f"{cost.case.model} is to be timed against {self.model}, which could"
                " not be loaded beside it. Bring its weights, or fix the gate."
            )
            return Verdict(
                cost.case, self.key, "inconclusive", None, self.maximum, sentence
            )
        ratios = cost.reference.ratios
        rounds = counted(len(ratios), "interleaved round")
        reference = f"{self.model} (median of {rounds} on {cost.device})"
        ratio = _Ratio(cost.reference.ratio, ratios, reference)
        return ratio.judge(cost.case, self.key, self.maximum, decision)


@dataclass(frozen=True)
class HardwareLimit:
    """`images_per_second = 50`, `latency = { p95 = 0.03 }` or `peak_memory_gib = 2`: an
    absolute number, which holds on one kind of machine.
    """

    kind: GateKind
    value: float

    def __post_init__(self) -> None:
        if not self.kind.is_absolute:
            raise ArgumentError(
                "Expected a kind of gate that holds on one kind of machine, such as"
                f" latency_p50, got kind={self.kind!r}. Choose one of those."
            )

    @property
    def key(self) -> GateKey:
        return GateKey(self.kind)

    def gate(self, _: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return self.key

    def applies_at(self, case: Case) -> bool:
        """Whether there is something to judge: latency and memory are measured with
        nothing hidden.
        """
        return case.level == 0 or not self.kind.is_of_a_model

    def is_planned_at(self, case: Case, plan: Plan) -> bool:
        """Whether it is judged at this case, rather than once per model."""
        is_first = case.seed == plan.seeds[0] or not self.kind.is_of_a_model
        return self.applies_at(case) and is_first

    def judge(self, cost: CostMeasurement, decision: Decision) -> Verdict:
        """Whether the number is within the limit, on the hardware that it is for."""
        observed = self._observed(cost)
        number = "no" if observed is None else f"{observed:.4g}"
        machine = cost.hardware or cost.device
        subject = f"{cost.case}: {number} {self._unit} on {machine}"
        if decision.hardware is None:
            return self._verdict(
                cost,
                "inconclusive",
                f"{subject}: an absolute limit means nothing without the hardware it is"
                f' for. Add hardware = "{cost.hardware}" to the gate.',
            )
        if not fnmatchcase(cost.hardware, decision.hardware):
            return self._verdict(
                cost,
                "ungated",
                f"{subject}: not judged, because the limit holds on"
                f" {decision.hardware}.",
            )
        if observed is None:
            return self._verdict(
                cost,
                "inconclusive",
                f"{subject}: it could not be measured on this machine. Take the gate"
                " away or measure elsewhere.",
            )
        verdict = pass_or_fail(self._is_met_by(observed))
        ending = f"{self._ending(verdict)} {self.value:g}"
        judged = self._verdict(cost, verdict, f"{subject}, {ending}.")
        return replace(judged, decided_by="point")

    def _observed(self, cost: CostMeasurement) -> float | None:
        if self.kind is GateKind.IMAGES_PER_SECOND:
            return cost.images_per_second
        if self.kind is GateKind.PEAK_MEMORY_GIB:
            peak = cost.peak_memory_bytes
            return None if peak is None else peak / 2**30
        if cost.latency is None:
            return None
        if self.kind is GateKind.LATENCY_P50:
            return cost.latency.p50
        return cost.latency.p95

    @property
    def _unit(self) -> str:
        return _UNITS[self.kind]

    @property
    def _is_floor(self) -> bool:
        return self.kind is GateKind.IMAGES_PER_SECOND

    def _is_met_by(self, observed: float) -> bool:
        return observed >= self.value if self._is_floor else observed <= self.value

    def _ending(self, verdict: VerdictName) -> str:
        if self._is_floor:
            return (
                "at least the floor of" if verdict == "pass" else "below the floor of"
            )
        return "within the ceiling of" if verdict == "pass" else "above the ceiling of"

    def _verdict(
        self, cost: CostMeasurement, verdict: VerdictName, sentence: str
    ) -> Verdict:
        observed = self._observed(cost)
        return Verdict(cost.case, self.key, verdict, observed, self.value, sentence)


CostLimit: TypeAlias = Ceiling | RelativeLimit | HardwareLimit

_UNITS = {
    GateKind.IMAGES_PER_SECOND: "images per second",
    GateKind.LATENCY_P50: "seconds (p50) for one image alone",
    GateKind.LATENCY_P95: "seconds (p95) for one image alone",
    GateKind.PEAK_MEMORY_GIB: "GiB at most",
}


@dataclass(frozen=True, repr=False)
class _Ratio:
    """How many times as long an image takes as a reference: the median over rounds."""

    median: float
    rounds: Sequence[float]
    reference: str
    """The reference and how it was timed, in words."""

    def judge(
        self, case: Case, gate: GateKey, maximum: float, decision: Decision
    ) -> Verdict:
        """Whether the ratio, or its upper bound, is within a ceiling."""
        bounds = quantile_bounds(self.rounds, 0.5, decision.confidence)
        verdict = self._decided(maximum, bounds, decision)
        word = _WORDS_OF_A_CEILING[verdict]
        sentence = (
            f"{case}: an image takes {self.median:.2f} times {self.reference}"
            f"{self._bounds_in_words(bounds, decision)}, {word} the ceiling of"
            f" {maximum:.2f}."
        )
        judged = Verdict(
            case,
            gate,
            verdict,
            self.median,
            maximum,
            sentence,
            bounds=bounds,
            decided_by=decision.by,
            confidence=decision.confidence,
        )
        return tolerated(judged, decision)

    def _decided(
        self, maximum: float, bounds: tuple[float, float], decision: Decision
    ) -> VerdictName:
        if decision.by == "point":
            return pass_or_fail(self.median <= maximum)
        low, high = bounds
        if high <= maximum:
            return "pass"
        return "fail" if low > maximum else "inconclusive"

    def _bounds_in_words(self, bounds: tuple[float, float], decision: Decision) -> str:
        if decision.by == "point":
            return ""
        low, high = bounds
        words = f"bounds take more than {counted(len(self.rounds), 'round')}"
        if math.isfinite(low):
            words = f"bounds {low:.2f} and {high:.2f}"
        return f", {100 * decision.confidence:g} % {words}"


_WORDS_OF_A_CEILING: dict[VerdictName, str] = {
    "pass": "within",
    "fail": "above",
    "inconclusive": "not clear of",
}
