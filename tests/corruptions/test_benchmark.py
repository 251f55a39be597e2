"""The benchmark of corruptions runs whole, on small pictures and without its peers."""

from __future__ import annotations

import pytest
import torch

from benchmarks import corruptions as benchmark

from .generators import ENTRIES


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
