"""What the bootstrap over patients takes, beside scipy's.

`OMP_NUM_THREADS=1 python -m benchmarks.bootstrap`

Ours is 10,000 resamples of all levels and k at once: of a first curve, and of any
further one of the same patients, whose draws are kept. scipy's is
`scipy.stats.bootstrap`, percentile, vectorised, in the batch that is fastest here: of
all levels and k on the same draws, and of one. All in turns on one core; each figure is
the median over rounds, and each ratio, to scipy's of one level and k, that of the
ratios of a round. What they say of that one is printed beside it. scipy comes with
`.[dev]`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import stats

from pytest_retrieval_robust.retrieval.bootstrap import (
    RESAMPLES,
    Clusters,
    _cached_draws,
    resampled_means,
)

Floats = NDArray[np.float64]
QUERIES = 5000
PATIENTS = 2500
LEVELS = 6
KS = 3
ROUNDS = 5
BATCHES = (3, 10, 30, 100, 300)


def main() -> None:
    """Print each case's table."""
    print(
        f"numpy {np.__version__}, scipy {scipy.__version__},"
        f" OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS')}"
    )
    rng = np.random.default_rng(0)
    recalls = np.linspace(0.9, 0.4, LEVELS * KS)
    hits = (rng.random((QUERIES, 1)) < recalls).astype(np.float64)
    alone = np.arange(QUERIES, dtype=np.int64)
    repeated = np.sort(
        np.append(np.arange(PATIENTS), rng.integers(0, PATIENTS, QUERIES - PATIENTS))
    )
    _side_by_side(f"{QUERIES:,} queries, a patient each", hits, Clusters.of(alone))
    title = f"{QUERIES:,} queries, of {PATIENTS:,} patients"
    _side_by_side(title, hits, Clusters.of(repeated))


def _side_by_side(title: str, hits: Floats, clusters: Clusters) -> None:
    def scipys_seconds(batch: int) -> float:
        return _seconds(lambda: scipys(hits[:, :1], clusters, batch))

    batch = min(BATCHES, key=scipys_seconds)
    actions: dict[str, Callable[[], Floats]] = {
        f"ours, {LEVELS} levels x {KS} k": lambda: first(hits, clusters),
        "ours, the same of a further curve": lambda: resampled_means(hits, clusters),
        "ours, one level and k": lambda: first(hits[:, :1], clusters),
        f"scipy, {LEVELS} levels x {KS} k": lambda: scipys(hits, clusters, batch),
        "scipy, one level and k": lambda: scipys(hits[:, :1], clusters, batch),
    }
    rounds = []
    for _ in range(ROUNDS + 1):
        rounds.append({name: _seconds(action) for name, action in actions.items()})
    del rounds[0]  # a warm-up
    print(
        f"\n{title}, {RESAMPLES:,} resamples\n\n| | s | times scipy's | standard error"
        " | 2.5 % | 97.5 % |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    base = list(actions)[-1]
    for name, action in actions.items():
        samples = action().reshape(RESAMPLES, -1)[:, 0]
        ratio = median(seconds[name] / seconds[base] for seconds in rounds)
        low, high = np.quantile(samples, (0.025, 0.975))
        took = f"{median(seconds[name] for seconds in rounds):.3f} | {ratio:.3f}"
        print(
            f"| {name} | {took} | {samples.std():.5f} | {low:.4f} | {high:.4f} |",
            flush=True,
        )


def first(hits: Floats, clusters: Clusters) -> Floats:
    """Ours, with no draws kept."""
    _cached_draws.cache_clear()
    return resampled_means(hits, clusters)


def scipys(hits: Floats, clusters: Clusters, batch: int) -> Floats:
    """(B, V) scipy's resamples: of queries, or where patients repeat of their sums and sizes."""
    data: tuple[Floats, ...] = (hits.T,)
    statistic: Callable[..., Any] = np.mean
    if not clusters.alone:
        data = (clusters.sums(hits).T, clusters.sizes.astype(np.float64)[None])
        statistic = _ratio
    result = stats.bootstrap(
        data,
        statistic,
        n_resamples=RESAMPLES,
        batch=batch,
        axis=-1,
        vectorized=True,
        paired=len(data) > 1,
        method="percentile",
        rng=np.random.Generator(np.random.SFC64(0)),
    )
    samples: Floats = result.bootstrap_distribution.T
    return samples


def _ratio(sums: Floats, sizes: Floats, axis: int) -> Any:
    return sums.sum(axis=axis) / sizes.sum(axis=axis)


def _seconds(action: Callable[[], Floats]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
