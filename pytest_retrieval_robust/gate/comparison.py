"""What differs between a candidate's run and a baseline's, on the same queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product

import numpy as np

from ..core.cases import DIRECTIONS, Direction, Family
from ..core.outcomes import Outcome
from ..core.roles import Role
from ..retrieval.curve import Curve, chance_k
from .baseline import BaselineLimit
from .cell_difference import CellDifference, cell_difference
from .comparability import obstacles
from .difference import Difference, Errors, NotComparable
from .error_ratios import PairedErrors
from .evidence import hits_of
from .grouping import Grouping, RunGroups
from .number_words import number_name, takes_two_levels
from .paired_groups import (
    DifferenceOf,
    nothing_to_lose,
    shared_grouping,
    worst_difference,
)
from .paired_hits import PairedHits
from .pairing import Orders, Pairing
from .pairing import Run as Run  # whoever compares runs finds them here too
from .perturbed import Perturbed, hidden_outcomes


def compare(
    candidate: Run,
    baseline: Run,
    orders: Orders | None = None,
    role: Role = Role.BASELINE,
) -> Comparison | NotComparable:
    """The comparison of two runs, or the first reason why there is none.

    `orders` are what earlier comparisons of the same two runs found out of their queries.
    """
    pairing = Pairing(candidate, baseline, orders, role)
    reasons = obstacles(pairing)
    return NotComparable(reasons[0]) if reasons else Comparison(pairing)


class Comparison:
    """What differs between two runs that may be compared."""

    def __init__(self, pairing: Pairing) -> None:
        self.pairing = pairing
        self.candidate = pairing.candidate
        self.baseline = pairing.baseline
        self.role = pairing.role

    @property
    def _other_ranks(self) -> NotComparable:
        return NotComparable(
            "the ranks of both runs do not belong to the same queries: make the"
            f" {self.role} again"
        )

    def baseline_of(self, outcome: Outcome) -> Outcome | None:
        """What the baseline measured of the same case."""
        return self.baseline.measured.by_case.get(outcome.case)

    def cells(self, ks: Sequence[int] | None = None) -> Iterator[CellDifference]:
        """Every cell that both runs have, in both directions and at every k of the
        candidate.
        """
        for outcome in self._shared_outcomes():
            measured_ks = ks or sorted(outcome.image_to_report.recall)
            for direction, k in product(DIRECTIONS, measured_ks):
                hits = self.paired_hits([outcome], direction, k)
                if hits is not None:
                    yield cell_difference(outcome.case, direction, k, hits)

    def of_levels(
        self,
        curves: Sequence[Curve],
        direction: Direction,
        limit: BaselineLimit,
        errors: Errors,
    ) -> Difference | NotComparable:
        """Candidate minus baseline over the levels of the curves of one model, data set
        and occluder: one curve per seed.
        """
        levels = curves[0].levels
        if len(levels) == 1 and limit.metric != "recall":
            family = curves[0].clean.case.family
            name = number_name(limit.metric, family)
            return NotComparable(f"{name} {takes_two_levels(family)}")
        pooled = self.hits_of_curves(curves, direction, limit.k)
        if isinstance(pooled, NotComparable):
            return pooled
        return self._over_groups(
            curves[0].clean,
            direction,
            limit,
            pooled,
            lambda hits, shared: hits.over_levels(limit.metric, levels, shared),
            errors,
        )

    def hits_of_curves(
        self, curves: Sequence[Curve], direction: Direction, k: int
    ) -> PairedHits | NotComparable:
        """The hits at every level of the curves of one model, data set and occluder, in
        the mean over the seeds: one curve per seed.
        """
        for outcome in (each for curve in curves for each in curve.outcomes):
            if self.baseline_of(outcome) is None:
                return NotComparable(
                    f"the {self.role} has no {outcome.case}: measure it with these models,"
                    f" {_asked_words(outcome.case.family)} and seeds"
                )
        seeds: list[PairedHits] = []
        for curve in curves:
            hits = self.paired_hits(curve.outcomes, direction, k)
            if hits is None:
                return self._other_ranks
            seeds.append(hits)
        # A query that is hit with half of the mask layouts is half a hit.
        return PairedHits(
            np.mean([hits.candidate for hits in seeds], axis=0),
            np.mean([hits.baseline for hits in seeds], axis=0),
            seeds[0].clusters,
        )

    def errors(
        self, perturbed: Perturbed, direction: Direction, k: int
    ) -> PairedErrors | NotComparable:
        """The errors of both runs at k, with nothing done and under each perturbation."""
        clean = next(iter(perturbed.values()))[0].clean
        together = [[clean], *map(hidden_outcomes, perturbed.values())]
        every: list[PairedHits] = []
        for outcomes in together:
            for outcome in outcomes:
                if self.baseline_of(outcome) is None:
                    return NotComparable(
                        f"the {self.role} has no {outcome.case}: measure it with the same"
                        " perturbations, levels and seeds"
                    )
            hits = self.paired_hits(outcomes, direction, k)
            if hits is None:
                return self._other_ranks
            every.append(hits)
        return PairedErrors.of(every[0], every[1:])

    def of_cell(
        self, curve: Curve, direction: Direction, limit: BaselineLimit, errors: Errors
    ) -> Difference | NotComparable:
        """Candidate minus baseline of one cell, given as the curve from level 0 to it."""
        outcome = curve.outcomes[-1]
        if any(self.baseline_of(each) is None for each in (curve.clean, outcome)):
            return NotComparable(
                f"the {self.role} has no {outcome.case}: measure it there too"
            )
        outcomes = [outcome] if limit.metric == "recall" else curve.outcomes
        hits = self.paired_hits(outcomes, direction, limit.k)
        if hits is None:
            return self._other_ranks

        def difference_of(hits: PairedHits, errors: Errors) -> Difference:
            if limit.metric == "recall":
                return hits.of_recall(errors)
            return hits.over_levels(limit.metric, curve.levels, errors)

        return self._over_groups(
            curve.clean, direction, limit, hits, difference_of, errors
        )

    def _over_groups(
        self,
        clean: Outcome,
        direction: Direction,
        limit: BaselineLimit,
        hits: PairedHits,
        difference_of: DifferenceOf,
        errors: Errors,
    ) -> Difference | NotComparable:
        """The difference of all queries, or that of the worst group of a limit's stratum."""
        if limit.stratum is None:
            return difference_of(hits, errors)
        grouping = self.grouping(clean.case.dataset, limit.stratum, direction)
        if isinstance(grouping, NotComparable):
            return grouping
        if limit.metric in ("retention", "half_level"):
            scores = clean.scores(direction)
            k = chance_k(scores)
            of_clean = self.paired_hits([clean], direction, k)
            if of_clean is None:
                return self._other_ranks
            problem = nothing_to_lose(
                of_clean, hits, grouping, scores.chance[k], self.role
            )
            if problem is not None:
                return problem
        return worst_difference(hits, grouping, difference_of, errors)

    def grouping(
        self, dataset: str, stratum: str, direction: Direction
    ) -> Grouping | NotComparable:
        """The groups of a stratum, which must be the same in both runs."""
        own, theirs = (
            groups.grouping(dataset, stratum, direction) for groups in self._groups
        )
        order = self.pairing.order(dataset, direction)
        if order is None:
            return self._other_ranks
        return shared_grouping(own, theirs, order, self.role)

    @cached_property
    def _groups(self) -> list[RunGroups]:
        """Those of the candidate and of the baseline."""
        return [
            RunGroups(run.evidence, run.measured.datasets)
            for run in (self.candidate, self.baseline)
        ]

    def _shared_outcomes(self) -> Iterator[Outcome]:
        """The candidate's outcomes that the baseline has too. Level 0 is one cell,
        whatever the occluder and seed.
        """
        clean: set[tuple[str, str]] = set()
        for outcome in self.candidate.measured.outcomes:
            if self.baseline_of(outcome) is None:
                continue
            if outcome.case.level == 0:
                subject = (outcome.case.model, outcome.case.dataset)
                if subject in clean:
                    continue
                clean.add(subject)
            yield outcome

    def paired_hits(
        self, outcomes: Sequence[Outcome], direction: Direction, k: int
    ) -> PairedHits | None:
        """The hits of outcomes that both runs have; None where their ranks are missing
        or belong to other queries.
        """
        dataset = outcomes[0].case.dataset
        order = self.pairing.order(dataset, direction)
        if order is None:
            return None
        candidate_ranks = []
        baseline_ranks = []
        for outcome in outcomes:
            beside = self.baseline_of(outcome)
            if beside is None:
                return None
            ranks = self.candidate.evidence.ranks(outcome, direction)
            ranks_beside = self.baseline.evidence.ranks(beside, direction)
            if ranks is None or ranks_beside is None:
                return None
            if not len(ranks) == len(ranks_beside) == len(order):
                return None
            candidate_ranks.append(ranks)
            # The baseline's ranks, in the order of the candidate's queries.
            baseline_ranks.append(ranks_beside[order])
        return PairedHits(
            hits_of(candidate_ranks, [k]),
            hits_of(baseline_ranks, [k]),
            self.candidate.evidence.clusters(dataset, direction, len(order)),
        )


def _asked_words(family: Family) -> str:
    if family == "occlusion":
        return "occluders, levels"
    return "corruptions, severities" if family == "corruption" else "noise, severities"
