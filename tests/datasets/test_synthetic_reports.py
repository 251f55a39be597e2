"""The reports of the embedded data set: complete, well formed, of a length that says
little, and in one split only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SEEDS, SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.normal_phrases import NEGATIVES
from pytest_retrieval_robust.datasets.synthetic_cxr.phrases import wordings
from pytest_retrieval_robust.datasets.synthetic_cxr.reports import write_report
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    NORMAL,
    SLOTS,
    Study,
    draw,
    split_of,
    split_of_text,
    states_with,
)

STUDIES = 20_000
State = tuple[str, str]


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return [draw(SEEDS["train"], index, "train") for index in range(STUDIES)]


@pytest.fixture(scope="module")
def texts(studies: list[Study]) -> list[str]:
    return [write_report(study) for study in studies]


def abnormal_states() -> Iterator[tuple[str, str, str]]:
    """(slot, state, nodule size) of everything that has wordings of its own."""
    for slot in SLOTS:
        for state in slot.states[1:] if slot.name != "nodule size" else ():
            yield from (
                (slot.name, state, size)
                for size in (("small", "large") if slot.name == "nodule" else ("",))
            )


def meanings() -> dict[str, frozenset[State]]:
    """What each abnormal sentence of the findings says."""
    found: dict[str, frozenset[State]] = {}
    for slot, state, size in abnormal_states():
        said = {(slot, state), *([("nodule size", size)] if size else [])}
        found.update(
            {
                sentence.lower(): frozenset(said)
                for sentence in wordings(slot, state, size)[0]
            }
        )
    return found


def denials() -> dict[str, tuple[str, ...]]:
    return {
        sentence.lower(): slots
        for slots, sentences in NEGATIVES
        for sentence in sentences
    }


def sentences(text: str) -> list[str]:
    return (
        text.lower()
        .split("findings: ")[1]
        .split(" impression: ")[0]
        .removesuffix(".")
        .split(". ")
    )


def test_no_wording_stands_for_two_states_or_for_a_normal_one() -> None:
    for part in (0, 1):
        words = [word for key in abnormal_states() for word in wordings(*key)[part]]
        assert len(set(words)) == len(words)
    normal = [word for _, choices in NEGATIVES for word in choices]
    assert len(set(normal) | set(meanings())) == len(normal) + len(meanings())


def test_every_state_has_six_wordings_or_more() -> None:
    assert min(len(wordings(*key)[0]) for key in abnormal_states()) >= 6


def test_every_wording_of_a_one_sided_state_names_its_side_and_no_other() -> None:
    for slot, state, size in abnormal_states():
        sides = {side for side in ("right", "left") if side in f"{slot} {state}"}
        # A tube that is too low always lies in the right main bronchus.
        sides |= {"right"} if (slot, state) == ("tube", "low") else set()
        for word in wordings(slot, state, size)[0]:
            assert set(re.findall(r"\b(?:right|left)\b", word)) == sides, word


def test_the_findings_say_exactly_what_the_study_shows(
    studies: list[Study], texts: list[str]
) -> None:
    """So two studies with different findings cannot have one text."""
    meaning_of = meanings()
    denied = denials()
    for study, text in zip(studies[:2000], texts, strict=False):
        stated: set[State] = set()
        for sentence in sentences(text):
            assert not any(study.has(slot) for slot in denied.get(sentence, ()))
            if sentence not in denied:
                stated |= meaning_of.get(sentence, frozenset())
        assert stated == {
            (slot.name, study[slot.name]) for slot in SLOTS if study.has(slot.name)
        }


def test_grammar(texts: list[str]) -> None:
    for text in texts[:4000]:
        assert not re.search(
            r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]|  |\.\.|\bpicc\b|\bsvc\b|bases? bases",
            text,
        ), text
        parts = re.fullmatch(r"FINDINGS: (.+\.) IMPRESSION: (.+\.)", text)
        assert parts is not None
        assert all(
            sentence[0].isupper() or sentence[0].isdigit()
            for part in parts.groups()
            for sentence in part.split(". ")
        )


def test_reports_are_short_enough_for_a_small_encoder(texts: list[str]) -> None:
    lengths = [len(text.split()) for text in texts]
    assert 30 < np.mean(lengths) < 37
    assert np.percentile(lengths, 95) < 52
    assert (
        len({word for text in texts for word in re.findall(r"[a-z-]+", text.lower())})
        < 280
    )


def test_the_length_of_a_report_says_little_of_its_findings(
    studies: list[Study], texts: list[str]
) -> None:
    lengths = [len(text.split()) for text in texts]
    abnormal = np.array(
        [[study.has(slot.name) for slot in SLOTS] for study in studies], dtype=float
    )
    of_slots = [abs(np.corrcoef(lengths, column)[0, 1]) for column in abnormal.T]
    assert max(of_slots) < 0.27
    assert np.corrcoef(lengths, abnormal.sum(axis=1))[0, 1] < 0.6


def test_neither_findings_nor_texts_of_the_test_split_occur_among_many_training_studies(
    studies: list[Study], texts: list[str]
) -> None:
    test = SyntheticCxr()
    assert len(test.studies) == 500
    assert not {study.states for study in test.studies} & {
        study.states for study in studies
    }
    assert not set(test.reports) & set(texts)


def test_the_normal_study_belongs_to_the_training_split() -> None:
    assert split_of(NORMAL) == "train"


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from(["train", "test"]))
def test_a_study_and_its_report_follow_from_seed_index_and_split(
    seed: int, index: int, split: str
) -> None:
    study = draw(seed, index, split)
    report = write_report(study)
    # Both are remembered.
    draw.cache_clear()
    write_report.cache_clear()
    assert draw(seed, index, split) == study
    assert write_report(study) == report
    assert split_of(study.states) == split_of_text(report) == study.split == split


@pytest.mark.parametrize("states", [NORMAL, states_with(picc="left")])
def test_the_texts_of_equal_findings_in_two_splits_are_disjoint(
    states: tuple[str, ...],
) -> None:
    written = {
        split: {write_report(Study(1, index, states, split)) for index in range(1000)}
        for split in ("train", "test")
    }
    assert not written["train"] & written["test"]


def test_a_chest_with_a_device_is_not_called_normal() -> None:
    for index in range(200):
        for states in (
            states_with(pacemaker="left"),
            states_with(pacemaker="left", heart="mild"),
        ):
            impression = (
                write_report(Study(3, index, states)).split("IMPRESSION: ")[1].lower()
            )
            assert not re.search(r"\bnormal|unremarkable", impression)
