"""What releases have lost together: Recall@k beside the reference, over all levels and
seeds, of the candidate and of the baseline that it is to replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ..core.cases import DIRECTIONS, Direction, Family, PlannedPerturbation
from ..core.roles import Role
from ..core.verdict import GateKind, Verdict
from ..retrieval.curve import Curve
from .baseline import BaselineLimit
from .comparison import Comparison, compare
from .corruption_table import shown_k
from .difference import Difference, Errors, NotComparable
from .pairing import Run
from .perturbed import Perturbed, whole_perturbations

_BOTH_ENDS = Errors(0.025)
"""Of each end of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Change:
    """Mean Recall@k of one run minus that of the reference, on the same queries."""

    recall: float
    """Of the run, over all levels and seeds."""
    value: float
    low: float
    high: float
    """Two-sided 95 % interval of the change."""

    @classmethod
    def of(cls, difference: Difference) -> Change:
        return cls(
            difference.candidate,
            difference.value,
            difference.passes_at,
            difference.fails_at,
        )


@dataclass(frozen=True)
class AccumulatedChange:
    """One model, data set and perturbation beside the reference, in one direction."""

    model: str
    dataset: str
    family: Family
    occluder: str
    """The perturbation's name, whatever its family."""
    direction: Direction
    k: int
    reference: float
    """Mean Recall@k of the reference."""
    candidate: Change
    baseline: Change | None
    """None without a baseline that has the same cells and may be compared with the
    reference, and where the baseline is the reference.
    """


def accumulated_changes(
    comparison: Comparison, baseline: Run | None, verdicts: Sequence[Verdict]
) -> Iterator[AccumulatedChange]:
    """Every model, data set and perturbation of which the candidate and the reference
    have all planned cells. At the k that reports show, and at those of gates beside the
    reference: resampling takes its time.
    """
    measured = comparison.candidate.measured
    ks = _ks_of_gates(verdicts) | {shown_k(verdicts, measured.plan.ks)}
    released = _Released.beside(comparison, baseline)
    for (model, dataset), perturbed in whole_perturbations(measured).items():
        for perturbation, curves in perturbed.items():
            for direction, k in product(DIRECTIONS, sorted(ks)):
                candidate = _difference(comparison, curves, direction, k)
                if candidate is None:
                    continue
                yield AccumulatedChange(
                    model,
                    dataset,
                    perturbation.family,
                    perturbation.name,
                    direction,
                    k,
                    candidate.baseline,
                    Change.of(candidate),
                    released.change((model, dataset), perturbation, direction, k),
                )


def _ks_of_gates(verdicts: Sequence[Verdict]) -> set[int]:
    gates = [v.gate for v in verdicts if v.gate.kind is GateKind.REFERENCE]
    return {gate.k for gate in gates if gate.k is not None}


def _difference(
    comparison: Comparison, curves: Sequence[Curve], direction: Direction, k: int
) -> Difference | None:
    if k not in curves[0].clean.scores(direction).recall:
        return None
    # No margin: the difference alone is asked for, and its two ends.
    limit = BaselineLimit(k, 0.0, role=Role.REFERENCE)
    difference = comparison.of_levels(curves, direction, limit, _BOTH_ENDS)
    return None if isinstance(difference, NotComparable) else difference


@dataclass(frozen=True, repr=False)
class _Released:
    """The baseline beside the reference: what was lost before the candidate."""

    comparison: Comparison | None
    curves: dict[tuple[str, str], Perturbed]

    @classmethod
    def beside(cls, candidate: Comparison, baseline: Run | None) -> _Released:
        if baseline is None:
            return cls(None, {})
        # The baseline need not fit the candidate: it is held against the reference.
        comparison = compare(baseline, candidate.baseline, role=Role.REFERENCE)
        mine = candidate.candidate.measured.plan
        theirs = baseline.measured.plan
        is_same = (mine.levels, mine.severities, mine.seeds) == (
            theirs.levels,
            theirs.severities,
            theirs.seeds,
        )
        # Means over other levels say nothing beside each other.
        if isinstance(comparison, NotComparable) or not is_same:
            return cls(None, {})
        return cls(comparison, whole_perturbations(baseline.measured))

    def change(
        self,
        subject: tuple[str, str],
        perturbation: PlannedPerturbation,
        direction: Direction,
        k: int,
    ) -> Change | None:
        curves = self.curves.get(subject, {}).get(perturbation)
        if self.comparison is None or curves is None:
            return None
        difference = _difference(self.comparison, curves, direction, k)
        return None if difference is None else Change.of(difference)
