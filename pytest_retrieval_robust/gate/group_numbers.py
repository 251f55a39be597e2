"""Recall@k by group: of every cell, in both directions, with intervals that hold for all
groups of a stratum together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np

from ..core.cases import DIRECTIONS, Case, Direction
from ..core.outcomes import Outcome, finite
from ..core.strata import GroupKind
from ..core.verdict import Verdict
from ..retrieval.group_bounds import (
    Floats,
    GroupRecalls,
    Members,
    retention_bounds,
)
from .comparison import Comparison
from .difference import NotComparable
from .evidence import Evidence
from .grouping import Group, Grouping, RunGroups
from .measurements import Measurements
from .paired_groups import hits_of_group
from .paired_hits import PairedHits

Ends: TypeAlias = tuple[float | None, float | None]
"""An interval; None where it has no end."""
_TAIL = 0.025
"""Of each side of an interval of 95 %: the groups of a stratum share it."""


@dataclass(frozen=True)
class GroupRecall:
    """What is known of one group in one cell.

    Intervals hold 95 % for all judged groups of the stratum together (Bonferroni).
    """

    name: str
    kind: GroupKind
    queries: int
    patients: int
    recall: float | None = None
    """None of a group that is too small, like all that follows."""
    recall_interval: Ends | None = None
    retention: float | None = None
    """Recall / that with nothing done; None at level 0 and where that is 0."""
    retention_interval: Ends | None = None
    difference: float | None = None
    """Recall minus the baseline's on the same queries; None without a baseline."""
    difference_interval: Ends | None = None


@dataclass(frozen=True)
class CellGroups:
    """The groups of one stratum in one cell, direction and k."""

    case: Case
    direction: Direction
    k: int
    stratum: str
    groups: tuple[GroupRecall, ...]
    """Those with queries in this direction, in the order of the data set's record."""

    @property
    def judged(self) -> tuple[GroupRecall, ...]:
        """The groups that are large enough."""
        return tuple(group for group in self.groups if group.recall is not None)

    @property
    def worst(self) -> GroupRecall | None:
        """The judged group with the lowest recall; None where none is large enough."""
        return min(self.judged, key=lambda group: group.recall or 0.0, default=None)

    @property
    def gap(self) -> float | None:
        """The highest recall of a judged group minus the lowest; None below two groups."""
        recalls = [group.recall for group in self.judged if group.recall is not None]
        return max(recalls) - min(recalls) if len(recalls) > 1 else None


def group_numbers(
    measured: Measurements,
    evidence: Evidence,
    comparison: Comparison | NotComparable | None,
    verdicts: Sequence[Verdict],
) -> Iterator[CellGroups]:
    """Every cell of a data set with strata, in the order of the outcomes.

    At the largest k, as in other tables, and at those of gates on groups. Level 0 stands once per
    model and data set, whatever the perturbation and seed.
    """
    groups = RunGroups(evidence, measured.datasets)
    beside = comparison if isinstance(comparison, Comparison) else None
    table = _Table(groups, evidence, beside)
    ks = sorted({k_of_groups((), measured.plan.ks), *_gated(verdicts)})
    for outcome in _each_once(measured.outcomes):
        clean = measured.by_case.get(outcome.case.clean())
        for direction, stratum in product(
            DIRECTIONS, groups.strata(outcome.case.dataset)
        ):
            yield from table.cells(outcome, clean, direction, stratum, ks)


def k_of_groups(verdicts: Sequence[Verdict], ks: Sequence[int]) -> int:
    """The k at which reports show groups: the smallest that a gate on groups names, else
    the largest; 0 without any.
    """
    return min(_gated(verdicts), default=max(ks, default=0))


def _gated(verdicts: Sequence[Verdict]) -> set[int]:
    gates = [each.gate for each in verdicts if each.gate.stratum is not None]
    return {gate.k for gate in gates if gate.k is not None}


def _each_once(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    clean: set[tuple[str, str]] = set()
    for outcome in outcomes:
        subject = (outcome.case.model, outcome.case.dataset)
        if outcome.case.level == 0:
            if subject in clean:
                continue
            clean.add(subject)
        yield outcome


@dataclass(frozen=True)
class _Table:
    groups: RunGroups
    evidence: Evidence
    comparison: Comparison | None

    def cells(
        self,
        outcome: Outcome,
        clean: Outcome | None,
        direction: Direction,
        stratum: str,
        ks: Sequence[int],
    ) -> Iterator[CellGroups]:
        """The groups of one cell, at each k that it has; none without ranks."""
        dataset = outcome.case.dataset
        grouping = self.groups.grouping(dataset, stratum, direction)
        ranks = self.evidence.ranks(outcome, direction)
        if isinstance(grouping, NotComparable) or ranks is None:
            return
        before = None
        if outcome.case.level > 0 and clean is not None:
            before = self.evidence.ranks(clean, direction)
        for k in ks:
            if k not in outcome.scores(direction).recall:
                continue
            hits = (ranks <= k).astype(np.float64)
            clean_hits = None if before is None else (before <= k).astype(np.float64)
            paired = self._paired(outcome, direction, stratum, k)
            numbers = _numbers_of(grouping, hits, clean_hits, paired)
            yield CellGroups(outcome.case, direction, k, stratum, tuple(numbers))

    def _paired(
        self, outcome: Outcome, direction: Direction, stratum: str, k: int
    ) -> PairedHits | None:
        """The hits beside the baseline's; None where it groups the queries otherwise."""
        if self.comparison is None:
            return None
        dataset = outcome.case.dataset
        grouping = self.comparison.grouping(dataset, stratum, direction)
        if isinstance(grouping, NotComparable):
            return None
        return self.comparison.paired_hits([outcome], direction, k)


def _numbers_of(
    grouping: Grouping, hits: Floats, clean: Floats | None, paired: PairedHits | None
) -> Iterator[GroupRecall]:
    judged = grouping.judged
    members = [group.members for group in judged]
    tail = _TAIL / max(1, len(judged))
    recalls = GroupRecalls(hits, members)
    bounds = dict(zip(judged, recalls.bounds(tail), strict=True))
    for group in grouping.groups:
        size = (group.members.queries, group.members.patients)
        if group not in bounds:
            yield GroupRecall(group.name, group.kind, *size)
            continue
        yield GroupRecall(
            group.name,
            group.kind,
            *size,
            float(hits[group.members.rows].mean()),
            bounds[group],
            *_retention(clean, hits, group.members, tail),
            *_difference(paired, group, tail),
        )


def _retention(
    clean: Floats | None, hits: Floats, members: Members, tail: float
) -> tuple[float | None, Ends | None]:
    if clean is None or not clean[members.rows].any():
        return None, None
    low, high = retention_bounds(clean, hits, members, tail)
    kept = hits[members.rows].mean() / clean[members.rows].mean()
    return float(kept), (low, finite(high))


def _difference(
    paired: PairedHits | None, group: Group, tail: float
) -> tuple[float | None, Ends | None]:
    if paired is None:
        return None, None
    own = hits_of_group(paired, group)
    difference = float(own.candidate.mean() - own.baseline.mean())
    return difference, own.discordant().bounds(tail)
