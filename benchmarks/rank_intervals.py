"""How often intervals of ranks hold the true order: `python -m benchmarks.rank_intervals`.

Models are drawn whose true recalls are known, on patients who repeat. An interval per
model is made by each method, and what counts is whether all of them hold the true ranks at
once. Equal models may have any of the ranks that they share, and their interval must hold
all of these. `[TRIALS]` is the number of draws of each world (300).

* `percentile`: 95 % of the ranks in samples of the patients;
* `percentile, shared`: the same with the error shared among the models;
* `signs, Holm`: pairs by the signs of patients, adjusted by Holm;
* `signs`: what the package does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.adjusted_p import holm
from pytest_retrieval_robust.retrieval.bootstrap import Clusters, resampled_means
from pytest_retrieval_robust.retrieval.intervals import normal_quantile
from pytest_retrieval_robust.retrieval.rank_intervals import (
    ALPHA,
    AllPairs,
    compare_all,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = tuple[Ints, Ints]
"""(M,) the best and the worst rank of each model."""

WORLDS: Mapping[str, tuple[float, ...]] = {
    "6 equal": (0.6,) * 6,
    "6 nearly equal": tuple(0.6 + 0.0005 * place for place in range(6)),
    "10 nearly equal": tuple(0.8 + 0.002 * place for place in range(10)),
    "3 pairs of equals": (0.5, 0.5, 0.6, 0.6, 0.75, 0.75),
    "6 apart by 0.02": tuple(0.6 + 0.02 * place for place in range(6)),
    "6 apart by 0.08": tuple(0.4 + 0.08 * place for place in range(6)),
}
SIZES = ((500, 500), (500, 200), (500, 50))
"""Queries and patients. Where these differ, few patients have most of the queries."""
_RESAMPLES = 1_000
_MODELS_ALIKE = 0.6
"""Correlation of two models' variables."""
_QUERIES_ALIKE = 0.4
"""Correlation of the variables of a patient's queries."""


def main() -> None:
    """Print a table: coverage of all ranks in %, and the mean number of ranks left."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"| models | queries, patients | {' | '.join(_METHODS)} |")
    print(f"| --- | --- |{' --- |' * len(_METHODS)}")
    for name, recalls in WORLDS.items():
        for queries, patients in SIZES:
            cells = " | ".join(_simulated(np.array(recalls), queries, patients, trials))
            print(f"| {name} | {queries}, {patients} | {cells} |", flush=True)


def _simulated(
    recalls: Floats, queries: int, patients: int, trials: int
) -> Iterator[str]:
    rng = np.random.default_rng(0)
    best = 1 + (recalls[None, :] > recalls[:, None]).sum(axis=1)
    worst = len(recalls) - (recalls[None, :] < recalls[:, None]).sum(axis=1)
    held = dict.fromkeys(_METHODS, 0)
    ranks_left = dict.fromkeys(_METHODS, 0.0)
    for _ in range(trials):
        labels = _labels(rng, queries, patients)
        hits = _hits(rng, recalls, labels)
        for method, (low, high) in _intervals(hits, Clusters.of(labels)).items():
            held[method] += bool(((low <= best) & (worst <= high)).all())
            ranks_left[method] += float((high - low + 1).mean())
    for method in _METHODS:
        yield f"{100 * held[method] / trials:.1f} ({ranks_left[method] / trials:.1f})"


def _labels(rng: np.random.Generator, queries: int, patients: int) -> Ints:
    """The patient of each query: each has one, and the others go by Zipf's law."""
    shares = 1 / np.arange(1, patients + 1)
    more = rng.choice(patients, queries - patients, p=shares / shares.sum())
    return np.append(np.arange(patients), more).astype(np.int64)


def _hits(rng: np.random.Generator, recalls: Floats, labels: Ints) -> Floats:
    """(N, M) hits of models that are alike, by queries that are."""

    def part(width: int) -> Floats:
        own = rng.standard_normal((len(labels), width))
        of_patients = rng.standard_normal((labels.max() + 1, width))[labels]
        variables: Floats = np.sqrt(1 - _QUERIES_ALIKE) * own
        variables += np.sqrt(_QUERIES_ALIKE) * of_patients
        return variables

    shared = np.sqrt(_MODELS_ALIKE) * part(1)
    variables: Floats = shared + np.sqrt(1 - _MODELS_ALIKE) * part(len(recalls))
    thresholds = np.array([normal_quantile(recall) for recall in recalls])
    hits: Floats = (variables < thresholds).astype(np.float64)
    return hits


def _intervals(hits: Floats, clusters: Clusters) -> dict[str, Ends]:
    pairs = compare_all(hits, clusters, flips=_RESAMPLES)
    best = np.array([each.best for each in pairs.intervals])
    worst = np.array([each.worst for each in pairs.intervals])
    means = resampled_means(hits, clusters, resamples=_RESAMPLES)
    ranks = 1 + (means[:, None, :] > means[:, :, None]).sum(axis=2)
    return {
        "percentile": _percentiles(ranks, ALPHA),
        "percentile, shared": _percentiles(ranks, ALPHA / hits.shape[1]),
        "signs, Holm": _by_holm(pairs),
        "signs": (best, worst),
    }


_METHODS = ("percentile", "percentile, shared", "signs, Holm", "signs")


def _percentiles(ranks: Ints, alpha: float) -> Ends:
    ends = np.quantile(ranks, [alpha / 2, 1 - alpha / 2], axis=0, method="nearest")
    return ends[0].astype(np.int64), ends[1].astype(np.int64)


def _by_holm(pairs: AllPairs) -> Ends:
    places = list(combinations(range(pairs.count), 2))
    adjusted = holm([float(pairs.p[place]) for place in places])
    best = np.ones(pairs.count, dtype=np.int64)
    worst = np.full(pairs.count, pairs.count)
    for (first, second), p in zip(places, adjusted, strict=True):
        if p < ALPHA:
            is_first = pairs.means[first] > pairs.means[second]
            above, below = (first, second) if is_first else (second, first)
            best[below] += 1
            worst[above] -= 1
    return best, worst


if __name__ == "__main__":
    main()
