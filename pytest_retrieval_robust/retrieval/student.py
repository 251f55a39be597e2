"""Student's t distribution with any number of degrees of freedom.

Pure Python, because scipy is no dependency.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
"""Stands for a 0 that would be divided by."""
_STEPS = 10_000
_LARGE = 1000.0


@lru_cache(maxsize=4096)
def student_quantile(probability: float, df: float) -> float:
    """The deviate below which a share of `probability` of Student's t lies.

    With infinitely many degrees of freedom it is the normal deviate, to the bit.

    >>> round(student_quantile(0.95, 5.0), 4)
    2.015
    >>> round(student_quantile(0.95, math.inf), 4)
    1.6449

    Raises:
        ValueError: A probability outside of (0, 1), or no degrees of freedom.
    """
    _check_degrees(df)
    if not 0 < probability < 1:
        raise ValueError(
            "Expected a probability between 0 and 1, got"
            f" probability={probability!r}. Use 0.95."
        )
    if math.isinf(df):
        return NormalDist().inv_cdf(probability)
    # By symmetry, so that the share beyond keeps its digits where it is small.
    share = min(probability, 1 - probability)
    # The tail falls and is convex, and is heavier than the normal one: I. Newton's steps
    # from the normal deviate never lead too far.
    deviate = -NormalDist().inv_cdf(share)
    for _ in range(_STEPS):
        excess = student_upper_tail(deviate, df) - share
        step = excess / _density(deviate, df)
        deviate += step
        if step <= 1e-13 * deviate:
            break
    return math.copysign(deviate, probability - 0.5)


def student_upper_tail(deviate: float, df: float) -> float:
    """The share of Student's t that lies above a deviate.

    >>> round(student_upper_tail(2.015048, 5.0), 6)
    0.05

    Raises:
        ValueError: No degrees of freedom.
    """
    _check_degrees(df)
    if math.isinf(df):
        return NormalDist().cdf(-deviate)
    square = deviate * deviate
    both = _beta_share(df / (df + square), square / (df + square), df / 2)
    return both / 2 if deviate >= 0 else 1 - both / 2


def effect_at(effect: float, df: float, queries: int, confidence: float) -> float:
    """The design effect that a score interval at a one-sided confidence is given.

    A score interval has the normal deviate inside of it, so that is not replaced. The
    effective sample size is divided by the square of how much further Student's deviate
    reaches than that of as many independent queries (E. L. Korn and B. I. Graubard,
    Survey Methodology 24, 1998). With infinitely many degrees of freedom, those of
    independent queries, it is `effect` itself. With none it is inf: nothing is known.

    >>> round(effect_at(2.0, 9.0, 500, 0.95), 3)
    2.475
    """
    if math.isinf(df):
        return effect
    if df <= 0 or queries < 2:
        return math.inf
    reach = student_quantile(confidence, df) / student_quantile(confidence, queries - 1)
    # Fewer degrees of freedom than queries, but for rounding.
    return effect * max(1.0, reach) ** 2


def _density(deviate: float, df: float) -> float:
    logarithm = _log_gamma_ratio(df / 2) - math.log(df * math.pi) / 2
    return math.exp(logarithm - (df + 1) / 2 * math.log1p(deviate * deviate / df))


def _check_degrees(df: float) -> None:
    if not df > 0:
        raise ValueError(
            f"Expected degrees of freedom above 0, got df={df!r}. Bounds take two"
            " patients or more."
        )


def _beta_share(x: float, rest: float, a: float) -> float:
    """The share of the beta distribution of a and 1/2 below x, where `rest` is 1 - x.

    Its continued fraction converges quickly below the mean, and its mirror image above.
    """
    if rest <= 0:
        return 1.0
    if x <= 0:
        return 0.0
    logarithm = _log_gamma_ratio(a) - math.lgamma(0.5)
    front = math.exp(
        logarithm + a * _log_of_share(x, rest) + _log_of_share(rest, x) / 2
    )
    if x < (a + 1) / (a + 2.5):
        return front * _beta_fraction(x, a, 0.5) / a
    return 1 - front * _beta_fraction(rest, 0.5, a) / 0.5


def _log_of_share(x: float, rest: float) -> float:
    """The logarithm of x, from 1 - x where x is near 1 and has lost its last digits."""
    return math.log(x) if x < 0.5 else math.log1p(-rest)


def _log_gamma_ratio(a: float) -> float:
    """The logarithm of gamma(a + 1/2) / gamma(a)."""
    if a < _LARGE:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    # Their difference would lose the digits that both have in common (DLMF 5.11.13).
    return math.log(a) / 2 - 1 / (8 * a) + 1 / (192 * a**3)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), from the
    front (W. J. Lentz, 1976).
    """
    above = 1.0
    below = 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = below
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            below = 1 / _nonzero(1 + term * below)
            above = _nonzero(1 + term / above)
            factor = below * above
            value *= factor
        if abs(factor - 1) < 1e-15:
            break
    return value


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
