"""How often bounds over few and unequal patients are right: `python -m
benchmarks.gate_rates_patients`.

A grid of patients, sizes, recall, and how alike a patient's queries are. For each setting
candidates that are worse by exactly the margin are drawn, many at once, and judged. The
bounds of cells and of Recall@k are the package's own; those of pooled gates are its
bootstrap over all pairs together (`tests/gate/test_gate_rates_patients.py` compares both).
The exit code is 1 where a rate is outside of what is promised by more than the number of
pairs explains. The whole grid takes five minutes on two cores, `--quick` a third.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from benchmarks.rate_tables import Range, Rate, Row, Table
from benchmarks.simulated_pairs import ALPHA, Floats, Ints
from pytest_retrieval_robust.gate.paired_hits import DiscordantQueries
from pytest_retrieval_robust.retrieval.bootstrap import RESAMPLES, draws
from pytest_retrieval_robust.retrieval.intervals import (
    normal_quantile,
    proportion,
)
from pytest_retrieval_robust.retrieval.patients import PatientSizes, are_too_few

MARGIN = 0.05
PATIENTS = (20, 50, 200, 2000)
PER_PATIENT = 5
EXPONENTS = {"equal": 0.0, "uneven": 0.5, "zipf": 1.0}
"""How the queries of patients fall with their rank: as its power."""
RECALLS = (0.6, 0.95)
CORRELATIONS = (0.1, 0.4)
"""Of a patient's normal variables: of hits they are about half of it."""
ALIKE = (0.6, 0.9)
"""Of the normal variables of both models."""
RELEASED = ALPHA + 0.005
COVERED = (0.94, 0.96)
MANY = 100
"""Degrees of freedom from which intervals cover no more than they should, either."""
_AT_ONCE = 400_000
"""Queries of all pairs that are drawn together: 30 MB."""


@dataclass(frozen=True)
class Corner:
    """One setting of the grid."""

    patients: int
    sizes: str
    recall: float
    correlation: float
    alike: float

    @property
    def drawn_sizes(self) -> Ints:
        """(C,) queries of each patient: all equal, or as a power of their rank has them
        (G. K. Zipf's law: 1).
        """
        shares = np.arange(1.0, self.patients + 1) ** -EXPONENTS[self.sizes]
        total = self.patients * PER_PATIENT
        sizes: Ints = np.round(shares / shares.sum() * total).astype(np.int64)
        return np.maximum(1, sizes)


@dataclass(frozen=True, repr=False)
class Hits:
    """(T, N) hits of T pairs of models on the same patients' queries."""

    candidate: Floats
    baseline: Floats
    sizes: Ints

    @property
    def patients(self) -> PatientSizes:
        return PatientSizes(self.sizes)

    def sums(self, values: Floats) -> Floats:
        """(T, C) sums over each patient's queries."""
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        sums: Floats = np.add.reduceat(values, starts, axis=1)
        return sums

    def design_effects(self, values: Floats) -> Floats:
        """(T,) as `design_effect` has them, of all pairs together."""
        centred = values - values.mean(axis=1, keepdims=True)
        usual = (centred**2).sum(axis=1)
        between = self.sums(centred) ** 2 @ self.patients.leverage
        varies = usual >= 1e-12
        effects = between / np.where(varies, usual, 1.0)
        return np.where(varies, np.maximum(1.0, effects), self.patients.largest_effect)


def drawn(corner: Corner, pairs: int, rng: np.random.Generator) -> Hits:
    """Pairs whose candidate is worse by the margin."""
    sizes = corner.drawn_sizes
    numbers = np.repeat(np.arange(len(sizes)), sizes)

    def part() -> Floats:
        alone = rng.standard_normal((pairs, len(numbers)))
        shared = rng.standard_normal((pairs, len(sizes)))[:, numbers]
        correlated: Floats = math.sqrt(1 - corner.correlation) * alone
        correlated += math.sqrt(corner.correlation) * shared
        return correlated

    both = math.sqrt(corner.alike) * part()
    own = math.sqrt(1 - corner.alike)
    candidate = both + own * part() < normal_quantile(corner.recall - MARGIN)
    baseline = both + own * part() < normal_quantile(corner.recall)
    return Hits(candidate.astype(np.float64), baseline.astype(np.float64), sizes)


def pooled_bounds(hits: Hits) -> Floats:
    """(T,) lower bounds of the difference of recall at one level, as
    `PairedHits.over_levels` has them before its floor.
    """
    patients = hits.patients
    difference = hits.candidate - hits.baseline
    sums = hits.sums(difference)
    usual = patients.queries / patients.count
    differing = (hits.sums(np.abs(difference)) > 0).sum(axis=1)
    squares = (sums**2).sum(axis=1) / usual**2
    gain = np.minimum(1.0, np.sqrt((1 + squares) / (1 + differing)))
    mean = difference.mean(axis=1)
    pseudo = np.stack([mean + gain, mean - gain], axis=1) * usual
    table = np.hstack([sums, pseudo]).astype(np.float32)
    sizes = np.append(patients.sizes, [usual, usual]).astype(np.float32)
    samples = np.empty((RESAMPLES, len(table)), dtype=np.float32)
    start = 0
    for times in draws(patients.count + 2, RESAMPLES, 0):
        weights = times.astype(np.float32)
        stop = start + len(times)
        samples[start:stop] = (weights @ table.T) / (weights @ sizes)[:, None]
        start = stop
    share = patients.tail_share(ALPHA)
    if share * RESAMPLES < 10:
        far: Floats = samples.mean(0) + normal_quantile(share) * samples.std(0)
        return far
    place = math.floor((RESAMPLES - 1) * share)
    low: Floats = np.partition(samples, place, axis=0)[place].astype(np.float64)
    return low


@dataclass(frozen=True)
class Counts:
    """What happened in the pairs of a corner."""

    corner: Corner
    degrees_of_freedom: float
    pairs: int
    pooled: int
    cells: int
    recall_held: int
    difference_held: int

    @property
    def decides(self) -> bool:
        """Whether such patients decide a gate at all."""
        return not are_too_few(self.degrees_of_freedom)


def counts_of(corner: Corner, pairs: int, seed: int) -> Counts:
    """Judge so many pairs of a corner."""
    place = hash_of(corner)
    rng = np.random.default_rng([seed, place])
    queries = int(corner.drawn_sizes.sum())
    step = max(1, _AT_ONCE // queries)
    totals = np.zeros(4, dtype=np.int64)
    for start in range(0, pairs, step):
        totals += _judged(corner, drawn(corner, min(step, pairs - start), rng))
    degrees = PatientSizes(corner.drawn_sizes).degrees_of_freedom
    return Counts(corner, degrees, pairs, *map(int, totals))


def hash_of(corner: Corner) -> int:
    """A number of the corner's own, so that each has its own pairs."""
    return list(corners()).index(corner)


def _judged(corner: Corner, hits: Hits) -> Ints:
    patients = hits.patients
    df = patients.degrees_of_freedom
    difference = hits.candidate - hits.baseline
    effects = hits.design_effects(difference)
    of_recall = hits.design_effects(hits.candidate)
    pooled = pooled_bounds(hits)
    totals = np.zeros(4, dtype=np.int64)
    for number, (of_pair, effect) in enumerate(zip(difference, effects, strict=True)):
        counts = DiscordantQueries(
            int((of_pair > 0).sum()),
            int((of_pair < 0).sum()),
            patients.queries,
            float(effect),
            df,
        )
        low = counts.bounds(ALPHA)[0]
        inner, outer = counts.bounds(0.025)
        recall = proportion(
            float(hits.candidate[number].mean()),
            patients.queries,
            0.975,
            float(of_recall[number]),
            df,
        )
        totals += [
            # Where hardly any patient differs, the pooled bound has that of the cell
            # for a floor: it is none the higher.
            min(pooled[number], low) >= -MARGIN
            if (hits.sums(np.abs(of_pair[None])) > 0).sum() < 30
            else pooled[number] >= -MARGIN,
            low >= -MARGIN,
            recall.low <= corner.recall - MARGIN <= recall.high,
            inner <= -MARGIN <= outer,
        ]
    return totals


def corners() -> Iterator[Corner]:
    """The grid."""
    for patients, sizes, recall, correlation, alike in product(
        PATIENTS, EXPONENTS, RECALLS, CORRELATIONS, ALIKE
    ):
        yield Corner(patients, sizes, recall, correlation, alike)


def table_of(all_counts: Sequence[Counts]) -> Table:
    """A line per number of patients and kind of sizes, over the rest of the grid."""
    rows: list[Row] = []
    for patients, sizes in product(PATIENTS, EXPONENTS):
        own = [
            each
            for each in all_counts
            if (each.corner.patients, each.corner.sizes) == (patients, sizes)
        ]
        if own:
            rows.append(_row(own))
    return Table(
        f"A candidate worse by exactly the margin of {MARGIN:g} (at most"
        f" {100 * RELEASED:g} % released, {100 * COVERED[0]:g} to {100 * COVERED[1]:g} %"
        f" covered, or more below {MANY} degrees of freedom)",
        (
            "patients, queries",
            "degrees of freedom",
            "pooled released",
            "its worst setting",
            "cell released",
            "its worst setting",
            "Recall@k covered",
            "difference covered",
        ),
        tuple(rows),
    )


def _row(own: Sequence[Counts]) -> Row:
    first = own[0]
    queries = int(first.corner.drawn_sizes.sum())
    title = f"{first.corner.patients:,} {first.corner.sizes}, {queries:,}"
    # Intervals of few or unequal patients are wider than they need to be, and nothing is
    # promised of them where patients decide no gate.
    covered: Range | None = COVERED
    if first.degrees_of_freedom < MANY:
        covered = (COVERED[0], 1.0)
    if not first.decides:
        covered = None
    released = (0.0, RELEASED)
    cells: list[Rate | str] = []
    for field, promised in (
        ("pooled", released),
        ("cells", released),
        ("recall_held", covered),
        ("difference_held", covered),
    ):
        hits = [getattr(each, field) for each in own]
        if field in ("pooled", "cells") and not first.decides:
            hits = [0] * len(hits)
        cells.append(Rate(sum(hits), sum(each.pairs for each in own), promised))
        if promised == released:
            cells.append(f"{100 * max(hits) / first.pairs:.1f}")
    return (title, f"{first.degrees_of_freedom:.1f}", *cells)


def main() -> int:
    """Print the table; 1 where something is outside of what is promised."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=600, help="per setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="200 pairs per setting")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    pairs = 200 if chosen.quick else chosen.pairs
    start = time.perf_counter()
    judge = partial(counts_of, pairs=pairs, seed=chosen.seed)
    if chosen.processes == 1:
        all_counts = list(map(judge, corners()))
    else:
        with ProcessPoolExecutor(chosen.processes) as pool:
            all_counts = list(pool.map(judge, corners()))
    table = table_of(all_counts)
    print(f"{pairs:,} pairs per setting, seed {chosen.seed}\n\n{table}")
    print(
        f"\n{table.outside} outside of what is promised (in bold);"
        f" {time.perf_counter() - start:.0f} s"
    )
    return 1 if table.outside else 0


if __name__ == "__main__":
    sys.exit(main())
