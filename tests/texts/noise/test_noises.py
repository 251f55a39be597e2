"""What each noise does to reports."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.texts.noise.abbreviations import Abbreviations
from pytest_retrieval_robust.texts.noise.deidentification import Deidentification
from pytest_retrieval_robust.texts.noise.headings import Headings
from pytest_retrieval_robust.texts.noise.punctuation import Punctuation
from pytest_retrieval_robust.texts.noise.recognition import Recognition
from pytest_retrieval_robust.texts.noise.sentence_order import SentenceOrder
from pytest_retrieval_robust.texts.noise.truncation import Truncation
from pytest_retrieval_robust.texts.noise.typos import Typos

REPORT = (
    "FINDINGS: A 1.5 cm nodule is seen in the left upper lobe, near Dr. Lee's clip. The"
    " heart is enlarged. IMPRESSION: Nodule; no pneumothorax."
)


def test_punctuation_goes_and_numbers_keep_theirs() -> None:
    (text,) = Punctuation().apply([REPORT], 1, 0)
    assert text == (
        "FINDINGS A 1.5 cm nodule is seen in the left upper lobe near Dr Lee's clip The"
        " heart is enlarged IMPRESSION Nodule no pneumothorax"
    )


def test_no_two_words_become_one_without_their_comma() -> None:
    assert Punctuation().apply(["effusion,left"], 1, 0) == ["effusion left"]


def test_headings_go_and_sentences_stay() -> None:
    (text,) = Headings().apply([REPORT], 1, 0)
    assert text == REPORT.replace("FINDINGS: ", "").replace("IMPRESSION: ", "")


def test_lines_of_a_report_stay_where_a_heading_is_lost() -> None:
    text = "FINDINGS:\nThe heart is large.\n\nNo effusion."
    assert Headings().apply([text], 1, 0) == ["The heart is large.\n\nNo effusion."]


def test_a_report_of_one_heading_stays() -> None:
    assert Headings().apply(["FINDINGS:"], 1, 0) == ["FINDINGS:"]


def test_words_with_digits_are_blacked_out_first() -> None:
    text = "Age 57, seen on 2019-02-03 with a 3 cm nodule in one of the lungs today"
    (masked,) = Deidentification(share=0.2).apply([text], 1, 0)
    assert masked == text.replace("57", "___").replace("2019-02-03", "___").replace(
        "3 cm", "___ cm"
    )


def test_the_share_of_words_is_blacked_out() -> None:
    text = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrst")
    (masked,) = Deidentification(share=0.5).apply([text], 0.4, 0)
    assert masked.count("___") == round(0.4 * 0.5 * 20)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), word=st.from_regex("[a-z]{4,12}", fullmatch=True))
def test_a_typing_error_is_one_letter_out_doubled_swapped_or_beside(
    seed: int, word: str
) -> None:
    if word in ("left", "right", "without"):
        return
    (wrong,) = Typos(share=1.0).apply([word], 1, seed)
    assert wrong != word
    assert wrong[0] == word[0]
    assert abs(len(wrong) - len(word)) <= 1
    if len(wrong) == len(word):
        differing = [at for at in range(len(word)) if wrong[at] != word[at]]
        assert len(differing) in (1, 2)


def test_typing_errors_leave_denials_and_sides_alone() -> None:
    text = "No left or right mass, without PTX"
    (wrong,) = Typos(share=1.0).apply([text], 1, 0)
    assert re.findall("No|left|or|right|without|PTX", wrong) == [
        "No",
        "left",
        "or",
        "right",
        "without",
        "PTX",
    ]


def test_speech_is_misheard_in_its_case() -> None:
    texts = Recognition(of="speech", share=1.0).apply(["Heart size is normal."], 1, 0)
    assert texts == ["Hard sighs is normal."]


def test_what_is_misheard_neither_denies_nor_names_a_side() -> None:
    texts = ["There is no left or right effusion, without change."]
    (wrong,) = Recognition(of="speech", share=1.0).apply(texts, 1, 0)
    assert {"no", "left", "right", "without"} <= set(re.findall("[a-z]+", wrong))


def test_a_scan_takes_one_shape_for_another() -> None:
    assert Recognition(share=1.0).apply(["vva"], 1, 0) == ["wa"]


@pytest.mark.parametrize("seed", range(4))
def test_sentences_stay_within_their_section(seed: int) -> None:
    text = "FINDINGS: One is a. Two is b. Three is c. IMPRESSION: Four is d. Five is e."
    (shuffled,) = SentenceOrder().apply([text], 1, seed)
    findings, _, impression = shuffled.partition(" IMPRESSION: ")
    assert findings.startswith("FINDINGS: ")
    first = findings.removeprefix("FINDINGS: ")
    assert sorted(first.rstrip(".").split(". ")) == [
        "One is a",
        "Three is c",
        "Two is b",
    ]
    assert sorted(impression.rstrip(".").split(". ")) == ["Five is e", "Four is d"]


def test_sentences_do_change_places() -> None:
    text = "One is a. Two is b. Three is c. Four is d."
    orders = {SentenceOrder().apply([text], 1, seed)[0] for seed in range(10)}
    assert len(orders) > 5


def test_a_title_ends_no_sentence() -> None:
    text = "Seen by Dr. Lee. Heart is large."
    orders = {SentenceOrder().apply([text], 1, seed)[0] for seed in range(10)}
    assert orders == {text, "Heart is large. Seen by Dr. Lee."}


def test_the_longest_term_is_abbreviated() -> None:
    (text,) = Abbreviations().apply([REPORT], 1, 0)
    assert text == REPORT.replace("left upper lobe", "LUL").replace(
        "enlarged", "enl"
    ).replace("pneumothorax", "PTX")


def test_truncation_keeps_the_first_words() -> None:
    text = " ".join("abcdefghijkl")
    assert Truncation(tokens=2).apply([text], 1, 0) == ["a b"]
    assert Truncation(tokens=2).apply([text], 0.5, 0) == ["a b c d e f g"]
    assert Truncation(tokens=50).apply([text], 1, 0) == [text]


@pytest.mark.parametrize("share", [0, -1, 1.5, True, "1"])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(CorruptionError, match="share above 0 and at most 1"):
        Typos(share=share)


@pytest.mark.parametrize("tokens", [0, 1.5, True])
def test_truncation_to_no_word_is_refused(tokens: int) -> None:
    with pytest.raises(CorruptionError, match="tokens of at least 1"):
        Truncation(tokens=tokens)


def test_an_unknown_kind_of_recognition_is_refused() -> None:
    with pytest.raises(CorruptionError, match="got of='fax'"):
        Recognition(of="fax")
