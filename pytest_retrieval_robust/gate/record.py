"""From what was measured to one record of the run: verdicts, intervals, what was not
judged, and whether it passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from ..core.cases import Case, Json
from ..core.roles import Role
from ..core.verdict import GateKind, Verdict, VerdictName
from ..core.words import counted
from .attempts import AttemptNumbers, AttemptRecord
from .changed_answers import ChangedAnswers, changed_answers
from .compared_runs import (
    Against,
    BaselineRecord,
    ReferenceRecord,
    baseline_record,
    reference_record,
)
from .comparison import Comparison
from .corruption_table import CorruptionErrors, corruption_errors, shown_k
from .curve_intervals import CurveIntervals, CurveKey, curve_intervals
from .difference import NotComparable
from .every_verdict import every_verdict
from .failures import failures, reason_not_judged
from .group_numbers import CellGroups, group_numbers
from .grouping import RunGroups
from .judge import Judge
from .judged import Ending, Judged
from .measurements import Measurements
from .pairing import Run
from .plan import paired_gates
from .policy import Policy
from .release import Release, Status
from .seed_spread import LayoutVariation, layout_variation
from .warnings import warnings

__all__ = ["Against", "BaselineRecord", "Ending", "RunRecord", "judge_run"]


@dataclass(frozen=True, repr=False)
class RunRecord(Measurements):
    """Everything that reports are made of."""

    gates_sha256: str | None
    policy: tuple[Json, ...]
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    """Why the release gate fails. Where this is empty it need not have passed: see `release`."""
    intervals: Mapping[CurveKey, CurveIntervals]
    layouts: tuple[LayoutVariation, ...]
    baseline: BaselineRecord | None
    replayed: bool = False
    results: Path | None = None
    reports: tuple[Path, ...] = ()
    measure_only: bool = False
    """`--robust-measure-only`: no gate was judged."""
    not_judged: str | None = None
    """Why no gate counts as met, and what to do about it; None where one does."""
    changed: tuple[ChangedAnswers, ...] = ()
    """Of each cell above level 0, in the order of the outcomes."""
    corruption_errors: tuple[CorruptionErrors, ...] = ()
    """Beside the baseline; none without one."""
    groups: tuple[CellGroups, ...] = ()
    """Recall by group of each cell; none without strata."""
    reference: ReferenceRecord | None = None
    attempt: AttemptRecord | None = None
    """None where it is no attempt against a saved run, or nobody counts them."""
    tables_left_out: int = 0
    """Tables of the policy about levels or severities that the options left out."""
    tables_unmatched: int = 0
    """Tables of the policy about perturbations that the options left out."""

    @property
    def release(self) -> Release:
        """The decision: what the last line, every report and the exit status say."""
        if self.failures:
            return Release(Status.FAILED, self.failures)
        if self.measure_only:
            measured = sum(
                map(
                    len,
                    (
                        self.outcomes,
                        self.costs,
                        self.breaking,
                        self.counterfactuals,
                        self.drift,
                    ),
                )
            )
            return Release(
                Status.MEASURED_ONLY,
                (*self._narrowed(), counted(measured, "measurement")),
            )
        if self.not_judged is not None:
            return Release(Status.NOT_JUDGED, (self.not_judged,))
        return Release(Status.PASSED, (*self._narrowed(), ", ".join(self._counts())))

    def _narrowed(self) -> Iterator[str]:
        """What keeps this from being the whole suite on the whole of the data."""
        if self.scope.partial is not None:
            yield f"partial: {self.scope.partial}"
        if self.limit is not None:
            yield f"smoke run: the first {counted(self.limit, 'pair')}"

    def _counts(self) -> Iterator[str]:
        """How many gates were met, and how many were left out and why."""
        yield counted(self.verdict_counts()["pass"], "gate met", "gates met")
        ungated = [v.gate.kind for v in self.verdicts if v.verdict == "ungated"]
        cells = ungated.count(GateKind.NONE)
        uncompared = Counter(kind.compared_with for kind in ungated)
        elsewhere = sum(kind.is_absolute for kind in ungated)
        unprinted = ungated.count(GateKind.DRIFT)
        taken_away = uncompared[None] - cells - elsewhere - unprinted
        tolerated = sum(verdict.tolerated for verdict in self.verdicts)
        untested = sum(not model.tested for model in self.models)
        for count, noun, words in (
            (tolerated, "gate", "inconclusive, which the policy allows"),
            (cells, "cell", "ungated"),
            *((uncompared[role], "gate", f"without a {role}") for role in Role),
            (elsewhere, "gate", "for other hardware"),
            (unprinted, "gate", "without a fingerprint"),
            (taken_away, "gate", "taken away by a limit of 0"),
            (self.tables_left_out, "gate table", "at a level that was left out"),
            (
                self.tables_unmatched,
                "gate table",
                "about a perturbation that was left out",
            ),
            (untested, "model", "not tested"),
        ):
            if count:
                yield f"{counted(count, noun)} {words}"

    @cached_property
    def shown_k(self) -> int:
        """The k at which reports show what has room for one k alone.

        Reports ask for it at each row, and it takes a look at every verdict.
        """
        return shown_k(self.verdicts, self.plan.ks)

    @cached_property
    def cell_verdicts(self) -> Mapping[Case, set[VerdictName]]:
        """What the gates on single cells say of each case; curves and costs have
        verdicts of their own.
        """
        verdicts: dict[Case, set[VerdictName]] = {}
        for verdict in self.verdicts:
            gate = verdict.gate
            # A run that is missing leaves a cell as its other gates have it.
            is_uncompared = gate.kind.is_paired and verdict.verdict == "ungated"
            is_of_cell = gate.is_of_a_cell or gate.kind is GateKind.ABOVE_CHANCE
            if is_of_cell and not is_uncompared:
                verdicts.setdefault(verdict.case, set()).add(verdict.verdict)
        return verdicts

    def verdict_counts(self) -> dict[VerdictName, int]:
        """Verdicts by their name."""
        counts = Counter(verdict.verdict for verdict in self.verdicts)
        names: tuple[VerdictName, ...] = ("pass", "fail", "inconclusive", "ungated")
        return {name: counts[name] for name in names}


def judge_run(
    run: Run,
    policy: Policy,
    against: Against,
    ending: Ending | None = None,
    *,
    against_reference: Against | None = None,
    attempts: AttemptNumbers | None = None,
) -> RunRecord:
    """Judge a run that has been measured, now or at another time, beside the baseline and
    the reference. Nothing is measured here.

    `attempts` says which attempt against them it is, where that is counted.
    """
    against_reference = against_reference or Against()
    ending = ending or Ending()
    if ending.measure_only:
        policy = Policy()
    measured = run.measured
    comparison = against.comparison(run, Role.BASELINE)
    comparison_with_reference = against_reference.comparison(run, Role.REFERENCE)
    planned = tuple(policy.planned(measured.plan))
    verdicts: tuple[Verdict, ...] = ()
    if not ending.measure_only:
        gates_of = paired_gates(planned).__getitem__
        run.evidence.expect(measured.outcomes)
        judge = Judge(
            policy,
            run.evidence,
            comparison,
            gates_of,
            RunGroups(run.evidence, measured.datasets),
            comparison_with_reference,
            attempts,
        )
        verdicts = tuple(every_verdict(judge, measured))
    baseline = baseline_record(run, against.run, comparison)
    reference = reference_record(
        run, against_reference.run, comparison_with_reference, against.run, verdicts
    )
    judged = Judged(
        measured,
        policy,
        planned,
        verdicts,
        against,
        baseline,
        ending,
        against_reference,
        reference,
    )
    of_measurements = {
        field.name: getattr(measured, field.name) for field in fields(Measurements)
    }
    return RunRecord(
        **of_measurements,
        gates_sha256=policy.sha256,
        policy=policy.tables,
        verdicts=verdicts,
        warnings=warnings(judged),
        failures=failures(judged),
        intervals=dict(curve_intervals(measured.curves, run.evidence)),
        layouts=tuple(layout_variation(measured.curves, run.evidence)),
        baseline=baseline,
        replayed=ending.replayed,
        measure_only=ending.measure_only,
        not_judged=reason_not_judged(judged),
        changed=tuple(changed_answers(measured, run.evidence)),
        corruption_errors=_corruption_errors(measured, comparison, verdicts),
        groups=tuple(group_numbers(measured, run.evidence, comparison, verdicts)),
        reference=reference,
        tables_left_out=policy.left_out_by_level(measured.plan),
        tables_unmatched=policy.left_out_by_name(planned, measured.plan),
    )


def _corruption_errors(
    measured: Measurements,
    comparison: Comparison | NotComparable | None,
    verdicts: tuple[Verdict, ...],
) -> tuple[CorruptionErrors, ...]:
    if not isinstance(comparison, Comparison):
        return ()
    return tuple(corruption_errors(measured, comparison, verdicts))
