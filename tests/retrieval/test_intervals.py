from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from math import comb
from statistics import NormalDist

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from pytest_retrieval_robust.retrieval.adjusted_p import benjamini_hochberg, holm
from pytest_retrieval_robust.retrieval.binomial import above_chance, binomial_upper_tail
from pytest_retrieval_robust.retrieval.intervals import (
    Estimate,
    deviates,
    mcnemar_exact,
    paired_score,
    paired_score_bounds,
    paired_score_p,
    proportion,
    quantile_bounds,
    surely_reached,
    wilson_interval,
)


def exact_tail(hits: int, n: int, p: Fraction) -> Fraction:
    return sum(
        (comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(hits, n + 1)),
        Fraction(0),
    )


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 64))
def test_the_tail_is_the_exact_sum(one: int, other: int, sixtyfourths: int) -> None:
    hits, n = sorted((one, other))
    p = Fraction(sixtyfourths, 64)
    assert binomial_upper_tail(hits, n, float(p)) == pytest.approx(
        float(exact_tail(hits, n, p)), rel=1e-11, abs=1e-300
    )


@pytest.mark.parametrize("hits", [1, 480, 500, 501, 560, 700, 1000])
def test_the_tail_is_exact_far_out(hits: int) -> None:
    exact = exact_tail(hits, 1000, Fraction(1, 2))
    assert binomial_upper_tail(hits, 1000, 0.5) == pytest.approx(
        float(exact), rel=1e-10
    )


def test_a_million_queries_are_summed_in_full() -> None:
    # By symmetry: P(X >= n/2) = 1/2 + P(X = n/2) / 2, and Stirling gives the middle term.
    n = 1_000_000
    middle = math.sqrt(2 / (math.pi * n)) * (1 - 1 / (4 * n))
    assert binomial_upper_tail(n // 2, n, 0.5) == pytest.approx(
        (1 + middle) / 2, rel=1e-7
    )
    assert binomial_upper_tail(n // 2 + 1, n, 0.5) == pytest.approx(
        (1 - middle) / 2, rel=1e-7
    )


@given(st.integers(1, 500), st.floats(0.01, 0.99))
def test_the_tail_falls_with_the_hits(n: int, p: float) -> None:
    tails = [binomial_upper_tail(hits, n, p) for hits in range(n + 1)]
    assert all(a >= b - 1e-12 for a, b in pairwise(tails))
    assert tails[0] == 1
    assert tails[n] == pytest.approx(p**n)


@given(st.integers(1, 10_000), st.data(), st.sampled_from([0.8, 0.95, 0.999]))
def test_the_wilson_ends_solve_their_equation(
    n: int, data: st.DataObject, confidence: float
) -> None:
    hits = data.draw(st.integers(0, n))
    z = {0.8: 1.2815515655446004, 0.95: 1.959963984540054, 0.999: 3.290526731491691}[
        confidence
    ]
    low, high = wilson_interval(hits, n, confidence)
    assert 0 <= low <= hits / n <= high <= 1
    for end in (low, high):
        assert abs(hits / n - end) == pytest.approx(
            z * math.sqrt(end * (1 - end) / n), abs=1e-9
        )


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


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(
    wins: int, losses: int
) -> None:
    expected = (
        stats.binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
    )
    assert mcnemar_exact(wins, losses) == pytest.approx(expected, rel=1e-9)


def naive_score(wins: int, losses: int, n: int, delta: float) -> float:
    """The score statistic, with the likeliest share of losses found by search instead
    of by formula.
    """

    def unlikeliness(lost: float) -> float:
        shares = (
            (wins, lost + delta),
            (losses, lost),
            (n - wins - losses, 1 - 2 * lost - delta),
        )
        return -sum(
            count * math.log(max(share, 1e-300)) for count, share in shares if count
        )

    low = max(0.0, -delta)
    high = (1 - delta) / 2
    lost = optimize.minimize_scalar(
        unlikeliness, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    return float(
        (wins - losses - n * delta) / math.sqrt(n * (2 * lost + delta * (1 - delta)))
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 200),
    st.sampled_from([0.05, 0.01, 0.05 / 24]),
)
def test_the_score_bounds_solve_their_equation(
    wins: int, losses: int, others: int, alpha: float
) -> None:
    n = wins + losses + others
    z = NormalDist().inv_cdf(1 - alpha)
    assume(others > 0)
    low, high = paired_score_bounds(wins, losses, n, alpha)
    assert -1 < low <= (wins - losses) / n <= high < 1
    assert naive_score(wins, losses, n, low) == pytest.approx(z, abs=2e-3)
    assert naive_score(wins, losses, n, high) == pytest.approx(-z, abs=2e-3)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 500))
def test_the_score_bounds_are_symmetric(wins: int, losses: int, others: int) -> None:
    assume(wins + losses + others > 0)
    low, high = paired_score_bounds(wins, losses, wins + losses + others, 0.05)
    assert (-high, -low) == pytest.approx(
        paired_score_bounds(losses, wins, wins + losses + others, 0.05), abs=1e-9
    )


@pytest.mark.parametrize("n", [1, 7, 20, 333])
def test_no_difference_is_beyond_that_of_all_queries(n: int) -> None:
    high = paired_score_bounds(n, 0, n, 0.05)[1]
    low = paired_score_bounds(0, n, n, 0.05)[0]
    assert 1 - 1e-11 <= high <= 1
    assert -1 <= low <= -1 + 1e-11


def test_where_nothing_differs_the_bounds_are_not_nothing() -> None:
    low, high = paired_score_bounds(0, 0, 24, 0.05)
    assert low == pytest.approx(-high)
    assert 0.08 < high < 0.13  # the rule of three says 3/24


@pytest.mark.parametrize(
    ("wins", "losses", "n", "alpha"),
    [(-1, 0, 5, 0.05), (3, 3, 5, 0.05), (0, 0, 0, 0.05), (1, 1, 5, 0.7)],
)
def test_impossible_pairs_are_an_error(
    wins: int, losses: int, n: int, alpha: float
) -> None:
    with pytest.raises(ValueError, match=r"n=|alpha="):
        paired_score_bounds(wins, losses, n, alpha)


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P_VALUES)
def test_benjamini_and_hochberg_as_scipy_has_them(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(
        stats.false_discovery_control(p_values).tolist(), abs=1e-12
    )


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_rejects_what_its_steps_reject(
    p_values: list[float], alpha: float
) -> None:
    rejected = 0
    for rank, p in enumerate(sorted(p_values)):
        if p * (len(p_values) - rank) > alpha:
            break
        rejected = rank + 1
    assert sum(p <= alpha for p in holm(p_values)) == rejected


@pytest.mark.parametrize("n", [1, 2, 5, 7, 14, 20, 60])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_bounds_of_a_quantile_hold_as_often_as_they_say(
    n: int, share: float, confidence: float
) -> None:
    """Summed over how many of n values lie below the quantile; no bound that is tighter
    by one value would hold.
    """

    def held(first: int, last: int) -> float:
        """The probability that between `first` and `last` values lie below the quantile."""
        return math.fsum(
            comb(n, i) * share**i * (1 - share) ** (n - i)
            for i in range(max(first, 0), min(last, n) + 1)
        )

    low, high = quantile_bounds(list(range(1, n + 1)), share, confidence)
    below = 0 if low == -math.inf else int(low)
    assert (
        held(below, n) >= confidence - 1e-9
    )  # the below-th smallest value is at or below the quantile
    assert held(below + 1, n) < confidence
    above = n + 1 if high == math.inf else int(high)
    assert held(0, above - 1) >= confidence - 1e-9
    assert held(0, above - 2) < confidence


@given(st.integers(1, 40), st.integers(0, 64), st.sampled_from([0.5, 0.95, 0.999]))
def test_what_is_surely_reached_is_the_last_likely_count(
    n: int, sixtyfourths: int, probability: float
) -> None:
    chance = Fraction(sixtyfourths, 64)
    # Apart from ties, which rounding may decide either way.
    tails = [exact_tail(hits, n, chance) for hits in range(n + 1)]
    assume(all(abs(float(tail) - probability) > 1e-9 for tail in tails))
    last = max(hits for hits in range(n + 1) if tails[hits] >= probability)
    assert surely_reached(n, float(chance), probability) == last / n


def test_no_queries_reach_nothing_surely() -> None:
    assert surely_reached(0, 0.5, 0.999) == 0


@given(st.floats(0, 80), st.floats(0, 80), st.floats(1, 300))
def test_the_score_test_of_repeated_patients_takes_students_tail(
    wins: float, losses: float, df: float
) -> None:
    assume(wins + losses > 0)
    score = abs(wins - losses) / math.sqrt(wins + losses)
    assert paired_score_p(wins, losses, df) == pytest.approx(2 * stats.t.sf(score, df))
    # Without repeated patients it is the chi-square test of McNemar.
    chi_square = stats.chi2.sf(score**2, 1)
    assert paired_score_p(wins, losses) == pytest.approx(chi_square)


def test_nothing_that_differs_and_nothing_known_has_a_p_of_1() -> None:
    assert paired_score_p(0.0, 0.0, 9.0) == 1
    assert paired_score_p(9.0, 0.0, 0.0) == 1


@pytest.mark.parametrize(
    ("wins", "losses", "delta", "score"),
    [
        (20, 0, 1.0, 0.0),
        (19, 0, 1.0, -math.inf),
        (0, 20, -1.0, 0.0),
        (0, 19, -1.0, math.inf),
        (0, 0, 0.0, 0.0),
    ],
)
def test_a_score_without_variance_is_exact_or_infinite(
    wins: int, losses: int, delta: float, score: float
) -> None:
    assert paired_score(wins, losses, 20, delta) == score


@given(
    st.integers(2, 400),
    st.floats(0, 1),
    st.floats(1, 6),
    st.one_of(st.just(math.inf), st.floats(1, 300)),
)
def test_a_share_of_hits_has_the_wilson_interval_of_its_effective_queries(
    queries: int, value: float, effect: float, df: float
) -> None:
    estimate = proportion(value, queries, 0.95, effect, df)
    effective = queries / effect
    reach = stats.norm.isf(0.05)
    if math.isfinite(df):
        # Korn and Graubard: by the square of how much further Student's deviate reaches.
        reach = stats.t.isf(0.05, df)
        effective /= max(1.0, reach / stats.t.isf(0.05, queries - 1)) ** 2
    low, high = wilson_interval(min(value * effective, effective), effective, 0.9)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-9)
    assert estimate.error == pytest.approx((high - low) / (2 * reach))
    assert (estimate.value, estimate.queries) == (value, queries)
    assert estimate.degrees_of_freedom == df
    assert estimate.effective == queries / effect
    assert estimate.deviates(0.95) == pytest.approx(reach)


def test_a_share_of_one_patients_hits_has_no_error_that_is_known() -> None:
    estimate = proportion(0.5, 40, 0.95, 40.0, 0.0)
    assert (estimate.low, estimate.high, estimate.error) == (0.0, 1.0, math.inf)
    assert deviates(0.95, 0.0) == math.inf
    assert estimate.queries_to_clear(0.4, 0.95) is None


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_a_confidence_at_either_end_is_an_error(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_an_error_at_either_end_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 0.5"):
        paired_score_bounds(1, 1, 5, alpha)


def test_counts_may_exceed_the_queries_by_rounding() -> None:
    low, high = paired_score_bounds(3.0, 2.0 + 5e-10, 5.0, 0.05)
    assert (low, high) == pytest.approx(paired_score_bounds(3, 2, 5, 0.05), abs=1e-6)


@pytest.mark.parametrize("effective", [400.0, None])
def test_a_bound_clears_a_limit_when_the_power_of_it_is_reached(
    effective: float | None,
) -> None:
    """Of a share of hits a score test's bound takes the error at the limit."""
    estimate = Estimate(0.5, 0.45, 0.55, 0.04, 800, math.inf, effective)
    away = stats.norm.ppf(0.95) * (math.sqrt(0.46 * 0.54 / 400) if effective else 0.04)
    own = stats.norm.ppf(0.8) * (math.sqrt(0.5 * 0.5 / 400) if effective else 0.04)
    growth = ((away + own) / (0.5 - 0.46)) ** 2
    assert estimate.queries_to_clear(0.46, 0.95) == math.ceil(800 * (growth - 1))


def test_few_degrees_of_freedom_ask_for_more_queries() -> None:
    many, few = (Estimate(0.5, 0.4, 0.6, 0.04, 800, df, 400.0) for df in (math.inf, 6))
    more = few.queries_to_clear(0.46, 0.95)
    fewer = many.queries_to_clear(0.46, 0.95)
    assert more is not None
    assert fewer is not None
    assert more > fewer
    unknown = Estimate(0.5, 0.4, 0.6, math.inf, 800, 6.0, 400.0)
    assert unknown.queries_to_clear(0.46, 0.95) is None


def test_a_share_of_queries_without_patients_has_their_wilson_interval() -> None:
    estimate = proportion(0.3, 50, 0.95)
    assert (estimate.low, estimate.high) == wilson_interval(15, 50, 0.9)
    assert estimate.effective == 50
    assert estimate.degrees_of_freedom == math.inf
