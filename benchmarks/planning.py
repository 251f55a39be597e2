"""Whether gates pass and fail as often as `plan` says: `python -m benchmarks.planning`.

Pairs of runs are drawn from a truth that is known and judged by the package's own code.
Their rates stand beside the powers that the planner computes from the moments of that
truth: recalls, discordance, correlations between levels, design effects. The exit code
is 1 where one is further than two points off, by more than the number of pairs explains.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.rate_tables import Rate, Row, Table
from benchmarks.simulated_pairs import (
    ALPHA,
    DIRECTION,
    LEVELS,
    SINGLE,
    Floats,
    K,
    Measured,
    Setting,
    World,
)
from pytest_retrieval_robust.core.verdict import GateKind, VerdictName
from pytest_retrieval_robust.gate.curve_statistics import Statistic
from pytest_retrieval_robust.gate.difference import Errors, non_inferior
from pytest_retrieval_robust.gate.floors import Floor
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.power.cell import CellPower
from pytest_retrieval_robust.gate.power.curve_floor import CurveFloorPower, derivative
from pytest_retrieval_robust.gate.power.planned import GatePower
from pytest_retrieval_robust.gate.power.pooled import PairedLevels, PooledPower
from pytest_retrieval_robust.gate.power.recall_floor import RecallFloorPower
from pytest_retrieval_robust.gate.power.sampling import Sampling
from pytest_retrieval_robust.gate.power.solve import smallest_loss
from pytest_retrieval_robust.gate.rules import Rule
from pytest_retrieval_robust.retrieval.curve import Curve
from pytest_retrieval_robust.retrieval.intervals import POWER

NEAR = 0.02
"""How far a rate may be from the plan."""
GATES = 4
"""Baseline gates that share the error of a false block."""
ERRORS = Errors(ALPHA, GATES)
CONFIDENCE = 1 - ALPHA
EVERY = tuple(range(len(LEVELS)))


@dataclass(frozen=True)
class PlannedWorld:
    """A truth, and what a planner needs to know of it."""

    world: World

    @cached_property
    def _covariances(self) -> tuple[Floats, Floats]:
        return self.world.covariances(EVERY)

    @property
    def recalls(self) -> tuple[float, ...]:
        return tuple(self.world.baseline[list(EVERY)].tolist())

    def pooled(self, margin: float) -> PooledPower:
        count = len(EVERY)
        weights = np.full(count, 1 / count)
        of_query, of_pair = self._of_differences
        return PooledPower(
            PairedLevels(self.recalls, self._correlations, _correlations(of_query)),
            tuple(weights.tolist()),
            margin,
            ERRORS,
            self._sampling(of_query, of_pair, weights),
            float(np.mean(self.recalls)),
        )

    def cell(self, margin: float) -> CellPower:
        of_query, of_pair = self._of_differences
        return CellPower(
            self.recalls[SINGLE],
            self._correlations[SINGLE],
            margin,
            ERRORS,
            self._sampling(of_query, of_pair, _alone(SINGLE)),
        )

    def recall(self, floor: float) -> RecallFloorPower:
        of_query, of_pair = self._of_hits
        sampling = self._sampling(of_query, of_pair, _alone(SINGLE))
        return RecallFloorPower(
            self.recalls[SINGLE], floor, "bound", CONFIDENCE, sampling
        )

    def of_curve(self, kind: GateKind, floor: float) -> CurveFloorPower:
        """Retention at one level, or a number of the whole curve."""
        number = Statistic(kind.value)
        chosen = [0, SINGLE] if kind is GateKind.RETENTION else list(EVERY)
        of_query, of_pair = (each[np.ix_(chosen, chosen)] for each in self._of_hits)
        levels = tuple(LEVELS[place] for place in chosen)
        recalls = tuple(self.recalls[place] for place in chosen)
        weights = derivative(number, levels, np.array(recalls))
        return CurveFloorPower(
            number,
            levels,
            recalls,
            _correlations(of_query),
            floor,
            "bound",
            CONFIDENCE,
            self._sampling(of_query, of_pair, weights),
        )

    @property
    def _of_hits(self) -> tuple[Floats, Floats]:
        """(L, L) covariances of one model's hits, of one query and of two of a patient."""
        count = len(EVERY)
        of_query, of_pair = self._covariances
        return of_query[:count, :count], of_pair[:count, :count]

    @property
    def _of_differences(self) -> tuple[Floats, Floats]:
        """(L, L) covariances of the differences."""
        count = len(EVERY)
        sign = np.hstack([np.eye(count), -np.eye(count)])
        of_query, of_pair = self._covariances
        return sign @ of_query @ sign.T, sign @ of_pair @ sign.T

    @property
    def _correlations(self) -> tuple[float, ...]:
        """(L,) of the hits of both models at each level."""
        count = len(EVERY)
        correlations = np.array(_correlations(self._covariances[0]))
        return tuple(correlations[:count, count:].diagonal().tolist())

    def _sampling(self, of_query: Floats, of_pair: Floats, weights: Floats) -> Sampling:
        sizes = self.world.sizes
        queries = float(sizes.sum())
        pairs = float((sizes * (sizes - 1)).sum())
        alone = weights @ of_query @ weights
        effect = 1 + pairs * (weights @ of_pair @ weights) / (queries * alone)
        return Sampling.with_effect(tuple(sizes.tolist()), float(effect))


def _alone(place: int) -> Floats:
    weights = np.zeros(len(EVERY))
    weights[place] = 1
    return weights


def _correlations(covariances: Floats) -> tuple[tuple[float, ...], ...]:
    deviations = np.sqrt(covariances.diagonal())
    return tuple(map(tuple, (covariances / np.outer(deviations, deviations)).tolist()))


# What happens


def of_pooled(measured: Measured, margin: float) -> VerdictName:
    """The verdict of the gate over all levels."""
    return non_inferior(measured.pooled(GATES), margin)


def of_cell(measured: Measured, margin: float) -> VerdictName:
    """The verdict of the gate on one cell."""
    return non_inferior(measured.single(SINGLE, GATES), margin)


def of_floor(measured: Measured, kind: GateKind, floor: float) -> VerdictName:
    """The verdict of a floor of the candidate."""
    rule = Rule(
        "simulated", limits=(Floor(kind, K, floor),), settings={"decide": "bound"}
    )
    judge = Judge(Policy((rule,)), measured.comparison.candidate.evidence)
    cells = measured.cells
    if kind.is_of_a_curve:
        verdicts = judge.curve(Curve(tuple(cells[: len(LEVELS)])))
    else:
        verdicts = judge.cell(cells[SINGLE], cells[0])
    (verdict,) = [each for each in verdicts if each.gate.direction == DIRECTION]
    return verdict.verdict


# Beside the plan


@dataclass(frozen=True)
class Beside:
    """A gate of a truth, its plan, and how it is judged."""

    name: str
    world: World
    power: GatePower
    judged: Callable[[Measured], VerdictName]

    def compared(self, pairs: int, rng: np.random.Generator) -> Iterator[Row]:
        """How often it passes what is planned, and fails the smallest loss of the plan."""
        queries = int(self.world.sizes.sum())
        sample = self.power.sampling.at(queries)
        yield self._row("pass", self.power.passes(sample), self.world, pairs, rng)
        loss = smallest_loss(self.power, queries, POWER)
        # A loss of retention or of a slope is none of the same size at every level.
        if loss is not None and self.name in ("pooled", "cell", "recall", "auc"):
            worse = self.world.worse_by(loss)
            fails = self.power.fails(sample, loss)
            yield self._row("fail", fails, worse, pairs, rng, loss)

    def _row(
        self,
        verdict: VerdictName,
        theory: float,
        world: World,
        pairs: int,
        rng: np.random.Generator,
        loss: float = 0.0,
    ) -> Row:
        hits = 0
        for _ in range(pairs):
            judged = self.judged(Measured.drawn(world, rng))
            hits += judged == verdict
        lost = f" a loss of {loss:.3f}" if loss else ""
        rate = Rate(hits, pairs, (theory - NEAR, theory + NEAR))
        event = "passes" if verdict == "pass" else "fails"
        return f"{self.name} {event}{lost}", f"{100 * theory:.1f}", rate


def gates_of(world: World, margin: float) -> Iterator[Beside]:
    """One gate of each kind, whose limits are such that powers are neither 0 nor 1."""
    planned = PlannedWorld(world)
    queries = int(world.sizes.sum())
    pooled = planned.pooled(margin)
    yield Beside("pooled", world, pooled, lambda each: of_pooled(each, margin))
    cell = planned.cell(margin)
    yield Beside("cell", world, cell, lambda each: of_cell(each, margin))
    kinds = (GateKind.RECALL, GateKind.RETENTION, GateKind.AUC, GateKind.SLOPE)
    for kind in kinds:
        floor, power = _floor_of(planned, kind, queries)
        yield Beside(kind.value, world, power, _judge_of_floor(kind, floor))


def _judge_of_floor(kind: GateKind, floor: float) -> Callable[[Measured], VerdictName]:
    return lambda each: of_floor(each, kind, floor)


def _floor_of(
    planned: PlannedWorld, kind: GateKind, queries: int
) -> tuple[float, GatePower]:
    """The highest floor, to a hundredth, that passes with a power of 0.7."""

    def power_at(floor: float) -> GatePower:
        if kind is GateKind.RECALL:
            return planned.recall(floor)
        return planned.of_curve(kind, floor)

    floor = math.floor(100 * power_at(0.0).value) / 100
    while True:
        power = power_at(floor)
        if power.passes(power.sampling.at(queries)) >= 0.7:
            return floor, power
        floor = round(floor - 0.01, 2)


SETTINGS = (
    (Setting(300), 0.03),
    (Setting(1000), 0.02),
    (Setting(300, 2.5), 0.04),
    (Setting(1000, 2.5), 0.02),
    (Setting(500, 10), 0.05),
    (Setting(200, clean=(0.95, 0.98), last=(0.85, 0.92)), 0.03),
)
"""With the margin of the gates beside a baseline; the last but one has few patients, the last
few queries that differ.
"""


def tables(pairs: int, seed: int, chosen: Sequence[int]) -> Iterator[Table]:
    """One per chosen setting."""
    for number in chosen:
        setting, margin = SETTINGS[number]
        rng = np.random.default_rng([seed, number])
        world = setting.world(rng)
        rows: list[Row] = []
        for gate in gates_of(world, margin):
            rows += gate.compared(pairs, rng)
        patients = f", {len(world.sizes)} patients" if setting.studies > 1 else ""
        yield Table(
            f"{setting.queries:,} queries{patients}; margin {margin:g}",
            ("gate", "plan, %", "simulated, %"),
            tuple(rows),
        )


def main() -> int:
    """Print every table; 1 where a rate is too far from its plan."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="200 pairs")
    every = range(len(SETTINGS))
    parser.add_argument(
        "--only", nargs="+", type=int, choices=every, default=every, metavar="I"
    )
    chosen = parser.parse_args()
    pairs = 200 if chosen.quick else chosen.pairs
    start = time.perf_counter()
    outside = 0
    for table in tables(pairs, chosen.seed, chosen.only):
        print(f"{table}\n", flush=True)
        outside += table.outside
    print(
        f"{pairs:,} pairs, seed {chosen.seed}: {outside} further than two points off (in"
        f" bold); {time.perf_counter() - start:.0f} s"
    )
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
