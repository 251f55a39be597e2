"""Strata of what is evaluated: small groups are merged, and nothing else is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_retrieval_robust import DatasetError
from pytest_retrieval_robust.core.strata import (
    Stratification,
    Stratum,
    StratumGroup,
    strata_in,
)
from pytest_retrieval_robust.measure.pairs import describe, pairs_of
from pytest_retrieval_robust.measure.query_keys import query_arrays
from pytest_retrieval_robust.measure.strata import merged
from pytest_retrieval_robust.measure.strata_lines import strata_lines


@dataclass(frozen=True)
class OwnDataset:
    """A data set of a user's own: one report per image, and a word for each."""

    words: Sequence[str]
    patients: Sequence[str]
    smallest_group: Any = 3
    given: Any = None
    """What it hands out in place of its stratification."""
    name = "own"
    fingerprint = "f" * 64
    split = "test"
    text = "full"
    relevance = "strict-id"

    @property
    def image_ids(self) -> list[str]:
        return [f"image {number}" for number in range(len(self.words))]

    @property
    def reports(self) -> list[str]:
        return [f"report {number}" for number in range(len(self.words))]

    @property
    def image_groups(self) -> Any:
        return np.arange(len(self.words))

    report_groups = image_groups

    @property
    def stratifications(self) -> Any:
        if self.given is not None:
            return self.given
        groups = self.image_groups
        return [Stratification.of_images("site", self.words, groups, groups)]

    def image(self, index: int) -> Image.Image:
        return Image.new("L", (8, 8), index)


def own(words: Sequence[str], **choices: Any) -> OwnDataset:
    patients = [f"patient {number}" for number in range(len(words))]
    return OwnDataset(words, **{"patients": patients, **choices})


def groups_of(dataset: OwnDataset) -> list[tuple[str, int, str]]:
    """Name, size and kind of each group of images."""
    (stratum,) = pairs_of(dataset).strata.strata
    return [(group.name, group.images, group.kind) for group in stratum.groups]


def test_small_groups_become_one_without_their_names() -> None:
    dataset = own(["A"] * 5 + ["B"] * 2 + ["C"] + ["D"] * 3)
    assert groups_of(dataset) == [
        ("A", 5, "named"),
        ("D", 3, "named"),
        ("too small", 3, "too small"),
    ]
    codes = query_arrays(pairs_of(dataset))["image_strata"]
    assert codes.tolist() == [[0] * 5 + [2] * 3 + [1] * 3]


def test_a_merged_group_that_is_too_small_takes_the_next_smallest() -> None:
    assert groups_of(own(["A"] * 5 + ["B"] * 3 + ["C"])) == [
        ("A", 5, "named"),
        ("too small", 4, "too small"),
    ]


def test_missing_values_are_a_group_of_their_own() -> None:
    assert groups_of(own(["A"] * 3 + [""] * 4)) == [
        ("A", 3, "named"),
        ("unknown", 4, "unknown"),
    ]


def test_the_size_of_a_group_is_its_patients() -> None:
    dataset = own(["A"] * 6 + ["B"] * 6, patients=[*"aabbcc", *"ddddee"])
    # Both groups have six images: those of the second are of two patients.
    assert groups_of(dataset) == [("too small", 12, "too small")]
    assert groups_of(own("AB" * 6, patients=[*"aabbccddeeff"])) == [
        ("A", 6, "named"),
        ("B", 6, "named"),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_no_group_has_fewer_patients(
    items: list[tuple[int, int]], smallest: int
) -> None:
    codes = np.array([code for code, _ in items])
    patients = np.array([patient for _, patient in items])
    result = merged(codes, patients, smallest, into=9)
    patients_of = Counter(
        code for code, _ in set(zip(result.tolist(), patients.tolist(), strict=True))
    )
    # All in one group is what is left where the whole data is small.
    assert len(patients_of) == 1 or min(patients_of.values()) >= smallest
    # What is not merged keeps its group, and whole groups are merged.
    changed = result != codes
    assert set(result[changed].tolist()) <= {9}
    assert not set(codes[changed].tolist()) & set(codes[~changed].tolist())
    own_patients = Counter(code for code, _ in set(items))
    if min(own_patients.values()) >= smallest:
        assert not changed.any()


def test_a_limit_counts_what_is_evaluated() -> None:
    pairs = pairs_of(own("AAAABBBB"), limit=7)
    groups = (StratumGroup("A", 4, 4), StratumGroup("B", 3, 3))
    assert strata_in(describe(pairs, [1])) == (Stratum("site", 3, groups),)


def test_strata_change_neither_the_keys_of_queries_nor_anything_else_that_is_said() -> (
    None
):
    with_strata = pairs_of(own("AAAABBBB"))
    without = pairs_of(own("AAAABBBB", given=()))
    said = describe(with_strata, [1])
    del said["strata"]
    assert said == describe(without, [1])
    arrays = query_arrays(with_strata)
    for name, array in query_arrays(without).items():
        assert np.array_equal(arrays.pop(name), array)
    assert set(arrays) == {"image_strata", "report_strata"}


def wrong(**changes: Any) -> Stratification:
    codes = np.zeros(4, dtype=np.int64)
    members = {"name": "s", "groups": ("A",), "image_codes": codes}
    return Stratification(**{**members, "report_codes": codes, **changes})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (wrong(), "as a list of Stratification, got a Stratification"),
        ({"s": "AAAA"}, "as a list of Stratification, got a dict"),
        (["AAAA"], "Expected Stratification as each .* got a str"),
        ([wrong(), wrong()], "each stratum of own once, got 's' twice"),
        ([wrong(image_codes=[0] * 4)], r"image_codes .* array of 4 signed whole"),
        ([wrong(report_codes=np.zeros(3, np.int64))], r"got shape=\(3,\)"),
        ([wrong(image_codes=np.array([0, 1, -3, 0]))], "another code for 2 of 4"),
    ],
)
def test_wrong_stratifications_are_refused_before_anything_is_measured(
    given: Any, problem: str
) -> None:
    with pytest.raises(DatasetError, match=problem):
        pairs_of(own("ABAB", given=given))


@pytest.mark.parametrize("smallest", [0, -1, True, 2.5, "20", None])
def test_a_smallest_group_is_a_whole_number_of_at_least_one(smallest: Any) -> None:
    with pytest.raises(DatasetError, match="smallest_group of own as a whole number"):
        pairs_of(own("ABAB", smallest_group=smallest))


def test_texts_of_reports_are_no_groups() -> None:
    @dataclass(frozen=True)
    class WithTexts(OwnDataset):
        @property
        def reports(self) -> list[str]:
            return [f"No finding of  any kind {number}." for number in range(6)]

    words = [f"No finding of any kind {number // 3}." for number in range(6)]
    patients = [f"patient {number}" for number in range(6)]
    with pytest.raises(DatasetError, match="got the text of a report") as error:
        pairs_of(WithTexts(words, patients))
    assert "any kind" not in str(error.value)


def test_names_of_groups_cannot_write_over_what_is_shown() -> None:
    dataset = own(["\x1b[2JA"] * 4 + ["B"] * 4)
    lines = list(strata_lines(pairs_of(dataset).strata))
    assert lines[1:] == ["    \\x1b[2JA: 4, 4", "    B: 4, 4"]
