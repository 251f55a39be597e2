"""The official parser's rules, on reports made up here.

(Its own code gave the same on 200,000 random reports.)
"""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.datasets.mimic_cxr.sections import (
    MISNAMED,
    RANGES,
    canonical,
    read_sections,
    sections_of,
)


def test_the_last_section_of_a_name_wins_and_empty_ones_do_not_count() -> None:
    text = (
        " FINAL REPORT\n FINDINGS:  First.\n IMPRESSION:  One.\n FINDINGS:  Second.\n"
        " IMPRESSION: \n \n"
    )
    assert sections_of(text)["findings"] == "Second."
    assert sections_of(text)["impression"] == "One."


def test_the_line_right_below_a_bare_header_is_no_header() -> None:
    assert (
        sections_of(" X\n FINDINGS:\n IMPRESSION:  Shadow.\n")["findings"]
        == "IMPRESSION:  Shadow."
    )
    assert (
        sections_of(" X\n FINDINGS: \n IMPRESSION:  Shadow.\n")["impression"]
        == "Shadow."
    )


def test_the_last_paragraph_where_neither_section_is() -> None:
    parts = sections_of(
        " FINAL REPORT\n HISTORY:  Cough.\n \n Hyperinflated lungs.\n \n No effusion.\n"
    )
    assert parts == {
        "preamble": "FINAL REPORT",
        "history": "Cough.",
        "last_paragraph": "Hyperinflated lungs.\n \n No effusion.",
    }


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("CONCLUSION", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("IMPERSSION", "impression"),
        ("CHEST, TWO VIEWS", "findings"),
        ("PA AND LATERAL CHEST RADIOGRAPH", "findings"),
        ("ADDENDUM FINDINGS", "findings"),
        ("COMPARISION", "comparison"),
        ("PFI", "history"),
        ("RECOMMENDATION(S)", "recommendations"),
        ("DOSE", "dose"),
    ],
)
def test_headers(header: str, name: str) -> None:
    assert canonical(header) == name


def test_exceptions() -> None:
    assert (
        len(MISNAMED),
        len(RANGES),
        sum(characters == (0, 0) for characters in RANGES.values()),
    ) == (23, 31, 8)
    text = "x" * 59 + "The conclusion." + "y" * 400
    assert read_sections("s56579911", text).impression == text[59:218]
    assert read_sections("s58235663", " X\n IMPRESSION:  Not this.\n").impression == ""
    misnamed = " X\n RECOMMENDATION(S):  The conclusion.\n IMPRESSION:  Not this.\n"
    assert read_sections("s50913680", misnamed)[:2] == ("", "The conclusion.")
    assert read_sections("s50913681", misnamed).impression == "Not this."
