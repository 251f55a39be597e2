"""Pairs of simulated runs whose truth is known, for `gate_rates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import Case, Direction, Plan
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing
from pytest_retrieval_robust.core.verdict import Metric, Over
from pytest_retrieval_robust.gate.comparison import Comparison, Run
from pytest_retrieval_robust.gate.difference import Difference, Errors, NotComparable
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.limits import BaselineLimit
from pytest_retrieval_robust.gate.measurements import Identity, Measurements, Scope
from pytest_retrieval_robust.gate.pairing import Pairing
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.rules import Rule
from pytest_retrieval_robust.retrieval.curve import Curve
from pytest_retrieval_robust.retrieval.intervals import normal_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
OCCLUDERS = 4
GATES = OCCLUDERS * len(LEVELS)
"""The gates that a policy over cells plans for that many occluders."""
K = 10
ALPHA = 0.05
MARGIN = 0.02
SINGLE = 3
"""The cell that speaks for the single gates: the first occluder at level 0.3."""
DIRECTION: Direction = "image-to-report"
_MODEL = "model"
_DATASET = "simulated"
_PERFECT = 1 - 1e-12
"""A correlation that counts as 1, at which the density has no value."""


@dataclass(frozen=True)
class World:
    """What is true of a pair of models and of the patients that they are measured on.

    A query is hit if a normal variable is below the threshold of its recall. The
    variable of a model is a part that both models share and one of its own. Of each
    part, one share is the patient's, and one the query's at all levels and occluders.
    """

    baseline: Floats
    """(C,) true recall in each cell."""
    candidate: Floats
    alike: float
    """Correlation of the two models' variables."""
    patient: float
    """Share of the variance that a patient's queries have in common, at all levels."""
    query: float
    """Share that a query has in common over the cells, beyond its patient's."""
    sizes: Ints
    """Queries of each patient."""

    @cached_property
    def patients(self) -> Ints:
        """(N,) the patient of each query."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def worse_by(self, loss: float) -> World:
        """The same patients, with a candidate that loses so much in every cell."""
        return replace(self, candidate=self.baseline - loss)

    def drawn(self, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """(N, C) ranks of the candidate and of the baseline: 1 where a query is hit."""
        shared = np.sqrt(self.alike) * self._part(rng)
        candidate = shared + np.sqrt(1 - self.alike) * self._part(rng)
        baseline = shared + np.sqrt(1 - self.alike) * self._part(rng)
        return _ranks(candidate, self.candidate), _ranks(baseline, self.baseline)

    def _part(self, rng: np.random.Generator) -> Floats:
        """(N, C) standard normal variables, correlated within queries and patients."""
        shape = (len(self.patients), len(self.baseline))
        alone = 1 - self.patient - self.query
        part: Floats = np.sqrt(alone) * rng.standard_normal(shape)
        part += np.sqrt(self.query) * rng.standard_normal((shape[0], 1))
        of_patients = rng.standard_normal((len(self.sizes), 1))
        part += np.sqrt(self.patient) * of_patients[self.patients]
        return part

    def error(self, cells: Sequence[int]) -> float:
        """The true standard error of the mean difference over the cells, patients and all."""
        count = len(cells)
        weights = np.repeat([1 / count, -1 / count], count)
        of_queries, of_pairs = self.covariances(cells)
        queries = float(self.sizes.sum())
        pairs = float((self.sizes * (self.sizes - 1)).sum())
        variance = queries * (weights @ of_queries @ weights)
        variance += pairs * (weights @ of_pairs @ weights)
        return float(np.sqrt(variance) / queries)

    def covariances(self, cells: Sequence[int]) -> tuple[Floats, Floats]:
        """(2 C, 2 C) covariances of the hits of one query, and of two of one patient: the
        candidate's in the cells, then the baseline's.
        """
        chosen = list(cells)
        count = len(chosen)
        recalls = np.concatenate([self.candidate[chosen], self.baseline[chosen]])
        # Correlations of two variables, by their models and by their levels.
        of_models = np.array([[1.0, self.alike], [self.alike, 1.0]])
        models = np.repeat(np.repeat(of_models, count, 0), count, 1)
        levels = np.full((count, count), self.patient + self.query)
        np.fill_diagonal(levels, 1.0)
        same_query = models * np.tile(levels, (2, 2))
        same_patient = models * self.patient
        # Covariances of hits: beyond what independent ones would have.
        independent = np.outer(recalls, recalls)
        of_queries = both_below(recalls, same_query) - independent
        of_pairs = both_below(recalls, same_patient) - independent
        return of_queries, of_pairs


def _ranks(variables: Floats, recalls: Floats) -> Ints:
    thresholds = np.array([normal_quantile(recall) for recall in recalls])
    return np.where(variables < thresholds, 1, 1000)


def both_below(shares: Floats, correlations: Floats) -> Floats:
    """(A, A) P(X < a, Y < b) of normal variables, a and b the quantiles of `shares`; by
    Gauss and Legendre.

    The density integrated over the correlation (Z. Drezner and G. O. Wesolowsky, 1990),
    in its angle.
    """
    quantiles = np.array([normal_quantile(share) for share in shares])
    a = quantiles[:, None, None]
    b = quantiles[None, :, None]
    nodes, weights = np.polynomial.legendre.leggauss(64)
    reach = np.arcsin(np.minimum(correlations, _PERFECT))[:, :, None]
    angles = reach * (nodes + 1) / 2
    exponent = (a * a + b * b - 2 * a * b * np.sin(angles)) / (2 * np.cos(angles) ** 2)
    integral = (np.exp(-exponent) @ weights) * reach[:, :, 0] / (4 * np.pi)
    both: Floats = np.outer(shares, shares) + integral
    # Of one and the same variable the smaller share decides.
    is_same = correlations >= _PERFECT
    both[is_same] = np.minimum.outer(shares, shares)[is_same]
    return both


@dataclass(frozen=True)
class Setting:
    """What a simulation's pairs have in common."""

    queries: int
    studies: float = 1.0
    """The mean number per patient."""
    agreement: float | None = None
    """Correlation of the hits of the two models where recall is a half; None: from 0.5
    to 0.85, at random.
    """
    occluders: int = 1
    clean: tuple[float, float] = (0.8, 0.95)
    """The range of the recall at level 0."""
    last: tuple[float, float] = (0.3, 0.5)
    """The range of the recall at the last level."""

    def world(self, rng: np.random.Generator) -> World:
        """A pair of equal models, whose recall falls straight or bent."""
        clean = rng.uniform(*self.clean)
        last = rng.uniform(*self.last)
        bend = rng.uniform(0.7, 1.6)
        falling = clean - (clean - last) * (np.array(LEVELS) / LEVELS[-1]) ** bend
        recalls: Floats = np.tile(falling, self.occluders)
        agreement = self.agreement
        if agreement is None:
            agreement = rng.uniform(0.5, 0.85)
        return World(
            recalls,
            recalls,
            alike=float(np.sin(np.pi / 2 * agreement)),
            patient=rng.uniform(0.2, 0.5),
            query=rng.uniform(0.2, 0.4),
            sizes=_sizes(self.queries, self.studies, rng),
        )

    def __str__(self) -> str:
        patients = ""
        if self.studies > 1:
            patients = f" of {self.queries / self.studies:,.0f} patients"
        return f"{self.queries:,} queries{patients}"


def _sizes(queries: int, studies: float, rng: np.random.Generator) -> Ints:
    """Studies of each patient, together `queries`: one and a geometric number more."""
    sizes = rng.geometric(1 / studies, size=queries).astype(np.int64)
    needed = int(np.searchsorted(np.cumsum(sizes), queries)) + 1
    sizes = sizes[:needed]
    sizes[-1] -= sizes.sum() - queries
    return sizes


@dataclass(frozen=True)
class ArraysInMemory:
    """A run's ranks and patients."""

    ranks: Mapping[str, Ints]
    patients: Ints

    def of_case(self, ranks_key: str) -> Mapping[str, Ints] | None:
        ranks = self.ranks.get(ranks_key)
        return None if ranks is None else {"image_ranks": ranks, "report_ranks": ranks}

    def of_dataset(self, name: str) -> Mapping[str, Ints] | None:
        if name != _DATASET:
            return None
        keys = np.arange(len(self.patients))
        return {
            "image_query_key": keys,
            "report_query_key": keys,
            "cluster": self.patients,
            "report_cluster": self.patients,
        }


def run_of(name: str, ranks: Ints, patients: Ints) -> Run:
    """A run of one model whose cells are the columns of `ranks`, an occluder's levels
    after another's.
    """
    outcomes = tuple(_outcome(number, column) for number, column in enumerate(ranks.T))
    occluders = tuple(dict.fromkeys(outcome.case.occluder for outcome in outcomes))
    measured = Measurements(
        identity=Identity(name, "2026-01-01T00:00:00+00:00", "0"),
        scope=Scope(None, "pytest"),
        limit=None,
        plan=Plan((_MODEL,), (_DATASET,), occluders, LEVELS, (0,), (K,)),
        outcomes=outcomes,
        costs=(),
        breaking=(),
        counterfactuals=(),
        models=(),
        datasets=({"name": _DATASET},),
        broken=(),
        broken_tests=0,
        notes=(),
    )
    columns = {
        str(outcome.case): column
        for outcome, column in zip(outcomes, ranks.T, strict=True)
    }
    return Run(measured, Evidence(ArraysInMemory(columns, patients)))


def _outcome(number: int, ranks: Ints) -> Outcome:
    occluder, level = divmod(number, len(LEVELS))
    case = Case(_MODEL, _DATASET, f"occluder-{occluder}", LEVELS[level], 0)
    recall = float((ranks <= K).mean())
    queries = len(ranks)
    scores = Scores(
        queries, queries, {K: K / queries}, {K: recall}, {K: (0.0, 1.0)}, 1.0, recall
    )
    return Outcome(
        case,
        case.level,
        case.level,
        scores,
        scores,
        Timing(1.0, 1.0, 0.0, "cpu", "fp32"),
        str(case),
    )


@dataclass(frozen=True)
class Measured:
    """Two runs that were drawn from a world, side by side."""

    comparison: Comparison

    @classmethod
    def drawn(
        cls, world: World, rng: np.random.Generator, *, heeds_patients: bool = True
    ) -> Measured:
        candidate_ranks, baseline_ranks = world.drawn(rng)
        patients = world.patients
        if not heeds_patients:
            patients = np.arange(len(candidate_ranks))
        candidate = run_of("candidate", candidate_ranks, patients)
        baseline = run_of("baseline", baseline_ranks, patients)
        return cls(Comparison(Pairing(candidate, baseline)))

    @property
    def cells(self) -> Sequence[Outcome]:
        return self.comparison.candidate.measured.outcomes

    @property
    def curve(self) -> Curve:
        """That of the first occluder."""
        return Curve(tuple(self.cells[: len(LEVELS)]))

    def pooled(
        self, gates: int = 1, metric: Metric = "recall", alpha: float = ALPHA
    ) -> Difference:
        """The first curve's difference, over its levels."""
        limit = BaselineLimit(K, MARGIN, "levels", metric)
        errors = Errors(alpha, gates)
        return _known(self.comparison.of_levels([self.curve], DIRECTION, limit, errors))

    def single(
        self, cell: int = SINGLE, gates: int = 1, alpha: float = ALPHA
    ) -> Difference:
        """The difference in one cell."""
        limit = BaselineLimit(K, MARGIN, "cells")
        curve = Curve((self.cells[0], self.cells[cell]))
        errors = Errors(alpha, gates)
        return _known(self.comparison.of_cell(curve, DIRECTION, limit, errors))

    def stated_loss(self, over: Over, gates: int, cell: int = SINGLE) -> float:
        """The smallest detectable loss that the verdict states."""
        limit = BaselineLimit(K, MARGIN, over)
        policy = Policy((Rule("simulated", limits=(limit,)),))
        judge = Judge(policy, comparison=self.comparison, gates_of=lambda _: gates)
        if over == "levels":
            verdicts = judge.baseline([self.curve])
        else:
            verdicts = judge.cell(self.cells[cell], self.cells[0])
        losses = [verdict.detectable_loss for verdict in verdicts]
        (loss,) = [loss for loss in losses if loss is not None]
        return loss


def _known(difference: Difference | NotComparable) -> Difference:
    if isinstance(difference, NotComparable):
        raise ValueError(difference.reason)
    return difference
