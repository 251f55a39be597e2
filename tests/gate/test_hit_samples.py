"""What is resampled for many cells at once, against what is resampled for one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.gate import evidence, hit_samples
from pytest_retrieval_robust.gate.curve_intervals import curve_intervals
from pytest_retrieval_robust.gate.curve_statistics import (
    STATISTICS,
    estimate_of,
    statistic,
    tails,
)
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.bootstrap_counts import resampled_counts
from pytest_retrieval_robust.retrieval.curve import Curve
from pytest_retrieval_robust.retrieval.intervals import Estimate

from ..saved_runs import Made, make_run

PATIENTS = [
    pytest.param(1, id="alone"),
    pytest.param(4, id="four each"),
    pytest.param(3, id="no whole number each"),
]


def made(folder: Path, studies: int) -> Made:
    return make_run(folder, studies=studies, shift=40, seeds=(0, 1, 2))


def retention_alone(known: Evidence, curve: Curve) -> Estimate:
    """By the samples of the whole curve, without a look at others."""
    samples = known.samples(curve.outcomes, DIRECTIONS[0], [10])
    assert samples is not None
    values = statistic("retention", curve.levels, samples[:, :, 0])
    recalls = np.array([[outcome.recall(10) for outcome in curve.outcomes]])
    value = float(statistic("retention", curve.levels, recalls)[0])
    queries = curve.clean.image_to_report.queries
    clusters = known.clusters(curve.clean.case.dataset, DIRECTIONS[0], queries)
    return estimate_of(value, values, clusters.patient_sizes, 0.95)


@pytest.mark.parametrize("studies", PATIENTS)
@pytest.mark.parametrize("expected", [False, True])
def test_retention_is_the_same_whatever_is_resampled_with_it(
    tmp_path: Path, studies: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Room for three columns: what was counted ahead is dropped, and counted again.
    monkeypatch.setattr(hit_samples, "_MOST_BYTES", 120_000)
    run = made(tmp_path, studies).run
    if expected:
        run.evidence.expect(run.measured.outcomes)
    for curve in run.measured.curves:
        for last in curve.outcomes[1:]:
            cell = Curve((curve.clean, last))
            estimate = run.evidence.of_curve(cell, DIRECTIONS[0], 10, "retention", 0.95)
            assert estimate == retention_alone(run.evidence, cell)


@pytest.mark.parametrize("cells_ahead", [1, 2])
def test_cells_that_are_expected_are_resampled_with_the_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells_ahead: int
) -> None:
    columns_per_look = []

    def noted(
        hits: Sequence[NDArray[np.bool_]],
        pseudo: Sequence[tuple[int, int]],
        clusters: Clusters,
    ) -> Any:
        columns_per_look.append(len(hits))
        return resampled_counts(hits, pseudo, clusters)

    monkeypatch.setattr(hit_samples, "resampled_counts", noted)
    monkeypatch.setattr(evidence, "CELLS_AHEAD", cells_ahead)
    run = make_run(tmp_path, 40, levels=(0.0, 0.1, 0.2, 0.3)).run
    run.evidence.expect(run.measured.outcomes)
    [curve] = run.measured.curves
    # Two are asked for, and the third one would be next.
    for last in curve.outcomes[1:3]:
        cell = Curve((curve.clean, last))
        run.evidence.of_curve(cell, DIRECTIONS[0], 10, "retention", 0.95)
    assert columns_per_look == [2 + cells_ahead]


def test_each_query_is_resampled_alone_where_patients_are_unknown(
    tmp_path: Path,
) -> None:
    made = make_run(tmp_path, 40, studies=4)

    class RanksAlone:
        of_case = made.store.of_case

        def of_dataset(self, _: str) -> None:
            return None

    alone = Evidence(RanksAlone())
    [curve] = made.run.measured.curves
    estimate = alone.of_curve(curve, DIRECTIONS[0], 10, "retention", 0.95)
    assert estimate == retention_alone(alone, curve)
    assert estimate is not None
    assert estimate.degrees_of_freedom == math.inf


@pytest.mark.parametrize("studies", PATIENTS)
def test_intervals_are_those_of_each_curve_alone(tmp_path: Path, studies: int) -> None:
    run = made(tmp_path, studies).run
    together = dict(curve_intervals(run.measured.curves, run.evidence))
    for curve in run.measured.curves:
        assert dict(curve_intervals([curve], run.evidence)).items() <= together.items()
        ks = list(curve.ks)
        samples = run.evidence.samples(curve.outcomes, DIRECTIONS[1], ks)
        assert samples is not None
        queries = curve.clean.report_to_image.queries
        clusters = run.evidence.clusters(
            curve.clean.case.dataset, DIRECTIONS[1], queries
        )
        share = clusters.patient_sizes.tail_share(0.025)
        for index, k in enumerate(ks):
            at_k = together[curve.clean.case, DIRECTIONS[1], k]
            of_k = samples[:, :, index].copy()
            for name in ("auc", "half_level", "slope"):
                values = statistic(name, curve.levels, of_k)
                interval = getattr(at_k, name)
                assert (interval.low, interval.high) == tails(values, share)
    assert {"auc", "half_level", "slope"} <= set(STATISTICS)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1000, 1500),
    largest=st.sampled_from([1, 3, 50, 10_000]),
    share=st.sampled_from([0.01, 0.025, 1 - 0.95, 0.3]),
)
def test_both_tails_are_numpys_lower_quantiles(
    seed: int, count: int, largest: int, share: float
) -> None:
    samples = np.random.default_rng(seed).integers(0, largest + 1, count) / 7
    low, high = tails(samples, share)
    assert low == np.quantile(samples, share, method="lower")
    assert high == -np.quantile(-samples, share, method="lower")
