"""Images that threads prepare ahead, beside a loop that opens one after another."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust.core.errors import UnreadableImageError
from pytest_retrieval_robust.measure import readable
from pytest_retrieval_robust.measure.readable import readable_images

from .sweep.test_sweep import Pixels, Records


@dataclass(frozen=True)
class Broken(Records):
    """A data set of which some images cannot be read; it notes which were opened."""

    broken: frozenset[int] = frozenset()
    skips_unreadable: bool = True
    opened: list[int] = field(default_factory=list)

    def image(self, index: int) -> Image.Image:
        self.opened.append(index)
        if index in self.broken:
            raise UnreadableImageError("Expected a picture, got none. Fix it.")
        return super().image(index)


def dataset_of(broken: set[int], images: int = 12, *, skips: bool = True) -> Broken:
    texts = [f"report {number}" for number in range(images)]
    return Broken(
        texts, texts, broken=frozenset(broken), skips_unreadable=skips, opened=[]
    )


@given(
    st.sets(st.integers(0, 11)),
    st.permutations(range(12)),
    st.integers(0, 15),
)
def test_the_first_that_can_be_read_come_in_order(
    broken: set[int], order: list[int], images: int
) -> None:
    model = Pixels({})
    dataset = dataset_of(broken)
    found = list(readable_images(model, dataset, order, images))
    expected = [number for number in order if number not in broken][:images]
    assert [image.number for image in found] == expected
    for image in found:
        alone = model.prepare(Records.image(dataset, image.number))
        assert image.prepared.pixels.tobytes() == alone.pixels.tobytes()
    # Nothing is opened that is not needed, unless one before it is broken.
    assert set(dataset.opened) <= set(order[: images + len(broken)])


def test_an_error_is_raised_where_its_turn_comes() -> None:
    dataset = dataset_of({3}, skips=False)
    with closing(readable_images(Pixels({}), dataset, range(12), 12)) as images:
        assert [image.number for image in islice(images, 3)] == [0, 1, 2]
        with pytest.raises(UnreadableImageError):
            next(images)


def test_no_more_than_a_few_are_opened_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "AHEAD", 3)
    dataset = dataset_of(set())
    with closing(readable_images(Pixels({}), dataset, range(12), 12)) as images:
        assert next(images).number == 0
        assert set(dataset.opened) <= set(range(4))


def test_a_caller_that_stops_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with closing(readable_images(Pixels({}), dataset_of(set()), range(12), 12)) as one:
        next(one)
    assert set(threading.enumerate()) <= before
