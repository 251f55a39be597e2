"""In a sweep, what levels share is made once per batch and seed, on either device."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.occluders import _batch, fills
from pytest_retrieval_robust.occluders.drawn.lines import Lines

from ...emulated_device import emulated
from .test_devices import encoder_on, ranks
from .test_sweep import RECORDS

LEVELS = (0.2, 0.5, 0.8)
SEEDS = (0, 1, 2)
FILLS = ("mean", "noise", "shuffled", "donor")
OPTIONS = SweepOptions(batch_size=8)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_fills_and_drawings_are_made_once_per_batch_and_seed(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()
    filling = fills.filling
    onsets = Lines.onsets

    def counted(fill: str, canvas: fills.Canvas) -> torch.Tensor | None:
        made[fill] += 1
        return filling(fill, canvas)

    def drawn(occluder: Lines, image_id: str, seed: int) -> Any:
        made["lines"] += 1
        return onsets(occluder, image_id, seed)

    monkeypatch.setattr(_batch, "filling", counted)
    monkeypatch.setattr(Lines, "onsets", drawn)
    names = [f"patches(fill={fill})" for fill in FILLS] + ["lines"]
    # As a run plans them: all seeds at a level, then the next level.
    cells = [
        (Cell(name, level, seed), load_occluder(name))
        for name in names
        for level in LEVELS
        for seed in SEEDS
    ]
    place = nullcontext() if device == "cpu" else emulated(device)
    with place:
        model = encoder_on(device=device)
        ranks(run_sweep(model, pairs_of(RECORDS), cells, (1,), OPTIONS))
    images = len(RECORDS.image_ids)
    batches = -(-images // 8)
    assert made["mean"] == batches
    for fill in ("noise", "shuffled", "donor"):
        assert made[fill] == batches * len(SEEDS)
    # On a device the mask is put there and the shares are counted from the same drawing.
    assert made["lines"] == images * len(SEEDS)
