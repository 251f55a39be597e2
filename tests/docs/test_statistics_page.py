"""docs/statistics.md says how often a gate by bound passes what it should not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from pytest_retrieval_robust.retrieval.intervals import wilson_interval

from .pages import section

_ROW = r"^\| ([\d.]+) to ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$"
TABLE = re.findall(
    _ROW, section("docs/statistics.md", "A floor by bound"), re.MULTILINE
)


@pytest.mark.parametrize(("queries", "column"), [(100, 2), (500, 3), (3000, 4)])
def test_a_model_below_its_floor_passes_by_bound_as_often_as_the_page_says(
    queries: int, column: int
) -> None:
    hits = np.arange(1, queries + 1)
    # A gate of 0.95 passes by the lower end of an interval of 0.90, so these floors are
    # the highest that so many hits pass.
    floors = np.array([wilson_interval(n, queries, 0.9)[0] for n in hits.tolist()])
    passes = stats.binom.sf(hits - 1, queries, floors)
    assert len(TABLE) == 4
    for row in TABLE:
        is_in_range = (float(row[0]) <= floors) & (floors <= float(row[1]))
        assert f"{100 * passes[is_in_range].max():.1f}" == row[column]
