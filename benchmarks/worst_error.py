"""How `worst_ce` judges models that are exactly as good as their baseline.

    python -m benchmarks.worst_error [TRIALS]

Two runs of one model: each query has a difficulty of its own, and each run adds noise to
it under every corruption, so that the runs are as correlated as two trainings may be.
"""

from __future__ import annotations

import sys
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pytest_retrieval_robust.gate.error_ratios import PairedErrors
from pytest_retrieval_robust.gate.error_statistic import ErrorStatistic
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

PERTURBATIONS = 14
ERROR = 0.1
"""The mean error over the five severities."""
OWN = 0.5
"""Standard deviation of what a run adds to the difficulty, whose own is 1."""
CONFIDENCE = 0.95


def errors_of(
    difficulty: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(N, 1 + P) errors: 2 % with nothing done, and the mean over five severities."""
    count = len(difficulty)
    own = OWN * rng.standard_normal((count, PERTURBATIONS))
    deviation = float(np.hypot(1.0, OWN))
    shares = [ERROR * part for part in (0.2, 0.6, 1.0, 1.4, 1.8)]
    limits = [deviation * NormalDist().inv_cdf(1 - share) for share in shares]
    under = [(difficulty[:, None] + own > limit) for limit in limits]
    clean = (np.arange(count) < count / 50).astype(np.float64)
    return np.column_stack([clean, np.mean(under, axis=0)])


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for queries in (500, 2000):
        rng = np.random.default_rng(0)
        clusters = Clusters.of(np.arange(queries))
        found = []
        for _ in range(trials):
            difficulty = rng.standard_normal(queries)
            errors = PairedErrors(
                errors_of(difficulty, rng), errors_of(difficulty, rng), clusters
            )
            found.append(errors.summary(ErrorStatistic.WORST, CONFIDENCE))
        values = np.array([(one.value, one.low, one.high) for one in found])
        value, low, high = values.T
        print(
            f"{queries} queries, {trials} trials: the number {np.median(value):.3f} in"
            f" the median; lower bound above 1 in {np.mean(low > 1):.3f}, upper bound"
            f" below 1 in {np.mean(high < 1):.3f}; 95 % of the upper bounds are below"
            f" {np.quantile(high, 0.95):.3f}"
        )


if __name__ == "__main__":
    main()
