"""The limit beside a saved run, the baseline or the reference: no loss beyond a margin,
on the same queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.cases import Case, Direction, Plan, clean_words, level_word, levels_word
from ..core.outcomes import finite
from ..core.roles import Role
from ..core.verdict import (
    METRICS,
    OVERS,
    GateKey,
    GateKind,
    Metric,
    Over,
    Verdict,
    VerdictName,
)
from ..core.words import counted, known_word
from ..retrieval.curve import Curve
from .chance import least_by_chance, nothing_to_lose, unless_it_cannot_fail
from .decision import ROUNDING, AttemptsSetting, Decision
from .difference import Difference, Errors, NotComparable, non_inferior
from .floors import WEAK
from .group_difference import GroupDifference
from .number_words import number_name, quantity, settled_by
from .small_groups import unless_groups_are_too_small

if TYPE_CHECKING:
    from .comparison import Comparison

_KINDS = {Role.BASELINE: GateKind.BASELINE, Role.REFERENCE: GateKind.REFERENCE}


@dataclass(frozen=True, repr=False)
class PairedNumbers:
    """What a limit beside a saved run is held against: curves of a model in one
    direction, and that run beside them.
    """

    curves: Sequence[Curve]
    """One per seed; of a single cell the curve of level 0 and the cell's level."""
    direction: Direction
    comparison: Comparison | NotComparable | None
    """None without a run in the limit's role."""
    gates: int
    """How many gates beside a saved run the policy plans for the model: one false alarm
    among them blocks a release.
    """

    @property
    def curve(self) -> Curve:
        """The first one: that of a cell, or one of several that start at the same cell."""
        return self.curves[0]

    @property
    def case(self) -> Case:
        """The case that stands for all of it: the highest level."""
        return self.curve.outcomes[-1].case

    @property
    def subject(self) -> str:
        return f"{self.case.model} on {self.case.dataset}, {self.case.occluder}"


@dataclass(frozen=True)
class BaselineLimit:
    """`not_worse_than_baseline = { k = 10, margin = 0.02, over = "levels" }`, or the same
    of the reference: no loss beyond the margin.
    """

    k: int
    margin: float
    over: Over = "levels"
    metric: Metric = "recall"
    stratum: str | None = None
    """Whose groups must all lose no more; None of all queries together."""
    role: Role = Role.BASELINE
    attempts: AttemptsSetting | None = None
    """None: as the settings say."""

    def __post_init__(self) -> None:
        known_word("over", self.over, OVERS)
        known_word("metric", self.metric, METRICS)

    @property
    def key(self) -> GateKey:
        return GateKey(
            _KINDS[self.role],
            self.k,
            over=self.over,
            metric=self.metric,
            stratum=self.stratum,
        )

    def gate(self, direction: Direction) -> GateKey:
        """The gate that its verdicts name."""
        return replace(self.key, direction=direction)

    def applies_at(self, case: Case) -> bool:
        """Whether there is something to judge: only recall can be lost at level 0."""
        return case.level > 0 or self.metric == "recall"

    def is_planned_at(self, case: Case, plan: Plan) -> bool:
        """Whether it is judged at this case, rather than once for all levels and seeds."""
        if self.over == "cells":
            return self.applies_at(case)
        is_last = case.level == plan.levels_of(case.family)[-1]
        return is_last and case.seed == plan.seeds[0]

    def judge(self, numbers: PairedNumbers, decision: Decision) -> Verdict:
        """Whether the candidate lost no more than the margin."""
        if numbers.comparison is None:
            sentence = (
                f"{numbers.subject}: not compared, because no {self.role} was given. Add"
                f" {self.role.option} DIR, a folder that --robust-results wrote."
            )
            return self._unmeasured(numbers, "ungated", sentence)
        # Another data set or a partial run must not pass as "no loss seen".
        if isinstance(numbers.comparison, NotComparable):
            sentence = (
                f"{numbers.subject}: not comparable with the {self.role}."
                f" {numbers.comparison.reason}"
            )
            return self._unmeasured(numbers, "fail", sentence)
        verdict = self._without_anything_to_lose(numbers, numbers.comparison)
        if verdict is not None:
            return verdict
        # A gate that the plan does not count, as in a test that judges one cell alone,
        # shares its error with none.
        gates = max(1, numbers.gates)
        errors = Errors(decision.error, gates, decision.passing_error)
        difference = self._difference(numbers, numbers.comparison, errors)
        if isinstance(difference, NotComparable):
            sentence = f"{numbers.subject}: not compared, because {difference.reason}."
            return self._unmeasured(numbers, "inconclusive", sentence)
        verdict = self._compared(numbers, difference, errors, decision)
        if isinstance(difference, GroupDifference):
            grouping = difference.grouping
            verdict = unless_groups_are_too_small(verdict, grouping, decision)
        scores = numbers.curve.clean.scores(numbers.direction)
        can_fail = self._can_fail(numbers, difference)
        return unless_it_cannot_fail(verdict, scores, self.k, can_fail=can_fail)

    # What cannot be judged

    def _without_anything_to_lose(
        self, numbers: PairedNumbers, comparison: Comparison
    ) -> Verdict | None:
        """The verdict where one of the two models retrieves nothing, else None."""
        if self.metric not in ("retention", "half_level"):
            return None
        metric = number_name(self.metric, numbers.case.family)
        curve = numbers.curve
        sentence = nothing_to_lose(curve, self.k, numbers.direction, metric)
        if sentence is not None:
            return self._unmeasured(numbers, "fail", sentence)
        clean = comparison.baseline_of(curve.clean)
        # Whether the saved run measured it at all is for the comparison to say.
        if clean is None:
            return None
        if Curve((clean,)).has_something_to_lose(self.k, numbers.direction):
            return None
        sentence = (
            f"{numbers.case.model} on {numbers.case.dataset}: the {self.role} retrieves no"
            f" better than chance {clean_words(numbers.case.family)}, so its {metric} is"
            f" undefined. Use a {self.role} that retrieves better than chance."
        )
        return self._unmeasured(numbers, "inconclusive", sentence)

    def _unmeasured(
        self, numbers: PairedNumbers, verdict: VerdictName, sentence: str
    ) -> Verdict:
        gate = self.gate(numbers.direction)
        return Verdict(numbers.case, gate, verdict, None, -self.margin, sentence)

    # What can be judged

    def _difference(
        self, numbers: PairedNumbers, comparison: Comparison, errors: Errors
    ) -> Difference | NotComparable:
        direction = numbers.direction
        if self.over == "cells":
            return comparison.of_cell(numbers.curve, direction, self, errors)
        return comparison.of_levels(numbers.curves, direction, self, errors)

    def _compared(
        self,
        numbers: PairedNumbers,
        difference: Difference,
        errors: Errors,
        decision: Decision,
    ) -> Verdict:
        verdict = non_inferior(difference, self.margin)
        more_queries = None
        if verdict == "inconclusive":
            more_queries = difference.queries_until_decided(self.margin, errors)
        loss = difference.detectable_loss(self.margin, errors)
        of_group = isinstance(difference, GroupDifference)
        ending = self._ending(verdict, more_queries, of_group=of_group)
        return Verdict(
            numbers.case,
            self.gate(numbers.direction),
            verdict,
            difference.value,
            -self.margin,
            f"{self._comparison_in_words(numbers, difference)}{ending}",
            bounds=(difference.passes_at, difference.fails_at),
            decided_by="bound",
            confidence=decision.passing_confidence,
            detectable_loss=finite(loss),
            more_queries=more_queries,
            tolerated=verdict == "inconclusive" and decision.tolerates_inconclusive,
            weak=bool(loss > WEAK * difference.baseline),
        )

    def _can_fail(self, numbers: PairedNumbers, difference: Difference) -> bool:
        """Whether a random order would fail it."""
        kind = GateKind(self.metric)
        least = least_by_chance(numbers.curve, numbers.direction, kind, self.k)
        if self.over == "cells":
            # A cell at which the saved run finds next to nothing has next to nothing to
            # lose, and may pass.
            return least <= 0 or difference.baseline > least + ROUNDING
        return difference.baseline - self.margin > least

    # Its sentence

    def _comparison_in_words(
        self, numbers: PairedNumbers, difference: Difference
    ) -> str:
        family = numbers.case.family
        subject = quantity(GateKind(self.metric), self.k, family)
        if self.metric == "retention":
            subject = f"mean {subject}"
        if isinstance(difference, GroupDifference):
            subject += f" of the worst group of {self.stratum}, {difference.group},"
        return (
            f"{numbers.subject}, {self._where(numbers)}, {numbers.direction}:"
            f" {subject} is {difference.candidate:.3f}, {difference.value:+.3f} against"
            f" the {self.role}'s {difference.baseline:.3f} (at least"
            f" {difference.passes_at:+.3f}, at most {difference.fails_at:+.3f})"
        )

    def _where(self, numbers: PairedNumbers) -> str:
        if self.over == "cells":
            return f"{level_word(numbers.case.family)} {numbers.case.level:g}"
        seeds = ""
        if len(numbers.curves) > 1:
            seeds = f" and {len(numbers.curves)} seeds"
        family = numbers.case.family
        levels = counted(
            len(numbers.curve.levels), level_word(family), levels_word(family)
        )
        return f"{levels}{seeds} pooled"

    def _ending(
        self, verdict: VerdictName, more_queries: int | None, *, of_group: bool
    ) -> str:
        margin = f"the margin of {self.margin:g}"
        if verdict == "pass":
            return f": no loss beyond {margin}."
        if verdict == "fail":
            return f": a loss beyond {margin}."
        # None where the loss is as large as the margin, or nearly so.
        end = "; should the value stay, more queries would hardly settle it"
        if more_queries is not None:
            end = settled_by(more_queries, " of a group" if of_group else "")
        return f": whether it lost more than {margin} is open{end}."
