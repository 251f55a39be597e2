"""Differences of two runs on the same queries, beside loops and published tests."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_retrieval_robust.gate.difference import Difference, Errors, non_inferior
from pytest_retrieval_robust.gate.paired_hits import DiscordantQueries, PairedHits
from pytest_retrieval_robust.gate.pairing import matched
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.intervals import paired_score_bounds
from pytest_retrieval_robust.retrieval.paired_power import PairedSpread

ERRORS = Errors(0.05, gates=3)


def hits_of(
    candidate: list[list[int]], baseline: list[list[int]], patients: list[int]
) -> PairedHits:
    return PairedHits(
        np.array(candidate, dtype=np.float64),
        np.array(baseline, dtype=np.float64),
        Clusters.of(np.array(patients)),
    )


def one_cell(wins: int, losses: int, both: int, neither: int) -> PairedHits:
    """Queries of patients of their own."""
    candidate = [[1]] * (wins + both) + [[0]] * (losses + neither)
    baseline = [[0]] * wins + [[1]] * (both + losses) + [[0]] * neither
    return hits_of(candidate, baseline, list(range(len(candidate))))


def test_the_queries_that_one_run_alone_hits_are_counted() -> None:
    counts = one_cell(7, 3, 20, 10).discordant()
    assert (counts.wins, counts.losses, counts.n, counts.effect) == (7, 3, 40, 1)
    assert counts.degrees_of_freedom == math.inf
    assert counts.p == pytest.approx(stats.binomtest(3, 10).pvalue)


def test_the_difference_of_one_cell_has_the_bounds_of_the_score_test() -> None:
    difference = one_cell(7, 3, 20, 10).of_recall(ERRORS)
    assert difference.candidate == 27 / 40
    assert difference.baseline == 23 / 40
    assert difference.value == pytest.approx(4 / 40)
    low, high = paired_score_bounds(7, 3, 40, 0.05)
    assert difference.passes_at == low
    # Any of three gates may block.
    assert difference.fails_at == paired_score_bounds(7, 3, 40, 0.05 / 3)[1]
    assert difference.error == pytest.approx((high - low) / (2 * stats.norm.isf(0.05)))
    assert (difference.queries, difference.is_score_test) == (40, True)


def test_an_error_that_is_spent_moves_the_bound_that_passes_alone() -> None:
    hits = one_cell(7, 3, 20, 10)
    spent = hits.of_recall(Errors(0.05, gates=3, spent=0.01))
    assert spent.passes_at == paired_score_bounds(7, 3, 40, 0.01)[0]
    assert spent.fails_at == hits.of_recall(ERRORS).fails_at


def test_repeated_patients_divide_all_counts_by_their_design_effect() -> None:
    counts = DiscordantQueries(12.0, 4.0, 80.0, effect=2.0)
    assert counts.bounds(0.05) == paired_score_bounds(6.0, 2.0, 40.0, 0.05)
    few = DiscordantQueries(12.0, 4.0, 80.0, effect=2.0, degrees_of_freedom=9.0)
    # Korn and Graubard: further by the square of Student's deviate over the usual one.
    wider = 2 * (stats.t.isf(0.05, 9) / stats.t.isf(0.05, 79)) ** 2
    expected = paired_score_bounds(12 / wider, 4 / wider, 80 / wider, 0.05)
    assert few.bounds(0.05) == pytest.approx(expected, abs=1e-6)
    score = (6 - 2) / math.sqrt(6 + 2)
    assert few.p == pytest.approx(2 * stats.t.sf(score, 9))


def test_one_patient_bounds_no_difference() -> None:
    assert DiscordantQueries(3, 1, 9, 9.0, 0.0).bounds(0.05) == (-1, 1)


CELLS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 1), min_size=2, max_size=2),
        st.lists(st.integers(0, 1), min_size=2, max_size=2),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


@given(CELLS)
def test_the_added_patients_gain_and_lose_what_is_usual_where_runs_differ(
    queries: list[tuple[list[int], list[int], int]],
) -> None:
    candidate, baseline, patients = map(list, zip(*queries, strict=True))
    gaining, losing = hits_of(candidate, baseline, patients).pseudo_patients()
    usual = len(queries) / len(set(patients))
    differing, squares = 0, 0.0
    for patient in set(patients):
        own = [(c, b) for c, b, each in queries if each == patient]
        differing += any(c != b for c, b in own)
        change = sum((sum(c) - sum(b)) / 2 for c, b in own)
        squares += (change / usual) ** 2
    gain = min(1.0, math.sqrt((1 + squares) / (1 + differing)))
    means = [*np.mean(candidate, axis=0), *np.mean(baseline, axis=0)]
    halves = np.array([gain, gain, -gain, -gain]) / 2
    assert gaining == pytest.approx(np.array(means) + halves)
    assert losing == pytest.approx(np.array(means) - halves)


def many(seed: int, shares: tuple[float, float], queries: int = 400) -> PairedHits:
    """Two levels at which the candidate is as good, and the second is harder."""
    rng = np.random.default_rng(seed)
    able = rng.random((queries, 2)) + np.array([0.0, 0.2])
    own = 0.3 * (rng.random((2, queries, 2)) - 0.5)
    candidate, baseline = (
        (able + each < share).astype(np.float64)
        for each, share in zip(own, shares, strict=True)
    )
    return PairedHits(candidate, baseline, Clusters.of(np.arange(queries)))


def test_a_difference_over_levels_has_the_bounds_of_its_standard_error() -> None:
    hits = many(1, (0.75, 0.8))
    difference = hits.over_levels("recall", [0.0, 0.3], ERRORS)
    parts = (hits.candidate - hits.baseline).mean(axis=1)
    assert difference.candidate == pytest.approx(hits.candidate.mean())
    assert difference.baseline == pytest.approx(hits.baseline.mean())
    # Of 400 queries resamples are as good as normal, two more patients or not.
    error = parts.std() / math.sqrt(len(parts))
    assert difference.error == pytest.approx(error, rel=0.04)
    low = parts.mean() - stats.norm.isf(0.05) * error
    high = parts.mean() + stats.norm.isf(0.05 / 3) * error
    assert difference.passes_at == pytest.approx(low, abs=0.15 * error)
    assert difference.fails_at == pytest.approx(high, abs=0.2 * error)
    assert difference.queries == 400
    assert difference.spread is not None


def test_parts_of_a_win_count_as_the_more_queries_the_less_they_vary() -> None:
    """Of 120 queries one run finds 4 at one of three levels less, and 3 at two more."""
    candidate = np.ones((120, 3))
    baseline = np.ones((120, 3))
    candidate[:4, 2] = 0
    baseline[4:7, 1:] = 0
    hits = PairedHits(candidate, baseline, Clusters.of(np.arange(120)))
    difference = hits.over_levels("recall", [0.0, 0.2, 0.4], ERRORS)
    parts = np.array([-1 / 3] * 4 + [2 / 3] * 3 + [0.0] * 113)
    # A whole win, or a whole loss, of each with that probability.
    of_whole = 10 / 3 / 120 - parts.mean() ** 2
    worth = of_whole / parts.var()
    wins, losses, queries = 2 * worth, 4 / 3 * worth, 120 * worth
    expected = PairedSpread.of(wins, losses, 1 - 6 / 360, queries)
    assert difference.spread is not None
    assert astuple(difference.spread) == pytest.approx(astuple(expected))
    low, _ = paired_score_bounds(wins, losses, queries, 0.05)
    assert difference.passes_at <= low + 1e-12


def test_patients_who_never_differ_bound_a_mean_as_students_deviate_does() -> None:
    """30 equal queries of each of 12 patients are worth 12 queries, with 11 degrees."""
    alike = np.ones((360, 2))
    hits = PairedHits(alike, alike, Clusters.of(np.repeat(np.arange(12), 30)))
    difference = hits.over_levels("recall", [0.0, 0.3], ERRORS)
    wider = 30 * (stats.t.isf(0.05 / 3, 11) / stats.t.isf(0.05 / 3, 359)) ** 2
    _, high = paired_score_bounds(0, 0, 360 / wider, 0.05 / 3)
    assert difference.fails_at == pytest.approx(high, abs=1e-6)


def test_the_loss_that_one_cell_tells_is_that_of_its_wins_and_losses() -> None:
    difference = one_cell(7, 3, 20, 10).of_recall(ERRORS)
    assert difference.spread == PairedSpread.of(7, 3, 23 / 40, 40)


def test_mean_retention_is_the_share_of_the_clean_recall() -> None:
    hits = many(2, (0.75, 0.8))
    difference = hits.over_levels("retention", [0.0, 0.3], ERRORS)
    clean, hidden = hits.candidate.mean(axis=0)
    assert difference.candidate == pytest.approx(hidden / clean)
    assert difference.passes_at < difference.value < difference.fails_at
    # A ratio is no share of hits, whose variance follows from the share.
    assert difference.spread is None


def test_a_half_level_that_is_not_reached_counts_as_the_last_level() -> None:
    hits = many(3, (0.9, 0.9))
    difference = hits.over_levels("half_level", [0.0, 0.3], ERRORS)
    assert (difference.candidate, difference.baseline) == (0.3, 0.3)


def test_where_hardly_any_patient_differs_a_mean_reaches_as_far_as_the_score_test() -> (
    None
):
    """2 losses among 300 queries: resamples alone would reach less far."""
    candidate = np.ones((300, 1))
    candidate[:2] = 0
    hits = PairedHits(candidate, np.ones((300, 1)), Clusters.of(np.arange(300)))
    difference = hits.over_levels("recall", [0.0], ERRORS)
    assert difference.passes_at <= paired_score_bounds(0, 2, 300, 0.05)[0]
    assert difference.fails_at >= paired_score_bounds(0, 2, 300, 0.05 / 3)[1]


@given(st.lists(st.integers(0, 5), max_size=12), st.randoms(use_true_random=False))
def test_queries_are_matched_in_any_order(keys: list[int], random: object) -> None:
    shuffled = list(keys)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    order = matched(np.array(keys, dtype=np.int64), np.array(shuffled, dtype=np.int64))
    assert order is not None
    assert [shuffled[place] for place in order] == keys
    assert sorted(order.tolist()) == list(range(len(keys)))


@pytest.mark.parametrize("other", [[1, 2], [1, 2, 4], [1, 2, 2]])
def test_other_queries_are_not_matched(other: list[int]) -> None:
    assert matched(np.array([1, 2, 3]), np.array(other)) is None


@pytest.mark.parametrize(
    ("passes_at", "fails_at", "verdict"),
    [
        (-0.05, 0.1, "pass"),
        (-0.05 - 1e-13, 0.1, "pass"),
        (-0.05 - 1e-9, 0.1, "inconclusive"),
        (-0.2, -0.05, "inconclusive"),
        (-0.2, -0.05 - 1e-9, "fail"),
    ],
)
def test_a_bound_at_the_margin_passes_and_does_not_fail(
    passes_at: float, fails_at: float, verdict: str
) -> None:
    difference = Difference(0.5, 0.5, passes_at, fails_at, 0.01, 500)
    assert non_inferior(difference, 0.05) == verdict
