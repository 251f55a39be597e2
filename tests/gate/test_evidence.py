"""Bounds from ranks and patients, against plain loops and scipy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pytest_retrieval_robust.core.cases import DIRECTIONS, Direction
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.core.outcomes import Outcome
from pytest_retrieval_robust.gate.curve_statistics import estimate_of, statistic, tail
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.seed_spread import layout_variation
from pytest_retrieval_robust.retrieval import bootstrap
from pytest_retrieval_robust.retrieval.bootstrap import (
    Clusters,
    design_effect,
    resampled_means,
    resampled_ranks,
)
from pytest_retrieval_robust.retrieval.curve import (
    area_under_curve,
    half_level,
    least_squares_slope,
    retention,
)
from pytest_retrieval_robust.retrieval.intervals import proportion, wilson_interval
from pytest_retrieval_robust.retrieval.metrics.named import NamedMetric
from pytest_retrieval_robust.retrieval.patients import PatientSizes

from ..saved_runs import LEVELS, Made, make_run, ranks_of

Floats = NDArray[np.float64]


def naive_means(
    values: Floats, labels: NDArray[np.int64], resamples: int, seed: int
) -> Floats:
    """Patients drawn one by one."""
    rng, patients = np.random.default_rng(seed), np.unique(labels)
    drawn = [
        np.concatenate(
            [np.flatnonzero(labels == p) for p in rng.choice(patients, len(patients))]
        )
        for _ in range(resamples)
    ]
    return np.array([values[rows].mean(axis=0) for rows in drawn])


@pytest.mark.parametrize("per_patient", [1, 4])
def test_resampled_ranks_have_the_means_of_resampled_hits(per_patient: int) -> None:
    ranks = np.random.default_rng(0).integers(1, 50, 200)
    clusters = Clusters.of(np.repeat(np.arange(200 // per_patient), per_patient))
    samples = resampled_ranks(ranks, clusters, worst=50, resamples=300)
    hit_rates = [np.mean(sample <= 10) for sample in samples]
    hits = (ranks <= 10).astype(np.float64)[:, None]
    pseudo = np.array([[1.0], [0.0]])
    means = resampled_means(hits, clusters, pseudo=pseudo, resamples=300)
    np.testing.assert_allclose(hit_rates, means[:, 0], rtol=1e-6)


def hits_at_10(simulated: Made, outcomes: Sequence[Outcome]) -> Floats:
    """(N, L) whether each query is hit in each outcome."""
    ranks_of_outcomes = [
        simulated.run.evidence.ranks(outcome, "image-to-report") for outcome in outcomes
    ]
    return np.stack(
        [
            (ranks <= 10).astype(np.float64)
            for ranks in ranks_of_outcomes
            if ranks is not None
        ],
        axis=1,
    )


@pytest.mark.parametrize("studies", [1, 4])
def test_resamples_spread_as_those_of_a_plain_loop(studies: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(240) // studies
    values = (
        rng.random((240, 2)) < 0.2 + 0.6 * rng.random(240 // studies)[labels][:, None]
    ).astype(float)
    fast, slow = (
        resampled_means(values, Clusters.of(labels)),
        naive_means(values, labels, 2000, 1),
    )
    assert fast.shape == (10_000, 2)
    assert fast.mean(axis=0) == pytest.approx(values.mean(axis=0), abs=0.002)
    assert fast.std(axis=0) == pytest.approx(slow.std(axis=0), rel=0.08)
    assert np.cov(fast.T) == pytest.approx(
        np.cov(slow.T), abs=0.15 * float(slow.var(axis=0).max())
    )


def test_resamples_are_those_of_scipy() -> None:
    values = (np.random.default_rng(3).random(400) < 0.7).astype(float)
    peer = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    ours = resampled_means(values[:, None], Clusters.of(np.arange(400)))[:, 0]
    assert np.quantile(ours, [0.025, 0.975]) == pytest.approx(
        list(peer.confidence_interval), abs=0.003
    )
    assert ours.std() == pytest.approx(peer.standard_error, rel=0.03)


def test_the_same_run_has_the_same_resamples() -> None:
    values = np.random.default_rng(0).random((50, 3))
    means, repeated = (
        resampled_means(values, Clusters.of(np.arange(50)), resamples=100)
        for _ in range(2)
    )
    assert np.array_equal(means, repeated)
    assert not np.array_equal(
        means,
        resampled_means(values, Clusters.of(np.arange(50)), resamples=100, seed=1),
    )


def test_pseudo_patients_keep_an_interval_open() -> None:
    values, clusters = np.zeros((30, 1)), Clusters.of(np.arange(30))
    assert resampled_means(values, clusters).std() == 0
    assert resampled_means(
        values, clusters, pseudo=np.array([[1.0], [-1.0]])
    ).std() == pytest.approx(2**0.5 / 32, rel=0.1)


@given(st.integers(1, 4), st.data())
def test_the_design_effect_of_equal_patients_is_the_ratio_of_two_variances(
    size: int, data: st.DataObject
) -> None:
    patients = data.draw(st.integers(1, 12))
    count = size * patients
    hits = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    values = np.array(hits, dtype=np.float64)
    labels = np.arange(count) % patients
    effect = design_effect(values, Clusters.of(labels))
    if size == 1:
        assert effect == 1
        return
    if patients == 1 or values.std() == 0:
        assert effect == size
        return
    mean = values.mean()
    sums = [sum(values[labels == patient] - mean) for patient in range(patients)]
    clustered = sum(s * s for s in sums) * patients / (patients - 1)
    expected = max(1.0, clustered / sum((v - mean) ** 2 for v in values))
    assert effect == pytest.approx(expected)


@given(st.integers(0, 100), st.integers(1, 100), st.floats(1, 5))
def test_a_proportion_of_repeated_patients_is_one_of_fewer_queries(
    hits: int, queries: int, effect: float
) -> None:
    value = min(hits, queries) / queries
    estimate, fewer = (
        proportion(value, queries, 0.95, effect),
        wilson_interval(value * queries / effect, queries / effect, 0.9),
    )
    assert (estimate.low, estimate.high) == pytest.approx(fewer)
    assert estimate.low <= proportion(value, queries, 0.95).low + 1e-12


RECALLS = st.lists(st.floats(0.01, 1), min_size=4, max_size=4)


@given(st.lists(RECALLS, min_size=1, max_size=5))
def test_statistics_of_samples_are_those_of_single_curves(
    recalls: list[list[float]],
) -> None:
    levels = (0.0, 0.1, 0.3, 0.5)
    table = np.array(recalls)
    for row, retained, mean_retained, area, half, slope in zip(
        recalls,
        *(
            statistic(name, levels, table)
            for name in ("retention", "mean_retention", "auc", "half_level", "slope")
        ),
        strict=True,
    ):
        assert retained == pytest.approx(retention(row)[-1])
        assert mean_retained == pytest.approx(sum(retention(row)[1:]) / 3)
        assert area == pytest.approx(area_under_curve(levels, row))
        assert half == pytest.approx(
            math.inf if (level := half_level(levels, row)) is None else level
        )
        assert slope == pytest.approx(least_squares_slope(levels, row))


def test_a_tail_too_thin_for_its_samples_is_normal() -> None:
    samples = np.random.default_rng(0).normal(size=10_000)
    assert tail(samples, 0.05) == pytest.approx(np.quantile(samples, 0.05), abs=0.01)
    assert tail(samples, 1e-5) == pytest.approx(
        samples.mean() - 4.2649 * samples.std(), abs=1e-3
    )


def test_a_half_level_beyond_what_was_measured_has_no_upper_bound() -> None:
    samples = np.where(np.arange(1000) < 500, 0.4, np.inf)
    alone = PatientSizes(np.ones(100, dtype=np.int64))
    estimate = estimate_of(0.45, samples, alone, 0.95)
    assert (estimate.low, estimate.high, estimate.error) == (0.4, math.inf, math.inf)
    assert estimate.queries_to_clear(0.3, 0.95) is None


@pytest.mark.parametrize(
    ("value", "limit", "queries"),
    [(0.5, 0.45, 200), (0.9, 0.93, 100), (0.8, 0.75, 300), (0.3, 0.33, 500)],
)
def test_the_queries_that_are_missing_settle_it_four_times_in_five(
    value: float, limit: float, queries: int
) -> None:
    """In fresh samples of so many queries, if the truth is what was observed."""
    more = proportion(value, queries, 0.95).queries_to_clear(limit, 0.95)
    assert more is not None
    rng = np.random.default_rng(5)
    for share, power in ((1.0, 0.8), (0.3, None)):
        count = queries + round(share * more)
        hits, times = np.unique(rng.binomial(count, value, 4000), return_counts=True)
        settled = 0
        for each, time in zip(hits.tolist(), times.tolist(), strict=True):
            estimate = proportion(each / count, count, 0.95)
            settled += time * (estimate.low >= limit or estimate.high < limit)
        if power is None:
            assert settled / 4000 < 0.75
        else:
            assert settled / 4000 == pytest.approx(power, abs=0.05)


def test_more_patients_have_more_degrees_of_freedom() -> None:
    """So few patients are not told to come back with as many as their own bounds ask for."""
    few = replace(proportion(0.5, 100, 0.95), degrees_of_freedom=4.0)
    more = few.queries_to_clear(0.42, 0.95)
    assert more is not None
    growth = (100 + more) / 100
    # Of hits, the bound takes the error at the limit.
    reach = stats.t.ppf(0.95, 4.0 * growth) * math.sqrt(0.42 * 0.58 / 100)
    reach += stats.norm.ppf(0.8) * math.sqrt(0.5 * 0.5 / 100)
    assert growth == pytest.approx((reach / 0.08) ** 2, rel=0.02)
    independent = proportion(0.5, 100, 0.95).queries_to_clear(0.42, 0.95)
    assert independent is not None
    assert independent < more


def test_patients_widen_the_bounds_of_a_run(tmp_path: Path) -> None:
    alone, together = (
        make_run(tmp_path / str(studies), 400, shift=300, studies=studies)
        for studies in (1, 10)
    )
    for simulated in (alone, together):
        assert simulated.run.measured.outcomes[-1].recall(
            10
        ) == alone.run.measured.outcomes[-1].recall(10)
    widths = [
        simulated.run.evidence.recall(
            simulated.run.measured.outcomes[-1], "image-to-report", 10, 0.95
        )
        for simulated in (alone, together)
    ]
    assert widths[1].high - widths[1].low > 1.5 * (widths[0].high - widths[0].low)


def test_a_curve_has_the_bounds_of_its_resampled_patients(tmp_path: Path) -> None:
    simulated = make_run(tmp_path, 300)
    (curve,) = simulated.run.measured.curves
    slow = naive_means(hits_at_10(simulated, curve.outcomes), np.arange(300), 2000, 0)
    for name, values in {
        "retention": slow[:, -1] / slow[:, 0],
        "auc": np.array([area_under_curve(LEVELS, row.tolist()) for row in slow]),
    }.items():
        estimate = simulated.run.evidence.of_curve(
            curve, "image-to-report", 10, name, 0.95
        )
        assert estimate is not None
        assert (estimate.low, estimate.high) == pytest.approx(
            np.quantile(values, [0.05, 0.95]).tolist(), abs=0.012
        )
        assert estimate.error == pytest.approx(values.std(), rel=0.1)


def test_one_added_patient_loses_all_that_is_hidden_and_another_one_gains_it(
    tmp_path: Path,
) -> None:
    evidence = (run := make_run(tmp_path, 40).run).evidence
    [curve] = run.measured.curves
    samples = evidence.samples(curve.outcomes, DIRECTIONS[0], [1, 10])
    assert samples is not None
    ranks = [evidence.ranks(each, DIRECTIONS[0]) for each in curve.outcomes]
    hits = np.array([each <= k for each in ranks for k in (1, 10) if each is not None])
    # Of 3 levels and then 2 k: what is found with nothing hidden comes first.
    pseudo = np.array([[1.0, 1, 0, 0, 0, 0], [0.0, 0, 1, 1, 1, 1]])
    clusters = evidence.clusters("d", DIRECTIONS[0], 40)
    expected = resampled_means(hits.T.astype(np.float64), clusters, pseudo=pseudo)
    np.testing.assert_array_equal(samples, expected.reshape(len(samples), 3, 2))


def top_3(ranks: NDArray[np.int64]) -> float:
    return float((ranks <= 3).mean())


def test_a_metric_that_was_not_saved_is_computed_of_the_ranks(tmp_path: Path) -> None:
    made = make_run(tmp_path, 100, studies=4)
    last = made.run.measured.outcomes[-1]
    metric = NamedMetric("top-3", top_3)
    known = Evidence(made.store, [metric])
    value = top_3(ranks_of(100, 0.4))
    assert known.metric(last, DIRECTIONS[0], "top-3") == pytest.approx(value)
    assert made.run.evidence.metric(last, DIRECTIONS[0], "top-3") is None
    added = made.run.evidence.with_metrics([metric])
    assert added.metric(last, DIRECTIONS[1], "top-3") == pytest.approx(value)


def test_random_orders_are_drawn_once_for_all_levels(tmp_path: Path) -> None:
    made = make_run(tmp_path, 40)
    calls = []

    def counted(ranks: NDArray[np.int64]) -> float:
        calls.append(len(ranks))
        return top_3(ranks)

    evidence = Evidence(made.store, [NamedMetric("top-3", counted)])
    for level in made.run.measured.outcomes:
        assert evidence.is_met_by_chance(level, DIRECTIONS[0], "top-3", 0.0)
        assert not evidence.is_met_by_chance(level, DIRECTIONS[0], "top-3", 0.5)
    assert calls == [40] * (1000 + 2)


def test_a_metric_has_the_bounds_of_its_resampled_patients(tmp_path: Path) -> None:
    made = make_run(tmp_path, 200)
    last = made.run.measured.outcomes[-1]
    scores = replace(last.image_to_report, metrics={"top-3": 0.25})
    saved = replace(last, image_to_report=scores)
    evidence = Evidence(made.store, [NamedMetric("top-3", top_3)])
    estimate = evidence.metric_estimate(last, DIRECTIONS[0], "top-3", 0.95)
    assert estimate is not None
    share = top_3(ranks_of(200, 0.4))
    assert estimate.value == pytest.approx(share)
    error = math.sqrt(share * (1 - share) / 200)
    assert estimate.error == pytest.approx(error, rel=0.08)
    reach = stats.norm.isf(0.05) * error
    assert estimate.low == pytest.approx(share - reach, abs=0.2 * error)
    assert estimate.high == pytest.approx(share + reach, abs=0.2 * error)
    # What was saved is the value, and never out of bounds.
    of_saved = evidence.metric_estimate(saved, DIRECTIONS[0], "top-3", 0.95)
    assert of_saved is not None
    assert of_saved.value == 0.25
    assert of_saved.low <= 0.25 <= of_saved.high
    wider = evidence.metric_estimate(last, DIRECTIONS[0], "top-3", 0.99)
    assert wider is not None
    assert wider.low < estimate.low


def test_layouts_and_queries_vary_apart(tmp_path: Path) -> None:
    simulated = make_run(tmp_path, 300, seeds=(0, 1, 2))
    variations = [
        each
        for each in layout_variation(
            simulated.run.measured.curves, simulated.run.evidence
        )
        if each.k == 10
    ]
    assert {(each.level, each.seeds) for each in variations} == {(0.2, 3), (0.4, 3)}
    variation = next(
        each
        for each in variations
        if each.level == 0.4 and each.direction == "image-to-report"
    )
    outcomes = [
        each for each in simulated.run.measured.outcomes if each.case.level == 0.4
    ]
    recalls = [each.recall(10) for each in outcomes]
    assert variation.mean == pytest.approx(np.mean(recalls))
    assert variation.layouts == pytest.approx(np.std(recalls, ddof=1))
    shares = hits_at_10(simulated, outcomes).mean(axis=1, keepdims=True)
    assert variation.queries == pytest.approx(
        naive_means(shares, np.arange(300), 2000, 0).std(), rel=0.1
    )


def test_one_seed_has_no_layouts_to_tell_apart(tmp_path: Path) -> None:
    simulated = make_run(tmp_path)
    assert (
        list(layout_variation(simulated.run.measured.curves, simulated.run.evidence))
        == []
    )


class Nothing:
    """The arrays of a run that kept none."""

    def of_case(self, _: str) -> None: ...

    def of_dataset(self, _: str) -> None: ...


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_was_not_kept_is_not_there(tmp_path: Path, direction: Direction) -> None:
    [clean, *_] = make_run(tmp_path, 40).run.measured.outcomes
    evidence = Evidence(Nothing())
    assert evidence.ranks(clean, direction) is None
    assert evidence.query_keys("d", direction) is None
    assert evidence.group_codes("d", direction) is None
    assert evidence.samples([clean], direction, [10]) is None
    assert evidence.columns([clean], direction, [10]) is None
    assert evidence.metric_estimate(clean, direction, "mrr", 0.95) is None
    clusters = evidence.clusters("d", direction, 3)
    assert clusters.numbers.tolist() == [0, 1, 2]


class Apart:
    """Arrays of which those of images and of reports are told apart."""

    def of_case(self, _: str) -> dict[str, NDArray[np.int64]]:
        return {"image_ranks": np.array([1, 2]), "report_ranks": np.array([3, 4])}

    def of_dataset(self, _: str) -> dict[str, NDArray[np.int64]]:
        return {
            "image_query_key": np.array([11, 12]),
            "report_query_key": np.array([13, 14]),
            "image_strata": np.array([[0, 1]]),
            "report_strata": np.array([[1, 0]]),
            "cluster": np.array([7, 7]),
            "report_cluster": np.array([7, 8]),
        }


@pytest.mark.parametrize(
    ("direction", "ranks", "keys", "codes", "patients"),
    [
        ("image-to-report", [1, 2], [11, 12], [[0, 1]], 1),
        ("report-to-image", [3, 4], [13, 14], [[1, 0]], 2),
    ],
)
def test_each_direction_has_its_own_arrays(
    tmp_path: Path,
    direction: Direction,
    ranks: list[int],
    keys: list[int],
    codes: list[list[int]],
    patients: int,
) -> None:
    [clean, *_] = make_run(tmp_path, 40).run.measured.outcomes
    evidence = Evidence(Apart())
    found = evidence.ranks(clean, direction)
    query_keys = evidence.query_keys("d", direction)
    group_codes = evidence.group_codes("d", direction)
    assert found is not None
    assert query_keys is not None
    assert group_codes is not None
    assert found.tolist() == ranks
    assert query_keys.tolist() == keys
    assert group_codes.tolist() == codes
    assert evidence.clusters("d", direction, 2).count == patients
    samples = evidence.samples([clean], direction, [3])
    assert samples is not None
    # A mean over so many patients and two added ones, all of the same size.
    unit = 2 * (patients + 2) / patients
    np.testing.assert_allclose(samples * unit, np.round(samples * unit), atol=1e-6)


def test_another_direction_is_refused_by_its_name(tmp_path: Path) -> None:
    [clean, *_] = make_run(tmp_path, 40).run.measured.outcomes
    unknown: Any = "sideways"
    with pytest.raises(ArgumentError, match="direction.*'sideways'"):
        Evidence(Nothing()).ranks(clean, unknown)


def test_without_ranks_there_is_no_bootstrap(tmp_path: Path) -> None:
    simulated = make_run(tmp_path)
    (curve,) = simulated.run.measured.curves
    nothing = Nothing()
    assert Evidence(nothing).of_curve(curve, "image-to-report", 10, "auc", 0.95) is None
    recall = Evidence(nothing).recall(curve.clean, "image-to-report", 10, 0.975)
    assert (recall.low, recall.high) == pytest.approx(
        curve.clean.image_to_report.recall_interval[10]
    )


@settings(max_examples=20)
@given(st.integers(2, 12))
def test_a_retention_at_the_ceiling_is_still_open(queries: int) -> None:
    """All found, with and without hiding: a percentile interval alone would be [1, 1]."""
    hits = np.ones((queries, 2))
    pseudo = np.array([[1.0, 0.0], [0.0, 1.0]])
    means = resampled_means(
        hits, Clusters.of(np.arange(queries)), pseudo=pseudo, resamples=2000
    )
    assert np.quantile(statistic("retention", (0.0, 0.3), means), 0.05) < 0.95


def test_both_directions_are_resampled_in_one_pass_if_draws_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(tmp_path, 60, studies=2)
    [curve] = made.run.measured.curves

    def samples_of(evidence: Evidence) -> list[NDArray[np.float64] | None]:
        return [evidence.samples(curve.outcomes, way, [1, 10]) for way in DIRECTIONS]

    apart = samples_of(made.run.evidence)
    passes = 0
    fresh_draws = bootstrap._fresh_draws

    def counted(*arguments: int) -> Iterator[NDArray[np.uint8]]:
        nonlocal passes
        passes += 1
        return fresh_draws(*arguments)

    monkeypatch.setattr(bootstrap, "_MOST_CACHED", 0)
    monkeypatch.setattr(bootstrap, "_fresh_draws", counted)
    together = samples_of(Evidence(made.store))
    assert passes == 1
    for one, other in zip(together, apart, strict=True):
        assert one is not None
        assert other is not None
        assert np.array_equal(one, other)
