"""The sweep against a naive loop, and what a broken encoder does to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust import evaluate, load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import CLEAN, DIRECTIONS, Cell
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    EmbeddingError,
    ModelError,
    RankingError,
    RobustError,
)
from pytest_retrieval_robust.measure.pairs import ceiling, pairs_of
from pytest_retrieval_robust.measure.sweep.gallery import encode_gallery
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepOptions, run_sweep
from pytest_retrieval_robust.models import DualEncoder, Frame, ModelCard, Prepared
from pytest_retrieval_robust.occluders.area import visible_level

PATCHES = load_occluder("patches")


@dataclass(frozen=True)
class Records:
    """A data set of small pictures; several images may share a report."""

    texts: Sequence[str]
    reports: Sequence[str]
    name: str = "records"
    split: str = "test"
    text: str = "full"
    relevance: str = "same-text"

    @classmethod
    def of(cls, *texts: str) -> Records:
        return cls(texts, tuple(dict.fromkeys(texts)))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("\0".join(self.texts).encode()).hexdigest()

    @property
    def image_ids(self) -> list[str]:
        return [f"image-{number}" for number in range(len(self.texts))]

    @property
    def patients(self) -> list[str]:
        return self.image_ids

    @property
    def image_groups(self) -> NDArray[np.int64]:
        return np.array(
            [self.reports.index(text) for text in self.texts], dtype=np.int64
        )

    @property
    def report_groups(self) -> NDArray[np.int64]:
        return np.arange(len(self.reports))

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(
            np.random.default_rng(index).integers(0, 255, (20, 30), dtype=np.uint8)
        )


@dataclass
class Pixels:
    """An encoder whose image embeddings are the pixels, and whose report embeddings are given."""

    rows: dict[str, NDArray[np.float32]]
    name: str = "pixels"
    device: str = "cpu"
    card: ModelCard = field(default_factory=lambda: ModelCard("test"))
    frame: Frame = (0.0, 0.0, 1.0, 1.0)

    def prepare(self, image: Image.Image) -> Prepared:
        grey = np.asarray(image.resize((16, 16)), dtype=np.uint8)
        return Prepared(np.repeat(grey[None], 3, axis=0), self.frame)

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = torch.cat(
            [pixels[:, 0].flatten(1) - 0.5, torch.full((len(pixels), 1), 0.1)], dim=1
        )
        return torch.nn.functional.normalize(rows, dim=1)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        rows = torch.from_numpy(np.stack([self.rows[text] for text in texts]))
        return torch.nn.functional.normalize(rows, dim=1)


def noisy_model(dataset: Records, noise: float = 0.6) -> Pixels:
    """Embeds a report as its first image's pixels with noise: good, and not perfect."""
    model = Pixels({})
    rng = np.random.default_rng(0)
    rows: dict[str, NDArray[np.float32]] = {}
    for index, text in enumerate(dataset.texts):
        row = model.encode_images(
            torch.from_numpy(model.prepare(dataset.image(index)).pixels)[None] / 255
        )[0].numpy()
        rows.setdefault(
            text, (row + noise * rng.normal(size=row.shape) / 4).astype(np.float32)
        )
    model.rows = rows
    return model


RECORDS = Records.of(*(f"report {number % 23}" for number in range(30)))


def naive_ranks(
    queries: Tensor, gallery: Tensor, right: Callable[[int, int], bool]
) -> list[int]:
    scores = queries.double() @ gallery.double().T
    ranks = []
    for q, row in enumerate(scores.tolist()):
        best = max(score for g, score in enumerate(row) if right(q, g))
        ranks.append(
            1 + sum(score >= best for g, score in enumerate(row) if not right(q, g))
        )
    return ranks


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_sweep_gives_what_a_naive_loop_gives(batch_size: int) -> None:
    model, cell = noisy_model(RECORDS), Cell("patches", 0.4, 3)
    result = run_sweep(
        model,
        pairs_of(RECORDS),
        [(cell, PATCHES)],
        (1, 5),
        SweepOptions(batch_size=batch_size),
    )
    measured = result.cells[cell]
    assert isinstance(measured, Measured)
    reports = model.encode_reports(RECORDS.reports)
    rows = []
    for index, image_id in enumerate(RECORDS.image_ids):
        pixels = (
            torch.from_numpy(model.prepare(RECORDS.image(index)).pixels)[None] / 255
        )
        hidden = pixels * ~PATCHES.mask([image_id], 0.4, 3, 16, model.frame)
        rows.append(model.encode_images(hidden))
    groups = RECORDS.image_groups
    assert measured.image_ranks.tolist() == naive_ranks(
        torch.cat(rows), reports, lambda q, g: groups[q] == g
    )
    assert measured.report_ranks.tolist() == naive_ranks(
        reports, torch.cat(rows), lambda q, g: groups[g] == q
    )
    assert measured.image_to_report.recall[5] == pytest.approx(
        np.mean(measured.image_ranks <= 5)
    )
    assert measured.achieved_level == pytest.approx(0.3984375)
    assert measured.visible_level == pytest.approx(0.3984375)


def test_a_cropping_model_sees_another_share() -> None:
    model, cell = noisy_model(RECORDS), Cell("patches", 0.5, 0)
    model.frame = (-0.5, 0.0, 1.5, 1.0)
    measured = run_sweep(model, pairs_of(RECORDS), [(cell, PATCHES)], (1,)).cells[cell]
    assert isinstance(measured, Measured)
    masks = PATCHES.mask(RECORDS.image_ids, 0.5, 0, 16, model.frame)
    assert measured.visible_level == pytest.approx(visible_level(masks, model.frame))
    assert measured.achieved_level == 0.5


def test_evaluate_gives_a_curve_of_both_directions() -> None:
    curve = evaluate(
        noisy_model(RECORDS), RECORDS, PATCHES, levels=(0.3, 0.1 + 0.2, 1), ks=(1, 5)
    )
    assert curve.levels == (0.0, 0.3, 1.0)
    for direction in DIRECTIONS:
        recall = curve.recall(5, direction)
        assert recall[0.0] > recall[0.3] > recall[1.0]


def test_recall_of_the_embedded_encoder_falls_with_occlusion() -> None:
    model = load_model("tiny-cxr-clip", device="cpu")
    dataset = load_dataset("synthetic-cxr", pairs=100)
    recall = evaluate(model, dataset, PATCHES, levels=(0.1, 0.5), device="cpu").recall(
        10
    )
    assert recall[0.0] > 0.9
    assert recall[0.0] > recall[0.1] > recall[0.5]


class NaNUnderOcclusion(Pixels):
    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels)
        return rows * torch.nan if (pixels == 0).float().mean() > 0.25 else rows


class Zeros(Pixels):
    def encode_images(self, pixels: Tensor) -> Tensor:
        return torch.zeros(len(pixels), 8)


class Constant(Pixels):
    def encode_images(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.normalize(torch.ones(len(pixels), 257), dim=1)


class Flat(Pixels):
    def encode_images(self, pixels: Tensor) -> Tensor:
        return torch.ones(len(pixels))


class Raises(Pixels):
    def encode_images(self, pixels: Tensor) -> Tensor:
        raise ValueError(f"wrong size {pixels.shape[-1]}")


class TwoShapes(Pixels):
    def prepare(self, image: Image.Image) -> Prepared:
        side = 16 if image.getpixel((0, 0)) else 8
        return Prepared(np.zeros((3, side, side), dtype=np.uint8), self.frame)


def broken(kind: type[Pixels], dataset: Records = RECORDS) -> Pixels:
    return kind(noisy_model(dataset).rows)


def test_an_encoder_that_breaks_at_one_level_loses_no_other() -> None:
    cells = [Cell("patches", level, 0) for level in (0.1, 0.5)]
    result = run_sweep(
        broken(NaNUnderOcclusion),
        pairs_of(RECORDS),
        [(cell, PATCHES) for cell in cells],
        (1,),
    )
    assert isinstance(result.cells[CLEAN], Measured)
    assert isinstance(result.cells[cells[0]], Measured)
    error = result.cells[cells[1]]
    assert isinstance(error, EmbeddingError)
    assert "length=nan for the image with id hash" in str(error)
    assert "image-0" not in str(error)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (Zeros, EmbeddingError, "length=0 for the image with id hash"),
        (Constant, EmbeddingError, "the same row for all 30"),
        (Flat, EmbeddingError, r"shape \(30, D\).*shape=\(30,\)"),
        (
            Raises,
            ModelError,
            (
                r"encode_images of pixels .*, got ValueError at"
                r" tests/measure/sweep/test_sweep.py:\d+ in encode_images"
            ),
        ),
    ],
)
def test_a_broken_image_encoder_is_a_clear_error(
    kind: type[Pixels], error: type[RobustError], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate(broken(kind), RECORDS, PATCHES, levels=(), ks=(1,))


def test_images_of_different_shapes_are_an_error() -> None:
    class Sizes(Records):
        def image(self, index: int) -> Image.Image:
            return Image.new("L", (16, 16), index % 2)

    with pytest.raises(ModelError, match="one shape"):
        evaluate(
            broken(TwoShapes),
            Sizes(RECORDS.texts, RECORDS.reports),
            PATCHES,
            levels=(),
            ks=(1,),
        )


def test_reports_that_all_look_the_same_are_an_error() -> None:
    model = noisy_model(RECORDS)
    model.rows = dict.fromkeys(model.rows, np.ones(257, dtype=np.float32))
    with pytest.raises(EmbeddingError, match="differ between reports"):
        evaluate(model, RECORDS, PATCHES, levels=(), ks=(1,))


def test_a_k_above_the_gallery_is_an_error() -> None:
    with pytest.raises(
        RankingError, match="at most the gallery's size of 23, got k=24"
    ):
        evaluate(noisy_model(RECORDS), RECORDS, PATCHES, ks=(1, 24))


def test_an_empty_data_set_is_an_error() -> None:
    with pytest.raises(DatasetError, match="images=0, reports=0 in records"):
        pairs_of(Records.of())


def test_a_limit_keeps_the_reports_of_its_images() -> None:
    pairs = pairs_of(RECORDS, 5)
    assert pairs.image_ids == RECORDS.image_ids[:5]
    assert pairs.texts == [f"report {number}" for number in range(5)]


def test_a_text_that_several_images_share_is_right_for_each() -> None:
    dataset = Records.of("a", "b", "a", "c")
    model = noisy_model(dataset, noise=0.0)
    curve = evaluate(model, dataset, PATCHES, levels=(), ks=(1,))
    assert curve.recall(1, "report-to-image") == {0.0: 1.0}
    assert ceiling(pairs_of(dataset), (1,)) == {1: 1.0}


def test_the_ceiling_counts_identical_wrong_texts_against() -> None:
    class Strict(Records):
        @property
        def image_groups(self) -> NDArray[np.int64]:
            return np.arange(len(self.texts))

        @property
        def report_groups(self) -> NDArray[np.int64]:
            return np.arange(len(self.texts))

    dataset = Strict(("a", "b", "a", "a"), ("a", "b", "a", "a"), relevance="strict-id")
    assert ceiling(pairs_of(dataset), (1, 2, 3)) == {1: 0.25, 2: 0.25, 3: 1.0}


def test_memory_that_runs_out_halves_the_batch() -> None:
    class Small(Pixels):
        def encode_images(self, pixels: Tensor) -> Tensor:
            if len(pixels) > 3:
                raise torch.OutOfMemoryError("too many")
            return super().encode_images(pixels)

    expected = evaluate(noisy_model(RECORDS), RECORDS, PATCHES, levels=(0.3,), ks=(1,))
    got = evaluate(broken(Small), RECORDS, PATCHES, levels=(0.3,), ks=(1,))
    assert got.recall(1) == expected.recall(1)


def test_a_scorer_of_the_models_own_decides_the_ranks() -> None:
    class Distance(Pixels):
        def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
            return -torch.cdist(queries, gallery)

    expected = evaluate(
        noisy_model(RECORDS), RECORDS, PATCHES, levels=(0.3,), ks=(1, 5)
    )
    got = evaluate(broken(Distance), RECORDS, PATCHES, levels=(0.3,), ks=(1, 5))
    # On unit rows the distance ranks as the dot product does.
    for direction in DIRECTIONS:
        assert got.recall(5, direction) == expected.recall(5, direction)


def test_the_wrong_device_is_an_error() -> None:
    model: Any = noisy_model(RECORDS)
    model.device = "mps"
    with pytest.raises(RobustError, match="device='cpu' with pixels on mps"):
        evaluate(model, RECORDS, PATCHES, device="cpu")


def test_the_embedded_encoder_keeps_the_protocol() -> None:
    assert isinstance(load_model("tiny-cxr-clip", device="cpu"), DualEncoder)


def test_reports_whose_later_batch_has_another_width_are_refused() -> None:
    class Narrowing(Pixels):
        def encode_reports(self, texts: Sequence[str]) -> Tensor:
            width = 8 if "a" in texts else 6
            return torch.eye(8)[: len(texts), :width]

    with pytest.raises(
        EmbeddingError, match=r"one width from pixels, got widths=\[6, 8\]"
    ):
        encode_gallery(Narrowing({}), ["a", "b", "c", "d", "e"], 3)
