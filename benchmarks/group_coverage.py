"""How often intervals hold for all groups of a stratum together: `python -m
benchmarks.group_coverage`.

Recalls of the groups are known, patients may have queries in several groups, and
queries of a patient are alike. Beside the package's bounds, whose groups share the error,
stands the greatest studentised deviation over resampled patients (max |t|).
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.group_bounds import (
    Floats,
    GroupRecalls,
    Members,
    retention_bounds,
)

_ALIKE = 0.3
"""The part of what decides a hit that is the patient's."""
_RESAMPLES = 500


@dataclass(frozen=True)
class Setting:
    """Who the queries are of."""

    groups: int
    patients: int
    studies: float
    """Queries of a patient in the mean; 1: none repeats."""
    shared: bool
    """Whether a patient's queries are in several groups, as views are."""
    recall: float
    """Of the first group; each further one has 0.05 less."""

    def __str__(self) -> str:
        among = "shared by groups" if self.shared else "each in one group"
        return (
            f"{self.groups} groups, {self.patients} patients {among},"
            f" {self.studies:g} queries each, recall {self.recall:g}"
        )


SETTINGS = (
    Setting(2, 60, 1, False, 0.8),
    Setting(4, 200, 1, False, 0.8),
    Setting(4, 200, 2.5, False, 0.8),
    Setting(4, 200, 2.5, True, 0.8),
    Setting(4, 400, 2.5, True, 0.97),
    Setting(8, 400, 2.5, True, 0.6),
)


def held(setting: Setting, runs: int, seed: int = 0) -> dict[str, float]:
    """The share of runs in which each kind of interval or bound held for all groups."""
    rng = np.random.default_rng(seed)
    codes, patients = _queries(setting, rng)
    every = Clusters.of(patients)
    members = [
        Members(np.flatnonzero(codes == group), every)
        for group in range(setting.groups)
    ]
    clean = np.maximum(setting.recall - 0.05 * np.arange(setting.groups), 0.05)
    kept = np.linspace(0.5, 0.8, setting.groups)
    tail = 0.025 / setting.groups
    counts = dict.fromkeys(("recall", "retention", "gap", "max |t|"), 0)
    for _ in range(runs):
        before, after = _hits(rng, codes, patients, (clean, clean * kept))
        recalls = GroupRecalls(before, members)
        counts["recall"] += _all_within(np.array(recalls.bounds(tail)), clean)
        kept_bounds = [
            retention_bounds(before, after, group, tail) for group in members
        ]
        counts["retention"] += _all_within(np.array(kept_bounds), kept)
        _, high = recalls.gap_bounds(0.05)
        counts["gap"] += bool(high.max() >= clean.max() - clean.min())
        counts["max |t|"] += _all_within(_by_max_t(before, codes, every, rng), clean)
    return {name: count / runs for name, count in counts.items()}


def _queries(
    setting: Setting, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group and the patient of each query."""
    sizes = 1 + rng.poisson(setting.studies - 1, setting.patients)
    patients = np.repeat(np.arange(setting.patients), sizes)
    weights = 1 / np.arange(1.0, setting.groups + 1)
    weights /= weights.sum()
    drawn = len(patients) if setting.shared else setting.patients
    codes = rng.choice(setting.groups, drawn, p=weights)
    return (codes if setting.shared else np.repeat(codes, sizes)), patients


def _hits(
    rng: np.random.Generator,
    codes: NDArray[np.int64],
    patients: NDArray[np.int64],
    recalls: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Hits of each query at two recalls, by group."""
    own = math.sqrt(_ALIKE) * rng.standard_normal(patients.max() + 1)[patients]
    able = own + math.sqrt(1 - _ALIKE) * rng.standard_normal(len(patients))
    later = 0.8 * able + 0.6 * rng.standard_normal(len(patients))
    before, after = (
        np.array([NormalDist().inv_cdf(share) for share in recall])[codes]
        for recall in recalls
    )
    return (able < before).astype(np.float64), (later < after).astype(np.float64)


def _all_within(bounds: Floats, truth: Floats) -> bool:
    return bool(((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).all())


def _by_max_t(
    hits: Floats, codes: NDArray[np.int64], every: Clusters, rng: np.random.Generator
) -> Floats:
    """(G, 2) intervals from the greatest |t| of any group in resamples of the patients."""
    groups = codes.max() + 1
    table = np.zeros((2, every.count, groups))
    np.add.at(table[0], (every.numbers, codes), hits)
    np.add.at(table[1], (every.numbers, codes), 1.0)
    # Two hits and two misses are added, or groups without a miss would have no width.
    total_hits, total = table.sum(axis=1)
    share = (total_hits + 2) / (total + 4)
    residuals = table[0] - table[1] * (total_hits / total)
    error = np.maximum(
        np.sqrt((residuals**2).sum(axis=0)) / total,
        np.sqrt(share * (1 - share) / (total + 4)),
    )
    times = rng.multinomial(
        every.count, np.full(every.count, 1 / every.count), _RESAMPLES
    )
    samples = (times @ table[0] + 2) / (times @ table[1] + 4)
    reach = np.quantile(np.abs((samples - share) / error).max(axis=1), 0.95)
    return np.stack([share - reach * error, share + reach * error], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(
        f"{runs} runs a line; the error of a share of 95 % is"
        f" {100 * math.sqrt(0.05 * 0.95 / runs):.1f} points"
    )
    for setting in SETTINGS:
        shares = held(setting, runs)
        words = ", ".join(f"{name} {100 * one:.1f}" for name, one in shares.items())
        print(f"{setting}: {words}", flush=True)


if __name__ == "__main__":
    main()
