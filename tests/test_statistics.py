from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.statistics import above_chance, binomial_upper_tail, wilson_interval


def exact_tail(hits: int, n: int, p: Fraction) -> Fraction:
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(hits, n + 1)), Fraction(0))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 64))
def test_the_tail_is_the_exact_sum(one: int, other: int, sixtyfourths: int) -> None:
    hits, n = sorted((one, other))
    p = Fraction(sixtyfourths, 64)
    assert binomial_upper_tail(hits, n, float(p)) == pytest.approx(float(exact_tail(hits, n, p)), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("hits", [1, 480, 500, 501, 560, 700, 1000])
def test_the_tail_is_exact_far_out(hits: int) -> None:
    exact = exact_tail(hits, 1000, Fraction(1, 2))
    assert binomial_upper_tail(hits, 1000, 0.5) == pytest.approx(float(exact), rel=1e-10)


def test_a_million_queries_are_summed_in_full() -> None:
    # By symmetry: P(X >= n/2) = 1/2 + P(X = n/2) / 2, and Stirling gives the middle term.
    n = 1_000_000
    middle = math.sqrt(2 / (math.pi * n)) * (1 - 1 / (4 * n))
    assert binomial_upper_tail(n // 2, n, 0.5) == pytest.approx((1 + middle) / 2, rel=1e-7)
    assert binomial_upper_tail(n // 2 + 1, n, 0.5) == pytest.approx((1 - middle) / 2, rel=1e-7)


@given(st.integers(1, 500), st.floats(0.01, 0.99))
def test_the_tail_falls_with_the_hits(n: int, p: float) -> None:
    tails = [binomial_upper_tail(hits, n, p) for hits in range(n + 1)]
    assert all(a >= b - 1e-12 for a, b in pairwise(tails))
    assert tails[0] == 1
    assert tails[n] == pytest.approx(p**n)


@given(st.integers(1, 10_000), st.data(), st.sampled_from([0.8, 0.95, 0.999]))
def test_the_wilson_ends_solve_their_equation(n: int, data: st.DataObject, confidence: float) -> None:
    hits = data.draw(st.integers(0, n))
    z = {0.8: 1.2815515655446004, 0.95: 1.959963984540054, 0.999: 3.290526731491691}[confidence]
    low, high = wilson_interval(hits, n, confidence)
    assert 0 <= low <= hits / n <= high <= 1
    for end in (low, high):
        assert abs(hits / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n), abs=1e-9)


def test_no_hits_and_only_hits_reach_the_ends() -> None:
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert wilson_interval(0, 0) == (0, 1)


def test_above_chance_needs_rare_hits() -> None:
    assert above_chance(4, 4, 0.1)
    assert not above_chance(3, 30, 0.1)
    assert not above_chance(30, 30, 1.0)
    assert above_chance(1, 30, 0.0)
    assert not above_chance(0, 0, 0.5)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5)])
def test_impossible_hits_are_an_error(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="hits <= n"):
        wilson_interval(hits, n)
    with pytest.raises(ValueError, match="hits <= n"):
        binomial_upper_tail(hits, n, 0.5)


def test_confidence_and_probability_are_checked() -> None:
    with pytest.raises(ValueError, match="confidence=1"):
        wilson_interval(1, 2, 1)
    with pytest.raises(ValueError, match=r"p=1\.5"):
        binomial_upper_tail(1, 2, 1.5)
