"""What is evaluated of a data set, and the best that any encoder could reach on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust.core.errors import DatasetError, RankingError
from pytest_retrieval_robust.measure.pairs import (
    ceiling,
    check_ks,
    describe,
    duplicate_share,
    pairs_of,
)


@dataclass(frozen=True)
class Listed:
    """A data set of lists; its pictures are all black."""

    reports: Sequence[str]
    groups_of_images: Sequence[int]
    groups_of_reports: Sequence[int]
    name: str = "listed"
    fingerprint: str = "f00"
    split: str = "test"
    text: str = "findings"
    relevance: str = "strict-id"

    @property
    def image_ids(self) -> list[str]:
        return [f"image {number}" for number in range(len(self.groups_of_images))]

    @property
    def image_groups(self) -> NDArray[np.int64]:
        return np.array(self.groups_of_images, dtype=np.int64)

    @property
    def report_groups(self) -> NDArray[np.int64]:
        return np.array(self.groups_of_reports, dtype=np.int64)

    @property
    def patients(self) -> list[str]:
        return [f"patient {group}" for group in self.groups_of_images]

    def image(self, index: int) -> Image.Image:
        return Image.new("L", (8, 8), index)


# Images 0 and 2 share a report, and image 1 has two.
SHARED = Listed(["a", "b", "a", "d"], [5, 6, 5, 8], [8, 5, 6, 6])


def test_without_a_limit_everything_is_evaluated() -> None:
    pairs = pairs_of(SHARED)
    assert pairs.images.tolist() == [0, 1, 2, 3]
    assert pairs.reports.tolist() == [0, 1, 2, 3]
    assert pairs.texts == ["a", "b", "a", "d"]
    assert pairs.image_ids == SHARED.image_ids


@pytest.mark.parametrize(
    ("limit", "images", "texts"),
    [
        (1, [0], ["b"]),
        (2, [0, 1], ["b", "a", "d"]),
        (9, [0, 1, 2, 3], ["a", "b", "a", "d"]),
    ],
)
def test_a_limit_takes_the_first_images_with_the_reports_that_are_right_for_them(
    limit: int, images: list[int], texts: list[str]
) -> None:
    pairs = pairs_of(SHARED, limit)
    assert pairs.images.tolist() == images
    assert pairs.texts == texts
    assert pairs.patients == [SHARED.patients[number] for number in images]
    assert pairs.image_groups.tolist() == SHARED.image_groups[images].tolist()
    assert set(pairs.report_groups.tolist()) == set(pairs.image_groups.tolist())


@pytest.mark.parametrize(
    ("dataset", "counts"),
    [
        (Listed([], [1], []), "images=1, reports=0"),
        (Listed(["a"], [], [1]), "images=0, reports=1"),
    ],
)
def test_a_data_set_without_images_or_reports_is_refused(
    dataset: Listed, counts: str
) -> None:
    with pytest.raises(DatasetError, match=f"got {counts} in listed"):
        pairs_of(dataset)


def test_every_k_fits_into_the_smaller_gallery() -> None:
    pairs = pairs_of(Listed(["a", "b"], [1, 1, 2], [1, 2]))
    check_ks(pairs, [1, 2])
    with pytest.raises(RankingError, match="size of 2, got k=3 on listed"):
        check_ks(pairs, [3, 1])


PLACES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3)), min_size=1, max_size=6
)


@given(PLACES, st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(1, 6))
def test_the_ceiling_is_the_recall_where_equal_texts_count_against_the_model(
    reports: list[tuple[str, int]], images: list[int], k: int
) -> None:
    texts = [text for text, _ in reports]
    groups = [group for _, group in reports]
    hits = 0
    for image in images:
        # The perfect encoder chooses the text that fewest wrong reports share.
        ranks = [
            1 + sum(other == text and wrong != image for other, wrong in reports)
            for text, group in reports
            if group == image
        ]
        hits += min(ranks, default=k + 1) <= k
    pairs = pairs_of(Listed(texts, images, groups))
    assert ceiling(pairs, [k]) == {k: hits / len(images)}


def test_the_share_of_duplicates_is_that_of_texts_which_repeat_an_earlier_one() -> None:
    assert duplicate_share(pairs_of(SHARED)) == 1 - 3 / 4
    # Of three images that share one report two have a text that repeats.
    shared = Listed(["a"], [1, 1, 1], [1])
    assert duplicate_share(pairs_of(shared)) == 1 - 1 / 3


def test_a_record_describes_the_data_set_without_a_text_or_an_id() -> None:
    described = describe(pairs_of(SHARED, 2), [1, 2], pixel_digest="d1", skipped=3)
    assert described == {
        "name": "listed",
        "split": "test",
        "text": "findings",
        "relevance": "strict-id",
        "fingerprint": "f00",
        "pixel_digest": "d1",
        "images": 2,
        "reports": 3,
        "groups": 2,
        "skipped": 3,
        "duplicate_share": 0.0,
        "ceiling": {"1": 1.0, "2": 1.0},
    }


def test_what_is_not_said_of_a_data_set_is_nothing() -> None:
    described = describe(pairs_of(SHARED), [1])
    assert described["skipped"] == 0
    assert described["pixel_digest"] is None


def test_the_repr_of_pairs_has_counts_alone() -> None:
    assert repr(pairs_of(SHARED, 1)) == "<Pairs of 1 image and 1 report>"
