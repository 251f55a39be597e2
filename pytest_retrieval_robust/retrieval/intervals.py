"""Intervals and tests for recall, a share of hits among queries.

Pure Python: reports and gates load nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from .binomial import binomial_upper_tail, check_hits
from .bisection import bisect
from .power import POWER as POWER  # whoever plans bounds finds it here too
from .power import error_of_hits, queries_until_told
from .student import effect_at, student_quantile, student_upper_tail

_STEPS = 41
"""Halvings of the range of differences, from -1 to 1: to 1e-12."""


@lru_cache(maxsize=1024)
def normal_quantile(probability: float) -> float:
    """The standard normal deviate below which a share of `probability` lies: 1.645 for 0.95."""
    return NormalDist().inv_cdf(probability)


def wilson_interval(
    hits: float, n: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval for a share of `hits` among `n` (E. B. Wilson, 1927); (0,
    1) where n is 0.

    Where queries come in clusters, `hits` and `n` are divided by their design effect,
    so they need not be whole (E. L. Korn and B. I. Graubard, 1998).

    >>> low, high = wilson_interval(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)

    Raises:
        ValueError: hits outside 0..n, or a confidence outside (0, 1).
    """
    check_hits(hits, n)
    if not 0 < confidence < 1:
        raise ValueError(
            f"Expected a confidence between 0 and 1, got confidence={confidence!r}. Use"
            " 0.95."
        )
    if n == 0:
        return 0.0, 1.0
    z = normal_quantile(0.5 + confidence / 2)
    scale = 1 + z * z / n
    centre = (hits + z * z / 2) / n / scale
    reach = z / scale * math.sqrt(hits * (n - hits) / n + z * z / 4) / n
    # The ends are 0 and 1 by the formula; rounding must not move them.
    low = 0.0 if hits == 0 else max(0.0, centre - reach)
    high = 1.0 if hits == n else min(1.0, centre + reach)
    return low, high


@lru_cache(maxsize=4096)
def surely_reached(n: int, chance: float, probability: float) -> float:
    """The greatest share of hits that `n` queries reach with `probability` or more, each
    of them a hit with probability `chance`.

    >>> surely_reached(10, 1.0, 0.999), surely_reached(500, 0.02, 0.999)
    (1.0, 0.004)
    """
    if n == 0:
        return 0.0
    # The tail falls with the number of hits: the last one that is still that likely.
    low = 0
    high = n
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_upper_tail(middle, n, chance) >= probability:
            low = middle
        else:
            high = middle - 1
    return low / n


@lru_cache(maxsize=4096)
def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided p of the exact McNemar test: `wins` queries only the candidate hit,
    `losses` only the baseline.

    >>> round(mcnemar_exact(0, 6), 9)
    0.03125
    """
    check_hits(wins, wins + losses)
    return min(1.0, 2 * binomial_upper_tail(max(wins, losses), wins + losses, 0.5))


@lru_cache(maxsize=1 << 14)
def paired_score_bounds(
    wins: float, losses: float, n: float, alpha: float
) -> tuple[float, float]:
    """One-sided bounds, each at error `alpha`, of a difference of two shares of the
    same `n` queries.

    The score method of T. Tango (Statistics in Medicine 17, 1998): the differences
    whose score test against (wins - losses) / n has an error above `alpha`. It holds
    where McNemar's conditional test has no answer: with a margin, and where no query
    differs. Counts divided by a design effect need not be whole.

    >>> low, high = paired_score_bounds(10, 10, 500, 0.05)
    >>> round(low, 4), round(high, 4)
    (-0.0156, 0.0156)

    Raises:
        ValueError: Negative counts, more of them than `n`, or an alpha outside (0, 0.5).
    """
    # Counts that were divided by a design effect may exceed n by rounding.
    are_counts = min(wins, losses) >= 0 and wins + losses <= n + 1e-9
    if not are_counts or not n > 0:
        raise ValueError(
            f"Expected counts from 0 that sum to at most n, got wins={wins!r},"
            f" losses={losses!r}, n={n!r}. Count the queries that one model alone hit."
        )
    if not 0 < alpha < 0.5:
        raise ValueError(
            f"Expected an error between 0 and 0.5, got alpha={alpha!r}. Use 0.05."
        )
    z = normal_quantile(1 - alpha)
    low = _difference_of_score(wins, losses, n, z)
    high = _difference_of_score(wins, losses, n, -z)
    return low, high


def paired_score_p(
    wins: float, losses: float, degrees_of_freedom: float = math.inf
) -> float:
    """Two-sided p of the score test of no difference, McNemar's without a correction;
    counts need not be whole.

    >>> round(paired_score_p(4.0, 12.0), 4)
    0.0455
    """
    if wins + losses == 0 or degrees_of_freedom <= 0:
        return 1.0
    score = abs(wins - losses) / math.sqrt(wins + losses)
    return 2 * student_upper_tail(score, degrees_of_freedom)


def paired_score(wins: float, losses: float, n: float, delta: float) -> float:
    """Standardised distance of the observed difference from `delta`, in T. Tango's score
    test; the share of losses is the likeliest for it.
    """
    slope = wins + losses - (2 * n - wins + losses) * delta
    # The larger root of a quadratic; rounding must not make its square root imaginary.
    square = max(0.0, slope * slope + 8 * n * losses * delta * (1 - delta))
    lost = (slope + math.sqrt(square)) / (4 * n)
    variance = n * (2 * max(lost, -delta, 0.0) + delta * (1 - delta))
    distance = wins - losses - n * delta
    if variance > 1e-15:
        return distance / math.sqrt(variance)
    return 0.0 if distance == 0 else math.copysign(math.inf, distance)


def _difference_of_score(wins: float, losses: float, n: float, score: float) -> float:
    """The difference from -1 to 1 against which counts have a score, to 1e-12: scores fall
    with the difference.
    """
    low, high = bisect(
        lambda delta: paired_score(wins, losses, n, delta) <= score, -1.0, 1.0, _STEPS
    )
    return (low + high) / 2


def quantile_bounds(
    values: Sequence[float], share: float, confidence: float
) -> tuple[float, float]:
    """One-sided bounds, each held with `confidence`, of a quantile of what `values` were
    drawn from.

    Order statistics, exact for any distribution; -inf and inf where there are too few values.

    >>> quantile_bounds([1.0, 2.0, 3.0, 4.0, 5.0], 0.5, 0.95)
    (1.0, 5.0)
    >>> quantile_bounds([1.0, 2.0], 0.5, 0.95)
    (-inf, inf)
    """
    rising = sorted(values)
    n = len(values)
    # Of the values that lie at or below the quantile there are at least i with a
    # probability of tails[i].
    tails = [binomial_upper_tail(i, n, share) for i in range(n + 1)]
    below = sum(tail >= confidence - 1e-12 for tail in tails) - 1
    above = sum(tail > 1 - confidence + 1e-12 for tail in tails)
    low = rising[below - 1] if below > 0 else -math.inf
    high = rising[above - 1] if above <= n else math.inf
    return low, high


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, and what the sample of queries leaves open."""

    value: float
    low: float
    """One-sided bound at the requested confidence, as `high` is."""
    high: float
    error: float
    """Standard error; inf where it is unknown."""
    queries: int
    degrees_of_freedom: float = math.inf
    """Of the error, where patients repeat; inf where each query is a patient's only one."""
    effective: float | None = None
    """How many independent queries a share of hits is of; None of other numbers."""

    def deviates(self, confidence: float) -> float:
        """How many standard errors away a bound at a one-sided confidence lies."""
        return deviates(confidence, self.degrees_of_freedom)

    def queries_to_clear(self, limit: float, confidence: float) -> int | None:
        """How many more queries until the bound clears the limit with a probability of
        0.8, should the value be the truth.

        None where no number of queries would do.
        """
        error = self.error
        of_bound = None
        if self.effective and math.isfinite(error):
            error = error_of_hits(self.value, self.effective)
            of_bound = error_of_hits(limit, self.effective)
        return queries_until_told(
            self.queries,
            self.value - limit,
            error,
            confidence,
            self.degrees_of_freedom,
            of_bound,
        )


def deviates(confidence: float, degrees_of_freedom: float) -> float:
    """How many standard errors away a bound at a one-sided confidence lies; inf where
    there is no degree of freedom.
    """
    if degrees_of_freedom <= 0:
        return math.inf
    return student_quantile(confidence, degrees_of_freedom)


def proportion(
    value: float,
    queries: int,
    confidence: float,
    effect: float = 1.0,
    degrees_of_freedom: float = math.inf,
) -> Estimate:
    """A share of hits with Wilson's bounds, each held with `confidence`.

    `effect` is the design effect, and the degrees of freedom are those of the variance
    over patients: see `PatientSizes`.
    """
    widened = effect_at(effect, degrees_of_freedom, queries, confidence)
    effective = queries / widened
    hits = min(value * effective, effective)
    low, high = wilson_interval(hits, effective, 2 * confidence - 1)
    reach = deviates(confidence, degrees_of_freedom)
    error = (high - low) / (2 * reach) if math.isfinite(reach) else math.inf
    return Estimate(
        value, low, high, error, queries, degrees_of_freedom, queries / effect
    )
