"""The grid of few and unequal patients judges as the gate does, and finds it right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate_rates_patients import (
    EXPONENTS,
    Corner,
    counts_of,
    drawn,
    pooled_bounds,
    table_of,
)
from benchmarks.simulated_pairs import ALPHA
from pytest_retrieval_robust.gate.difference import Errors
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.retrieval.bootstrap import Clusters, design_effect

UNEVEN = Corner(50, "uneven", 0.6, 0.4, 0.6)


@pytest.mark.parametrize("sizes", EXPONENTS)
def test_pairs_that_are_judged_together_have_the_bounds_of_each_alone(
    sizes: str,
) -> None:
    corner = Corner(50, sizes, 0.6, 0.4, 0.6)
    hits = drawn(corner, 4, np.random.default_rng(1))
    clusters = Clusters.of(np.repeat(np.arange(50), hits.sizes))
    bounds = pooled_bounds(hits)
    effects = hits.design_effects(hits.candidate)
    for number in range(4):
        alone = PairedHits(
            hits.candidate[number][:, None], hits.baseline[number][:, None], clusters
        )
        difference = alone.over_levels("recall", (0.0,), Errors(ALPHA))
        # Few patients of a Zipf's law differ: then it has a floor.
        assert difference.passes_at <= bounds[number] + 1e-5
        if sizes != "zipf" and alone._differing() >= 30:
            assert difference.passes_at == pytest.approx(bounds[number], abs=1e-5)
        effect = design_effect(hits.candidate[number], clusters)
        assert effects[number] == pytest.approx(effect)


def test_patients_are_as_alike_as_the_corner_says() -> None:
    hits = drawn(UNEVEN, 300, np.random.default_rng(2))
    assert hits.baseline.mean() == pytest.approx(0.6, abs=0.02)
    assert hits.candidate.mean() == pytest.approx(0.55, abs=0.02)
    # Hits of normal variables that correlate by 0.4 at a recall near a half.
    first, second = hits.baseline[:, 0], hits.baseline[:, 1]
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.25, abs=0.15)


def test_a_candidate_worse_by_the_margin_is_rarely_released_by_few_patients() -> None:
    counts = [
        counts_of(Corner(50, s, 0.6, 0.4, 0.6), 150, 0) for s in ("equal", "zipf")
    ]
    equal, steep = counts
    assert equal.decides
    assert not steep.decides
    table = table_of(counts)
    assert table.outside == 0
    assert "50 zipf, 250 | 2.9 | 0.0" in str(table)
