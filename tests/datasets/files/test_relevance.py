"""Relevance rules against their definitions, for any texts, studies and labels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import DatasetError, UnknownNameError
from pytest_retrieval_robust.datasets._files.records import Sections
from pytest_retrieval_robust.datasets._files.relevance import RULES, Pairing, pair
from pytest_retrieval_robust.datasets._files.text_policy import (
    POLICIES,
    as_compared,
    decoded,
    decoded_or_latin,
    policy,
)
from pytest_retrieval_robust.measure.inspection import fair_ceiling

# Studies have one text and one label set each, as data has.
STUDIES = st.lists(
    st.tuples(st.sampled_from("abc"), st.frozensets(st.sampled_from("xy"))),
    min_size=1,
    max_size=6,
)


@given(studies=STUDIES, data=st.data(), rule=st.sampled_from(RULES))
def test_what_is_right_for_an_image(
    studies: list[tuple[str, frozenset[str]]], data: st.DataObject, rule: str
) -> None:
    of_image = data.draw(
        st.lists(st.sampled_from(range(len(studies))), min_size=1, max_size=12)
    )
    texts = [studies[number][0] for number in of_image]
    names = [f"s{number}" for number in of_image]
    labels = [studies[number][1] for number in of_image]
    pairing = pair(rule, texts, names, labels, name="any")
    what: dict[str, Sequence[object]] = {
        "same-text": texts,
        "strict-id": list(range(len(texts))),
        "same-study": names,
        "same-labels": labels,
    }
    for image in range(len(of_image)):
        for report, source in enumerate(pairing.sources.tolist()):
            assert (pairing.image_groups[image] == pairing.report_groups[report]) == (
                what[rule][image] == what[rule][source]
            )
    entries = {"same-text": len(set(texts)), "strict-id": len(texts)}.get(
        rule, len(set(names))
    )
    assert len(pairing.sources) == entries


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("findings", "Clear lungs."),
        ("impression", " No acute\n process. "),
        ("findings+impression", "Clear lungs.  No acute\n process. "),
        ("longest", " No acute\n process. "),
        ("full", "All of it."),
    ],
)
def test_policies(name: str, text: str) -> None:
    assert (
        POLICIES[name](Sections("Clear lungs.", " No acute\n process. ", "All of it."))
        == text
    )


def test_one_section_alone() -> None:
    assert POLICIES["findings+impression"](Sections(" ", "Normal.")) == "Normal."
    assert POLICIES["longest"](Sections("Normal.", "")) == "Normal."
    assert as_compared(" No  acute\n\tprocess. ") == "No acute process."


@given(
    texts=st.lists(st.sampled_from("aab"), min_size=1, max_size=5), k=st.integers(1, 6)
)
def test_the_fair_ceiling_is_the_mean_over_all_orders(texts: list[str], k: int) -> None:
    """Strict ids: a perfect encoder puts the image's own text first, in every order of
    equal ones alike.
    """
    from itertools import permutations

    count = len(texts)
    hits = total = 0
    for image in range(count):
        for order in permutations(range(count)):
            ranked = sorted(order, key=lambda report: texts[report] != texts[image])
            hits += image in ranked[:k]
            total += 1
    assert fair_ceiling(texts, list(range(count)), [k])[k] == pytest.approx(
        hits / total
    )


def test_the_longest_section_is_the_findings_where_both_are_as_long() -> None:
    assert POLICIES["longest"](Sections("Same.", "Equal")) == "Same."


def test_an_unknown_policy_is_named_with_what_is_close() -> None:
    assert policy("full") is POLICIES["full"]
    with pytest.raises(UnknownNameError, match="'findngs'.*findings"):
        policy("findngs")


def test_texts_are_compared_however_their_accents_are_composed() -> None:
    assert as_compared("pneume\u0301doce") == as_compared("pneum\u00e9doce")
    assert as_compared("Pneumonia") != as_compared("pneumonia")


def test_a_report_is_read_as_utf_8_without_its_byte_order_mark() -> None:
    content = "é".encode("utf-8-sig")
    assert decoded(content, "row 1") == "é"
    assert decoded_or_latin(content) == ("é", False)


def test_a_report_in_latin_1_is_refused_or_marked() -> None:
    content = "é".encode("latin-1")
    assert decoded_or_latin(content) == ("é", True)
    with pytest.raises(DatasetError, match=r"another encoding in row 1\. Convert it"):
        decoded(content, "row 1")


def images_with(*texts: tuple[str, ...], rule: str = "same-text") -> Pairing:
    studies = [f"s{number}" for number in range(len(texts))]
    return pair(rule, texts, studies, None, name="any")


def test_images_that_share_one_of_several_texts_are_one_group() -> None:
    # The third image joins the first two, which share nothing with each other.
    pairing = images_with(("a", "b"), ("c",), ("b", "c"), ("d",))
    assert pairing.image_groups.tolist() == [0, 0, 0, 1]
    assert pairing.sources.tolist() == [0, 0, 1, 3]
    assert pairing.captions.tolist() == [0, 1, 0, 0]
    assert pairing.report_groups.tolist() == [0, 0, 0, 1]
    assert pairing.joined == 3


def test_images_with_the_same_texts_are_not_counted_as_joined() -> None:
    assert images_with(("a", "b"), ("b", "a"), ("c",)).joined == 0


def test_each_text_of_each_image_is_a_report_of_its_own_by_strict_ids() -> None:
    pairing = images_with(("a", "b"), ("a",), rule="strict-id")
    assert pairing.sources.tolist() == [0, 0, 1]
    assert pairing.captions.tolist() == [0, 1, 0]
    assert pairing.report_groups.tolist() == [0, 0, 1]
    assert pairing.joined == 0


@pytest.mark.parametrize(
    ("joined", "others", "accepted"),
    [(10, 0, True), (11, 0, False), (11, 1088, False), (11, 1089, True)],
)
def test_shared_texts_may_join_10_images_or_a_hundredth_of_all(
    joined: int, others: int, accepted: bool
) -> None:
    texts: list[tuple[str, ...]]
    texts = [("common", f"own {number}") for number in range(joined)]
    texts += [(f"other {number}",) for number in range(others)]
    if accepted:
        assert images_with(*texts).joined == joined
        return
    with pytest.raises(DatasetError, match=f"of any .*got {joined} of {len(texts)}"):
        images_with(*texts)


def test_an_unknown_rule_is_named_with_what_is_close() -> None:
    with pytest.raises(UnknownNameError, match="relevance.*'same-txt'.*same-text"):
        images_with(("a",), rule="same-txt")


def test_shared_labels_need_labels() -> None:
    with pytest.raises(DatasetError, match="same-text, strict-id, same-study"):
        images_with(("a",), rule="same-labels")
