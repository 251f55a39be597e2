"""Pictures that are nearly the same, found without comparing each with each."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.measure import alike as module
from pytest_retrieval_robust.measure.alike import (
    LEAST_CORRELATION,
    MOST_DIFFERENT,
    alike,
    levels_of,
)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    radiographs = load_dataset("synthetic-cxr(size=128)")
    return [radiographs.image(number).convert("L") for number in range(60)]


def levels(image: Image.Image) -> bytes:
    found = levels_of(image)
    assert found is not None
    return found


def compressed(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=70)
    return Image.open(io.BytesIO(stream.getvalue()))


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 3, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": compressed,
    "colour": lambda image: image.convert("RGB"),
    "smaller": lambda image: image.resize((96, 96)),
    "larger": lambda image: image.resize((300, 280)),
    "brighter": lambda image: image.point(lambda level: min(255, level * 1.08)),
    "noisy": noisy,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(
    change: str, pictures: list[Image.Image]
) -> None:
    copies = [CHANGES[change](image) for image in pictures[:20]]
    groups = alike([levels(image) for image in (*pictures, *copies)])
    # Different radiographs of one kind are not alike.
    assert len(set(groups[:60].tolist())) == 60
    assert np.mean(groups[60:] == groups[:20]) >= 0.9


@pytest.mark.parametrize("change", [Image.Transpose.FLIP_LEFT_RIGHT, None])
def test_flips_and_crops_are_other_pictures(
    change: Image.Transpose | None, pictures: list[Image.Image]
) -> None:
    image = pictures[0]
    other = image.crop((20, 20, 108, 108))
    if change is not None:
        other = image.transpose(change)
    first, second = alike([levels(image), levels(other)]).tolist()
    assert first != second


def test_plain_pictures_are_not_compared() -> None:
    ramp = np.tile(np.arange(0, 8, 8 / 128), (128, 1)).astype(np.uint8)
    for plain in (Image.new("L", (128, 128), 90), Image.fromarray(ramp)):
        assert levels_of(plain) is None
    assert levels_of(Image.new("RGB", (1, 1))) is None


def test_the_bands_find_all_that_comparing_each_with_each_finds() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 255, (40, 16, 17))
    changed = np.repeat(smooth, 6, axis=0) + rng.normal(0, 6, (240, 16, 17))
    pictures = np.clip(changed, 0, 255).astype(np.uint8)
    groups = alike([picture.tobytes() for picture in pictures])

    rises = np.diff(pictures.astype(int), axis=2).reshape(240, -1) >= 2
    differing = (rises[:, None] != rises[None]).sum(2)
    together = np.corrcoef(pictures.reshape(240, -1)) >= LEAST_CORRELATION
    close = (differing <= MOST_DIFFERENT) & together
    assert 240 < close.sum() < 240 * 240
    # A pair that is close is in one group, and groups consist of close pairs.
    assert np.array_equal(groups[:, None] == groups[None], _joined(close))


def _joined(close: np.ndarray) -> np.ndarray:
    """Directly or by others."""
    reached = close
    for _ in range(8):
        reached = (reached.astype(int) @ reached.astype(int)) > 0
    return reached


def test_a_picture_that_all_have_costs_a_bounded_number_of_comparisons(
    monkeypatch: pytest.MonkeyPatch, pictures: list[Image.Image]
) -> None:
    compared = []
    real = module._differences

    def counted(first: module.Bytes, second: module.Bytes) -> object:
        compared.append(len(first))
        return real(first, second)

    monkeypatch.setattr(module, "_differences", counted)
    monkeypatch.setattr(module, "_MOST_NEIGHBOURS", 8)
    picture = np.frombuffer(levels(pictures[0]), dtype=np.uint8) // 2
    # All have the same signs.
    brighter = [(picture + number).tobytes() for number in range(100)]
    groups = alike([*brighter, *brighter])
    assert set(groups.tolist()) == {0}
    assert 0 < sum(compared) <= 100 * 8 * (MOST_DIFFERENT + 1)


def test_no_picture_makes_no_group() -> None:
    assert len(alike([])) == 0
