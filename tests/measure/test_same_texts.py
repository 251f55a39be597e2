"""Ceilings of galleries with repeated texts, against ranking every text by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.measure.inspection import fair_ceiling
from pytest_retrieval_robust.measure.same_texts import SameTexts

REPORTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-1, 2)), min_size=1, max_size=6
)


@given(REPORTS)
def test_texts_are_counted_as_one_by_one(reports: list[tuple[str, int]]) -> None:
    texts = [text for text, _ in reports]
    groups = [group for _, group in reports]
    counted = SameTexts.of(texts, np.array(groups))
    assert counted.same.tolist() == [texts.count(text) for text in texts]
    wrong = [
        texts.count(text) - reports.count((text, group)) for text, group in reports
    ]
    assert counted.wrong.tolist() == wrong
    assert counted.different == len(set(texts))
    assert counted.groups[counted.group_numbers].tolist() == groups
    # Of images in groups that no report belongs to nothing is said.
    found = counted.groups[counted.numbers_of(np.array([7, groups[0], -9]))]
    assert found.tolist() == [groups[0]]


@given(REPORTS, st.integers(1, 3))
def test_a_fair_ceiling_is_that_of_all_orders(
    reports: list[tuple[str, int]], k: int
) -> None:
    texts = [text for text, _ in reports]
    groups = [group for _, group in reports]

    def reached(text: str, group: int) -> float:
        """The share of the orders of equal texts whose first k hold a right one."""
        own = [each_group for each, each_group in reports if each == text]
        hits = [group in order[:k] for order in permutations(own)]
        return sum(hits) / len(hits)

    # The perfect encoder puts the text first that promises the image most.
    best = [max(reached(text, group) for text in set(texts)) for group in groups]
    images = [*groups, 7]
    expected = sum(best) / len(images)
    assert fair_ceiling(texts, groups, [k], images)[k] == pytest.approx(expected)
