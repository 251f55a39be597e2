"""The noise of case and what every noise of reports has from its base."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import CorruptionError
from pytest_retrieval_robust.core.hashed_words import hashed_words
from pytest_retrieval_robust.texts.noise.case import CaseNoise

REPORT = "The heart is normal in size. No pleural effusion or PTX is seen."
SEVERITIES = st.floats(0, 1)


def changed_words(text: str, severity: float, seed: int = 0) -> set[int]:
    """The numbers of the words that differ."""
    noised = CaseNoise().apply([text], severity, seed)[0]
    pairs = zip(text.split(), noised.split(), strict=True)
    return {number for number, (before, after) in enumerate(pairs) if before != after}


@given(st.text(), SEVERITIES, st.integers(0, 2**64 - 1))
def test_a_text_is_never_left_empty(text: str, severity: float, seed: int) -> None:
    noised = CaseNoise().apply([text], severity, seed)[0]
    assert bool(noised.strip()) == bool(text.strip())


@given(SEVERITIES, SEVERITIES, st.integers(0, 9))
def test_words_of_a_severity_stay_changed_at_a_higher_one(
    one: float, other: float, seed: int
) -> None:
    lower, higher = sorted((one, other))
    assert changed_words(REPORT, lower, seed) <= changed_words(REPORT, higher, seed)


def test_a_share_of_the_words_equal_to_the_severity_is_changed() -> None:
    assert len(changed_words(REPORT, 0.5)) == 6
    assert len(changed_words(REPORT, 1)) == 13


def test_severity_0_changes_nothing() -> None:
    assert CaseNoise().apply([REPORT, ""], 0, 3) == [REPORT, ""]


def test_another_seed_chooses_other_words() -> None:
    assert changed_words(REPORT, 0.5, 0) != changed_words(REPORT, 0.5, 1)


def test_a_text_is_changed_alike_in_every_list() -> None:
    alone = CaseNoise().apply([REPORT], 0.4, 0)
    assert CaseNoise().apply(["Clear.", REPORT], 0.4, 0)[1:] == alone


def test_first_words_do_not_depend_on_how_many_are_drawn() -> None:
    many = hashed_words(REPORT, 0, "test", 100)
    assert hashed_words(REPORT, 0, "test", 17) == many[:17]
    assert len(set(many)) == 100


@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan"), True, "0.2", None])
def test_a_severity_out_of_range_is_an_error(severity: object) -> None:
    with pytest.raises(CorruptionError, match="from 0 to 1, got severity="):
        CaseNoise().apply([REPORT], severity, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, True])
def test_a_seed_out_of_range_is_an_error(seed: object) -> None:
    with pytest.raises(CorruptionError, match="got seed="):
        CaseNoise().apply([REPORT], 0.5, seed)  # type: ignore[arg-type]


def test_one_text_in_place_of_a_list_is_an_error_that_does_not_quote_it() -> None:
    with pytest.raises(CorruptionError, match="list of texts") as caught:
        CaseNoise().apply(REPORT, 0.5, 0)
    assert "heart" not in str(caught.value)
