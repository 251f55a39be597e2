"""Corruptions and text noise in a sweep: what a naive loop gives, and what fails alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pytest_retrieval_robust import (
    CorruptionError,
    EmbeddingError,
    ImageCorruption,
    Region,
    ReportNoise,
    load_corruption,
    load_occluder,
    load_text_noise,
)
from pytest_retrieval_robust.core.cases import CLEAN, Cell, Family
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.encoding import prepare_image
from pytest_retrieval_robust.measure.embeddings.probing import SENTENCES, VOCABULARY
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.changes import family_of, ignores_gallery
from pytest_retrieval_robust.measure.sweep.only_stored import stored_engine
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.models import ModelCard

from .test_stored_sweep import same
from .test_sweep import RECORDS, Pixels, naive_ranks, noisy_model

pytestmark = pytest.mark.usefixtures("one_thread")
CONTRAST = load_corruption("contrast")
CASE = load_text_noise("case")
PATCHES = load_occluder("patches")
DATA = RECORDS
SEVERITIES = (0.4, 1.0)


@dataclass(frozen=True)
class Failing(ImageCorruption):
    """Raises, or gives what is no batch of pixels."""

    problem: str = "raises"
    family = "failing"

    def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
        if self.problem == "raises":
            raise KeyError("a patient's name")
        if self.problem == "shape":
            return region.pixels[:, :, :-1]
        if self.problem == "value":
            return None  # type: ignore[return-value]
        return region.pixels * float("nan")


@dataclass(frozen=True)
class FailingNoise(ReportNoise):
    problem: str = "raises"
    family = "failing"

    def apply(self, texts: Sequence[str], severity: float, seed: int) -> list[str]:
        if self.problem == "raises":
            raise KeyError("a report")
        if self.problem == "empty":
            return ["" for _ in texts]
        return super().apply(texts, severity, seed)[1:]

    def changed(self, text: str, severity: float, seed: int) -> str:  # noqa: ARG002
        return text


class RowsByText(dict[str, NDArray[np.float32]]):
    """A row for every text, which follows from its letters."""

    def __missing__(self, text: str) -> NDArray[np.float32]:
        rng = np.random.default_rng(crc32(text.encode()))
        row = rng.normal(size=257).astype(np.float32)
        # Words in capitals keep something of the text that they were made from.
        usual = self.get(text.lower())
        return row if usual is None else (row / 8 + usual).astype(np.float32)


@dataclass
class Counting(Pixels):
    images: int = 0
    reports: int = 0

    def encode_images(self, pixels: Tensor) -> Tensor:
        self.images += len(pixels)
        return super().encode_images(pixels)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        self.reports += len(texts)
        return super().encode_reports(texts)


@pytest.fixture
def encoder() -> Counting:
    rows = RowsByText(noisy_model(DATA).rows)
    return Counting(rows, card=ModelCard("test", sha256="ab"))


def cells_of(*changes: Any, seed: int = 0) -> list[tuple[Cell, Any]]:
    return [
        (Cell(change.name, severity, seed, family_of(change)), change)
        for change in changes
        for severity in SEVERITIES
    ]


def sweep(model: Pixels, cells: Sequence[Any], **options: Any) -> SweepResult:
    chosen = SweepOptions(batch_size=8, **options)
    return run_sweep(model, pairs_of(DATA), cells, (1, 5), chosen)


def measured(result: SweepResult, cell: Cell) -> Measured:
    found = result.cells[cell]
    assert isinstance(found, Measured), found
    return found


def image_rows(model: Pixels, change: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The rows of every image, each encoded alone."""
    rows = []
    for number, image_id in enumerate(DATA.image_ids):
        prepared = prepare_image(model, DATA.image(number))
        pixels = torch.from_numpy(prepared.pixels)[None].float() / 255
        rows.append(model.encode_images(change(pixels, image_id, prepared.frame)))
    return torch.cat(rows)


def expected_ranks(
    images: torch.Tensor, reports: torch.Tensor
) -> tuple[list[int], list[int]]:
    groups = (DATA.image_groups, DATA.report_groups)
    return (
        naive_ranks(images, reports, lambda i, r: bool(groups[0][i] == groups[1][r])),
        naive_ranks(reports, images, lambda r, i: bool(groups[0][i] == groups[1][r])),
    )


def test_a_corrupted_cell_has_the_ranks_of_a_naive_loop(encoder: Counting) -> None:
    result = sweep(encoder, cells_of(CONTRAST, seed=3))
    reports = encoder.encode_reports(DATA.reports)
    for severity in SEVERITIES:
        cell = measured(result, Cell("contrast", severity, 3, "corruption"))
        images = image_rows(
            encoder,
            lambda pixels, image_id, frame, severity=severity: CONTRAST.corrupt(
                pixels, [image_id], severity, 3, frame
            ),
        )
        for_images, for_reports = expected_ranks(images, reports)
        assert cell.image_ranks.tolist() == for_images
        assert cell.report_ranks.tolist() == for_reports
        assert (cell.achieved_level, cell.visible_level) == (severity, severity)


def test_noised_reports_are_ranked_against_clean_images(encoder: Counting) -> None:
    result = sweep(encoder, cells_of(CASE, seed=2))
    images = image_rows(encoder, lambda pixels, *_: pixels)
    for severity in SEVERITIES:
        cell = measured(result, Cell("case", severity, 2, "text-noise"))
        texts = CASE.apply(DATA.reports, severity, 2)
        rows = torch.cat([encoder.encode_reports([text]) for text in texts])
        for_images, for_reports = expected_ranks(images, rows)
        assert cell.image_ranks.tolist() == for_images
        assert cell.report_ranks.tolist() == for_reports
        assert (cell.achieved_level, cell.visible_level) == (severity, severity)


def test_other_families_leave_occlusions_as_they_are(encoder: Counting) -> None:
    alone = sweep(encoder, cells_of(PATCHES))
    together = sweep(encoder, cells_of(CASE, CONTRAST, PATCHES))
    for cell in (CLEAN, *(cell for cell, _ in cells_of(PATCHES))):
        one = measured(alone, cell)
        other = measured(together, cell)
        assert one.image_ranks.tobytes() == other.image_ranks.tobytes()
        assert one.report_ranks.tobytes() == other.report_ranks.tobytes()
        assert one.achieved_level == other.achieved_level


@pytest.mark.parametrize("problem", ["raises", "shape", "value"])
def test_a_corruption_that_fails_ends_its_cells_alone(
    encoder: Counting, problem: str
) -> None:
    failing = Failing(problem)
    result = sweep(encoder, cells_of(failing, CONTRAST, CASE))
    for cell, change in cells_of(failing, CONTRAST, CASE):
        if change is not failing:
            measured(result, cell)
            continue
        error = result.cells[cell]
        assert isinstance(error, CorruptionError)
        assert "patient" not in str(error)


class Refusing(Counting):
    """Refuses pixels that are no numbers, as a model's own check may."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        if not bool(pixels.isfinite().all()):
            raise ValueError("Input contains NaN")
        return super().encode_images(pixels)


class Failed(Counting):
    """Gives no numbers for a picture that is darker than those of the data."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels)
        is_dark = pixels.mean(dim=(1, 2, 3), keepdim=True)[:, :, 0, 0] < 0.2
        return torch.where(is_dark, float("nan"), rows)


@dataclass(frozen=True)
class Darkening(ImageCorruption):
    family = "darkening"

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        return region.pixels * (1 - severity)


@pytest.mark.parametrize("kind", [Counting, Refusing])
def test_pixels_that_are_no_numbers_are_the_fault_of_their_corruption(
    encoder: Counting, kind: type[Counting]
) -> None:
    nan = Failing("nan")
    model = kind(encoder.rows, card=encoder.card)
    result = sweep(model, cells_of(nan, CASE))
    for cell, change in cells_of(nan, CASE):
        error = result.cells[cell]
        if change is CASE:
            measured(result, cell)
            continue
        assert isinstance(error, CorruptionError)
        assert f"finite pixels from the corruption {nan.name}" in str(error)
        assert error.__context__ is None


def test_a_model_that_fails_on_good_pixels_is_blamed_itself(encoder: Counting) -> None:
    model = Failed(encoder.rows, card=encoder.card)
    cells = cells_of(Darkening())
    result = sweep(model, cells)
    error = result.cells[cells[-1][0]]
    assert isinstance(error, EmbeddingError)
    assert "Expected finite unit rows from pixels" in str(error)


@dataclass(frozen=True)
class Alike(ReportNoise):
    """Makes all reports one at the highest severity."""

    family = "alike"

    def changed(self, text: str, severity: float, seed: int) -> str:  # noqa: ARG002
        return "report" if severity == 1 else text


def test_reports_that_are_all_alike_are_found_by_no_image(
    encoder: Counting, tmp_path: Path
) -> None:
    cells = cells_of(Alike())
    store = EmbeddingStore(tmp_path)
    first = sweep(encoder, cells, store=store)
    for engine in (None, stored_engine()):
        options = {} if engine is None else {"engine": engine}
        result = sweep(encoder, cells, store=store, **options)
        assert same(first, result)
        worst = measured(result, cells[-1][0])
        # Every wrong report is as good as a right one, and ties count against it.
        wrong = len(DATA.reports) - 1
        assert worst.image_ranks.tolist() == [1 + wrong] * len(DATA.image_ids)
        assert worst.image_to_report.recall == {1: 0.0, 5: 0.0}
        assert measured(result, cells[0][0]).image_to_report.recall[5] > 0


@pytest.mark.parametrize("problem", ["raises", "empty", "count"])
def test_a_noise_that_fails_ends_its_cells_alone(
    encoder: Counting, problem: str
) -> None:
    noise = FailingNoise(problem)
    result = sweep(encoder, cells_of(noise, CONTRAST, CASE))
    for cell, change in cells_of(noise, CONTRAST, CASE):
        error = result.cells[cell]
        if change is noise:
            assert isinstance(error, CorruptionError)
            assert "failing" in str(error)
        else:
            measured(result, cell)


def test_a_second_sweep_encodes_nothing(encoder: Counting, tmp_path: Path) -> None:
    cells = cells_of(CONTRAST, CASE)
    store = EmbeddingStore(tmp_path)
    first = sweep(encoder, cells, store=store)
    encoder.images = encoder.reports = 0
    second = sweep(encoder, cells, store=store)
    # The fixed pictures and sentences by which a model is known again, and no more.
    assert (encoder.images, encoder.reports) == (2, len(SENTENCES) + len(VOCABULARY))
    assert same(first, second)
    stored = sweep(encoder, cells, store=store, engine=stored_engine())
    assert same(first, stored)


def test_a_noise_that_the_store_lacks_ends_its_cells_alone(
    encoder: Counting, tmp_path: Path
) -> None:
    store = EmbeddingStore(tmp_path)
    sweep(encoder, cells_of(CONTRAST), store=store)
    cells = cells_of(CONTRAST, CASE)
    result = sweep(encoder, cells, store=store, engine=stored_engine())
    for cell, change in cells:
        # Of the one word of these reports a share of 0.4 is none.
        is_there = change is CONTRAST or cell.level == 0.4
        assert isinstance(result.cells[cell], Measured) == is_there


def test_names_of_two_families_are_told_apart(encoder: Counting) -> None:
    @dataclass(frozen=True)
    class Named(ImageCorruption):
        family = "patches"

        def changed(self, region: Region, severity: float) -> torch.Tensor:  # noqa: ARG002
            return region.pixels

    cells = cells_of(PATCHES, Named())
    result = sweep(encoder, cells)
    clean = measured(result, CLEAN)
    for cell, change in cells:
        ranks = measured(result, cell).image_ranks
        is_clean = ranks.tobytes() == clean.image_ranks.tobytes()
        assert is_clean == (change is not PATCHES)


def test_the_family_of_what_is_done_follows_from_its_methods() -> None:
    families: dict[Any, Family] = {
        PATCHES: "occlusion",
        CONTRAST: "corruption",
        CASE: "text-noise",
    }
    assert {change: family_of(change) for change in families} == families


@pytest.mark.parametrize("name", Catalogues().corruptions.names())
def test_no_corruption_of_the_catalogue_looks_at_the_reports(name: str) -> None:
    assert ignores_gallery(load_corruption(name))


@pytest.mark.parametrize("name", ["contrast", "quantum-noise"])
def test_a_corruption_with_an_eye_on_the_reports_is_known(name: str) -> None:
    kind: Any = type(load_corruption(name))

    class Looking(kind):  # type: ignore[misc]
        def bind(self, scene: Any) -> Any:  # noqa: ARG002
            return self

    class LookedAt(kind):  # type: ignore[misc]
        def looked_at(self, *_: Any) -> bytes:
            return b"reports"

    of_one = load_corruption(name)
    object.__setattr__(of_one, "bind", lambda _: of_one)
    for looking in (Looking(), LookedAt(), of_one):
        assert not ignores_gallery(looking)
