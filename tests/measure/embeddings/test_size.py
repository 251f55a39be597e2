"""The estimated size of a sweep's shards beside real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.embeddings.size import bytes_needed
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
from pytest_retrieval_robust.models import ModelCard

from ...core.sweeps import encoder_of
from ..sweep.test_sweep import RECORDS, Pixels


class Wide(Pixels):
    """Rows of any width, where `name` says how wide they are."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        return self._of_width(super().encode_images(pixels))

    def encode_reports(self, texts: list[str]) -> Tensor:  # type: ignore[override]
        return self._of_width(super().encode_reports(texts))

    def _of_width(self, rows: Tensor) -> Tensor:
        repeated = rows.repeat(1, 4)[:, : int(self.name)]
        return torch.nn.functional.normalize(repeated, dim=1)


@pytest.mark.parametrize("width", [64, 257, 1000])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_estimate_is_within_5_percent(
    width: int, size: int, tmp_path: Path
) -> None:
    model = encoder_of(Wide, name=str(width), card=ModelCard("test", sha256="0" * 64))
    cells = [(Cell(name, 0.3, 0), load_occluder(name)) for name in ("patches", "blobs")]
    store = EmbeddingStore(tmp_path)
    needed: list[int] = []
    options = SweepOptions(batch_size=size, store=store, tell_size=needed.append)
    run_sweep(model, pairs_of(RECORDS), cells, (1,), options)
    real = sum(file.size for file in store.files())
    assert needed == [bytes_needed(30, 3, width, size, 23)]
    assert real == pytest.approx(needed[0], rel=0.05)


def test_what_is_not_kept_is_not_counted(tmp_path: Path) -> None:
    class Undeclared:
        """An occluder that does not say what its masks follow from."""

        name = "undeclared"

        def occlude(self, pixels: Tensor, *_: object, **__: object) -> Tensor:
            return pixels

    needed: list[int] = []
    options = SweepOptions(
        batch_size=8, store=EmbeddingStore(tmp_path), tell_size=needed.append
    )
    known = encoder_of(Pixels, card=ModelCard("test", sha256="0" * 64))
    cells = [(Cell("undeclared", 0.3, 0), Undeclared())]
    run_sweep(known, pairs_of(RECORDS), cells, (1,), options)  # type: ignore[arg-type]
    assert needed == [bytes_needed(30, 1, 257, 8, 23)]
    # Nothing of a model whose weights have no hash is kept.
    run_sweep(encoder_of(Pixels), pairs_of(RECORDS), [], (1,), options)
    assert len(needed) == 1
