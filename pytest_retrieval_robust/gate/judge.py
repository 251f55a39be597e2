"""What the policy says of what was measured: verdicts, each in a full sentence.

Pure functions of outcomes and ranks: nothing is measured here, so a saved run can be judged again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..core.cases import DIRECTIONS, Case, Direction
from ..core.costs import CostMeasurement
from ..core.outcomes import Outcome, Scores, finite
from ..core.searches import BreakingOutcome
from ..core.verdict import Verdict, VerdictName
from ..core.words import known_word
from ..retrieval.curve import Curve, chance_k, least_squares_slope, retrieves
from ..retrieval.intervals import (
    POWER,
    detectable_loss_of_share,
    normal_quantile,
    surely_reached,
)
from .breaking import judge_breaking
from .cost import judge_cost
from .policy import BASELINE, OF_A_CURVE, BaselineLimit, Decision, Policy, gate_label
from .verdicts import ROUNDING, pass_or_fail

if TYPE_CHECKING:
    from ..retrieval.intervals import Estimate
    from .comparison import Comparison, Difference
    from .evidence import Evidence

ABOVE_CHANCE = "above_chance"
"""The gate that stands before all others: a model that retrieves nothing has nothing to judge."""
_WEAK = 0.5
"""A gate that would not notice, with a power of 0.8, that half of a number is gone
means nothing.
"""
_TOLD = 2
_SHARES = ("recall", "auc")
"""Numbers that are shares of hits, or means of them: what is left of them varies as such."""
_QUANTITIES = {
    "recall": "Recall@{k}",
    "retention": "retention of Recall@{k}",
    "auc": "area under Recall@{k}",
    "half_level": "half level of Recall@{k}",
    "slope": "slope of Recall@{k}",
}


@dataclass(frozen=True, repr=False)
class Judge:
    """A policy, and what it needs to know beside the numbers themselves."""

    policy: Policy
    evidence: Evidence | None = None
    """The run's ranks: without them a bound can be had for recall alone."""
    comparison: Comparison | None = None
    """The baseline beside the run; None without one."""
    gates_of: Callable[[str], int] = lambda _: 1
    """How many baseline gates the policy plans for a model."""

    def cell(self, outcome: Outcome, clean: Outcome) -> list[Verdict]:
        """What the recall and retention gates say of an outcome; one `ungated` verdict
        where there are none.
        """
        if self.policy.names(outcome.case.model):
            broken = untrained(clean)
            if broken is not None:
                return [Verdict(outcome.case, ABOVE_CHANCE, "fail", None, None, broken)]
        judged = [
            verdict
            for direction in DIRECTIONS
            for (name, k), limit in self._limits(outcome.case, direction)
            if k is not None
            and (verdict := self._of_cell(outcome, clean, direction, name, k, limit))
            is not None
        ]
        return judged or [
            Verdict(
                outcome.case,
                "none",
                "ungated",
                None,
                None,
                f"No gate applies to {outcome.case}.",
            )
        ]

    def _of_cell(
        self,
        outcome: Outcome,
        clean: Outcome,
        direction: Direction,
        name: str,
        k: int,
        limit: Any,
    ) -> Verdict | None:
        hidden = outcome.case.level > 0
        if name == "recall":
            found = self._share(
                outcome.case,
                name,
                k,
                direction,
                limit,
                lambda c: self._recall(outcome, direction, k, c),
            )
            scores = outcome.scores(direction)
            # A floor that chance reaches on average is weak; one that it reaches surely
            # is no gate at all.
            found = replace(found, weak=found.weak or scores.chance[k] >= limit)
            return _if_it_can_fail(
                found, scores, k, can_fail=limit > _by_chance(scores, k)
            )
        if name == "retention" and hidden:
            return self._of_curve(Curve((clean, outcome)), direction, name, k, limit)
        if (
            name.startswith(BASELINE)
            and limit.over == "cells"
            and (hidden or limit.metric == "recall")
        ):
            return self._baseline_cell(outcome, clean, direction, limit)
        return None

    def curve(self, curve: Curve) -> list[Verdict]:
        """What the gates on area under the curve, half level and slope say."""
        if (
            self.policy.names(curve.clean.case.model)
            and untrained(curve.clean) is not None
        ):
            return []
        return [
            self._of_curve(curve, direction, name, k, limit)
            for direction in DIRECTIONS
            for (name, k), limit in self._limits(_whole(curve), direction)
            if name in OF_A_CURVE and k is not None
        ]

    def baseline(self, curves: Sequence[Curve]) -> list[Verdict]:
        """What the baseline gates over all levels say of one model, data set and
        occluder, a curve a seed.
        """
        if not curves:
            return []
        return [
            self._baseline_levels(curves, direction, limit)
            for direction in DIRECTIONS
            for (name, _), limit in self._limits(_whole(curves[0]), direction)
            if name.startswith(BASELINE) and limit.over == "levels"
        ]

    def cost(self, cost: CostMeasurement) -> list[Verdict]:
        """What the gates on the cost of occluding, throughput, latency and memory say."""
        judged = (
            judge_cost(
                cost, key[0], limit, self.policy.decision(cost.case, DIRECTIONS[0], key)
            )
            for key, limit in self._limits(cost.case, DIRECTIONS[0])
            if key[1] is None
        )
        return [verdict for verdict in judged if verdict is not None]

    def breaking(self, breaking: BreakingOutcome) -> list[Verdict]:
        """What the gate on the smallest breaking occlusion says."""
        limit = self.policy.breaking_limit(breaking.model, breaking.dataset)
        decision = self.policy.decision(
            breaking.case, DIRECTIONS[0], ("breaking_share", None)
        )
        return [] if limit is None else [judge_breaking(breaking, limit, decision)]

    def _limits(
        self, case: Case, direction: Direction
    ) -> list[tuple[tuple[str, int | None], Any]]:
        return sorted(
            self.policy.limits_for(case, direction).items(),
            key=lambda item: str(item[0]),
        )

    def _recall(
        self, outcome: Outcome, direction: Direction, k: int, confidence: float
    ) -> Estimate:
        from ..retrieval.intervals import proportion

        if self.evidence is None:
            return proportion(
                outcome.recall(k, direction),
                outcome.scores(direction).queries,
                confidence,
            )
        return self.evidence.recall(outcome, direction, k, confidence)

    def _of_curve(
        self, curve: Curve, direction: Direction, name: str, k: int, limit: float
    ) -> Verdict:
        case = _whole(curve)
        if len(curve.outcomes) == 1:
            sentence = (
                f"{case.model} on {case.dataset}, {case.occluder}:"
                f" {_QUANTITIES[name].format(k=k)} takes two levels or more. Add some"
                " to --robust-levels."
            )
            return Verdict(
                case,
                gate_label(name, k, direction),
                "inconclusive",
                None,
                limit,
                sentence,
            )
        if name in ("retention", "half_level") and not curve.has_something_to_lose(
            k, direction
        ):
            return _nothing_to_lose(case, curve.clean, name, k, direction, limit)
        if (
            name == "half_level"
            and curve.half_level(k, direction) is None
            and curve.levels[-1] < limit
        ):
            sentence = (
                f"The half level of Recall@{k} of {case.model} was not reached up to"
                f" {curve.levels[-1]:g}, and the gate asks for {limit:g}. Measure"
                " higher levels."
            )
            return Verdict(
                case,
                gate_label("half_level", k, direction),
                "inconclusive",
                None,
                limit,
                sentence,
            )
        over = None if name == "retention" else f"levels 0 to {curve.levels[-1]:g}"
        found = self._share(
            case,
            name,
            k,
            direction,
            limit,
            lambda c: self._estimate(curve, direction, name, k, c),
            over=over,
        )
        can_fail = limit > _least_by_chance(curve, direction, name, k)
        return _if_it_can_fail(
            found, curve.clean.scores(direction), k, can_fail=can_fail
        )

    def _estimate(
        self, curve: Curve, direction: Direction, name: str, k: int, confidence: float
    ) -> Estimate:
        from ..retrieval.intervals import Estimate

        found = (
            None
            if self.evidence is None
            else self.evidence.of_curve(curve, direction, k, name, confidence)
        )
        if found is None:
            value = _value_of(curve, direction, name, k)
            found = Estimate(
                value,
                -math.inf,
                math.inf,
                math.inf,
                curve.clean.scores(direction).queries,
            )
        return (
            replace(found, value=curve.levels[-1]) if math.isinf(found.value) else found
        )

    def _share(
        self,
        case: Case,
        name: str,
        k: int,
        direction: Direction,
        limit: float,
        estimated: Callable[[float], Estimate],
        over: str | None = None,
    ) -> Verdict:
        decision = self.policy.decision(case, direction, (name, k))
        found = estimated(decision.confidence)
        verdict = _decided(found, limit, decision)
        where = f"level {case.level:g}" if over is None else over
        subject = (
            f"{case.model} on {case.dataset}, {case.occluder} at {where}, seed"
            f" {case.seed}, {direction}: {_QUANTITIES[name].format(k=k)} is"
            f" {found.value:.3f}"
        )
        more = (
            found.queries_to_clear(limit, decision.confidence)
            if verdict == "inconclusive"
            else None
        )
        sentence = f"{subject}{_ending(found, limit, verdict, decision, more)}"
        loss = _detectable(found, limit, decision, is_share=name in _SHARES)
        return Verdict(
            case,
            gate_label(name, k, direction),
            verdict,
            found.value,
            limit,
            sentence,
            bounds=(
                None
                if math.isinf(found.error) and math.isinf(found.low)
                else (found.low, found.high)
            ),
            decided_by=decision.by,
            confidence=decision.confidence,
            detectable_loss=loss,
            more_queries=more,
            tolerated=verdict == "inconclusive" and decision.tolerates_inconclusive,
            weak=name != "slope"
            and loss is not None
            and bool(loss > _WEAK * found.value),
        )

    def _baseline_cell(
        self,
        outcome: Outcome,
        clean: Outcome,
        direction: Direction,
        limit: BaselineLimit,
    ) -> Verdict | None:
        found = self._without_baseline(outcome.case, direction, limit)
        if found is None:
            found = self._without_something_to_lose(
                outcome.case, clean, direction, limit
            )
        if found is None and self.comparison is not None:
            alpha, gates = self._errors(outcome.case, direction, limit)
            apart = self.comparison.cell_difference(
                clean, outcome, direction, limit, alpha, gates
            )
            found = self._paired(
                outcome.case, direction, limit, apart, f"level {outcome.case.level:g}"
            )
            if not isinstance(apart, str):
                # A cell at which the baseline finds next to nothing has next to nothing
                # to lose, and may pass.
                least = _least_by_chance(
                    Curve((clean, outcome)), direction, limit.metric, limit.k
                )
                can_fail = least <= 0 or apart.baseline > least + ROUNDING
                found = _if_it_can_fail(
                    found, outcome.scores(direction), limit.k, can_fail=can_fail
                )
        return found

    def _baseline_levels(
        self, curves: Sequence[Curve], direction: Direction, limit: BaselineLimit
    ) -> Verdict:
        case = _whole(curves[0])
        found = self._without_baseline(case, direction, limit)
        if found is None:
            found = self._without_something_to_lose(
                case, curves[0].clean, direction, limit
            )
        if found is None:
            assert self.comparison is not None
            alpha, gates = self._errors(case, direction, limit)
            apart = self.comparison.difference(curves, direction, limit, alpha, gates)
            seeds = f" and {len(curves)} seeds" if len(curves) > 1 else ""
            found = self._paired(
                case,
                direction,
                limit,
                apart,
                f"{len(curves[0].levels)} levels{seeds} pooled",
            )
            if not isinstance(apart, str):
                least = _least_by_chance(curves[0], direction, limit.metric, limit.k)
                can_fail = apart.baseline - limit.margin > least
                found = _if_it_can_fail(
                    found, curves[0].clean.scores(direction), limit.k, can_fail=can_fail
                )
        return found

    def _errors(
        self, case: Case, direction: Direction, limit: BaselineLimit
    ) -> tuple[float, int]:
        """The error that a release may have, and the number of gates that a false block
        is shared out among.
        """
        decision = self.policy.decision(case, direction, (limit.name, limit.k))
        return 1 - decision.confidence, max(1, self.gates_of(case.model))

    def _without_baseline(
        self, case: Case, direction: Direction, limit: BaselineLimit
    ) -> Verdict | None:
        """The verdict where there is nothing to compare with, or where that is not comparable."""
        gate = gate_label(BASELINE, limit.k, direction, limit)
        if self.comparison is None:
            sentence = (
                f"{case.model} on {case.dataset}, {case.occluder}: not compared, for no"
                " baseline was given (--robust-baseline DIR, a folder that"
                " --robust-results wrote)."
            )
            return Verdict(case, gate, "ungated", None, -limit.margin, sentence)
        if self.comparison.obstacles:
            why = self.comparison.obstacles[0]
            sentence = (
                f"{case.model} on {case.dataset}, {case.occluder}: not comparable with"
                f" the baseline. {why}"
            )
            return Verdict(case, gate, "fail", None, -limit.margin, sentence)
        return None

    def _without_something_to_lose(
        self, case: Case, clean: Outcome, direction: Direction, limit: BaselineLimit
    ) -> Verdict | None:
        """The verdict where one of the two retrieves nothing, so that it keeps all of it."""
        if limit.metric not in ("retention", "half_level") or self.comparison is None:
            return None
        other, gate = (
            self.comparison.clean_of(clean),
            gate_label(BASELINE, limit.k, direction, limit),
        )
        if not Curve((clean,)).has_something_to_lose(limit.k, direction):
            return replace(
                _nothing_to_lose(
                    case, clean, limit.metric, limit.k, direction, -limit.margin
                ),
                gate=gate,
            )
        if other is not None and not Curve((other,)).has_something_to_lose(
            limit.k, direction
        ):
            sentence = (
                f"{case.model} on {case.dataset}: the baseline retrieves no better than"
                f" chance with nothing hidden, so its {limit.metric.replace('_', ' ')}"
                " is none to compare with. Take a baseline that works."
            )
            return Verdict(case, gate, "inconclusive", None, -limit.margin, sentence)
        return None

    def _paired(
        self,
        case: Case,
        direction: Direction,
        limit: BaselineLimit,
        apart: Difference | str,
        where: str,
    ) -> Verdict:
        decision = self.policy.decision(case, direction, (limit.name, limit.k))
        gate = gate_label(BASELINE, limit.k, direction, limit)
        if isinstance(apart, str):
            sentence = (
                f"{case.model} on {case.dataset}, {case.occluder}: not compared, for"
                f" {apart}."
            )
            return Verdict(case, gate, "inconclusive", None, -limit.margin, sentence)
        alpha, gates = self._errors(case, direction, limit)
        verdict = non_inferior(apart, limit.margin)
        more = (
            _queries_until_decided(apart, limit.margin, alpha, gates)
            if verdict == "inconclusive"
            else None
        )
        loss = apart.detectable_loss(
            limit.margin, alpha, gates, is_share=limit.metric in _SHARES
        )
        quantity = (
            "mean retention of Recall@{k}"
            if limit.metric == "retention"
            else _QUANTITIES[limit.metric]
        )
        sentence = (
            f"{case.model} on {case.dataset}, {case.occluder}, {where}, {direction}:"
            f" {quantity.format(k=limit.k)} is {apart.candidate:.3f},"
            f" {apart.value:+.3f} against the baseline's {apart.baseline:.3f} (at least"
            f" {apart.passes_at:+.3f}, at most"
            f" {apart.fails_at:+.3f}){_compared(verdict, limit.margin, more)}"
        )
        return Verdict(
            case,
            gate,
            verdict,
            apart.value,
            -limit.margin,
            sentence,
            bounds=(apart.passes_at, apart.fails_at),
            decided_by="bound",
            confidence=decision.confidence,
            detectable_loss=finite(loss),
            more_queries=more,
            tolerated=verdict == "inconclusive" and decision.tolerates_inconclusive,
            weak=bool(loss > _WEAK * apart.baseline),
        )


_SURE = 0.999
"""How likely a random order must reach a limit for the limit to ask nothing: as
`untrained`, the other way round.
"""


def _by_chance(scores: Scores, k: int) -> float:
    """The Recall@k that a random order reaches as good as surely: 1 where k is the
    whole gallery.
    """
    return surely_reached(scores.queries, scores.chance[k], _SURE)


def _least_by_chance(curve: Curve, direction: Direction, name: str, k: int) -> float:
    """The least that a number of a curve can be, where recall is no lower than what a
    random order surely has.
    """
    surely = min(_by_chance(outcome.scores(direction), k) for outcome in curve.outcomes)
    clean = curve.clean.recall(k, direction)
    if name == "slope":
        middle = math.fsum(curve.levels) / len(curve.levels)
        steepest = [1.0 if level <= middle else surely for level in curve.levels]
        return least_squares_slope(curve.levels, steepest)
    if name == "retention":
        return surely / clean if clean > 0 else 0.0
    if name == "half_level":
        # Half of the clean recall is out of reach, so that the half level is the last
        # one, whatever the model does.
        return curve.levels[-1] if surely > clean / 2 else 0.0
    return surely


def _if_it_can_fail(
    found: Verdict, scores: Scores, k: int, *, can_fail: bool
) -> Verdict:
    """The verdict; where a random order meets the limit too, a verdict that is not met
    and that says so.

    A floor of 0 is how a policy takes a broader gate away: it is not judged.
    """
    if can_fail or found.verdict == "fail":
        return found
    if found.limit == 0 and not found.gate.startswith((BASELINE, "slope")):
        return replace(
            found, verdict="ungated", weak=False, sentence=_switched_off(found)
        )
    sentence = (
        f"{found.gate} of {found.case} cannot fail: a random order meets it too, with"
        f" k={k} and a gallery of {scores.gallery} (chance {scores.chance[k]:.3f})."
        " Choose a smaller k, a stricter limit, or more pairs."
    )
    return replace(
        found, verdict="inconclusive", tolerated=False, weak=True, sentence=sentence
    )


def _switched_off(found: Verdict) -> str:
    return (
        f"{found.gate} of {found.case}: not judged, because a floor of 0 takes the gate"
        " away."
    )


def non_inferior(apart: Difference, margin: float) -> VerdictName:
    """Pass: the bound at the error alpha clears the margin. Fail: the bound at alpha /
    gates shows a loss beyond it.
    """
    if apart.passes_at >= -margin - ROUNDING:
        return "pass"
    return "fail" if apart.fails_at < -margin - ROUNDING else "inconclusive"


def _compared(verdict: VerdictName, margin: float, more: int | None) -> str:
    if verdict == "pass":
        return f": no loss beyond the margin of {margin:g}."
    if verdict == "fail":
        return f": a loss beyond the margin of {margin:g}."
    return f": whether it lost more than the margin of {margin:g} is open{_more(more)}."


def _queries_until_decided(
    apart: Difference, margin: float, alpha: float, gates: int
) -> int | None:
    """How many more queries until the difference, should it stay, passes or fails; None
    where none would do.
    """
    room = apart.value + margin
    if abs(room) < ROUNDING:
        return None
    z = normal_quantile(1 - alpha if room > 0 else 1 - alpha / gates)
    return max(1, math.ceil(apart.queries * ((z * apart.error / room) ** 2 - 1)))


def untrained(clean: Outcome) -> str | None:
    """A sentence when clean recall is not above chance (one-sided, 0.001, at one fixed
    k), else None.
    """
    scores = clean.image_to_report
    if retrieves(scores):
        return None
    k = chance_k(scores)
    return (
        f"Expected {clean.case.model} to retrieve better than chance with nothing"
        f" hidden, got clean Recall@{k}={scores.recall[k]:.3f} at a chance of"
        f" {scores.chance[k]:.3f} on {clean.case.dataset}. Its weights may not have"
        " been loaded, or it was trained on something else."
    )


def _value_of(curve: Curve, direction: Direction, name: str, k: int) -> float:
    if name == "retention":
        kept = curve.retention(k, direction)
        return math.nan if kept is None else kept[curve.levels[-1]]
    if name == "half_level":
        half = curve.half_level(k, direction)
        return math.inf if half is None else half
    if known_word("limit", name, OF_A_CURVE) == "auc":
        return curve.area(k, direction)
    return curve.slope(k, direction)


def _whole(curve: Curve) -> Case:
    """The case that stands for a whole curve: its highest level."""
    return curve.outcomes[-1].case


def _nothing_to_lose(
    case: Case, clean: Outcome, name: str, k: int, direction: Direction, limit: float
) -> Verdict:
    """What retrieves nothing keeps all of it: that must not pass."""
    sentence = (
        f"Expected {case.model} to retrieve better than chance with nothing hidden"
        f" before its {name.replace('_', ' ')} is judged, got clean"
        f" Recall@{k}={clean.recall(k, direction):.3f} {direction} on {case.dataset}."
        " Fix the model, or take the gate away."
    )
    return Verdict(case, gate_label(name, k, direction), "fail", None, limit, sentence)


def _decided(found: Estimate, limit: float, decision: Decision) -> VerdictName:
    """Point: the number itself. Bound: pass where the lower bound clears the limit,
    fail where the upper misses it.
    """
    if decision.by == "point":
        return pass_or_fail(found.value >= limit - ROUNDING)
    if found.low >= limit - ROUNDING:
        return "pass"
    return "fail" if found.high < limit - ROUNDING else "inconclusive"


def _ending(
    found: Estimate,
    limit: float,
    verdict: VerdictName,
    decision: Decision,
    more: int | None,
) -> str:
    told = {"pass": "at least", "fail": "below"}
    if decision.by == "point":
        return f", {told[verdict]} the floor of {limit:.3f}."
    if math.isinf(found.error) and math.isinf(found.low) and math.isinf(found.high):
        return (
            f": its bounds are unknown, so whether it reaches the floor of {limit:.3f}"
            " is open."
        )
    low = f"{found.low:.3f}" if math.isfinite(found.low) else "beyond the levels"
    high = f"{found.high:.3f}" if math.isfinite(found.high) else "no upper end"
    bounds = f" ({100 * decision.confidence:g} % bounds {low} and {high})"
    if verdict != "inconclusive":
        return f"{bounds}, {told[verdict]} the floor of {limit:.3f}."
    return (
        f"{bounds}: whether it reaches the floor of {limit:.3f} is open{_more(more)}."
    )


def _more(queries: int | None) -> str:
    if queries is None:
        return ""
    return f"; should the value stay, about {queries} more queries would settle it"


def _detectable(
    found: Estimate, limit: float, decision: Decision, *, is_share: bool
) -> float | None:
    """The loss from the observed value at which the gate fails with a probability of 0.8."""
    if not math.isfinite(found.error):
        return None
    deviates = normal_quantile(POWER) + (
        normal_quantile(decision.confidence) if decision.by == "bound" else 0.0
    )
    beyond = max(0.0, found.value - limit)
    if is_share:
        return detectable_loss_of_share(
            beyond, deviates, found.error, found.value, found.queries
        )
    return beyond + deviates * found.error


def weak_gates(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A warning where gates are too weak to mean anything."""
    weak = [
        verdict
        for verdict in verdicts
        if verdict.weak and verdict.detectable_loss is not None
    ]
    if not weak:
        return
    told = [
        f"{v.gate} of {v.case} (sees a loss from {v.detectable_loss:.3f} on)"
        for v in weak[:_TOLD]
    ]
    more = (
        ""
        if len(weak) <= _TOLD
        else f"; and {len(weak) - _TOLD} more (`-v` shows what each would see)"
    )
    yield (
        f"{len(weak)} gate{'s are' if len(weak) > 1 else ' is'} weak: half of what they"
        f" guard could be lost unnoticed (power 0.8): {'; '.join(told)}{more}. Raise"
        " the limit, pool over levels, or measure more queries."
    )
