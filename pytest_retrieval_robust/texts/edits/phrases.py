"""Finding phrases of a list in a sentence: one look-up per word, the longest phrase first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*|_+|\S")


class Word(NamedTuple):
    """A word or mark in lower case, and where it stands in the sentence.

    Its repr does not show it.
    """

    text: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"<Word of {len(self.text)} characters>"


def words_of(sentence: str) -> tuple[Word, ...]:
    """The words and marks of a sentence; hyphens and full stops inside a word stay."""
    matches = _WORD.finditer(sentence)
    return tuple(
        Word(match[0].lower(), match.start(), match.end()) for match in matches
    )


class PhraseIndex:
    """Phrases in lower case, by their first words."""

    def __init__(self, phrases: Collection[str]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for phrase in sorted(phrases, key=len, reverse=True):
            words = tuple(word.text for word in words_of(phrase))
            self._by_first.setdefault(words[0], []).append(words)

    def find(self, words: Sequence[Word]) -> Iterator[tuple[str, int, int]]:
        """(phrase, start, end) of each phrase, from left to right, none inside another."""
        taken_to = 0
        for position, word in enumerate(words):
            phrases = self._by_first.get(word.text)
            if phrases is None or position < taken_to:
                continue
            for phrase in phrases:
                taken = words[position : position + len(phrase)]
                if tuple(other.text for other in taken) == phrase:
                    taken_to = position + len(phrase)
                    yield " ".join(phrase), taken[0].start, taken[-1].end
                    break
