"""The benchmark of corruptions runs whole, on small pictures and without its peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import corruptions as benchmark
from benchmarks import severities
from pytest_retrieval_robust import load_corruption

from .generators import CORRUPTIONS, ENTRIES, IDS, pictures


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_every_corruption_is_timed(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "IMAGES", 2)
    monkeypatch.setattr(benchmark, "SIDE", 48)
    monkeypatch.setattr(benchmark, "PEER_IMAGES", 1)
    rows = benchmark.rows("cpu", dtype, rounds=1)
    assert {row.corruption for row in rows} == set(ENTRIES)
    assert all(row.first > 0 and row.further > 0 for row in rows)


@pytest.fixture(scope="module")
def few_films() -> torch.Tensor:
    return severities.films(side=64, count=16)


@pytest.mark.parametrize("name", list(severities.names()))
def test_the_suites_property_of_harm_holds_for_every_preset(
    name: str, few_films: torch.Tensor
) -> None:
    found = severities.distances(load_corruption(name), few_films)
    assert severities.row_of(name, 64, found).failures == 0


def test_distances_are_those_of_a_plain_loop() -> None:
    grey = pictures()[:, :1].expand(-1, 3, -1, -1).contiguous()
    found = severities.distances(CORRUPTIONS["quantum-noise"], grey, seeds=2)
    ids = [f"film-{number}" for number in range(len(IDS))]
    for seed in range(2):
        changed = CORRUPTIONS["quantum-noise"].corrupt(
            grey, ids, 0.3, seed, (0, 0, 1, 1)
        )
        expected = [
            float((a - b).abs().mean()) for a, b in zip(changed, grey, strict=True)
        ]
        assert np.allclose(found[seed, 3], np.array(expected) * 255, rtol=1e-5)


def test_falls_are_those_from_any_lower_severity() -> None:
    rising = np.array([[[0.0], [3.0], [2.5], [2.0], [4.0]]])
    assert severities.largest_fall(rising) == 1.0
    assert severities.failures_of(rising, by_film=True) == 3
    assert severities.failures_of(rising, by_film=False) == 1
