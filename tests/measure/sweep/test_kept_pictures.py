"""Prepared images are shared by models that prepare alike, and nothing else changes by it."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import encoder_from_callables, load_dataset, load_model
from pytest_retrieval_robust.core.errors import UnreadableImageError
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import kept_pictures
from pytest_retrieval_robust.measure.sweep.decode import DecodedImage
from pytest_retrieval_robust.measure.sweep.kept_pictures import KeptPictures
from pytest_retrieval_robust.measure.sweep.run import (
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder, Prepared
from pytest_retrieval_robust.models._formats.pictures import stretch

from ...core.sweeps import CELLS, ranks
from .test_sweep import RECORDS, Records

SIDE = 16


@dataclass(frozen=True)
class Counted(Records):
    """Counts how often each image is opened; some are broken."""

    opened: Counter[int] = field(default_factory=Counter)
    broken: frozenset[int] = frozenset()
    skips_unreadable: bool = True
    most_skipped: float = 0.5

    def image(self, index: int) -> Image.Image:
        self.opened[index] += 1
        if index in self.broken:
            raise UnreadableImageError("Expected a whole image, got half of one.")
        return super().image(index)


def counted(broken: Sequence[int] = ()) -> Counted:
    return Counted(RECORDS.texts, RECORDS.reports, broken=frozenset(broken))


def images_as_rows(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    # The mean of blocks, so that models of any side give as many numbers.
    blocks = pixels[:, 0].reshape(len(pixels), 8, pixels.shape[2] // 8, 8, -1)
    rows: NDArray[np.float32] = blocks.mean(axis=(2, 4)).reshape(len(pixels), 64) - 0.5
    return rows


def texts_as_rows(texts: Sequence[str]) -> NDArray[np.float32]:
    """Each report as its first image, with noise."""
    rows = []
    for text in texts:
        number = RECORDS.texts.index(text)
        pixels = stretch(SIDE, Image.Resampling.BICUBIC)(RECORDS.image(number)).pixels
        shares = pixels[None].astype(np.float32) / np.float32(255)
        row = images_as_rows(shares)[0]
        noise = np.random.default_rng(number).normal(size=64) / 8
        rows.append((row + noise).astype(np.float32))
    return np.stack(rows)


def model_of(name: str, side: int = SIDE, **options: Any) -> DualEncoder:
    return encoder_from_callables(
        name,
        encode_images=images_as_rows,
        encode_reports=texts_as_rows,
        size=side,
        **options,
    )


def sweep(
    model: DualEncoder, dataset: Counted, pictures: KeptPictures | None
) -> SweepResult:
    # Batches that do not divide the images.
    options = SweepOptions(batch_size=7, pictures=pictures)
    return run_sweep(model, pairs_of(dataset), CELLS, (1, 5), options)


class Measured(NamedTuple):
    ranks: dict[Any, bytes]
    dataset: dict[str, Any]


def measured(
    model: DualEncoder, dataset: Counted, pictures: KeptPictures | None
) -> Measured:
    result = sweep(model, dataset, pictures)
    return Measured(ranks(result), dict(result.dataset))


@pytest.mark.parametrize("broken", [(), (3, 12, 29)])
def test_models_that_prepare_alike_decode_each_image_once(
    broken: Sequence[int],
) -> None:
    dataset = counted(broken)
    models = [model_of("first"), model_of("second"), model_of("third")]
    expected = [measured(model, dataset, None) for model in models]
    cells = [cell for cell in CELLS if "donor" not in cell[0].occluder]
    dataset.opened.clear()
    pictures = KeptPictures(dataset)
    options = SweepOptions(batch_size=7, pictures=pictures)
    for model in models:
        run_sweep(model, pairs_of(dataset), cells, (1,), options)
    assert set(dataset.opened.values()) == {1}
    assert len(dataset.opened) == 30
    # Donors are prepared by themselves, whatever a sweep has prepared.
    assert [measured(model, dataset, pictures) for model in models] == expected
    pictures.close()


def test_models_that_prepare_unalike_decode_for_themselves() -> None:
    dataset = counted()
    models = [model_of("first"), model_of("second", 24), model_of("third")]
    expected = [measured(model, dataset, None) for model in models]
    dataset.opened.clear()
    pictures = KeptPictures(dataset)
    options = SweepOptions(batch_size=7, pictures=pictures)
    for model in models:
        run_sweep(model, pairs_of(dataset), [], (1,), options)
    # The third takes what the first has prepared.
    assert set(dataset.opened.values()) == {2}
    assert [measured(model, dataset, pictures) for model in models] == expected
    pictures.close()


def test_a_model_with_a_prepare_of_its_own_decodes_for_itself() -> None:
    def inverted(image: Image.Image) -> Prepared:
        prepared = stretch(SIDE, Image.Resampling.BICUBIC)(image)
        return Prepared(255 - prepared.pixels, prepared.frame)

    dataset = counted()
    pictures = KeptPictures(dataset)
    own = model_of("own", prepare=inverted)
    assert pictures.for_model(own, dataset) is None
    measured(model_of("first"), dataset, pictures)
    assert measured(own, dataset, pictures) == measured(own, dataset, None)


def test_another_data_set_has_images_of_its_own() -> None:
    pictures = KeptPictures(counted())
    assert pictures.for_model(model_of("first"), counted()) is None


def test_a_store_and_kept_images_give_the_same_together(tmp_path: Path) -> None:
    dataset = counted()
    models = [model_of("first"), model_of("second")]
    expected = [measured(model, dataset, None) for model in models]
    store = EmbeddingStore(tmp_path / "embeddings")
    pictures = KeptPictures(dataset, (tmp_path,))
    for _ in range(2):
        for model, alone in zip(models, expected, strict=True):
            options = SweepOptions(batch_size=7, pictures=pictures, store=store)
            result = run_sweep(model, pairs_of(dataset), CELLS, (1, 5), options)
            assert ranks(result) == alone.ranks
    pictures.close()


# Room


def test_nothing_has_a_name_and_nothing_is_left(tmp_path: Path) -> None:
    dataset = counted()
    pictures = KeptPictures(dataset, (tmp_path,))
    measured(model_of("first"), dataset, pictures)
    assert pictures._written > 30 * 3 * SIDE**2
    assert list(tmp_path.iterdir()) == []
    pictures.close()


def test_the_last_model_writes_nothing() -> None:
    dataset = counted()
    pictures = KeptPictures(dataset)
    pictures.takes_more = False
    expected = measured(model_of("first"), dataset, None)
    assert measured(model_of("first"), dataset, pictures) == expected
    assert pictures._written == 0


def test_a_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the images is kept, and the others are decoded again."""
    dataset = counted()
    model = model_of("first")
    expected = measured(model, dataset, None)
    size = kept_pictures._HEAD_BYTES + 3 * SIDE**2
    monkeypatch.setattr(kept_pictures, "_CHECKED_EVERY", 0)
    monkeypatch.setattr(kept_pictures, "MOST_TEMPORARY_BYTES", 10 * size)
    pictures = KeptPictures(dataset)
    options = SweepOptions(batch_size=7, pictures=pictures)
    dataset.opened.clear()
    for _ in range(2):
        run_sweep(model, pairs_of(dataset), [], (1,), options)
    assert pictures._written == 10 * size
    assert sorted(dataset.opened.values()) == [1] * 10 + [2] * 20
    assert measured(model, dataset, pictures) == expected


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_no_more_than_a_share_of_the_free_disk_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset = counted()
    size = kept_pictures._HEAD_BYTES + 3 * SIDE**2
    monkeypatch.setattr(kept_pictures, "_CHECKED_EVERY", 0)
    pictures = KeptPictures(dataset, (tmp_path,), part=1.0)
    room = 40 * size

    def disk(_: Path) -> Disk:
        return Disk(room, pictures._written, room - pictures._written)

    monkeypatch.setattr(shutil, "disk_usage", disk)
    expected = measured(model_of("first"), dataset, None)
    assert measured(model_of("first"), dataset, pictures) == expected
    assert pictures._written == 10 * size


def test_a_full_disk_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    size = kept_pictures._HEAD_BYTES + 3 * SIDE**2

    class Full:
        """A file on a disk with room for four and a half images."""

        def __init__(self) -> None:
            self._file = open(tmp_path / "file", "w+b", buffering=0)  # noqa: SIM115
            self._position = 0

        def seek(self, position: int) -> None:
            self._position = position
            self._file.seek(position)

        def write(self, part: memoryview) -> int:
            room = int(4.5 * size) - self._position
            if room <= 0:
                raise OSError(28, "No space left on device")
            written = self._file.write(part[:room])
            self._position += written
            return written

        def readinto(self, part: memoryview) -> int:
            return self._file.readinto(part)

        def close(self) -> None:
            self._file.close()

    dataset = counted()
    models = [model_of("first"), model_of("second")]
    expected = [measured(model, dataset, None) for model in models]
    pictures = KeptPictures(dataset)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
        pictures._spill.put(np.empty(0, dtype=np.uint8))
    assert [measured(model, dataset, pictures) for model in models] == expected
    assert pictures._written == 4 * size
    pictures.close()


def test_a_file_that_cannot_be_read_changes_nothing() -> None:
    dataset = counted()
    model = model_of("first")
    expected = measured(model, dataset, None)
    pictures = KeptPictures(dataset)
    measured(model, dataset, pictures)
    file = pictures._spill._file
    assert file is not None
    file.truncate(5000)
    assert measured(model, dataset, pictures) == expected
    pictures.close()
    assert measured(model, dataset, pictures) == expected


# Records


floats = st.floats(allow_nan=False)
frames = st.tuples(floats, floats, floats, floats)
pixels = st.one_of(
    arrays(np.uint8, (3, 4, 4)),
    arrays(np.float32, (3, 4, 4), elements=st.floats(width=32)),
)


@given(digest=st.binary(min_size=32, max_size=32), frame=frames, made=pixels)
def test_a_record_comes_back_to_the_bit(
    digest: bytes, frame: tuple[float, float, float, float], made: NDArray[Any]
) -> None:
    pictures = KeptPictures(counted())
    kept = pictures.for_model(model_of("first"), pictures.dataset)
    assert kept is not None
    kept.put(3, DecodedImage(Prepared(made, frame), digest))
    image = kept.get(3)
    assert image is not None
    assert image.prepared is not None
    assert image.digest == digest
    assert list(map(repr, image.prepared.frame)) == list(map(repr, frame))
    assert image.prepared.pixels.dtype == made.dtype
    assert image.prepared.pixels.tobytes() == made.tobytes()
    assert image.prepared.pixels.flags.writeable
    assert kept.get(4) is None
    pictures.close()


def test_an_image_of_another_shape_is_not_kept() -> None:
    pictures = KeptPictures(counted())
    kept = pictures.for_model(model_of("first"), pictures.dataset)
    assert kept is not None
    for number, side in enumerate((4, 5, 4)):
        zeros = np.zeros((3, side, side), dtype=np.uint8)
        kept.put(number, DecodedImage(Prepared(zeros, (0, 0, 1, 1)), bytes(32)))
    assert [kept.get(number) is None for number in range(3)] == [False, True, False]


def test_threads_may_write_and_read_at_once() -> None:
    dataset = counted()
    pictures = KeptPictures(dataset)
    ways = [
        pictures.for_model(model_of("m", side), pictures.dataset) for side in (16, 24)
    ]

    def image_of(way: int, number: int) -> DecodedImage:
        random = np.random.default_rng((way, number))
        side = (16, 24)[way]
        levels = random.integers(0, 256, (3, side, side), dtype=np.uint8)
        return DecodedImage(Prepared(levels, (0.0, 0.0, 1.0, 1.0)), random.bytes(32))

    def work(number: int) -> None:
        for way, kept in enumerate(ways):
            assert kept is not None
            expected = image_of(way, number)
            kept.put(number, expected)
            for _ in range(20):
                image = kept.get(number)
                assert image is not None
                assert image.prepared is not None
                assert expected.prepared is not None
                assert image.digest == expected.digest
                assert np.array_equal(image.prepared.pixels, expected.prepared.pixels)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(30)))
    pictures.close()


@given(content=st.binary(max_size=70), other=st.binary(max_size=70))
def test_an_image_is_given_for_its_own_content_alone(
    content: bytes, other: bytes
) -> None:
    pictures = KeptPictures(counted())
    kept = pictures.for_model(model_of("first"), pictures.dataset)
    assert kept is not None
    zeros = np.zeros((3, 4, 4), dtype=np.uint8)
    kept.put(0, DecodedImage(Prepared(zeros, (0, 0, 1, 1)), bytes(32)), content)
    assert kept.get(0, content) is not None
    assert (kept.get(0, other) is None) == (content != other)
    pictures.close()


def test_a_file_that_changed_between_two_models_is_decoded_again(
    tmp_path: Path,
) -> None:
    """Else its old rows would be stored under the new file's key."""
    rng = np.random.default_rng(0)
    lines = ["image,report"]
    for number in range(6):
        levels = rng.integers(0, 256, (40, 40), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,finding number {number}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    dataset = load_dataset("table", path=str(tmp_path / "table.csv"))
    first, second = (
        load_model(name, device="cpu")
        for name in ("tiny-cxr-clip", "tiny-cxr-clip-robust")
    )

    def swept(model: DualEncoder, pictures: KeptPictures | None) -> SweepResult:
        store = EmbeddingStore(tmp_path / ("kept" if pictures else "plain"))
        options = SweepOptions(batch_size=4, pictures=pictures, store=store)
        return run_sweep(model, pairs_of(dataset), CELLS[:1], (1,), options)

    pictures = KeptPictures(dataset)
    before = swept(first, pictures).dataset["pixel_digest"]
    Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(
        tmp_path / "3.png"
    )
    after = swept(second, pictures)
    expected = swept(second, None)
    pictures.close()
    assert after.dataset["pixel_digest"] == expected.dataset["pixel_digest"] != before
    assert ranks(after) == ranks(expected)
    # What was stored is the new file's as well.
    assert ranks(swept(second, KeptPictures(dataset))) == ranks(expected)
