"""Relevance rules against their definitions, for any texts, studies and labels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.datasets._files.records import Sections
from pytest_retrieval_robust.datasets._files.relevance import RULES, pair
from pytest_retrieval_robust.datasets._files.text_policy import POLICIES, as_compared
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
    ("policy", "text"),
    [
        ("findings", "Clear lungs."),
        ("impression", " No acute\n process. "),
        ("findings+impression", "Clear lungs.  No acute\n process. "),
        ("longest", " No acute\n process. "),
        ("full", "All of it."),
    ],
)
def test_policies(policy: str, text: str) -> None:
    assert (
        POLICIES[policy](
            Sections("Clear lungs.", " No acute\n process. ", "All of it.")
        )
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
