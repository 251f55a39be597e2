"""Groups of images and reports: codes, what both sides of a pair say, and the record."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import DatasetError
from pytest_retrieval_robust.core.strata import (
    MOST_GROUPS,
    SEVERAL_CODE,
    UNKNOWN_CODE,
    Stratification,
    Stratum,
    StratumGroup,
    matched_codes,
    strata_in,
)


def of_images(words: list[str], name: str = "sex") -> Stratification:
    places = np.arange(len(words))
    return Stratification.of_images(name, words, places, places)


def test_codes_are_places_of_sorted_groups() -> None:
    sexes = of_images(["M", "F", "", "M", "Unknown", "several", " M "])
    assert sexes.groups == ("F", "M")
    assert sexes.image_codes.tolist() == [1, 0, -1, 1, -1, -2, 1]


def test_numbers_within_names_rise() -> None:
    assert of_images(["10-19", "2-9", "100+"]).groups == ("2-9", "10-19", "100+")


def test_a_report_of_images_of_several_groups_is_in_none_of_them() -> None:
    views = Stratification.of_images(
        "view",
        ["frontal", "lateral", "frontal", "frontal", ""],
        np.array([7, 7, 8, 8, 9]),
        np.array([8, 7, 9, 5]),
    )
    assert views.report_codes.tolist() == [0, SEVERAL_CODE, UNKNOWN_CODE, UNKNOWN_CODE]


def test_an_image_is_in_the_group_of_its_reports() -> None:
    lengths = Stratification.of_reports(
        "length", ["short", "long"], np.array([1, 0, 1]), np.array([0, 1])
    )
    assert lengths.groups == ("long", "short")
    assert lengths.image_codes.tolist() == [0, 1, 0]


@given(st.data())
def test_matched_codes_are_those_of_a_plain_loop(data: st.DataObject) -> None:
    numbers = st.integers(-3, 3)
    pairs = data.draw(st.lists(st.tuples(st.integers(-2, 4), numbers), max_size=12))
    others = data.draw(st.lists(numbers, max_size=8))
    expected = []
    for number in others:
        matching = {code for code, group in pairs if group == number}
        if not matching:
            expected.append(UNKNOWN_CODE)
        else:
            expected.append(matching.pop() if len(matching) == 1 else SEVERAL_CODE)
    codes = matched_codes(
        np.array([code for code, _ in pairs], dtype=np.int64),
        np.array([group for _, group in pairs], dtype=np.int64),
        np.array(others, dtype=np.int64),
    )
    assert codes.tolist() == expected


def test_a_column_of_too_many_values_is_refused_without_quoting_one() -> None:
    words = [f"patient {number}" for number in range(10_000)]
    with pytest.raises(DatasetError, match=r"at most 50 groups.*got 10000") as error:
        of_images(words, "site")
    assert "patient 1" not in str(error.value)
    assert len(of_images(words[:MOST_GROUPS]).groups) == MOST_GROUPS


def test_other_mistakes_say_what_to_do() -> None:
    places = np.arange(2)
    with pytest.raises(DatasetError, match="got 1 for 2 images"):
        Stratification.of_images("sex", ["F"], places, places)
    with pytest.raises(DatasetError, match="Rename it"):
        of_images(["Too small", "F"])


def test_a_record_is_read_back() -> None:
    groups = (StratumGroup("F", 40, 30), StratumGroup("unknown", 20, 20, "unknown"))
    stratum = Stratum("sex", 20, groups)
    assert strata_in({"strata": [stratum.as_json()]}) == (stratum,)
    assert strata_in({}) == ()
