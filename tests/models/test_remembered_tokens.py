"""A text is tokenised once, however often it is asked for, and its ids never change."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.models._formats.remembered_tokens import RememberedTokens

CONTEXT = 4


class Letters:
    """A token per letter, between two special ones, cut at the context."""

    context = CONTEXT
    digest = "letters"

    def __init__(self) -> None:
        self.tokenised: list[str] = []
        self.measured: list[str] = []

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        # Some tokenizers fail without a text.
        assert texts
        self.tokenised += texts
        return [[1, *map(ord, text[: CONTEXT - 2]), 2] for text in texts]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        assert texts
        self.measured += texts
        return [len(text) + 2 for text in texts]


TEXTS = st.lists(st.text(max_size=5), max_size=12)


@given(calls=st.lists(TEXTS, max_size=6), most=st.integers(0, 60))
def test_what_is_kept_is_what_the_tokenizer_says(
    calls: list[list[str]], most: int
) -> None:
    remembered = RememberedTokens(Letters(), most)
    for texts in calls:
        expected = Letters().ids(texts) if texts else []
        assert remembered.ids(texts) == expected
        assert remembered.lengths(texts) == [len(text) + 2 for text in texts]
        kept = sum(map(len, remembered._kept.values()))
        assert kept == remembered._size <= most


@given(TEXTS)
def test_each_text_is_tokenised_once(texts: list[str]) -> None:
    letters = Letters()
    remembered = RememberedTokens(letters)
    remembered.ids(texts)
    remembered.lengths(texts)
    remembered.ids(texts[::-1])
    assert letters.tokenised == list(dict.fromkeys(texts))
    # Those alone that fill the context may have been cut.
    assert letters.measured == [text for text in texts if len(text) + 2 >= CONTEXT]


def test_texts_themselves_are_not_kept() -> None:
    remembered = RememberedTokens(Letters())
    remembered.ids(["a patient"])
    assert "patient" not in repr(remembered._kept)
    # Half of a pair of surrogates, as broken files have it.
    assert remembered.ids(["\ud800"]) == [[1, 0xD800, 2]]
