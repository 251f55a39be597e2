"""Decoded images: their digests stay those of earlier versions, and whose memory they are."""

from __future__ import annotations

import hashlib
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.encoding import Images, open_image
from pytest_retrieval_robust.core.fresh import has_new_memory
from pytest_retrieval_robust.datasets._files.report_dataset import ReportDataset
from pytest_retrieval_robust.measure.sweep.decode import picture_digest

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16L",
    "I;16B",
]


def digest_of_whole_bytes(image: Image.Image) -> bytes:
    """The digest as it was defined first, of all bytes at once."""
    digest = hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes())
    if image.palette is not None:
        colours = image.getpalette(None)
        transparency = image.info.get("transparency")
        digest.update(repr((image.palette.mode, colours, transparency)).encode())
    return digest.digest()


def noise(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    whole = Image.new(mode, size)
    random = np.random.default_rng(seed)
    whole.frombytes(random.bytes(len(whole.tobytes())))
    return whole


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=30, deadline=None)
@given(size=st.tuples(st.integers(1, 70), st.integers(1, 70)), seed=st.integers(0, 99))
def test_a_digest_is_that_of_the_whole_image(
    mode: str, size: tuple[int, int], seed: int
) -> None:
    image = noise(mode, size, seed)
    with pytest.MonkeyPatch.context() as patch:
        # Small strips, so that there are several.
        patch.setattr("pytest_retrieval_robust.measure.sweep.decode._STRIP_BYTES", 200)
        assert picture_digest(image) == digest_of_whole_bytes(image)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("size", [(1531, 907), (300_000, 2), (1, 600_000)])
def test_a_large_digest_is_that_of_the_whole_image(
    mode: str, size: tuple[int, int]
) -> None:
    image = noise(mode, size, 1)
    assert picture_digest(image) == digest_of_whole_bytes(image)


def test_a_digest_covers_the_palette() -> None:
    image = noise("RGB", (60, 50), 2).quantize(16)
    image.info["transparency"] = 3
    assert picture_digest(image) == digest_of_whole_bytes(image)


# Whose memory an image is


@pytest.fixture
def files(tmp_path: Path) -> ReportDataset:
    lines = ["image,report"]
    for number in range(3):
        noise("L", (40, 30), number).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,report {number}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    opened = load_dataset("table", path=str(tmp_path / "table.csv"))
    assert isinstance(opened, ReportDataset)
    return opened


def test_an_image_of_ours_is_not_copied_again(
    files: ReportDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []
    copy = Image.Image.copy

    def counted(image: Image.Image) -> Image.Image:
        copies.append(image.size)
        return copy(image)

    monkeypatch.setattr(Image.Image, "copy", counted)
    files.image(0)
    by_the_reader = len(copies)
    open_image(files, 1, "it")
    assert len(copies) == 2 * by_the_reader


def test_each_image_of_ours_is_new(files: ReportDataset) -> None:
    for dataset in (files, load_dataset("synthetic-cxr", pairs=2)):
        first = open_image(dataset, 1, "it")
        expected = first.tobytes()
        first.paste(0, (0, 0, *first.size))
        assert open_image(dataset, 1, "it").tobytes() == expected


class Kept(ReportDataset):
    """Gives the same object each time, by a method of its own."""

    def image(self, index: int) -> Image.Image:
        kept: dict[int, Image.Image] = self.__dict__.setdefault("kept", {})
        return kept.setdefault(index, super().image(index))


class Delegating:
    """Passes everything on, and keeps what it was given."""

    def __init__(self, inner: Images) -> None:
        self._inner = inner
        self._kept: dict[int, Image.Image] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @wraps(ReportDataset.image)
    def image(self, index: int) -> Image.Image:
        return self._kept.setdefault(index, self._inner.image(index))


def kept_by_a_subclass(files: ReportDataset) -> Images:
    return Kept(**{name: getattr(files, name) for name in files.__dataclass_fields__})


def kept_by_the_instance(files: ReportDataset) -> Images:
    images = [files.image(number) for number in range(3)]
    files.__dict__["image"] = images.__getitem__
    return files


@pytest.mark.parametrize("keep", [kept_by_a_subclass, Delegating, kept_by_the_instance])
def test_an_image_that_is_kept_is_copied(files: ReportDataset, keep: Any) -> None:
    dataset = keep(files)
    assert not has_new_memory(dataset.image)
    first = open_image(dataset, 1, "it")
    expected = first.tobytes()
    first.paste(0, (0, 0, *first.size))
    assert open_image(dataset, 1, "it").tobytes() == expected


def test_an_image_that_is_read_only_is_copied(
    files: ReportDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array's memory, which Pillow does not write to: a model's `prepare` may."""
    pixels = np.zeros((30, 40), dtype=np.uint8)
    monkeypatch.setattr(
        "pytest_retrieval_robust.datasets._pixels.stored_image.StoredImage.decoded",
        lambda _: Image.fromarray(pixels),
    )
    assert has_new_memory(files.image)
    open_image(files, 0, "it").paste(255, (0, 0, 40, 30))
    opened = open_image(files, 0, "it")
    assert not opened.readonly
    access = opened.load()
    assert access is not None
    access[0, 0] = 9
    assert not pixels.any()
