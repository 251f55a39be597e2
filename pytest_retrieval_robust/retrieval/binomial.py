"""The binomial distribution of hits among queries. Pure Python."""

from __future__ import annotations

import math
from functools import lru_cache

_NEGLIGIBLE = 1e-18
"""A term below this share of the sum cannot change the sum's last digit."""


def binomial_upper_tail(hits: int, n: int, p: float) -> float:
    """P(X >= hits) for X binomial with `n` trials of probability `p`; exact but for
    rounding (1e-8 at n = 1e6).

    >>> binomial_upper_tail(2, 2, 0.5)
    0.25

    Raises:
        ValueError: hits outside 0..n, or p outside [0, 1].
    """
    check_hits(hits, n)
    if not 0 <= p <= 1:
        raise ValueError(
            f"Expected a probability from 0 to 1, got p={p!r}. Give the chance of one"
            " hit."
        )
    if hits == 0:
        return 1.0
    if p in (0.0, 1.0):
        return p
    # Each tail is summed from its largest term outwards; the other side of the mean
    # goes by its complement.
    if hits > n * p:
        return min(1.0, _falling_sum(hits, n, p))
    return max(0.0, 1.0 - _falling_sum(n - hits + 1, n, 1 - p))


@lru_cache(maxsize=4096)
def above_chance(hits: int, n: int, chance: float, alpha: float = 0.001) -> bool:
    """Whether so many hits would be rarer than `alpha` if each query hit with
    probability `chance` (one-sided).

    >>> above_chance(30, 100, 0.1), above_chance(12, 100, 0.1)
    (True, False)
    """
    return binomial_upper_tail(hits, n, chance) < alpha


def _falling_sum(hits: int, n: int, p: float) -> float:
    """The sum of the binomial terms from `hits` to `n`, where hits is at or above the
    mean, so that terms fall.
    """
    log_choose = math.lgamma(n + 1) - math.lgamma(hits + 1) - math.lgamma(n - hits + 1)
    first = math.exp(log_choose + hits * math.log(p) + (n - hits) * math.log1p(-p))
    odds = p / (1 - p)
    # Relative to the first term, and added without loss at the end.
    term = 1.0
    terms = [term]
    for i in range(hits, n):
        term *= (n - i) / (i + 1) * odds
        terms.append(term)
        if term < _NEGLIGIBLE:
            break
    return first * math.fsum(terms)


def check_hits(hits: float, n: float) -> None:
    if not 0 <= hits <= n:
        raise ValueError(
            f"Expected 0 <= hits <= n, got hits={hits!r}, n={n!r}. Count hits among n"
            " queries."
        )
