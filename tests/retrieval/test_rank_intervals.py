"""Pairs of many models and their ranks, beside independent references."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.intervals import mcnemar_exact
from pytest_retrieval_robust.retrieval.rank_intervals import (
    ALPHA,
    RankInterval,
    compare_all,
)

Floats = NDArray[np.float64]
MONTE_CARLO = 0.02
"""More than four standard errors of a share of 10,000 draws."""


def alone(queries: int) -> Clusters:
    return Clusters.of(np.arange(queries))


def scores_of(seed: int, queries: int, models: int) -> Floats:
    rng = np.random.default_rng(seed)
    hits = rng.random((queries, models)) < np.linspace(0.3, 0.8, models)
    return hits.astype(np.float64)


@pytest.mark.parametrize(("wins", "losses"), [(6, 0), (9, 2), (30, 18), (0, 0)])
def test_a_pair_of_patients_who_do_not_repeat_has_mcnemars_exact_p(
    wins: int, losses: int
) -> None:
    scores = np.zeros((100, 2))
    scores[:wins, 0] = 1
    scores[wins : wins + losses, 1] = 1
    pairs = compare_all(scores, alone(100))
    assert pairs.p[0, 1] == pytest.approx(mcnemar_exact(wins, losses), abs=MONTE_CARLO)
    assert pairs.adjusted_p[0, 1] == pairs.p[0, 1]


def every_sign(sums: Floats) -> tuple[dict[tuple[int, int], float], ...]:
    """P and adjusted p by all 2^C signs of the patients, pair after pair in loops."""
    pairs = list(combinations(range(sums.shape[1]), 2))
    differences = {(i, j): sums[:, i] - sums[:, j] for i, j in pairs}
    reaches = {pair: np.sqrt((d**2).sum()) for pair, d in differences.items()}
    observed = {pair: abs(differences[pair].sum()) / reaches[pair] for pair in pairs}
    signs = [np.array(each) for each in product([-1.0, 1.0], repeat=len(sums))]
    drawn = [
        {pair: abs(each @ differences[pair]) / reaches[pair] for pair in pairs}
        for each in signs
    ]
    p = {}
    adjusted = {}
    least = 0.0
    remaining = sorted(pairs, key=observed.__getitem__, reverse=True)
    for place, pair in enumerate(remaining):
        limit = observed[pair] - 1e-9
        p[pair] = float(np.mean([each[pair] >= limit for each in drawn]))
        beyond = [
            max(each[other] for other in remaining[place:]) >= limit for each in drawn
        ]
        least = max(least, float(np.mean(beyond)))
        adjusted[pair] = least
    return p, adjusted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p_values_are_those_of_every_sign_of_the_patients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = scores_of(seed, 40, 4)
    clusters = Clusters.of(rng.integers(0, 10, 40))
    p, adjusted = every_sign(clusters.sums(scores))
    pairs = compare_all(scores, clusters)
    for pair in p:
        assert pairs.p[pair] == pytest.approx(p[pair], abs=MONTE_CARLO)
        assert pairs.adjusted_p[pair] == pytest.approx(adjusted[pair], abs=MONTE_CARLO)


def test_a_pair_is_told_apart_only_if_every_more_distant_one_is() -> None:
    for seed in range(20):
        scores = scores_of(seed, 60, 5)
        pairs = compare_all(scores, alone(60), flips=200)
        differences = scores[:, :, None] - scores[:, None, :]
        reaches = np.sqrt((differences**2).sum(axis=0))
        above = np.triu_indices(5, 1)
        distances = np.abs(differences.sum(axis=0))[above] / reaches[above]
        adjusted = pairs.adjusted_p[above][np.argsort(-distances, kind="stable")]
        assert (np.diff(adjusted) >= 0).all()


def test_models_far_apart_have_one_rank_each_and_equal_ones_have_all() -> None:
    rng = np.random.default_rng(0)
    far = np.column_stack([rng.random(800) < share for share in (0.9, 0.6, 0.3)])
    apart = compare_all(far.astype(np.float64), alone(800))
    assert apart.intervals == tuple(RankInterval(place, place) for place in (1, 2, 3))
    same = np.repeat(far[:, :1], 3, axis=1).astype(np.float64)
    equal = compare_all(same, alone(800))
    assert equal.intervals == (RankInterval(1, 3),) * 3
    assert (equal.adjusted_p == 1).all()
    # No pair differs, and yet the width is not 0.
    assert -0.05 < equal.low[0, 1] < 0 < equal.high[0, 1] < 0.05


def test_repeated_patients_are_worth_less() -> None:
    rng = np.random.default_rng(3)
    scores = (rng.random((50, 2)) < [0.5, 0.65]).astype(np.float64)
    repeated = np.repeat(scores, 8, axis=0)
    by_patient = compare_all(repeated, Clusters.of(np.repeat(np.arange(50), 8)))
    once = compare_all(scores, alone(50))
    assert by_patient.p == pytest.approx(once.p)
    assert by_patient.low == pytest.approx(once.low)
    ignored = compare_all(repeated, alone(400))
    assert ignored.p[0, 1] < 0.05 < by_patient.p[0, 1]


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_ranks_follow_from_pairs_in_any_order(
    seed: int, models: int, patients: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = scores_of(seed, 60, models)
    clusters = Clusters.of(rng.integers(0, patients, 60))
    pairs = compare_all(scores, clusters, flips=200)
    assert (pairs.adjusted_p >= pairs.p - 1e-12).all()
    assert (pairs.adjusted_p == pairs.adjusted_p.T).all()
    differences = pairs.means[:, None] - pairs.means[None, :]
    assert (pairs.low <= differences + 1e-9).all()
    assert (differences <= pairs.high + 1e-9).all()
    order = rng.permutation(models)
    shuffled = compare_all(scores[:, order], clusters, flips=200)
    assert shuffled.intervals == tuple(pairs.intervals[each] for each in order)
    for place, interval in enumerate(pairs.intervals):
        rank = 1 + int((pairs.means > pairs.means[place] + 1e-12).sum())
        assert 1 <= interval.best <= rank <= interval.worst <= models


def covered(recalls: Floats, patients: int, trials: int) -> float:
    """How often all rank intervals hold the true ranks: 300 queries, of which a few
    patients have most.
    """
    rng = np.random.default_rng(7)
    shares = 1 / np.arange(1, patients + 1)
    least = 1 + (recalls[None, :] > recalls[:, None]).sum(axis=1)
    most = len(recalls) - (recalls[None, :] < recalls[:, None]).sum(axis=1)
    held = 0
    for _ in range(trials):
        labels = np.append(
            np.arange(patients),
            rng.choice(patients, 300 - patients, p=shares / shares.sum()),
        )
        alike = rng.random((patients, 1)) + rng.random((patients, len(recalls)))
        own = rng.random((300, len(recalls)))
        uniform = (alike[labels] / 2 + own) / 2
        limits = np.quantile(uniform, recalls)
        pairs = compare_all(
            (uniform < limits).astype(np.float64), Clusters.of(labels), flips=300
        )
        held += all(
            interval.best <= low and high <= interval.worst
            for interval, low, high in zip(pairs.intervals, least, most, strict=True)
        )
    return held / trials


@pytest.mark.parametrize("patients", [300, 60])
def test_intervals_of_equal_models_hold_all_ranks_as_often_as_they_say(
    patients: int,
) -> None:
    trials = 300
    # Four standard errors of that many trials below the nominal share.
    floor = 1 - ALPHA - 4 * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    assert covered(np.full(5, 0.6), patients, trials) >= floor


def distance(differences: Floats, sizes: Floats, delta: float) -> float:
    """How far a difference is from what was observed, in the reach of random signs:
    two patients of usual size are added who gain and lose what is usual where it differs.
    """
    usual = sizes.sum() / len(sizes)
    differing = np.count_nonzero(differences)
    gain = usual * min(
        1.0,
        float(np.sqrt((1 + np.sum((differences / usual) ** 2)) / (1 + differing))),
    )
    residuals = [*(differences - delta * sizes), gain, -gain]
    return float(abs(np.sum(differences - delta * sizes)) / np.linalg.norm(residuals))


@pytest.mark.parametrize("patients", [600, 90])
def test_the_ends_of_a_difference_are_as_far_away_as_chance_gets(patients: int) -> None:
    labels = np.arange(600) % patients
    clusters = Clusters.of(labels)
    scores = scores_of(4, 600, 2)
    pairs = compare_all(scores, clusters)
    sums = clusters.sums(scores)
    differences = sums[:, 0] - sums[:, 1]
    sizes = clusters.sizes.astype(np.float64)
    low, high = pairs.low[0, 1], pairs.high[0, 1]
    assert low < differences.sum() / 600 < high
    reaches = [distance(differences, sizes, end) for end in (low, high)]
    assert reaches[0] == pytest.approx(reaches[1], rel=1e-9)
    # Signs of many patients are as good as normal: 1.96 for 95 %.
    assert reaches[0] == pytest.approx(1.96, abs=0.06)
    assert (pairs.low[1, 0], pairs.high[1, 0]) == (-high, -low)
    assert (np.diag(pairs.low) == 0).all()
    assert (np.diag(pairs.high) == 0).all()


def test_too_few_patients_bound_no_difference() -> None:
    scores = scores_of(0, 30, 2)
    pairs = compare_all(scores, Clusters.of(np.repeat([0, 1], 15)))
    assert (pairs.low[0, 1], pairs.high[0, 1]) == (-1, 1)
    assert (pairs.low[0, 0], pairs.high[1, 1]) == (0, 0)


def test_a_pair_that_never_differs_takes_what_bonferroni_would() -> None:
    scores = scores_of(2, 400, 4)
    scores[:, 3] = scores[:, 2]
    pairs = compare_all(scores, alone(400))
    # One of 6 pairs, both sides: the normal deviate of 1 - 0.05 / 12 is 2.638.
    reach = distance(np.zeros(400), np.ones(400), float(pairs.high[2, 3]))
    assert reach == pytest.approx(2.638, abs=0.001)
    assert pairs.low[2, 3] == -pairs.high[2, 3]
