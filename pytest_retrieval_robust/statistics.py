"""Intervals and tests for recall, a share of hits among queries. Pure Python: reports and gates load nothing else."""

from __future__ import annotations

import math
from statistics import NormalDist

_NEGLIGIBLE = 1e-18  # a term below this share of the sum cannot change the sum's last digit


def wilson_interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share of `hits` among `n` (E. B. Wilson, 1927); (0, 1) where n is 0.

    >>> low, high = wilson_interval(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)

    Raises:
        ValueError: hits outside 0..n, or a confidence outside (0, 1).
    """
    _check_hits(hits, n)
    if not 0 < confidence < 1:
        raise ValueError(f"Expected a confidence between 0 and 1, got confidence={confidence!r}. Use 0.95.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    scale = 1 + z * z / n
    centre = (hits + z * z / 2) / n / scale
    reach = z / scale * math.sqrt(hits * (n - hits) / n + z * z / 4) / n
    # The ends are 0 and 1 by the formula; rounding must not move them.
    low = 0.0 if hits == 0 else max(0.0, centre - reach)
    high = 1.0 if hits == n else min(1.0, centre + reach)
    return low, high


def binomial_upper_tail(hits: int, n: int, p: float) -> float:
    """P(X >= hits) for X binomial with `n` trials of probability `p`; exact but for rounding (1e-8 at n = 1e6).

    >>> binomial_upper_tail(2, 2, 0.5)
    0.25

    Raises:
        ValueError: hits outside 0..n, or p outside [0, 1].
    """
    _check_hits(hits, n)
    if not 0 <= p <= 1:
        raise ValueError(f"Expected a probability from 0 to 1, got p={p!r}. Give the chance of one hit.")
    if hits == 0:
        return 1.0
    if p in (0.0, 1.0):
        return p
    # Each tail is summed from its largest term outwards; the other side of the mean goes by its complement.
    if hits > n * p:
        return min(1.0, _falling_sum(hits, n, p))
    return max(0.0, 1.0 - _falling_sum(n - hits + 1, n, 1 - p))


def above_chance(hits: int, n: int, chance: float, alpha: float = 0.001) -> bool:
    """Whether so many hits would be rarer than `alpha` if each query hit with probability `chance` (one-sided).

    >>> above_chance(30, 100, 0.1), above_chance(12, 100, 0.1)
    (True, False)
    """
    return binomial_upper_tail(hits, n, chance) < alpha


def _falling_sum(hits: int, n: int, p: float) -> float:
    """The sum of the binomial terms from `hits` to `n`, where hits is at or above the mean, so that terms fall."""
    log_choose = math.lgamma(n + 1) - math.lgamma(hits + 1) - math.lgamma(n - hits + 1)
    first = math.exp(log_choose + hits * math.log(p) + (n - hits) * math.log1p(-p))
    odds = p / (1 - p)
    term, terms = 1.0, [1.0]
    for i in range(hits, n):
        term *= (n - i) / (i + 1) * odds
        terms.append(term)
        if term < _NEGLIGIBLE:
            break
    return first * math.fsum(terms)


def _check_hits(hits: int, n: int) -> None:
    if not 0 <= hits <= n:
        raise ValueError(f"Expected 0 <= hits <= n, got hits={hits!r}, n={n!r}. Count hits among n queries.")
