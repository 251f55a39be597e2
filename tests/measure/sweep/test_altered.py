"""A sweep counts the images and reports that a corruption or noise changes at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import (
    ImageCorruption,
    Region,
    ReportNoise,
    load_corruption,
    load_occluder,
    load_text_noise,
)
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.measure.embeddings.shards import EncodedBatch
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.sweep.altered import altered_texts
from pytest_retrieval_robust.measure.sweep.changes import family_of
from pytest_retrieval_robust.measure.sweep.only_stored import stored_engine

from .test_changes import DATA, SEVERITIES, Counting, cells_of, encoder, measured, sweep

__all__ = ["encoder"]
pytestmark = pytest.mark.usefixtures("one_thread")
SOME = frozenset(DATA.image_ids[::3])


@dataclass(frozen=True)
class Idle(ImageCorruption):
    """Changes no pixel by more than rounding, at any severity."""

    family = "idle"

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        return region.pixels * (1 - 1e-6)


@dataclass(frozen=True)
class OfSome(ImageCorruption):
    """Changes one pixel of some images, by one grey level."""

    family = "of-some"

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        pixels = region.pixels.clone()
        for place, image_id in enumerate(region.ids):
            if image_id in SOME:
                corner = pixels[place, 0, 0, 0]
                pixels[place, 0, 0, 0] = (corner - 1 / 255).abs()
        return pixels

    def looked_at(self, *_: Any) -> bytes:
        return b""


@dataclass(frozen=True)
class IdleNoise(ReportNoise):
    family = "idle-noise"

    def changed(self, text: str, severity: float, seed: int) -> str:  # noqa: ARG002
        return text


def altered_of(result: Any, change: Any) -> list[float | None]:
    cells = [
        Cell(change.name, severity, 0, family_of(change)) for severity in SEVERITIES
    ]
    return [measured(result, cell).altered for cell in cells]


def test_what_a_corruption_or_noise_changes_is_counted(encoder: Counting) -> None:
    contrast = load_corruption("contrast")
    case = load_text_noise("case")
    patches = load_occluder("patches")
    changes = (Idle(), OfSome(), contrast, IdleNoise(), case, patches)
    result = sweep(encoder, cells_of(*changes))
    assert measured(result, CLEAN).altered is None
    assert altered_of(result, patches) == [None, None]
    assert altered_of(result, Idle()) == [0.0, 0.0]
    share = len(SOME) / len(DATA.image_ids)
    assert altered_of(result, OfSome()) == [share, share]
    assert altered_of(result, contrast) == [1.0, 1.0]
    assert altered_of(result, IdleNoise()) == [0.0, 0.0]
    # Of the one word of these reports a share of 0.4 is none.
    assert altered_of(result, case) == [0.0, 1.0]


def test_a_run_that_takes_its_embeddings_from_the_store_knows_it(
    encoder: Counting, tmp_path: Path
) -> None:
    cells = cells_of(OfSome(), load_text_noise("case"), load_occluder("patches"))
    store = EmbeddingStore(tmp_path)
    first = sweep(encoder, cells, store=store)
    encoder.images = 0
    again = sweep(encoder, cells, store=store)
    # The two fixed pictures by which a model is known again.
    assert encoder.images == 2
    stored = sweep(encoder, cells, store=store, engine=stored_engine())
    for cell, _ in cells:
        altered = measured(first, cell).altered
        assert measured(again, cell).altered == altered
        assert measured(stored, cell).altered == altered
        assert (altered is None) == (cell.family == "occlusion")


def batch(altered: int | None) -> EncodedBatch:
    return EncodedBatch(
        rows=np.ones((3, 2), dtype=np.float32),
        shares=np.zeros(3),
        visible=0.0,
        digests=np.zeros((3, 32), dtype=np.uint8),
        is_readable=np.ones(3, dtype=np.bool_),
        altered=altered,
    )


def test_a_shard_without_a_count_has_the_members_it_had() -> None:
    members = {"rows", "shares", "visible", "digests", "is_readable", "hardware"}
    assert batch(None).as_arrays().keys() == members
    assert batch(2).as_arrays().keys() == {*members, "altered"}


@pytest.mark.parametrize("altered", [None, 0, 3])
def test_a_count_comes_back_from_a_shard(altered: int | None) -> None:
    read = EncodedBatch.of_arrays(batch(altered).as_arrays(), 3)
    assert read is not None
    assert read.altered == altered


@pytest.mark.parametrize(
    "wrong", [np.array(4), np.array(-1), np.array(0.5), np.array([1])]
)
def test_a_count_that_cannot_be_is_not_believed(wrong: Any) -> None:
    arrays = {**batch(2).as_arrays(), "altered": wrong}
    read = EncodedBatch.of_arrays(arrays, 3)
    assert read is not None
    assert read.altered is None


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [(["a", "b", "a"], 2 / 3), (["b"], 0.0), (["a"], 1.0)],
)
def test_reports_that_are_ranked_are_counted(
    ranked: Sequence[str], expected: float
) -> None:
    assert altered_texts(["a", "b", "a"], ["A", "b", "A"], ranked) == expected
